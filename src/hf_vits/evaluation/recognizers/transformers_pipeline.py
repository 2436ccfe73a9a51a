"""Any recognizer that transformers' pipeline for automatic speech recognition takes."""

import numpy as np

from hf_vits.evaluation.model_names import language_without_region, loading, shown_model, source_of
from hf_vits.evaluation.normalization import is_english
from hf_vits.evaluation.recognizers.base import RECOGNIZERS, Recognizer
from hf_vits.evaluation.requirements import EXTRA, version_of
from hf_vits.evaluation.speech_frames import RATE, resampled


@RECOGNIZERS.register("transformers")
class TransformersPipeline(Recognizer):
    """A model of transformers: a folder, or a name on the Hub."""

    packages = {"librosa": EXTRA}

    def __init__(self, model: str | None, language: str | None, device: str):
        from transformers import pipeline

        model = model or ("openai/whisper-base.en" if is_english(language) else "openai/whisper-base")
        with loading("recognizer", f"transformers:{model}"):
            self.pipeline = pipeline("automatic-speech-recognition", model=source_of(model), device=device)
        self.options = {}
        known = getattr(self.pipeline.model.generation_config, "lang_to_id", None) if self._generates() else None
        if known:  # a Whisper of many languages, which would guess
            codes = [token.strip("<|>") for token in known]
            spoken = language_without_region(language, codes, model)
            self.options = {"generate_kwargs": {"language": spoken, "task": "transcribe"}} if spoken else {}
        self.name = f"{shown_model(model)} ({version_of('transformers')})"

    def __call__(self, waveform: np.ndarray, sampling_rate: int) -> str:
        """waveform (T_wav,) -> the text that is understood."""
        speech = {"raw": resampled(waveform, sampling_rate), "sampling_rate": RATE}
        return self.pipeline(speech, **self.options)["text"].strip()

    def _generates(self) -> bool:
        return bool(self.pipeline.model.can_generate())
