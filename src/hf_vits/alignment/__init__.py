"""Forced alignment: times of words in recordings, texts that do not fit their sound, and preparation for training."""

from hf_vits.utils.lazy_imports import lazy_attributes

__all__ = ["Alignment", "AlignmentSettings", "ForcedAligner", "PreparationSettings", "align_folder", "prepare_folder"]
__getattr__ = lazy_attributes(
    __name__,
    {
        "Alignment": "result",
        "AlignmentSettings": "settings",
        "ForcedAligner": "aligner",
        "PreparationSettings": "settings",
        "align_folder": "folder",
        "prepare_folder": "preparation",
    },
)
