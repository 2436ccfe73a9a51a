"""Read the discriminators of other projects, so that a voice can be fine-tuned with those it was trained against."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor

from hf_vits.conversion.checkpoint import check_tensors, copied, damage_named, left_out, read_checkpoint
from hf_vits.conversion.key_mapping import Rule, translate
from hf_vits.conversion.schema import JsonReader, read_fields
from hf_vits.conversion.suggestions import missing_path
from hf_vits.conversion.vits_keys import PARAMETERS, ROOTS, count_layers
from hf_vits.discriminators.base import DISCRIMINATORS, SLOPE
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.hub.model_files import has_weights
from hf_vits.hub.state_dict import check_kinds, match_state_dict, read_state_dict
from hf_vits.modeling_utils import model_with_state
from hf_vits.utils.formatting import listed
from hf_vits.utils.meta_device import skeleton

SUBFOLDER = "discriminator"
"""Subfolder of a model folder or checkpoint of this package that holds its discriminator."""

SECOND_MODEL = ("model_1.safetensors", "pytorch_model_1.bin")
"""The discriminator as Accelerate saves it, next to the generator."""

ORIGINAL = "D_*.pth"

WHAT_TO_GIVE = (
    f"Give the discriminators of a training run: the original's {ORIGINAL}, a checkpoint-N folder with "
    f"{SECOND_MODEL[0]}, a folder whose weights hold generator and discriminator (of finetune-hf-vits), or one that "
    "`VitsDiscriminator.save_pretrained` wrote."
)

INSIDE_MODEL = "discriminator."
"""Begins the name of every tensor of discriminators that are stored with their generator."""

_DDP = r"(?:module\.)*"
_PREFIX = rf"^{_DDP}(?:discriminator\.|model_d\.)?{_DDP}discriminators\."
_PARAMETER = r"(?:bias|weight|weight_[gv]|parametrizations\.weight\.original[01])"

BUILT_IN = ("scale", "period")
"""Sub-discriminators that the formats of other projects have."""

RULES: tuple[Rule, ...] = (
    (
        rf"{_PREFIX}(\d+)\.(?:(convs\.\d+)|conv_post|final_conv)\.({_PARAMETER})$",
        lambda match: f"discriminators.{match[1]}.{match[2] or 'conv_post'}.{match[3]}",
    ),
)
"""Names of the original, of finetune-hf-vits, of Piper and of this package to ours."""

GENERATOR = rf"{_DDP}(?:model_g\.|(?:text_encoder|posterior_encoder|flow|decoder|duration_predictor|embed_speaker)\.)"
"""Begins the name of every tensor of a generator that discriminators are stored with."""

SPECTRAL = (".weight_orig", ".parametrizations.weight.original", ".weight_u")
"""Ends of the names of a layer with spectral norm."""

LISTS = ("periods", "period_channels", "scale_channels")
NUMBERS = ("scales", "period_kernel_size", "period_stride")

ADDITIONAL = "additional_discriminators"

SCALES = "discriminator_scale_channels"
"""In finetune-hf-vits; null if there is no scale discriminator."""

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

Shapes = Mapping[str, torch.Size]


@dataclass(frozen=True)
class DiscriminatorFiles:
    """
    Tensors that may be discriminators'.

    Args:
        source (`Path`):
            Where they are from.
        tensors (`Mapping[str, Tensor]`):
            By the names of the file.
        from_config (`dict[str, Any]`):
            Fields of [`VitsDiscriminatorConfig`] that a configuration file has.
        notes (`tuple[str, ...]`, *optional*):
            What else the file held.
    """

    source: Path
    tensors: Mapping[str, Tensor]
    from_config: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConvertedDiscriminator:
    """
    Discriminators of another project in our layout. Creating one checks its weights against its configuration.

    Args:
        config (`VitsDiscriminatorConfig`):
            The architecture.
        state_dict (`Mapping[str, Tensor]`):
            The weights under our names, in any format of weight norm.
        notes (`tuple[str, ...]`, *optional*):
            What was left out or assumed.

    Raises:
        ValueError: if a tensor is missing, left over, of another shape or type, or not finite.
    """

    config: VitsDiscriminatorConfig
    state_dict: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        """Check the weights and convert them to the weight format of a new discriminator."""
        check_tensors(self.state_dict)
        shapes = {key: tensor.shape for key, tensor in skeleton(VitsDiscriminator, self.config).state_dict().items()}
        matched = match_state_dict(self.state_dict, shapes, "the file to convert")
        object.__setattr__(self, "state_dict", copied(matched))

    def model(self) -> VitsDiscriminator:
        """Return the discriminator; its parameters share memory with `state_dict`."""
        return model_with_state(VitsDiscriminator, self.config, self.state_dict).eval()


def convert_discriminator(path: str | Path, periods: Sequence[int] | None = None) -> VitsDiscriminator:
    """
    Read the discriminators of another project, or of this one. Arguments and errors are those of
    [`read_discriminator`].

    Example:

    ```python
    >>> from hf_vits.conversion.discriminators import convert_discriminator

    >>> convert_discriminator("D_100000.pth").save_pretrained("discriminator")  # doctest: +SKIP
    ```
    """
    return read_discriminator(path, periods).model()


def read_discriminator(path: str | Path, periods: Sequence[int] | None = None) -> ConvertedDiscriminator:
    """
    Read discriminators, with notes on what was left out and assumed. Nothing in the files is executed.

    Args:
        path (`str` or `Path`):
            The original's `D_*.pth`; a folder of finetune-hf-vits that holds generator and discriminator, or one of its
            `checkpoint-N`; a folder written by [`VitsDiscriminator`] or one with such a subfolder `discriminator`. Also
            the file of weights in either.
        periods (`Sequence[int]`, *optional*):
            The period of each period discriminator. Needed only if no config.json has them and there are not as many as
            in VITS.

    Raises:
        FileNotFoundError: if there is nothing to read.
        ValueError: if it is damaged, holds no discriminator, or one that this package cannot build.
    """
    with damage_named(Path(path).expanduser()):
        return convert_files(find(path), periods)


def generator_tensors(name_or_path: str | Path, **hub_arguments) -> dict[str, Tensor]:
    """
    Read the tensors of a generator without those of the discriminators that finetune-hf-vits stores with it.

    Arguments and errors are those of [`~hf_vits.hub.state_dict.read_state_dict`].

    Example:

    ```python
    >>> from hf_vits import VitsModel
    >>> from hf_vits.conversion.discriminators import generator_tensors

    >>> VitsModel.from_pretrained("mms-train", state_dict=generator_tensors("mms-train"))  # doctest: +SKIP
    ```
    """
    tensors = read_state_dict(str(name_or_path), **hub_arguments)
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(INSIDE_MODEL)}


def convert_files(files: DiscriminatorFiles, periods: Sequence[int] | None = None) -> ConvertedDiscriminator:
    """Convert the discriminators among tensors that were read already; errors are those of [`read_discriminator`]."""
    if not any(re.match(_PREFIX, name) for name in files.tensors):
        raise ValueError(f"{files.source} holds no discriminator, but {_describe(files.tensors)}. {WHAT_TO_GIVE}")
    try:
        check_norm(files.tensors)
        dropped = [(GENERATOR, "part of the generator, not of the discriminators")]
        additional = _additional_tensors(files.tensors)
        known = {name: tensor for name, tensor in files.tensors.items() if name not in additional}
        tensors, notes = translate(known, RULES, dropped, "VITS discriminator")
        tensors |= {name: files.tensors[original] for original, name in additional.items()}
        check_kinds(tensors)
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        config, assumed = infer_config(shapes, files.from_config, periods)
        return ConvertedDiscriminator(config, tensors, (*files.notes, *notes, *assumed))
    except ValueError as error:
        raise ValueError(f"{files.source} cannot be converted. {error}") from error


def find(path: str | Path) -> DiscriminatorFiles:
    """
    Read the file, or the one file or set of shards in the folder, that can hold discriminators.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if there is more than one, or it is damaged or holds no table of tensors.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return _read_file(path)
    if not path.is_dir():
        raise FileNotFoundError(f"{missing_path(path)} {WHAT_TO_GIVE}")
    folder = path / SUBFOLDER if (path / SUBFOLDER).is_dir() else path
    if (file := file_in(folder)) is not None:
        return _read_file(file)
    if not has_weights(folder):
        raise FileNotFoundError(f"{folder} has no weights. {WHAT_TO_GIVE}")
    return DiscriminatorFiles(folder, read_state_dict(str(folder)), discriminator_fields(folder / "config.json"))


def file_in(folder: Path) -> Path | None:
    """Return the file in a folder with discriminators and no generator; raises `ValueError` if there are several."""
    files = [folder / name for name in SECOND_MODEL if (folder / name).is_file()] or sorted(folder.glob(ORIGINAL))
    if len(files) > 1:
        names = listed([file.name for file in files])
        raise ValueError(f"{folder} holds more than one file of discriminators: {names}. Give one of them itself.")
    return files[0] if files else None


def _read_file(file: Path) -> DiscriminatorFiles:
    try:
        checkpoint = read_checkpoint(file)
    except ValueError as error:
        raise ValueError(f"{error} {WHAT_TO_GIVE}") from error
    notes = (*checkpoint.notes, *left_out(checkpoint.rest))
    return DiscriminatorFiles(file, checkpoint.tensors, discriminator_fields(file.parent / "config.json"), notes)


def discriminator_fields(file: Path) -> dict[str, Any]:
    """Return the fields of our configuration that a config.json has; none if there is no such file."""
    if not file.is_file():
        return {}
    fields = read_fields(file, "VITS voice")
    if fields.data.get("model_type") == VitsDiscriminatorConfig.model_type:
        own = {name: _read_field(fields, name, name) for name in (*NUMBERS, *LISTS) if name in fields.data}
        additional = fields.data.get(ADDITIONAL)
        return {**own, ADDITIONAL: additional} if isinstance(additional, list) and additional else own
    _check_slope(fields)
    present = {theirs: ours for theirs, ours in FINE_TUNER.items() if theirs in fields.data}
    result: dict[str, Any] = {"scales": 1} if SCALES in present else {}
    if SCALES in present and fields.data[SCALES] is None:
        result["scales"] = 0
        del present[SCALES]
    return result | {ours: _read_fine_tuner_field(fields, theirs, ours) for theirs, ours in present.items()}


def _read_field(fields: JsonReader, theirs: str, ours: str) -> int | list[int]:
    if fields.data[theirs] is None:
        fields.refuse(theirs, None, "a list of whole numbers" if ours in LISTS else "a whole number")
    if ours in LISTS:
        return fields.wholes(theirs, may_be_empty=ours == "periods")
    return fields.whole(theirs, least=0 if ours == "scales" else 1)


def _read_fine_tuner_field(fields: JsonReader, theirs: str, ours: str) -> int | list[int]:
    """Drop the waveform's one channel, and add the layers that repeat the last number of channels."""
    value = _read_field(fields, theirs, ours)
    if ours not in REPEATS:
        return value
    if len(value) < 2 or value[0] != 1:
        fields.refuse(theirs, value, "1 and then one number or more")
    return value[1:] + value[-1:] * REPEATS[ours]


def _check_slope(fields: JsonReader) -> None:
    """Raise `ValueError` for another slope: finetune-hf-vits gives its discriminators that of the decoder."""
    slope = fields.data.get("leaky_relu_slope", SLOPE)
    if slope != SLOPE and any(name in fields.data for name in FINE_TUNER):
        raise ValueError(
            f"`leaky_relu_slope` in {fields.file} is {str(slope)[:80]}, so these discriminators were trained with it; "
            f"those here have {SLOPE}, as in VITS. Train new ones."
        )


def infer_config(
    shapes: Shapes, from_config: Mapping[str, Any], periods: Sequence[int] | None = None
) -> tuple[VitsDiscriminatorConfig, tuple[str, ...]]:
    """
    Infer the configuration of the discriminators `discriminators.N`.

    Args:
        shapes (`Mapping[str, torch.Size]`):
            By tensor name, in any format of weight norm.
        from_config (`Mapping[str, Any]`):
            Fields that a configuration file has. They must agree with the shapes.
        periods (`Sequence[int]`, *optional*):
            The period of each period discriminator, if no file has them.

    Returns:
        The configuration, and notes on what was assumed.

    Raises:
        ValueError: if the layers are not those of discriminators, contradict the file, or their periods are not known.
    """
    additional = list(from_config.get(ADDITIONAL, ()))  # the last ones; strict loading compares their shapes
    count = count_layers(shapes, r"discriminators\.(\d+)\.") - len(additional)
    parts = [_recognize(shapes, number) for number in range(count)]
    scale, period = ([fields for kind, fields in parts if kind == name] for name in BUILT_IN)
    additional = additional or [{"type": kind, **fields} for kind, fields in parts if kind not in BUILT_IN]
    order = [BUILT_IN.index(kind) if kind in BUILT_IN else 2 for kind, _ in parts]
    if order != sorted(order):
        raise ValueError(
            "A scale discriminator comes after a period discriminator; scale discriminators come first in VITS, then "
            "period discriminators, then others."
        )
    periods, notes = _periods(len(period), from_config.get("periods"), periods)
    inferred: dict[str, Any] = {"periods": periods, "scales": len(scale)}
    if additional:
        inferred[ADDITIONAL] = additional
    if scale:
        inferred["scale_channels"] = _channels(scale, "scale")
    if period:
        inferred |= {"period_channels": _channels(period, "period"), "period_kernel_size": period[0]["kernel_size"]}
        if "period_stride" not in from_config:
            stride = VitsDiscriminatorConfig.period_stride
            notes += (f"Assumed, as no file has it: stride {stride} of period discriminators.",)
    for name, value in inferred.items():
        if name in from_config and as_list(from_config[name]) != value:
            raise ValueError(
                f"`{name}` is {from_config[name]} in the configuration, but {value} in the weights. Do the files "
                "belong together?"
            )
    try:
        return VitsDiscriminatorConfig(**{**from_config, **inferred}), notes
    except (StrictDataclassError, ValueError) as error:
        raise ValueError(f"These are not the discriminators of VITS. {error.__cause__ or error}") from error


def as_list(value: Any) -> Any:
    """Return a tuple as a list, and any other value as it is."""
    return list(value) if isinstance(value, tuple) else value


def check_norm(names: Mapping[str, Tensor] | Sequence[str]) -> None:
    """Raise `ValueError` for layers with spectral norm."""
    spectral = next((name for name in names if name.endswith(SPECTRAL)), None)
    if spectral is not None:
        raise ValueError(
            f"The layers have spectral norm ({spectral}), as HiFi-GAN's first scale discriminator has; those here have "
            "weight norm in every layer, as in VITS. Take discriminators trained with `use_spectral_norm: false`."
        )


def _periods(
    count: int, from_config: Sequence[int] | None, given: Sequence[int] | None
) -> tuple[list[int], tuple[str, ...]]:
    """Return the periods of so many discriminators, and a note if they are assumed."""
    if from_config is not None and given is not None and list(from_config) != list(given):
        raise ValueError(
            f"`periods` was given as {list(given)}, but is {list(from_config)} in the configuration file. Omit it, or "
            "correct the file."
        )
    usual = list(VitsDiscriminatorConfig.periods)
    known = from_config if given is None else given
    if known is not None and len(known) == count:
        return list(known), ()
    if known is not None:
        raise ValueError(f"There are {len(known)} periods, {list(known)}, but {count} period discriminators.")
    if count in (0, len(usual)):
        return usual[:count], (f"Assumed, as no file has them: periods {usual}.",) if count else ()
    raise ValueError(
        f"The weights hold {count} period discriminators, not the {len(usual)} of VITS, and shapes do not determine "
        f"the periods. Pass `periods=`, one for each in the order they were trained with; for VITS it is {usual}."
    )


def _additional_tensors(names: Iterable[str]) -> dict[str, str]:
    """Return our name of each tensor of a sub-discriminator that another package has registered."""
    others = [name for name in DISCRIMINATORS if name not in BUILT_IN]
    matches = {name: re.match(rf"{_PREFIX}(\d+)\.(.+)$", name) for name in (names if others else ())}
    return {
        name: f"discriminators.{match[1]}.{match[2]}"
        for name, match in matches.items()
        if match and not re.match(r"convs\.|conv_post\.|final_conv\.", match[2])
    }


def _recognize(shapes: Shapes, number: int) -> tuple[str, dict[str, Any]]:
    """Return the registered name of one sub-discriminator, and the fields that its shapes determine."""
    prefix = f"discriminators.{number}."
    pattern = "|".join(re.escape(parameter) for parameter in PARAMETERS)
    own = {
        re.sub(rf"({pattern})$", ".weight", name.removeprefix(prefix)): tuple(shape)
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }
    for name in [name for name in DISCRIMINATORS if name not in BUILT_IN]:
        if (fields := DISCRIMINATORS[name].config_class.from_shapes(own)) is not None:
            return name, fields
    name = "scale" if len(_weights(shapes, number)[0]) == 3 else "period"
    return name, DISCRIMINATORS[name].config_class.from_shapes(own)


def _weights(shapes: Shapes, number: int) -> list[torch.Size]:
    """Return the shapes of the weights of one discriminator's convolutions, all of 3 dimensions or all of 4."""
    prefix = f"discriminators.{number}"
    count = count_layers(shapes, rf"discriminators\.{number}\.convs\.(\d+)\.")
    weights = [_weight(shapes, f"{prefix}.convs.{layer}") for layer in range(count)]
    if not weights or {len(weight) for weight in weights} not in ({3}, {4}) or any(0 in weight for weight in weights):
        raise ValueError(
            f"The convolutions of {prefix} have the shapes {[list(weight) for weight in weights]}; those of a scale "
            "discriminator have 3 dimensions and those of a period discriminator 4, none of them 0. The file is "
            "damaged, or of another model."
        )
    return weights


def _weight(shapes: Shapes, layer: str) -> torch.Size:
    for parameter in PARAMETERS:
        if layer + parameter in shapes:
            return shapes[layer + parameter]
    raise ValueError(f"The file has {layer}, but not its weight; it is damaged.")


def _channels(parts: list[dict[str, Any]], kind: str) -> list[int]:
    """Return the channels of the convolutions, the same in every discriminator of a kind."""
    channels = [fields["channels"] for fields in parts]
    odd = next((other for other in channels if other != channels[0]), None)
    if odd is not None:
        raise ValueError(
            f"The {kind} discriminators have different layers, of {channels[0]} and of {odd} channels; those of VITS "
            "are alike."
        )
    return channels[0]


def _describe(names: Mapping[str, Tensor]) -> str:
    """Return what a file without discriminators holds."""
    if any(re.match(GENERATOR, name) or re.sub(rf"^{_DDP}", "", name).split(".")[0] in ROOTS for name in names):
        return "a voice, that is, a VITS generator"
    return f"{len(names)} other tensors ({listed([name[:60] for name in names])})" if names else "no tensors at all"
