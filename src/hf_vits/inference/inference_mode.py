"""Methods of a model that record a graph only where gradients are asked for, and else run in the fastest mode."""

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hf_vits.utils.torch_state import is_observed, is_traced, is_transformed

Method = TypeVar("Method", bound=Callable)


def recorded_on_request(method: Method) -> Method:
    """Records a graph where grad mode is on and a parameter or an argument requires a gradient, as every module does.

    Elsewhere, as under `torch.no_grad()`, the method is one that is [`unrecorded`].
    """
    without_graph = unrecorded(method)

    @wraps(method)
    def run(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return (method if _is_asked_for_gradients(model, args, kwargs) else without_graph)(model, *args, **kwargs)

    return run


def unrecorded(method: Method) -> Method:
    """Runs it in inference mode where nobody notices, and without gradients elsewhere; what it returns is plain."""

    @wraps(method)
    def run(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if is_traced() or torch.is_inference_mode_enabled() or _is_watched(model):
            with torch.no_grad():
                return method(model, *args, **kwargs)
        with torch.inference_mode():
            made = method(model, *args, **kwargs)
        return _plain(made)

    return run


def _is_asked_for_gradients(model: nn.Module, args: tuple, kwargs: dict) -> bool:
    """Whether gradients, backward or forward, are to flow through a call with these arguments."""
    if not is_traced() and is_transformed():
        return True
    if not torch.is_grad_enabled():
        return False
    return any(tensor.requires_grad for tensor in model.parameters()) or _any_requires_grad([*args, *kwargs.values()])


def _any_requires_grad(values: Iterable) -> bool:
    return any(
        _any_requires_grad(value) if isinstance(value, list | tuple) else getattr(value, "requires_grad", False)
        for value in values
    )


def _is_watched(model: nn.Module) -> bool:
    """Whether a hook, a layer whose `forward` was replaced, or what remembers weights could keep tensors of that mode;
    or a mode of another's sees every operation."""
    device = model.device.type
    if device == "meta" or torch.is_autocast_enabled(device) or is_observed():
        return True
    return any(
        "forward" in own or own["_forward_hooks"] or own["_forward_pre_hooks"] for own in map(vars, model.modules())
    )


def _plain(made: Any) -> Any:
    """Copies of tensors, in tuples and dataclasses as well, that may take part in gradients and be written to."""
    if isinstance(made, Tensor):
        return made.clone() if made.is_inference() else made
    if is_dataclass(made):
        return type(made)(**{field.name: _plain(getattr(made, field.name)) for field in fields(made)})
    return tuple(map(_plain, made)) if isinstance(made, tuple) else made
