"""Waveform to linear magnitudes to mels: one object for the posterior encoder, the mel loss and every metric."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.configuration_vits import VitsConfig

MAGNITUDE_FLOOR = 1e-6
"""Added to the squared magnitude, so that its root has a gradient at silence."""

MEL_FLOOR = 1e-5
"""Least mel magnitude before the logarithm."""


class Spectrogram(nn.Module):
    """Short-time Fourier transform as VITS was trained with it: Hann window, reflected edges, one frame per hop."""

    def __init__(self, config: VitsConfig):
        super().__init__()
        import librosa

        self.fft_size, self.hop_length = config.fft_size, config.hop_length
        window = config.win_length or config.fft_size
        mel_bank = librosa.filters.mel(
            sr=config.sampling_rate,
            n_fft=config.fft_size,
            n_mels=config.num_mel_bins,
            fmin=config.mel_fmin,
            fmax=config.mel_fmax,
        )
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("mel_bank", torch.from_numpy(mel_bank).float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """waveform (B, 1, T_wav) -> magnitudes (B, F, T_spec), float32 whatever autocast says.

        Raises:
            ValueError: if the waveform is too short to be reflected at its edges.
        """
        edge = (self.fft_size - self.hop_length) // 2
        if waveform.shape[-1] <= edge:
            raise ValueError(
                f"The waveform has {waveform.shape[-1]} samples; a spectrogram needs more than {edge}. "
                "Leave such clips out."
            )
        with torch.autocast(waveform.device.type, enabled=False):
            padded = F.pad(waveform.float(), (edge, edge), mode="reflect").squeeze(1)
            spectrum = torch.stft(
                padded,
                self.fft_size,
                self.hop_length,
                len(self.window),
                self.window.float(),
                center=False,
                return_complex=True,
            )
            return (spectrum.real.square() + spectrum.imag.square() + MAGNITUDE_FLOOR).sqrt()

    def mel(self, magnitudes: Tensor) -> Tensor:
        """magnitudes (B, F, T_spec) -> natural log of mel magnitudes (B, M, T_spec), float32."""
        with torch.autocast(magnitudes.device.type, enabled=False):
            return (self.mel_bank.float() @ magnitudes.float()).clamp(min=MEL_FLOOR).log()
