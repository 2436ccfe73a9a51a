"""The inverse short-time Fourier transform, by which light decoders go from frames to samples in one step."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hf_vits.utils.torch_state import is_traced


class InverseStft(nn.Module):
    """
    Frames of a spectrum to samples, by overlapping windowed frames and dividing by the sum of squared windows.

    It is linear and exact: a spectrogram of a signal gives the signal. An exported graph has a product with the
    Fourier basis in place of the transform, which few runtimes know.

    Args:
        fft_size (`int`):
            Samples of a frame, even, and a multiple of the hop.
        hop_length (`int`):
            Samples between frames.
        trim (`int`):
            Samples that are left out at either end.
    """

    def __init__(self, fft_size: int, hop_length: int, trim: int):
        super().__init__()
        self.fft_size, self.hop_length, self.trim = fft_size, hop_length, trim

    def forward(self, real: Tensor, imaginary: Tensor, mask: Tensor | None = None) -> Tensor:
        """real and imaginary parts (B, F, T), mask of frames (B, 1, T) -> (B, 1, (T - 1) · hop + fft_size - 2 · trim).

        Frames that are masked count as absent, as those outside the signal do.
        """
        if mask is not None:
            real, imaginary = real * mask, imaginary * mask
        window = torch.hann_window(self.fft_size, dtype=real.dtype, device=real.device)
        frames = self._inverse_transform(real, imaginary) * window[:, None]
        present = torch.ones_like(real[:, :1]) if mask is None else mask
        weight = self._overlap_add(window.square()[:, None] * present)
        return self._overlap_add(frames) / weight.clamp(min=1e-8)

    def _inverse_transform(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Return the frames (B, fft_size, T) of half a spectrum."""
        if not is_traced():
            return torch.fft.irfft(torch.complex(real, imaginary), n=self.fft_size, dim=1)
        cosine, sine = (part.to(real) for part in inverse_basis(self.fft_size))
        return cosine.T @ real + sine.T @ imaginary

    def _overlap_add(self, frames: Tensor) -> Tensor:
        """(B, fft_size, T) -> (B, 1, (T - 1) · hop + fft_size - 2 · trim)."""
        hop, parts = self.hop_length, self.fft_size // self.hop_length
        hops = [frames[:, part * hop : (part + 1) * hop] for part in range(parts)]  # each is added one frame later
        total = sum(F.pad(part, (later, parts - 1 - later)) for later, part in enumerate(hops))
        samples = total.mT.flatten(1).unsqueeze(1)
        return samples[..., self.trim : samples.shape[-1] - self.trim]


def inverse_basis(fft_size: int) -> tuple[Tensor, Tensor]:
    """
    Return the matrices (F, fft_size), float64, whose products with real and imaginary part are the inverse transform.

    x_n = 1/N Σ_k w_k (Re_k cos(2πkn/N) − Im_k sin(2πkn/N)), with w = 1 for the first and the last frequency, and 2 for
    the others, which half a spectrum stands for twice.
    """
    bins = torch.arange(fft_size // 2 + 1, dtype=torch.float64)
    angle = 2 * math.pi / fft_size * (bins[:, None] * torch.arange(fft_size, dtype=torch.float64) % fft_size)
    twice = torch.full_like(bins, 2.0)
    twice[0] = twice[-1] = 1.0
    scale = (twice / fft_size)[:, None]
    return scale * angle.cos(), -scale * angle.sin()


def frames_around(fft_size: int, hop_length: int, trim: int) -> int:
    """Return the most frames to either side of frame t that reach into its samples, from t · hop to (t + 1) · hop."""
    before = (fft_size - trim - 1) // hop_length
    after = math.ceil((hop_length + trim) / hop_length) - 1
    return max(before, after)
