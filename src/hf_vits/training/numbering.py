"""Whether a run numbers symbols and speakers as the checkpoint does whose weights have learnt those numbers."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from hf_vits.configuration_vits import VitsConfig
from hf_vits.text.front_end import FrontEnd
from hf_vits.tokenization_vits import VitsTokenizer

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
    has_frame = tokenizer.framed and any((tokenizer.bos_token, tokenizer.eos_token))
    return {**{name: getattr(tokenizer, name) for name in names}, "framed": has_frame}


def _numbers(names: list[str] | tuple[str, ...] | None) -> dict[str, int]:
    return {name: number for number, name in enumerate(names or ())}
