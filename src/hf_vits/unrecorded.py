"""Methods of a model whose operations are not recorded for gradients, in the mode in which each takes least time."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hf_vits.modules.prepared import is_traced

Method = TypeVar("Method", bound=Callable)


def unrecorded(method: Method) -> Method:
    """Runs it in inference mode where nobody notices, and without gradients elsewhere; what it returns is plain."""

    @wraps(method)
    def run(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if torch.is_inference_mode_enabled() or _is_watched(model):
            with torch.no_grad():
                return method(model, *args, **kwargs)
        with torch.inference_mode():
            made = method(model, *args, **kwargs)
        return _plain(made)

    return run


def _is_watched(model: nn.Module) -> bool:
    """Whether a graph, a hook or autocast's memory of weights would keep tensors of inference mode."""
    if is_traced() or torch.is_autocast_enabled(model.device.type):
        return True
    return any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def _plain(made: Any) -> Any:
    """Copies of tensors, in tuples and fields as well, that may take part in gradients and be written to."""
    if isinstance(made, Tensor):
        return made.clone() if made.is_inference() else made
    if is_dataclass(made):
        return type(made)(**{field.name: _plain(getattr(made, field.name)) for field in fields(made)})
    return tuple(map(_plain, made)) if isinstance(made, tuple) else made
