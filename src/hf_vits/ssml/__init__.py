"""SSML, the Speech Synthesis Markup Language of the W3C: documents that say how a text is spoken."""

from hf_vits.utils.lazy_imports import lazy_attributes

__all__ = ["SsmlError", "VoiceTraits", "is_ssml", "read_ssml"]
__getattr__ = lazy_attributes(
    __name__, {"SsmlError": "values", "VoiceTraits": "reader", "is_ssml": "document", "read_ssml": "document"}
)
