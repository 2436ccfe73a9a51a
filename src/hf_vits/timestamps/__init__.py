"""Times of words, characters, phonemes and sentences: from the model's durations to subtitles and annotation files."""

from hf_vits.utils.lazy_imports import lazy_attributes

__all__ = ["output_timestamps", "write_timestamps"]
__getattr__ = lazy_attributes(__name__, {"output_timestamps": "timeline", "write_timestamps": "files"})
