"""Judges of other projects, made ours, so that a voice can be fine-tuned with those it was trained against."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hf_vits.conversion.checkpoint import check_tensors, damage_named, separate
from hf_vits.conversion.judge_files import WHAT_TO_GIVE, Found, find
from hf_vits.conversion.judge_shapes import check_norm, infer_config
from hf_vits.conversion.keys import Rule, translate
from hf_vits.conversion.original import ROOTS
from hf_vits.discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.weights import check_kinds, match_state_dict, read_state_dict
from hf_vits.wording import listed

INSIDE_VOICE = "discriminator."
"""Begins the name of every tensor of judges that are stored with their voice."""

_DDP = r"(?:module\.)*"
_JUDGE = rf"^{_DDP}(?:discriminator\.|model_d\.)?{_DDP}discriminators\."
_PARAMETER = r"(?:bias|weight|weight_[gv]|parametrizations\.weight\.original[01])"

RULES: tuple[Rule, ...] = (
    (
        rf"{_JUDGE}(\d+)\.(?:(convs\.\d+)|conv_post|final_conv)\.({_PARAMETER})$",
        lambda match: f"discriminators.{match[1]}.{match[2] or 'conv_post'}.{match[3]}",
    ),
)
"""Names of the original, of finetune-hf-vits, of Piper and of this package to ours."""

VOICE = rf"{_DDP}(?:model_g\.|(?:text_encoder|posterior_encoder|flow|decoder|duration_predictor|embed_speaker)\.)"
"""Begins the name of every tensor of a voice that judges are stored with."""


@dataclass(frozen=True)
class ConvertedDiscriminator:
    """
    Judges in our terms. Making one checks it: its weights are exactly those of its configuration.

    Args:
        config (`VitsDiscriminatorConfig`):
            The architecture.
        state_dict (`Mapping[str, Tensor]`):
            The weights under our names, each layer's weight norm spelt in any of the three known ways.
        notes (`tuple[str, ...]`, *optional*):
            What was left out or assumed on the way, in words.

    Raises:
        ValueError: if a tensor is missing, left over, of another shape or type, or not finite.
    """

    config: VitsDiscriminatorConfig
    state_dict: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        """Checks the weights and brings them to the spelling of a fresh discriminator."""
        check_tensors(self.state_dict)
        shapes = {key: tensor.shape for key, tensor in _skeleton(self.config).state_dict().items()}
        matched = match_state_dict(self.state_dict, shapes, "the file to convert")
        object.__setattr__(self, "state_dict", separate(matched))

    def model(self) -> VitsDiscriminator:
        """The judges; their parameters share memory with `state_dict`."""
        model = _skeleton(self.config)
        model.load_state_dict(self.state_dict, strict=True, assign=True)
        return model.eval()


def convert_discriminator(path: str | Path, periods: Sequence[int] | None = None) -> VitsDiscriminator:
    """
    Reads the judges of another project, or of this one. Arguments and errors are those of [`read_discriminator`].

    Example:

    ```python
    >>> from hf_vits.conversion.discriminators import convert_discriminator

    >>> convert_discriminator("D_100000.pth").save_pretrained("judges")  # doctest: +SKIP
    ```
    """
    return read_discriminator(path, periods).model()


def read_discriminator(path: str | Path, periods: Sequence[int] | None = None) -> ConvertedDiscriminator:
    """
    Reads judges, with notes on what was left out and assumed. Nothing in the files is executed.

    Args:
        path (`str` or `Path`):
            The original's `D_*.pth`; a folder of finetune-hf-vits that holds voice and discriminator, or one of its
            `checkpoint-N`; a folder written by [`VitsDiscriminator`] or one with such a subfolder `discriminator`. Also
            the file of weights in either.
        periods (`Sequence[int]`, *optional*):
            The period of each period judge. Needed only if no config.json tells and there are not as many as in VITS.

    Raises:
        FileNotFoundError: if there is nothing to read.
        ValueError: if it is damaged, holds no discriminator, or one that this package cannot build.
    """
    with damage_named(Path(path).expanduser()):
        return converted(find(path), periods)


def generator_tensors(name_or_path: str | Path, **hub_arguments) -> dict[str, Tensor]:
    """
    The tensors of a voice without those of the judges that finetune-hf-vits stores with it.

    Arguments and errors are those of [`~hf_vits.weights.read_state_dict`].

    Example:

    ```python
    >>> from hf_vits import VitsModel
    >>> from hf_vits.conversion.discriminators import generator_tensors

    >>> VitsModel.from_pretrained("mms-train", state_dict=generator_tensors("mms-train"))  # doctest: +SKIP
    ```
    """
    tensors = read_state_dict(str(name_or_path), **hub_arguments)
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(INSIDE_VOICE)}


def converted(found: Found, periods: Sequence[int] | None = None) -> ConvertedDiscriminator:
    """The judges among tensors that were read already; raises `ValueError` as [`read_discriminator`] does."""
    if not any(re.match(_JUDGE, name) for name in found.tensors):
        raise ValueError(f"{found.source} holds no discriminator, but {_holding(found.tensors)}. {WHAT_TO_GIVE}")
    try:
        check_norm(list(found.tensors))
        dropped = [(VOICE, "part of the voice, not of its judges")]
        tensors, notes = translate(found.tensors, RULES, dropped, "VITS discriminator")
        check_kinds(tensors)
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        config, assumed = infer_config(shapes, found.said, periods)
        return ConvertedDiscriminator(config, tensors, (*found.notes, *notes, *assumed))
    except ValueError as error:
        raise ValueError(f"{found.source} cannot be converted. {error}") from error


def _holding(names: Mapping[str, Tensor]) -> str:
    """What a file without judges holds, in words."""
    if any(re.match(VOICE, name) or re.sub(rf"^{_DDP}", "", name).split(".")[0] in ROOTS for name in names):
        return "a voice, that is, a VITS generator"
    return f"{len(names)} other tensors ({listed([name[:60] for name in names])})" if names else "no tensors at all"


def _skeleton(config: VitsDiscriminatorConfig) -> VitsDiscriminator:
    """Judges without memory for their weights."""
    with torch.device("meta"):
        return VitsDiscriminator(config)
