"""Evaluation on clips that are not trained on: measures for the history, and speech and pictures to inspect."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor

from hf_vits.data.batch import VitsBatch
from hf_vits.data.dataset import VitsDataset, collate
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.alignment import log_likelihood
from hf_vits.modules.masks import mask_from_lengths
from hf_vits.modules.sampling import seed_of
from hf_vits.training.generator import VitsGenerator, VitsTrainingOutput
from hf_vits.training.loggers import ExperimentLogger
from hf_vits.training.losses import LOSSES, MEASURED, losses_of, names_of_losses
from hf_vits.training.train_step import clip_generators

logger = logging.getLogger(__name__)

SHOWN_CLIPS = 3
"""Clips that are spoken and drawn at each evaluation."""


NOT_EVALUATED = (
    "There is no evaluation set, so the run is not evaluated: it writes no samples to listen to, and nothing shows "
    "when it overfits. Name recordings in the folder's eval.txt (of ten usable clips or more some are drawn without "
    "it), or give `eval_split`, or in Python `eval_dataset`."
)
"""Warning at the start of a run without evaluation."""


def measure_names(requested: Sequence[str] = ()) -> list[str]:
    """Return the losses of a decoder with these `losses` that need no discriminator, and focus."""
    return [*(name for name in names_of_losses(requested) if LOSSES[name].stage in MEASURED), "focus"]


def has_evaluation(history: Sequence[Mapping[str, float]], step: int) -> bool:
    """Return True if a history has these measures at a step."""
    name = f"eval/{measure_names()[-1]}"
    return any(line["step"] == step and name in line for line in history)


@dataclass
class EvalSample:
    """
    Measures of one complete clip.

    Args:
        measures (`dict[str, float]`):
            mel (distance of the reconstruction), kl (nats per frame), duration (per token, of either predictor), and
            focus, the mean probability of each frame's likeliest token (Ren et al. 2019); 1 is a sharp alignment.
        real_mel, fake_mel (`Tensor` of shape `(M, T_spec)`):
            Log-mels of the recording and of its reconstruction.
        scores (`Tensor` of shape `(T_spec, T_text)`):
            Log-likelihood of each frame under each token.
        token_index (`Tensor` of shape `(T_spec,)`, int64):
            The alignment.
    """

    measures: dict[str, float]
    real_mel: Tensor
    fake_mel: Tensor
    scores: Tensor
    token_index: Tensor


@torch.no_grad()
def evaluate_clip(generator: VitsGenerator, batch: VitsBatch, seed: int) -> EvalSample:
    """Measure a batch of one clip; with equal seeds its noise is the same in every evaluation."""
    frames = int(batch.waveform_lengths // generator.model.config.hop_length)
    with eval_mode(generator):
        out = generator(batch, clip_generators(seed, 0, batch.rows), frames)
        scores = _scores(generator, batch, out)
    measures = {**losses_of("reconstruction", out), **losses_of("prior", out)}
    measures["focus"] = scores.softmax(dim=-1).amax(dim=-1).mean()
    return EvalSample(
        {name: float(value) for name, value in measures.items()},
        out.real_mel[0],
        out.fake_mel[0],
        scores[0],
        out.token_index[0],
    )


@torch.no_grad()
def speak_clip(generator: VitsGenerator, batch: VitsBatch, seed: int) -> Tensor:
    """Synthesize the text of a batch of one clip as users do -> waveform (T_wav,).

    Raises:
        ValueError: if a predicted duration is not finite, or much too long.
    """
    source = torch.Generator().manual_seed(seed_of(seed, 0))
    with eval_mode(generator):
        out = generator.model(batch.input_ids, speaker_id=batch.speaker_id, generator=source)
    return out.waveform[0, : int(out.sequence_lengths)]


@contextmanager
def eval_mode(generator: VitsGenerator) -> Iterator[None]:
    """Put the generator in evaluation mode, in which weights are prepared once, and back in training mode after."""
    if not generator.training:  # inside another such block
        yield
        return
    generator.eval()
    try:
        yield
    finally:
        generator.train()


def _scores(generator: VitsGenerator, batch: VitsBatch, out: VitsTrainingOutput) -> Tensor:
    mask = mask_from_lengths(batch.text_lengths, batch.input_ids.shape[1], out.prior_latents.dtype)
    language = generator.model.language_vector(None, len(batch))
    text = generator.model.text_encoder(batch.input_ids, mask, language=language, speaker=out.speaker)
    return log_likelihood(out.prior_latents, text.prior_mean, text.prior_log_std)


class Evaluation:
    """
    Evaluate a model during training.

    Args:
        model ([`VitsModel`]):
            The model.
        clips ([`VitsDataset`]):
            The evaluation set.
        accelerator (`Accelerator`):
            Distributes the clips over processes.
        seed (`int`):
            Seed of the noise, which is the same in each evaluation.
    """

    def __init__(self, model: VitsModel, clips: VitsDataset, accelerator: Accelerator, seed: int):
        self.generator = VitsGenerator(model).to(accelerator.device)
        self.clips, self.accelerator, self.seed = clips, accelerator, seed

    def run(self, step: int, experiment: ExperimentLogger) -> dict[str, float]:
        """Log the means over all clips, and return them by name."""
        index, processes = self.accelerator.process_index, self.accelerator.num_processes
        names = measure_names(self.generator.model.config.decoder_config.losses)
        sums = torch.zeros(len(names) + 1, dtype=torch.float64)
        with eval_mode(self.generator):
            for number in range(index, len(self.clips), processes):
                batch = collate([self.clips[number]]).to(self.accelerator.device)
                clip = evaluate_clip(self.generator, batch, self.seed)
                sums += torch.tensor([*(clip.measures[name] for name in names), 1.0], dtype=torch.float64)
                if self.accelerator.is_main_process and number < SHOWN_CLIPS * processes:
                    self._show(step, experiment, batch, clip)
        *totals, count = self.accelerator.reduce(sums.float().to(self.accelerator.device), "sum").tolist()
        measures = {f"eval/{name}": total / count for name, total in zip(names, totals, strict=True)}
        experiment.log(step, measures)
        experiment.draw_losses()
        return measures

    def _show(self, step: int, experiment: ExperimentLogger, batch, clip: EvalSample) -> None:
        name, rate = f"row-{int(batch.rows)}", self.generator.model.config.sampling_rate
        if step == 0:
            experiment.log_audio(step, f"{name}-recorded", batch.waveform[0, 0].cpu().numpy(), rate)
        spectrogram, spoken_mel = self.generator.spectrogram, None
        try:
            spoken = speak_clip(self.generator, batch, self.seed)
        except ValueError as error:
            logger.warning(f"At step {step} the model cannot speak {name}: {error}")
        else:
            experiment.log_audio(step, name, spoken.cpu().numpy(), rate)
            spoken_mel = spectrogram.mel(spectrogram(spoken[None, None]))[0]
        experiment.log_figure(step, name, clip_figure(clip, spoken_mel))


def clip_figure(clip: EvalSample, spoken_mel: Tensor | None = None):
    """Draw mels of recording, reconstruction and (M, T) speech, and the alignment, in a `matplotlib.figure.Figure`."""
    from matplotlib.figure import Figure

    mels = {"recording": clip.real_mel, "reconstruction": clip.fake_mel, "spoken from its text": spoken_mel}
    mels = {name: mel for name, mel in mels.items() if mel is not None}
    figure = Figure(figsize=(9, 2 * len(mels) + 4))
    figure.subplots_adjust(left=0.07, right=0.98, bottom=0.06, top=0.96, hspace=0.4)
    axes = figure.subplots(len(mels) + 1, 1, height_ratios=[1] * len(mels) + [2])
    low, high = float(clip.real_mel.min()), float(clip.real_mel.max())
    for axis, (name, mel) in zip(axes, mels.items(), strict=False):
        axis.imshow(mel.cpu().numpy(), origin="lower", aspect="auto", vmin=low, vmax=high, interpolation="none")
        axis.set(title=name, ylabel="mel band")
    posterior = clip.scores.softmax(dim=-1).T.cpu().numpy()
    axes[-1].imshow(posterior, origin="lower", aspect="auto", cmap="Greys", interpolation="none")
    axes[-1].plot(clip.token_index.cpu().numpy(), color="tab:red", linewidth=1)
    axes[-1].set(title=f"alignment, focus {clip.measures['focus']:.2f}", xlabel="frame", ylabel="token")
    return figure
