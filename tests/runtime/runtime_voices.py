"""Voices of the tests of the runtime without PyTorch, and what speaks with them."""

import torch
from tiny_voices import SMALLEST

from hf_vits import TextToSpeechPipeline
from hf_vits.runtime.noise import TorchGenerator

SPEAKERS = {"num_speakers": 3, "speaker_embedding_size": 6, "speaker_names": ["ada", "bea", "cem"]}
LANGUAGES = {"num_languages": 2, "language_embedding_size": 2, "language_names": ["en", "7"]}
KINDS = {
    "paper": {},
    "speakers and languages": {**SPEAKERS, **LANGUAGES},
    "plain durations": {"use_stochastic_duration_prediction": False, "resblock_type": "2"},
    "VITS2": {**SPEAKERS, "text_encoder": {"speaker_layer": 0}, "flow": {"transformer": "pre_conv"}},
}


def fields_of(kind):
    """Return the fields of a kind of voice, with few layers: tracing takes time for each."""
    return {**SMALLEST, **KINDS[kind]}


def spoken(speech, text, seed, **options):
    """Return the chunks of a pipeline or of the runtime, as lists."""
    is_torch = isinstance(speech, TextToSpeechPipeline)
    generator = torch.Generator().manual_seed(seed) if is_torch else TorchGenerator(seed)
    chunk_frames = {"chunk_frames": 10**9} if is_torch else {}
    return list(speech.stream(text, generator=generator, **chunk_frames, **options))
