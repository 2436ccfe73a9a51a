"""Speak a column of texts: plan the rows, share them between processes, and write a data set of speech."""

from typing import TYPE_CHECKING

from hf_vits.utils.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from hf_vits.synthesis.config import SynthesisSettings
    from hf_vits.synthesis.run import row_generator, synthesize

__all__ = [
    "SynthesisSettings",
    "row_generator",
    "synthesize",
]
__getattr__ = lazy_attributes(
    __name__,
    {
        "SynthesisSettings": "config",
        "row_generator": "run",
        "synthesize": "run",
    },
)
