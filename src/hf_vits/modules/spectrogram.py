"""Waveform to linear magnitudes to mels, for the posterior encoder, the mel loss and every metric."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.configuration_vits import VitsConfig

MAGNITUDE_FLOOR = 1e-6
"""Added to the squared magnitude, so that the root has a finite gradient at silence."""

MEL_FLOOR = 1e-5
"""Least mel magnitude before the logarithm."""


class Spectrogram(nn.Module):
    """Short-time Fourier transform of the original VITS: Hann window, reflected edges, one frame per hop."""

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
        # A copy in PyTorch's memory: NumPy aligns less, and the rounding of products depends on alignment.
        self.register_buffer("mel_bank", torch.tensor(mel_bank, dtype=torch.float32), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """waveform (B, 1, T_wav), lengths in samples (B,) -> magnitudes (B, F, T_spec), float32 under autocast too.

        Each item is reflected at its own end, so its frames equal those of its single run; later frames are undefined.

        Raises:
            ValueError: if a waveform is too short to be reflected at its edges.
        """
        edge, size = (self.fft_size - self.hop_length) // 2, waveform.shape[-1]
        shortest = size if lengths is None else int(lengths.min())
        if shortest <= edge:
            raise ValueError(
                f"A waveform has {shortest} samples; a spectrogram needs more than {edge}. Leave such clips out."
            )
        with torch.autocast(waveform.device.type, enabled=False):
            padded = F.pad(waveform.float(), (edge, edge), mode="reflect").squeeze(1)
            if lengths is not None:
                position = torch.arange(-edge, size + edge, device=waveform.device)
                mirrored = (2 * (lengths[:, None] - 1) - position).clamp(0, size - 1)
                padded = torch.where(
                    position < lengths[:, None], padded, waveform.float().squeeze(1).gather(1, mirrored)
                )
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
