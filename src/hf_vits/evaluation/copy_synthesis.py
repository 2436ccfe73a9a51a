"""Copy-synthesis: a recording through posterior encoder and decoder, the most that the decoder lets a voice reach."""

import numpy as np
import torch

from hf_vits.evaluation.base import Utterance
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.sampling import seed_of
from hf_vits.modules.spectrogram import Spectrogram


class CopySynthesis:
    """
    Reconstruct recordings as training does, with the durations and the intonation of the recording.

    Args:
        model ([`VitsModel`]):
            A model with a posterior encoder, see `reason_against`.
        seed (`int`):
            Seed of the posterior's noise.
    """

    def __init__(self, model: VitsModel, seed: int):
        self.model, self.seed, self.spectrogram = model, seed, Spectrogram(model.config).to(model.device)

    @staticmethod
    def reason_against(model: VitsModel) -> str | None:
        """Return why a model cannot reconstruct recordings, or `None` if it can."""
        if model.config.inference_only:
            return "The voice has no posterior encoder, so there is no copy-synthesis."
        return None

    @torch.no_grad()
    def __call__(self, recording: Utterance, number: int) -> Utterance:
        """Reconstruct a recording at the voice's rate; one that is too short for a spectrogram has no samples."""
        config, model = self.model.config, self.model
        waveform = torch.from_numpy(recording.waveform).to(model.device)
        frames = len(waveform) // config.hop_length
        if len(waveform) <= config.fft_size:
            waveform = np.zeros(0, np.float32)
        else:
            magnitudes = self.spectrogram(waveform[None, None])[..., :frames]
            features = self.spectrogram.mel(magnitudes) if config.posterior_input == "mel" else magnitudes
            source = torch.Generator().manual_seed(seed_of(self.seed, number))
            speaker = model.speaker_vector(recording.speaker, 1)
            mask = features.new_ones(1, 1, frames)
            latents, _, _ = model.posterior_encoder(features.to(model.dtype), mask.to(model.dtype), speaker, source)
            waveform = model.decode(latents, speaker=speaker)[0, 0].float().cpu().numpy()
        return Utterance(recording.text, waveform, config.sampling_rate, recording.speaker, recording=recording)
