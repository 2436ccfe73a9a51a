"""Held-out clips, from time to time: measures for the history, speech and pictures for whoever looks."""

import logging

import torch
from accelerate import Accelerator

from hf_vits.modeling_vits import VitsModel
from hf_vits.training.data import VitsDataset, collate
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.held_out import MEASURES, HeldOut, at_rest, evaluate_clip, speak_clip
from hf_vits.training.pictures import clip_picture
from hf_vits.training.trackers import Reporter

logger = logging.getLogger(__name__)

SHOWN_CLIPS = 3
"""Clips that are spoken and drawn at each evaluation."""


class Evaluation:
    """
    Of one voice, as it changes.

    Args:
        model ([`VitsModel`]):
            The voice.
        clips ([`VitsDataset`]):
            What it is not trained on.
        accelerator (`Accelerator`):
            Shares the clips between processes.
        seed (`int`):
            Of the noise, which is the same each time.
    """

    def __init__(self, model: VitsModel, clips: VitsDataset, accelerator: Accelerator, seed: int):
        self.generator = VitsGenerator(model).to(accelerator.device)
        self.clips, self.accelerator, self.seed = clips, accelerator, seed

    def run(self, step: int, reporter: Reporter) -> dict[str, float]:
        """Means over all clips by name, which are reported."""
        index, processes = self.accelerator.process_index, self.accelerator.num_processes
        sums = torch.zeros(len(MEASURES) + 1, dtype=torch.float64)
        with at_rest(self.generator):
            for number in range(index, len(self.clips), processes):
                batch = collate([self.clips[number]]).to(self.accelerator.device)
                clip = evaluate_clip(self.generator, batch, self.seed)
                sums += torch.tensor([*(clip.measures[name] for name in MEASURES), 1.0], dtype=torch.float64)
                if self.accelerator.is_main_process and number < SHOWN_CLIPS * processes:
                    self._show(step, reporter, batch, clip)
        *totals, count = self.accelerator.reduce(sums.float().to(self.accelerator.device), "sum").tolist()
        measures = {f"held_out/{name}": total / count for name, total in zip(MEASURES, totals, strict=True)}
        reporter.numbers(step, measures)
        reporter.losses()
        return measures

    def _show(self, step: int, reporter: Reporter, batch, clip: HeldOut) -> None:
        name, rate = f"row-{int(batch.rows)}", self.generator.model.config.sampling_rate
        if step == 0:
            reporter.sound(step, f"{name}-recorded", batch.waveform[0, 0].cpu().numpy(), rate)
        spectrogram, spoken_mel = self.generator.spectrogram, None
        try:
            spoken = speak_clip(self.generator, batch, self.seed)
        except ValueError as error:
            logger.warning(f"At step {step} the voice cannot speak {name}: {error}")
        else:
            reporter.sound(step, name, spoken.cpu().numpy(), rate)
            spoken_mel = spectrogram.mel(spectrogram(spoken[None, None]))[0]
        reporter.picture(step, name, clip_picture(clip, spoken_mel))
