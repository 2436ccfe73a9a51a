"""Judges of other projects, made ours, so that a voice can be fine-tuned with those it was trained against."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor

from hf_vits.conversion.checkpoint import check_tensors, copied, damage_named, left_out, read_checkpoint
from hf_vits.conversion.key_mapping import Rule, translate
from hf_vits.conversion.schema import read_fields
from hf_vits.conversion.suggestions import missing_path
from hf_vits.conversion.vits_keys import PARAMETERS, ROOTS, count_layers
from hf_vits.discriminators.base import SLOPE
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.hub.state_dict import PICKLE_NAMES, SAFE_NAMES, check_kinds, match_state_dict, read_state_dict
from hf_vits.utils.formatting import listed

SUBFOLDER = "discriminator"
"""Where a training checkpoint of this package has its judges."""

SECOND_MODEL = ("model_1.safetensors", "pytorch_model_1.bin")
"""The judges as Accelerate saves them, next to the generator."""

ORIGINAL = "D_*.pth"

WHAT_TO_GIVE = (
    f"Give the judges of a training run: the original's {ORIGINAL}, a checkpoint-N folder with {SECOND_MODEL[0]}, a "
    "folder whose weights hold voice and discriminator (of finetune-hf-vits), or one written by "
    "`VitsDiscriminator.save_pretrained`."
)

NUMBERS = ("scales", "period_kernel_size", "period_stride")
LISTS = ("periods", "period_channels", "scale_channels")

SCALES = "discriminator_scale_channels"
"""In finetune-hf-vits; null if there is no scale judge."""

FINE_TUNER = {
    "discriminator_periods": "periods",
    "discriminator_stride": "period_stride",
    "discriminator_kernel_size": "period_kernel_size",
    "discriminator_period_channels": "period_channels",
    SCALES: "scale_channels",
}
"""Fields of finetune-hf-vits' config.json, and ours."""

REPEATS = {"period_channels": 1, "scale_channels": 2}
"""Layers with as many channels as the layer before, which finetune-hf-vits does not list."""


@dataclass(frozen=True)
class DiscriminatorFiles:
    """
    Tensors, not yet known to be judges'; `said` are the fields of [`VitsDiscriminatorConfig`] that a file tells, and
    `notes` say what else the file held.
    """

    source: Path
    tensors: Mapping[str, Tensor]
    said: dict[str, Any]
    notes: tuple[str, ...] = ()


def find(path: str | Path) -> DiscriminatorFiles:
    """
    Reads the file, or the one file or set of shards in the folder that can hold judges. Nothing in it is executed.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if there is more than one, or it is damaged or holds no table of tensors.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return _in_file(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{missing_path(path)} {WHAT_TO_GIVE}")
    folder = path / SUBFOLDER if (path / SUBFOLDER).is_dir() else path
    if (alone := judges_in(folder)) is not None:
        return _in_file(alone)
    if not any((folder / name).is_file() for name in (*SAFE_NAMES, *PICKLE_NAMES)):
        raise FileNotFoundError(f"{folder} has no weights. {WHAT_TO_GIVE}")
    return DiscriminatorFiles(folder, read_state_dict(str(folder)), said_in(folder / "config.json"))


def judges_in(folder: Path) -> Path | None:
    """The file in a folder that holds judges and no voice; raises `ValueError` if there are several."""
    alone = [folder / name for name in SECOND_MODEL if (folder / name).is_file()] or sorted(folder.glob(ORIGINAL))
    if len(alone) > 1:
        names = listed([file.name for file in alone])
        raise ValueError(f"{folder} holds more than one file of judges: {names}. Give one of them itself.")
    return alone[0] if alone else None


def _in_file(file: Path) -> DiscriminatorFiles:
    try:
        checkpoint = read_checkpoint(file)
    except ValueError as error:
        raise ValueError(f"{error} {WHAT_TO_GIVE}") from error
    notes = (*checkpoint.notes, *left_out(checkpoint.rest))
    return DiscriminatorFiles(file, checkpoint.tensors, said_in(file.parent / "config.json"), notes)


def said_in(file: Path) -> dict[str, Any]:
    """The fields of our configuration that a config.json tells; none if there is no such file."""
    if not file.is_file():
        return {}
    data = read_fields(file, "VITS voice").data
    if data.get("model_type") == VitsDiscriminatorConfig.model_type:
        return {name: _checked(file, name, name, data[name]) for name in (*NUMBERS, *LISTS) if name in data}
    _check_slope(file, data)
    told = {theirs: ours for theirs, ours in FINE_TUNER.items() if theirs in data}
    said = {"scales": 1} if SCALES in told else {}
    if SCALES in told and data[SCALES] is None:
        said["scales"] = 0
        del told[SCALES]
    return said | {ours: _as_ours(file, theirs, ours, data[theirs]) for theirs, ours in told.items()}


def _checked(file: Path, name: str, ours: str, value: Any) -> int | list[int]:
    """A whole number or a list of them, as our field takes it."""
    least = 0 if ours == "scales" else 1
    whole = [type(number) is int and number >= least for number in (value if isinstance(value, list) else [value])]
    if isinstance(value, list) != (ours in LISTS) or not all(whole) or not (whole or ours == "periods"):
        expected = "a list of whole numbers above 0" if ours in LISTS else f"a whole number from {least} up"
        raise ValueError(f"`{name}` in {file} is {str(value)[:80]}; it must be {expected}.")
    return value


def _check_slope(file: Path, data: dict[str, Any]) -> None:
    """finetune-hf-vits gives its judges the slope of the decoder."""
    slope = data.get("leaky_relu_slope", SLOPE)
    if slope != SLOPE and any(name in data for name in FINE_TUNER):
        raise ValueError(
            f"`leaky_relu_slope` in {file} is {str(slope)[:80]}, so these judges were trained with it; the judges here "
            f"have {SLOPE}, as in VITS. Train new ones."
        )


def _as_ours(file: Path, theirs: str, ours: str, value: Any) -> int | list[int]:
    """The fine-tuner counts the waveform's one channel, and not the layers that repeat the last number of channels."""
    value = _checked(file, theirs, ours, value)
    if ours not in REPEATS:
        return value
    if len(value) < 2 or value[0] != 1:
        raise ValueError(f"`{theirs}` in {file} is {str(value)[:80]}; it must be 1 and then one number or more.")
    return value[1:] + value[-1:] * REPEATS[ours]


SPECTRAL = (".weight_orig", ".parametrizations.weight.original", ".weight_u")
"""Ends of the names of a layer with spectral norm."""

Shapes = Mapping[str, torch.Size]


def infer_config(
    shapes: Shapes, said: Mapping[str, Any], periods: Sequence[int] | None = None
) -> tuple[VitsDiscriminatorConfig, tuple[str, ...]]:
    """
    The configuration of judges `discriminators.N`, and notes on what was assumed.

    Args:
        shapes (`Mapping[str, torch.Size]`):
            By tensor, in any spelling of weight norm.
        said (`Mapping[str, Any]`):
            Fields that a configuration file tells. They must agree with the shapes.
        periods (`Sequence[int]`, *optional*):
            The period of each period judge, where no file tells.

    Raises:
        ValueError: if the layers are not those of judges, contradict what was said, or their periods are not known.
    """
    judges = [_weights(shapes, number) for number in range(count_layers(shapes, r"discriminators\.(\d+)\."))]
    scales = [judge for judge in judges if len(judge[0]) == 3]
    columns = [judge for judge in judges if len(judge[0]) == 4]
    if judges != scales + columns:
        raise ValueError("A scale judge stands behind a period judge; scale judges come first in a VITS discriminator.")
    periods, notes = _periods(len(columns), said.get("periods"), periods)
    found: dict[str, Any] = {"periods": periods, "scales": len(scales)}
    if scales:
        found["scale_channels"] = _channels(scales, "scale")
    if columns:
        found |= {"period_channels": _channels(columns, "period"), "period_kernel_size": _kernel(columns)}
        if "period_stride" not in said:
            notes += (f"Assumed, as no file tells: stride {VitsDiscriminatorConfig.period_stride} of period judges.",)
    for name, value in found.items():
        if name in said and list_or_number(said[name]) != value:
            raise ValueError(
                f"The configuration says that `{name}` is {said[name]}, but the weights have {value}. Do the files "
                "belong together?"
            )
    try:
        return VitsDiscriminatorConfig(**{**said, **found}), notes
    except (StrictDataclassError, ValueError) as error:
        raise ValueError(f"These are not judges of a VITS discriminator. {error.__cause__ or error}") from error


def list_or_number(value: Any) -> Any:
    """Lists and tuples alike as lists."""
    return list(value) if isinstance(value, list | tuple) else value


def check_norm(names: Sequence[str]) -> None:
    """Raises `ValueError` for layers with spectral norm."""
    spectral = [name for name in names if name.endswith(SPECTRAL)]
    if spectral:
        raise ValueError(
            f"The layers have spectral norm ({spectral[0]}), as HiFi-GAN's first scale judge; the judges here have "
            "weight norm in every layer, as in VITS. Take judges trained with `use_spectral_norm: false`."
        )


def _periods(judges: int, said: Sequence[int] | None, given: Sequence[int] | None) -> tuple[list[int], tuple[str, ...]]:
    """The periods of so many judges, and a note if they are assumed."""
    if said is not None and given is not None and list(said) != list(given):
        raise ValueError(
            f"`periods` was given as {list(given)}, but the configuration file says {list(said)}. Leave it away, or "
            "correct the file."
        )
    usual = VitsDiscriminatorConfig.periods
    told = said if given is None else given
    if told is not None and len(told) == judges:
        return list(told), ()
    if told is not None:
        raise ValueError(f"{len(told)} periods are told, {list(told)}, but the weights hold {judges} period judges.")
    if judges in (0, len(usual)):
        return list(usual)[:judges], (f"Assumed, as no file tells: periods {list(usual)}.",) if judges else ()
    raise ValueError(
        f"The weights hold {judges} period judges, not the {len(usual)} of VITS, and the periods leave no trace in "
        f"them. Pass `periods=`, one for each judge in the order they were trained with; for VITS it is {list(usual)}."
    )


def _weights(shapes: Shapes, number: int) -> list[torch.Size]:
    """Shapes of the weights of a judge's convolutions, all of 3 dimensions or all of 4."""
    judge = f"discriminators.{number}."
    layers = [
        f"{judge}convs.{layer}" for layer in range(count_layers(shapes, rf"discriminators\.{number}\.convs\.(\d+)\."))
    ]
    weights = [_weight(shapes, layer) for layer in layers]
    if not weights or {len(weight) for weight in weights} not in ({3}, {4}) or any(0 in weight for weight in weights):
        raise ValueError(
            f"The convolutions of {judge[:-1]} have the shapes {[list(weight) for weight in weights]}; a scale judge's "
            "have 3 dimensions and a period judge's 4, none of them 0. The file is damaged, or of another model."
        )
    return weights


def _weight(shapes: Shapes, layer: str) -> torch.Size:
    for parameter in PARAMETERS:
        if layer + parameter in shapes:
            return shapes[layer + parameter]
    raise ValueError(f"The file has {layer}, but not its weight; it is damaged.")


def _channels(judges: list[list[torch.Size]], kind: str) -> list[int]:
    """Channels of the convolutions, the same in every judge of a kind."""
    channels = [[weight[0] for weight in judge] for judge in judges]
    odd = next((other for other in channels if other != channels[0]), None)
    if odd is not None:
        raise ValueError(
            f"The {kind} judges have different layers, of {channels[0]} and of {odd} channels; those of a "
            "VITS discriminator are alike."
        )
    return channels[0]


def _kernel(judges: list[list[torch.Size]]) -> int:
    """The one kernel size along time of the period judges."""
    kernels = {tuple(weight[2:]) for judge in judges for weight in judge}
    size, width = min(kernels)
    if len(kernels) > 1 or width != 1 or size % 2 == 0:
        raise ValueError(
            f"The period judges have kernels of the sizes {sorted(kernels)}; those of a VITS discriminator are (k, 1) "
            "with one odd k."
        )
    return size


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
        object.__setattr__(self, "state_dict", copied(matched))

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

    Arguments and errors are those of [`~hf_vits.hub.state_dict.read_state_dict`].

    Example:

    ```python
    >>> from hf_vits import VitsModel
    >>> from hf_vits.conversion.discriminators import generator_tensors

    >>> VitsModel.from_pretrained("mms-train", state_dict=generator_tensors("mms-train"))  # doctest: +SKIP
    ```
    """
    tensors = read_state_dict(str(name_or_path), **hub_arguments)
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(INSIDE_VOICE)}


def converted(found: DiscriminatorFiles, periods: Sequence[int] | None = None) -> ConvertedDiscriminator:
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
