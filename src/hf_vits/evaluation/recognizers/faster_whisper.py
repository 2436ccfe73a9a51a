"""Whisper by faster-whisper, on the CPU."""

import logging
from pathlib import Path

import numpy as np
import torch

from hf_vits.evaluation.model_names import language_without_region, loading, shown_model, source_of
from hf_vits.evaluation.normalization import is_english
from hf_vits.evaluation.recognizers.base import RECOGNIZERS, Recognizer
from hf_vits.evaluation.requirements import EXTRA, version_of
from hf_vits.evaluation.speech_frames import resampled


@RECOGNIZERS.register("faster-whisper")
class FasterWhisper(Recognizer):
    """A model of CTranslate2: a folder, a size such as `base.en`, or a name on the Hub."""

    packages = {"faster_whisper": EXTRA, "librosa": EXTRA}

    def __init__(self, model: str | None, language: str | None, device: str):
        from faster_whisper import WhisperModel

        logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # it logs each utterance
        model = model or ("base.en" if is_english(language) else "base")
        with loading("recognizer", f"faster-whisper:{model}"):
            threads = torch.get_num_threads()
            self.model = WhisperModel(_source(model), device="cpu", compute_type="float32", cpu_threads=threads)
        known = self.model.supported_languages
        self.language = language_without_region(language, known, model)
        self.name = f"Whisper {shown_model(model)} ({version_of('faster-whisper')})"

    def __call__(self, waveform: np.ndarray, sampling_rate: int) -> str:
        """waveform (T_wav,) -> the text that is understood, by beam search without sampling."""
        segments, _ = self.model.transcribe(
            resampled(waveform, sampling_rate),
            language=self.language,
            temperature=0,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        return " ".join(segment.text.strip() for segment in segments)


def _source(model: str) -> str:
    """Return what to load a model from; the library has names of its own for some on the Hub."""
    from faster_whisper.utils import _MODELS

    return source_of(model if Path(model).exists() else _MODELS.get(model, model))
