"""The configuration of judges, from the shapes of their weights; what leaves no trace there is told or assumed."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError

from hf_vits.conversion.original import PARAMETERS, count
from hf_vits.discriminator import VitsDiscriminatorConfig

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
    judges = [_weights(shapes, number) for number in range(count(shapes, r"discriminators\.(\d+)\."))]
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
    layers = [f"{judge}convs.{layer}" for layer in range(count(shapes, rf"discriminators\.{number}\.convs\.(\d+)\."))]
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
