"""What must be the same in all processes of a run, before they take a step together."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from hf_vits.utils.distributed import check_agreement

if TYPE_CHECKING:
    from hf_vits.training.trainer import VitsTrainer


from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from hf_vits.configuration_vits import VitsConfig
from hf_vits.text.frontend import FrontEnd
from hf_vits.tokenization_vits import VitsTokenizer

OWN = ("cpu_threads", "dataloader_num_workers", "report_to", "ddp_timeout")
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


LAYOUT = ("add_blank", "blank_token", "bos_token", "eos_token", "upstream_compatible")
"""Options of a tokenizer that decide, beside its front end, which ids a text becomes."""


def check_numbering(folder: Path, tokenizer: VitsTokenizer, config: VitsConfig) -> None:
    """
    Compares the voice in a checkpoint's folder with that of the run: shapes do not show that numbers have moved.

    Raises:
        ValueError: if a symbol, an option of the tokenizer or a speaker is another; says which, and what to do.
    """
    saved, speakers = VitsTokenizer.from_pretrained(folder), VitsConfig.from_pretrained(folder).speaker_names
    differences = [
        *_differences("symbol", saved.get_vocab(), tokenizer.get_vocab()),
        *_differences("tokenizer option", _options(saved), _options(tokenizer)),
        *_differences("speaker", _numbers(speakers), _numbers(config.speaker_names)),
    ]
    if differences:
        raise ValueError(
            f"{folder} is of a voice with other numbers than this run's: {'; '.join(differences)}. Restore the texts, "
            "speakers and settings that it was trained with; or begin a new run from it, which keeps its numbers: give "
            "it as `model_name_or_path`, and another `output_dir`."
        )


def _differences(what: str, saved: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """The first name whose values differ, in a sentence; nothing if there is none."""
    for name in sorted(saved.keys() | given.keys()):
        if (was := saved.get(name)) != (now := given.get(name)):
            return [f"{what} {name!r} is {was!r} there and {now!r} here"]
    return []


def _options(tokenizer: VitsTokenizer) -> dict[str, Any]:
    names = [*(option.name for option in fields(FrontEnd)), *LAYOUT]
    has_frame = tokenizer.add_bos_eos and any((tokenizer.bos_token, tokenizer.eos_token))
    return {**{name: getattr(tokenizer, name) for name in names}, "add_bos_eos": has_frame}


def _numbers(names: list[str] | tuple[str, ...] | None) -> dict[str, int]:
    return {name: number for number, name in enumerate(names or ())}
