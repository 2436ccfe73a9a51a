"""A model made anew of its class, configuration and tensors: to pickle it, and to start it again."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hf_vits.modules.weight_norm import NEW_G


def reduced(model: nn.Module) -> tuple[Callable, tuple]:
    """What pickle keeps of a model: enough for `rebuilt`, and none of its hooks.

    Raises:
        TypeError: if layers were added or replaced, so that its configuration no longer says what it is.
    """
    state = model.state_dict()
    try:
        _skeleton(type(model), model.config, state)
    except (ValueError, RuntimeError, TypeError) as error:
        raise TypeError(
            f"This {type(model).__name__} has other layers than its configuration says, so it cannot be pickled. Save "
            "its weights with `save_pretrained`, or `model.state_dict()` with `torch.save`."
        ) from error
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    modes = {name: part.training for name, part in model.named_modules()}
    return rebuilt, (type(model), model.config, state, frozen, modes, model.name_or_path)


def rebuilt(
    kind: type[nn.Module], config: Any, state: Mapping[str, Tensor], frozen: list[str], modes: dict, name_or_path: str
) -> nn.Module:
    """The model that was `reduced`; its parameters are the tensors of `state`."""
    model = _skeleton(kind, config, state)
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    for name, part in model.named_modules():
        part.training = modes[name]
    model.name_or_path = name_or_path
    return model


def start_anew(model: nn.Module) -> None:
    """Gives every parameter and buffer of a model the value of a new one, where it is."""
    state = model.state_dict()
    with torch.device("cpu"):
        fresh = type(model)(model.config)
    _fold(fresh, state)
    model.load_state_dict(fresh.state_dict(), strict=True)


def _skeleton(kind: type[nn.Module], config: Any, state: Mapping[str, Tensor]) -> nn.Module:
    with torch.device("meta"):
        model = kind(config)
    _fold(model, state)
    model.load_state_dict(state, strict=True, assign=True)
    return model


def _fold(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Removes weight norm where a state dictionary has none."""
    for name, part in model.named_modules():
        if parametrize.is_parametrized(part, "weight") and name + NEW_G not in state:
            parametrize.remove_parametrizations(part, "weight")
