"""hf_vits: VITS voices, from text to waveform, in the manner of Hugging Face Transformers.

Axis letters used throughout: B batch · C channels · H hidden · S speaker channels · F frequency bins · M mels ·
T_text tokens · T_spec frames · T_wav samples. Time is the last axis everywhere except inside attention and layer norm.
"""

from hf_vits.configuration_vits import VitsConfig

__version__ = "0.1.0"
