"""Read the voices of other projects: `convert(path)`."""

from typing import TYPE_CHECKING

from hf_vits.utils.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from hf_vits.conversion.converted import Converted
    from hf_vits.conversion.reader import FORMATS, convert, known_formats

__all__ = [
    "Converted",
    "FORMATS",
    "convert",
    "known_formats",
]
__getattr__ = lazy_attributes(
    __name__,
    {
        "Converted": "converted",
        "FORMATS": "reader",
        "convert": "reader",
        "known_formats": "reader",
    },
)
