"""hf_vits: VITS text-to-speech in the manner of Hugging Face Transformers.

Axis letters used throughout: B batch · C channels · H hidden · S speaker channels · F frequency bins · M mels ·
T_text tokens · T_spec frames · T_wav samples. Time is the last axis everywhere except inside attention and layer norm.
"""

from typing import TYPE_CHECKING

from hf_vits.auto_registration import register
from hf_vits.utils.lazy_imports import lazy_attributes

if TYPE_CHECKING:
    from hf_vits.alignment.aligner import ForcedAligner
    from hf_vits.configuration_vits import VitsConfig
    from hf_vits.conversion import convert
    from hf_vits.conversion.default_voice import default_voice
    from hf_vits.modeling_vits import VitsModel, VitsModelOutput
    from hf_vits.pipeline import TextToSpeechPipeline
    from hf_vits.tokenization_vits import VitsTokenizer
    from hf_vits.utils.threads import set_num_threads

__version__ = "0.1.0"

__all__ = [
    "ForcedAligner",
    "TextToSpeechPipeline",
    "VitsConfig",
    "VitsModel",
    "VitsModelOutput",
    "VitsTokenizer",
    "convert",
    "default_voice",
    "set_num_threads",
]
__getattr__ = lazy_attributes(
    __name__,
    {
        "ForcedAligner": "alignment.aligner",
        "TextToSpeechPipeline": "pipeline",
        "VitsConfig": "configuration_vits",
        "VitsModel": "modeling_vits",
        "VitsModelOutput": "modeling_vits",
        "VitsTokenizer": "tokenization_vits",
        "convert": "conversion",
        "default_voice": "conversion.default_voice",
        "set_num_threads": "utils.threads",
    },
)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


register()
