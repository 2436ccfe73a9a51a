"""What must be the same in all processes of a run, before they take a step together."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from hf_vits.joint import check_agreement

if TYPE_CHECKING:
    from hf_vits.training.trainer import VitsTrainer

OWN = ("cpu_threads", "num_workers", "report_to", "process_timeout")
"""Settings that may differ from process to process."""

ADVICE = "Start all with the same settings, data, voice and code, and an `output_dir` that all of them see."


def check_processes_agree(trainer: "VitsTrainer") -> None:
    """Raise `ValueError` in every process if settings, clips, symbols or the voice's shape differ between them."""
    if trainer.accelerator.num_processes > 1:
        check_agreement(_facts(trainer), ADVICE)


def check_same_step(trainer: "VitsTrainer") -> None:
    """Raise `ValueError` in every process if they do not go on from the same step."""
    if trainer.accelerator.num_processes > 1:
        progress = trainer.progress
        check_agreement({"the step to go on from": progress.step, "its epoch": progress.epoch}, ADVICE)


def _facts(trainer: "VitsTrainer") -> dict[str, Any]:
    settings = {name: value for name, value in trainer.config.to_dict().items() if name not in OWN}
    settings["mixed_precision"] = trainer.accelerator.mixed_precision
    loader = getattr(trainer.batches, "loader", None)
    clips = [] if loader is None else loader.dataset.clips
    held_out = [] if trainer.held_out is None else trainer.held_out.clips
    voice = {name: list(value.shape) for name, value in trainer.start.model.state_dict().items()}
    judges = {name: list(value.shape) for name, value in trainer.start.discriminator.state_dict().items()}
    return {
        **{f"`{name}`": value for name, value in settings.items()},
        "the number of clips": len(clips),
        "the digest of the clips": _digest(_of_clips(clips)),
        "the number of held-out clips": len(held_out),
        "the digest of the held-out clips": _digest(_of_clips(held_out)),
        "the digest of the symbols": _digest(trainer.tokenizer.get_vocab()),
        "the digest of the voice's shapes": _digest(voice),
        "the digest of the judges' shapes": _digest(judges),
    }


def _of_clips(clips) -> list[list]:
    return [[clip.row, clip.num_samples, clip.speaker_id, list(clip.input_ids)] for clip in clips]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
