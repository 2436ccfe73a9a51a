"""A column of texts to a folder of speech: what can be said, in which batches, by which process, and what is kept."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hf_vits.synthesis.run import synthesize
    from hf_vits.synthesis.settings import SynthesisSettings
    from hf_vits.synthesis.speaking import row_generator

_HOMES = {"SynthesisSettings": "settings", "row_generator": "speaking", "synthesize": "run"}
__all__ = ["SynthesisSettings", "row_generator", "synthesize"]


def __getattr__(name: str):
    """Imports what is asked for, and only that."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"hf_vits.synthesis.{_HOMES[name]}"), name)
