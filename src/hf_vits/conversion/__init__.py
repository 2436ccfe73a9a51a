"""Read the voices of other projects: `convert(path)`. `formats` lists what is known and takes further formats."""

from typing import TYPE_CHECKING

from hf_vits.utils.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from hf_vits.conversion.converted import Converted
    from hf_vits.conversion.formats import FORMATS, Format, known_formats, register_format
    from hf_vits.conversion.reader import convert

__all__ = ["Converted", "FORMATS", "Format", "convert", "known_formats", "register_format"]
__getattr__ = lazy_attributes(
    __name__,
    {
        "Converted": "converted",
        "FORMATS": "formats",
        "Format": "formats",
        "convert": "reader",
        "known_formats": "formats",
        "register_format": "formats",
    },
)
