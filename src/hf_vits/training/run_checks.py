"""Check that all processes of a run agree, and that a checkpoint numbers tokens and speakers as the run does."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hf_vits.configuration_vits import VitsConfig
from hf_vits.data.dataset import Clip
from hf_vits.text.frontend import FrontEnd
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.training.initialization import ModelInitialization
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.training.training_state import Progress
from hf_vits.utils.digests import json_digest
from hf_vits.utils.distributed import check_agreement

PER_PROCESS = ("cpu_threads", "dataloader_num_workers", "report_to", "ddp_timeout")
"""Settings that may differ between processes."""

ADVICE = "Start all with the same settings, data, model and code, and an `output_dir` that all of them see."

TOKENIZER_OPTIONS = ("add_blank", "blank_token", "bos_token", "eos_token", "upstream_compatible")
"""Options of a tokenizer that decide, beside its front end, which ids a text becomes."""


def check_processes_agree(
    args: VitsTrainingArguments,
    mixed_precision: str,
    initialization: ModelInitialization,
    tokenizer: VitsTokenizer,
    train_clips: Sequence[Clip],
    eval_clips: Sequence[Clip],
) -> None:
    """Raise `ValueError` in every process if settings, clips, tokens or shapes of the models differ between them."""
    settings = {name: value for name, value in args.to_dict().items() if name not in PER_PROCESS}
    settings["mixed_precision"] = mixed_precision
    check_agreement(
        {
            **{f"`{name}`": value for name, value in settings.items()},
            "the number of clips": len(train_clips),
            "the digest of the clips": json_digest(_contents(train_clips)),
            "the number of evaluation clips": len(eval_clips),
            "the digest of the evaluation clips": json_digest(_contents(eval_clips)),
            "the digest of the vocabulary": json_digest(tokenizer.get_vocab()),
            "the digest of the generator's shapes": json_digest(_shapes(initialization.model)),
            "the digest of the discriminator's shapes": json_digest(_shapes(initialization.discriminator)),
        },
        ADVICE,
    )


def check_same_step(progress: Progress) -> None:
    """Raise `ValueError` in every process unless all resume from the same step."""
    check_agreement({"the step to resume from": progress.step, "its epoch": progress.epoch}, ADVICE)


def check_numbering(folder: Path, tokenizer: VitsTokenizer, config: VitsConfig) -> None:
    """
    Compare ids of tokens and speakers in a checkpoint with those of the run: shapes do not show that ids have moved.

    Raises:
        ValueError: if a token, an option of the tokenizer or a speaker differs; says which, and what to do.
    """
    saved, speakers = VitsTokenizer.from_pretrained(folder), VitsConfig.from_pretrained(folder).speaker_names
    differences = [
        *_first_difference("token", saved.get_vocab(), tokenizer.get_vocab()),
        *_first_difference("tokenizer option", _options(saved), _options(tokenizer)),
        *_first_difference("speaker", _ids(speakers), _ids(config.speaker_names)),
    ]
    if differences:
        raise ValueError(
            f"{folder} has other ids than this run: {'; '.join(differences)}. Restore the texts, speakers and settings "
            "that it was trained with; or start a new run from it, which keeps its ids: give it as "
            "`model_name_or_path`, and another `output_dir`."
        )


def _contents(clips: Sequence[Clip]) -> list[list]:
    return [[clip.row, clip.num_samples, clip.speaker_id, list(clip.input_ids)] for clip in clips]


def _shapes(module) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in module.state_dict().items()}


def _first_difference(kind: str, saved: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Describe the first name whose values differ; return nothing if there is none."""
    for name in sorted(saved.keys() | given.keys()):
        if (before := saved.get(name)) != (now := given.get(name)):
            return [f"{kind} {name!r} is {before!r} there and {now!r} here"]
    return []


def _options(tokenizer: VitsTokenizer) -> dict[str, Any]:
    names = [*(option.name for option in fields(FrontEnd)), *TOKENIZER_OPTIONS]
    adds_bos_eos = tokenizer.add_bos_eos and any((tokenizer.bos_token, tokenizer.eos_token))
    return {**{name: getattr(tokenizer, name) for name in names}, "add_bos_eos": adds_bos_eos}


def _ids(names: Sequence[str] | None) -> dict[str, int]:
    return {name: number for number, name in enumerate(names or ())}
