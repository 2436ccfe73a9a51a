"""Speaker encoders of transformers: models with an x-vector head, such as WavLM fine-tuned for speaker verification."""

import numpy as np
import torch

from hf_vits.evaluation.model_names import loading, shown_model, source_of
from hf_vits.evaluation.requirements import EXTRA, version_of
from hf_vits.evaluation.speaker_encoders.base import SPEAKER_ENCODERS, SpeakerEncoder
from hf_vits.evaluation.speaker_encoders.resemblyzer import PIP
from hf_vits.evaluation.speech_frames import RATE, resampled

DEFAULT = "microsoft/wavlm-base-plus-sv"


@SPEAKER_ENCODERS.register("transformers")
class TransformersXVector(SpeakerEncoder):
    """A model that `AutoModelForAudioXVector` loads: a folder, or a name on the Hub."""

    packages = {"librosa": EXTRA}

    def __init__(self, model: str | None, device: str):
        from transformers import AutoFeatureExtractor, AutoModelForAudioXVector

        other = "" if model else f"Or run `pip install {PIP}`, whose model is in the package."
        model, self.device = model or DEFAULT, device
        with loading("speaker encoder", f"transformers:{model}", other):
            source = source_of(model)
            self.extractor = AutoFeatureExtractor.from_pretrained(source)
            self.model = AutoModelForAudioXVector.from_pretrained(source).eval().to(device)
        self.name = f"{shown_model(model)} ({version_of('transformers')})"

    def __call__(self, waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
        """waveform (T_wav,) -> embedding (E,); less than a second is padded with silence."""
        speech = resampled(waveform, sampling_rate)
        speech = np.pad(speech, (0, max(0, RATE - len(speech))))
        inputs = self.extractor(speech, sampling_rate=RATE, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            return self.model(**inputs).embeddings[0].float().cpu().numpy()
