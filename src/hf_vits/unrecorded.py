"""Methods of a model whose operations are not recorded for gradients, in the mode in which each takes least time."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as every_module
from torch.nn.utils import parametrize

from hf_vits.modules.prepared import is_traced

Method = TypeVar("Method", bound=Callable)


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


def _is_watched(model: nn.Module) -> bool:
    """Whether a hook, a layer whose `forward` was replaced, or what remembers weights could keep tensors of that mode;
    or a mode of another's sees every operation."""
    if torch.is_autocast_enabled(model.device.type) or parametrize._cache_enabled:
        return True
    if torch._C._len_torch_dispatch_stack() or every_module._has_any_global_hook():
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
