"""Train a new decoder on the latents and waveforms of a voice; text side, flow and durations stay bitwise identical.

Latents come from texts, by all speakers of the voice; the waveform of the voice's decoder stands for a recording. The
losses are those of training: log-mels, adversarial, feature matching.
"""

import logging
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hf_vits.configuration_decoders import DECODERS
from hf_vits.configuration_vits import VitsConfig
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.modeling_vits import VitsModel
from hf_vits.training import checkpoints
from hf_vits.training.completed_base import Base, Texts
from hf_vits.training.distillation_arguments import DistillationArguments
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.initialization import ModelInitialization, seeded
from hf_vits.training.loggers import ExperimentLogger
from hf_vits.training.losses import losses_of
from hf_vits.training.optimizer import check_modules
from hf_vits.training.own_speech import usable_texts
from hf_vits.training.phases import Phase
from hf_vits.training.replay import Replay
from hf_vits.training.run_summary import RunSummary
from hf_vits.training.speaking_rate import SpeakingRate
from hf_vits.training.speech_evaluation import SpeechEvaluation
from hf_vits.training.train_step import GeneratorForward, LossNormalizer, TrainingStep
from hf_vits.training.trainer import VitsTrainer
from hf_vits.utils.digests import json_digest
from hf_vits.utils.formatting import quoted

logger = logging.getLogger(__name__)

STEPS_PER_EPOCH = 1000
"""Steps after which `lr_decay` applies: there is no data whose end would be that of an epoch."""

CHECKED_BATCHES = 4
"""Batches of utterances with texts that are not trained on, which an evaluation decodes."""

EVALUATION_SEED = 1
"""Added to the seed of a run for the utterances of its evaluations."""


@dataclass(frozen=True)
class NoBatch:
    """Stands for a batch of a step whose segments follow from its number."""

    def to(self, device: torch.device) -> "NoBatch":
        """Return it as it is."""
        return self


class Steps:
    """
    Stand for a data loader.

    Args:
        batches_per_step (`int`):
            Batches that a step takes.
    """

    def __init__(self, batches_per_step: int):
        self.batches = STEPS_PER_EPOCH * batches_per_step

    def epoch(self, epoch: int, start: int = 0) -> Iterator[NoBatch]:
        """Iterate over what is left of an epoch."""
        return iter([NoBatch()] * (self.batches - start))


class DistillationStep(TrainingStep):
    """A step of training whose segments are all of the voice's own speech."""

    def _generate(self, batch: NoBatch, step: int, number: int, with_graph: bool, phase: Phase) -> GeneratorForward:
        with self.accelerator.autocast(), torch.set_grad_enabled(with_graph):
            segments = self.replay.segments(self.generator.module, step, number, self._process_index)
        return GeneratorForward(batch, [], None, None, segments)

    def _normalizers(self, batches: Sequence[NoBatch]) -> list[LossNormalizer]:
        share = torch.tensor(1 / len(batches), device=self.accelerator.device)
        return [LossNormalizer(share, share, share)] * len(batches)


class DecoderEvaluation:
    """Measure the losses of the decoder that need no discriminator on utterances that are not trained on."""

    def __init__(self, generator: VitsGenerator, replay: Replay):
        self.generator, self.replay = generator, replay

    @torch.no_grad()
    def run(self, step: int, experiment: ExperimentLogger) -> None:
        """Log their means."""
        self.generator.eval()
        found = [
            losses_of("reconstruction", self.replay.segments(self.generator, 0, n)) for n in range(CHECKED_BATCHES)
        ]
        experiment.log(
            step, {f"eval/{name}": float(torch.stack([one[name] for one in found]).mean()) for name in found[0]}
        )
        experiment.draw_losses()


class Distiller(VitsTrainer):
    """
    Train a new decoder of a voice to say what its own decoder says.

    Args:
        teacher ([`Base`]):
            The voice, as [`load_base`] returns it.
        texts ([`Texts`]):
            What the voice says.
        args ([`DistillationArguments`]):
            Settings of the run.

    Raises:
        ValueError: for a decoder that does not fit the voice, or texts of which it can say none.
    """

    step_class = DistillationStep

    def __init__(self, teacher: Base, texts: Texts, args: DistillationArguments):
        self.teacher = teacher.model.float().eval()
        student = with_decoder(self.teacher, args.decoder, args.seed)
        frozen = sorted({name.split(".")[0] for name, _ in student.named_parameters()} - {"decoder"})
        self.given, args = args, copy(args)
        args.freeze_modules, args.new_module_steps = frozen, 0  # which nobody may set
        config = VitsDiscriminatorConfig(**args.discriminator_config)
        config = config.scale_channels_by(args.discriminator_channel_multiplier)
        with seeded(args.seed):
            start = ModelInitialization(student, VitsDiscriminator(config), provenance=teacher.origin)
        super().__init__(start, args, texts, processing_class=teacher.tokenizer, dataset_name=texts.name)

    def _prepare_data(self, train_dataset: Texts, eval_dataset: None) -> None:
        """Choose the texts; some are kept for evaluation if there are enough."""
        args, model = self.args, self.initialization.model
        self.multipliers = check_modules(checkpoints.add_decoder_weight_norm(model), args)
        self.best.check(True)
        usable = usable_texts(train_dataset.texts, self.processing_class)
        self.texts_digest = json_digest(usable)
        self.eval_texts = usable[9::10] or usable
        kept = set(self.eval_texts)
        self.texts = [text for text in usable if text not in kept] or usable
        self.train_dataloader, self.filter_report, self.eval_clips = Steps(args.gradient_accumulation_steps), None, None
        self.speaking_rate = SpeakingRate(args, self.train_dataloader, 1)
        self.speech = SpeechEvaluation(args, self.processing_class, self.accelerator) if args.eval_metrics else None
        if self.speech is not None:
            self.speech.set_clips(None, None, self.columns.text, model.config)

    def _build_generator(self, model: VitsModel) -> VitsGenerator:
        return VitsGenerator(model, self.args.segment_frames, decodes_only=True)

    def _prepare_models(self) -> None:
        super()._prepare_models()
        self.teacher.to(self.accelerator.device)
        self.replay = self._own_speech(self.texts, self.args.seed)
        generator = VitsGenerator(self.output_model, self.args.segment_frames, decodes_only=True)
        fresh = self._own_speech(self.eval_texts, self.args.seed + EVALUATION_SEED)
        self.evaluation = DecoderEvaluation(generator.to(self.accelerator.device), fresh)

    def _own_speech(self, texts: Sequence[str], seed: int) -> Replay:
        count, ids = self.teacher.config.num_speakers, [self.processing_class(text).input_ids for text in texts]
        speakers = range(count) if count > 1 else [None]
        return Replay(self.teacher, ids, speakers, self.args.per_device_train_batch_size, seed)

    def _measure_speech(self, step: int, experiment: ExperimentLogger) -> None:
        """Measure the voice as it is; before the first step, with its own decoder, which the new one is compared to."""
        self.speech.run(step, self.output_model if step else self.teacher, experiment)

    def summary(self) -> RunSummary:
        """Return the facts that the model card and the closing message state."""
        return replace(super().summary(), args=self.given, is_distilled=True)

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "texts": self.texts_digest}

    def _load_modules(self, state: dict[str, Any], folder: Path) -> None:
        """Load a checkpoint; raise `ValueError` if it is of another voice or of other texts, whose latents the decoder
        learned."""
        other = "or choose another folder for the output."
        own = self.teacher.state_dict()
        for name, value in state["generator"].items():
            if name in own and not name.startswith("decoder.") and not torch.equal(value.to(own[name]), own[name]):
                raise ValueError(
                    f"{folder} is of a voice with another {name}. Resume with the voice that it was begun with, {other}"
                )
        if state.get("texts", self.texts_digest) != self.texts_digest:  # checkpoints of early versions have none
            raise ValueError(
                f"{folder} is of a run with other texts than {self.dataset_name}, so that what follows would differ. "
                f"Resume with the texts that it was begun with, as they were, {other}"
            )
        super()._load_modules(state, folder)


def with_decoder(voice: VitsModel, decoder: dict[str, Any], seed: int) -> VitsModel:
    """
    Return a copy of a voice with a newly initialized decoder.

    Args:
        voice ([`VitsModel`]):
            The voice.
        decoder (`dict[str, Any]`):
            Configuration of the decoder, with its `type`; samples per frame are those of the voice if it has none.
        seed (`int`):
            Seed of the new weights.

    Raises:
        ValueError: for an unknown decoder or field, or another number of samples per frame than the voice has.
    """
    if "type" not in decoder:
        raise ValueError(f"`decoder` is {quoted(dict(decoder))}; it must have a `type`: {', '.join(DECODERS)}.")
    hop = voice.config.hop_length
    own = DECODERS[decoder["type"]].config_class.fields_for_hop(hop) | dict(decoder)
    config = VitsConfig.from_dict({**voice.config.to_dict(), "model_type": "vits", "decoder": own})
    if config.hop_length != hop:
        raise ValueError(
            f"`decoder` makes {config.hop_length} samples of a frame, and the voice has {hop}; frames of its latents "
            "must stay as long."
        )
    with seeded(seed):
        model = VitsModel(config)
    kept = {name: value for name, value in voice.state_dict().items() if not name.startswith("decoder.")}
    model.load_state_dict({**model.state_dict(), **kept})
    model.config.name_or_path = model.name_or_path = voice.name_or_path
    return model
