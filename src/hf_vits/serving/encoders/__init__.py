"""Audio formats of answers, encoded while speech is made. A new one is one file and one line of `AUDIO_FORMATS`."""

from hf_vits.utils.lazy_imports import lazy_attributes

__all__ = ["AUDIO_FORMATS", "Encoder", "make_encoder"]
__getattr__ = lazy_attributes(__name__, dict.fromkeys(__all__, "base"))
