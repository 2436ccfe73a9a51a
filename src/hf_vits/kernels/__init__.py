"""
Faster forms of what `hf_vits.modules` computes: fewer operations, less memory traffic, mostly on CPUs.

A kernel returns what the plain function returns, to rounding. All are on unless the environment variable
`HF_VITS_KERNELS` is 0; [`use`] switches them in a running process. Traced graphs (`torch.compile`, `torch.export`,
ONNX) never contain them. The folder can be deleted: the package then runs in plain functions alone.
"""

import os
from importlib import import_module

__all__ = ["enabled", "use"]

VARIABLE = "HF_VITS_KERNELS"


def enabled_by_environment() -> bool:
    """Return the state that the environment variable asks for."""
    value = os.environ.get(VARIABLE, "1")
    if value not in ("0", "1"):
        raise ValueError(f"The environment variable {VARIABLE} is {value!r}; 0 switches the kernels off, 1 on.")
    return value == "1"


enabled = enabled_by_environment()
"""True if modules use kernels; set it by `use`."""


class use:
    """
    Switch all kernels on or off in this process: for good, or inside a `with` block.

    Example:

    ```python
    >>> from hf_vits import kernels

    >>> with kernels.use(False):
    ...     kernels.enabled
    False
    ```
    """

    def __init__(self, on: bool):
        global enabled
        self.before, enabled = enabled, bool(on)
        if not on:
            import_module("hf_vits.kernels.conv1d").clear_cache()

    def __enter__(self) -> "use":
        return self

    def __exit__(self, *_) -> None:
        use(self.before)
