"""What a converter returns, and how foreign tensor names become ours: ordered rules, nothing skipped in silence."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizer

from hf_vits.configuration_vits import VitsConfig
from hf_vits.folders import new_folder
from hf_vits.modeling_vits import VitsModel
from hf_vits.quiet import no_progress_bar
from hf_vits.weights import match_state_dict

Rule = tuple[str, str | Callable[[re.Match], str]]
"""A regular expression and what its first match in a name becomes, as in `re.sub`."""


@dataclass(frozen=True)
class Converted:
    """
    A voice of another project in our terms. Making one checks it: its weights are exactly those of its configuration.

    Args:
        config (`VitsConfig`):
            The architecture and the defaults of a call.
        state_dict (`Mapping[str, Tensor]`):
            The weights under our names, each layer's weight norm spelt in any of the three known ways.
        tokenizer (`PreTrainedTokenizer`, *optional*):
            The voice's text front end; `None` if the source says nothing of one.
        notes (`tuple[str, ...]`, *optional*):
            What was left out or decided on the way, in words.

    Raises:
        ValueError: if a tensor is missing, left over, of another shape, or not finite.
    """

    config: VitsConfig
    state_dict: Mapping[str, Tensor]
    tokenizer: PreTrainedTokenizer | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        """Checks the weights and brings them to the spelling of a fresh model."""
        matched = match_state_dict(self.state_dict, _skeleton(self.config)[1], "the file to convert")
        infinite = sorted(key for key, tensor in matched.items() if not torch.isfinite(tensor).all())
        if infinite:
            raise ValueError(
                f"{len(infinite)} tensors hold NaN or infinity, {infinite[0]} among them; the file is damaged, or its "
                "training diverged. Take another checkpoint."
            )
        object.__setattr__(self, "state_dict", {key: tensor.contiguous() for key, tensor in matched.items()})

    def model(self) -> VitsModel:
        """The voice, ready to speak; its parameters share memory with `state_dict`."""
        model, _ = _skeleton(self.config)
        model.load_state_dict(self.state_dict, strict=True, assign=True)
        return model.eval()

    def save(self, directory: str | Path, overwrite: bool = False) -> Path:
        """
        Writes config.json, model.safetensors and the tokenizer's files; `from_pretrained` reads the folder.

        All files are written elsewhere first and put in place in one step: the folder is whole or not there. Only an
        empty folder that is there already stays itself and is filled file by file, config.json last.

        Args:
            directory (`str` or `Path`):
                The folder to make; its parents are made as well.
            overwrite (`bool`, *optional*, defaults to `False`):
                Whether a folder that is not empty may be replaced, with everything in it.

        Raises:
            FileExistsError: if `directory` is a file, or holds anything and `overwrite` is not set.
        """
        directory = Path(directory).expanduser().resolve()
        with new_folder(directory, overwrite) as staged:
            with no_progress_bar():
                self.model().save_pretrained(staged)
            if self.tokenizer is not None:
                self.tokenizer.save_pretrained(staged)
        return directory


def translate(
    tensors: Mapping[str, Tensor],
    rules: Iterable[Rule],
    dropped: Sequence[tuple[str, str]] = (),
    whole: str = "VITS generator",
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """
    tensors by foreign name -> tensors by our name, and a note on each kind of tensor that was dropped.

    Args:
        tensors (`Mapping[str, Tensor]`):
            The source's tensors.
        rules (`Iterable` of `(pattern, replacement)`):
            Applied to every name one after the other, each where it matches.
        dropped (`Sequence` of `(pattern, reason)`, *optional*):
            A tensor whose **new** name begins with a match of `pattern` is left out, for that reason.
        whole (`str`, *optional*, defaults to `"VITS generator"`):
            What the tensors should make up, for the message of an error.

    Raises:
        ValueError: if no rule knows a name, or two names become the same.
    """
    rules = [(re.compile(pattern), replacement) for pattern, replacement in rules]
    renamed, sources, notes, unknown = {}, {}, {}, []
    for source, tensor in tensors.items():
        name, known = _rename(source, rules)
        reason = next((reason for pattern, reason in dropped if re.match(pattern, name)), None)
        if reason is not None:
            notes.setdefault(reason, []).append(source)
        elif not known:
            unknown.append(source)
        elif name in renamed:
            raise ValueError(f"{sources[name]} and {source} both are {name}; the file holds one layer twice.")
        else:
            renamed[name], sources[name] = tensor, source
    if unknown:
        raise ValueError(
            f"{len(unknown)} tensors belong to no part of a {whole} that is known here: {listed(unknown)}. Nothing "
            f"was converted; is the file a plain {whole}?"
        )
    return renamed, tuple(f"Left out, {reason}: {listed(names)}." for reason, names in notes.items())


def listed(names: Sequence[str], shown: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _rename(name: str, rules: list[tuple[re.Pattern, str | Callable]]) -> tuple[str, bool]:
    known = False
    for pattern, replacement in rules:
        name, count = pattern.subn(replacement, name, count=1)
        known = known or count > 0
    return name, known


def _skeleton(config: VitsConfig) -> tuple[VitsModel, dict[str, torch.Size]]:
    """A model without memory for its weights, and their shapes."""
    with torch.device("meta"):
        model = VitsModel(config)
    return model, {key: tensor.shape for key, tensor in model.state_dict().items()}
