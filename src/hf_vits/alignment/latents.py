"""Recordings to latents of the prior: spectrogram, mean of the posterior, and flow, in windows of limited memory."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hf_vits.inference.streaming import flow_context
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.masks import mask_from_lengths
from hf_vits.modules.spectrogram import Spectrogram

WINDOW_FRAMES = 2048
"""Frames of a window without its context; 24 seconds at 22,050 Hz and 256 samples a frame."""


class _Window(NamedTuple):
    """Frames `start` to `end` of an item, computed from its frames `left` to `right`."""

    item: int
    left: int
    start: int
    end: int
    right: int


class LatentEncoder:
    """
    Compute the latents of recordings from the mean of the posterior, without noise.

    Windows hold the context of all convolutions, so that the latents do not depend on how a recording is divided. A
    transformer in the flow sees one window, which is longer than the clips that it was trained on.

    Args:
        model ([`VitsModel`]):
            A voice with a posterior encoder.

    Raises:
        ValueError: if the voice has no posterior encoder; says what makes one.
    """

    def __init__(self, model: VitsModel):
        if missing := model.missing_for_training():
            raise ValueError(
                f"This voice was converted for inference only and lacks {missing[0]}, which alignment needs. "
                "`hf-vits complete VOICE FOLDER` trains it; then give that folder."
            )
        self.model, config = model, model.config
        self.spectrogram = Spectrogram(config).to(model.device)
        edge = (config.fft_size - config.hop_length) // 2
        self.hop_length, self.shortest = config.hop_length, max(edge, config.hop_length)
        self.context = model.posterior_encoder.context + flow_context(config) - (-edge // config.hop_length)

    def __call__(self, waveforms: Sequence[np.ndarray], speaker: Tensor | None, batch_size: int) -> list[Tensor]:
        """
        Waveforms (T_wav,), speaker (B, S, 1) -> latents (C, T_spec) of each, on the CPU.

        Raises:
            ValueError: if a waveform is too short for a spectrogram.
        """
        for number, waveform in enumerate(waveforms):
            if len(waveform) <= self.shortest:
                raise ValueError(f"Recording {number} has {len(waveform)} samples, which is too short to be aligned.")
        windows = [one for item, waveform in enumerate(waveforms) for one in self._windows(item, len(waveform))]
        windows.sort(key=lambda one: one.right - one.left)  # equal lengths need no padding
        parts: dict[tuple[int, int], Tensor] = {}
        for first in range(0, len(windows), batch_size):
            batch = windows[first : first + batch_size]
            for window, latents in zip(batch, self._encoded(batch, waveforms, speaker), strict=True):
                kept = latents[:, window.start - window.left : window.end - window.left]
                parts[window.item, window.start] = kept.float().cpu()
        return [torch.cat([parts[key] for key in sorted(parts) if key[0] == i], 1) for i in range(len(waveforms))]

    def _windows(self, item: int, samples: int) -> list[_Window]:
        frames = samples // self.hop_length
        starts = range(0, frames, WINDOW_FRAMES)
        if len(starts) > 1 and frames - starts[-1] <= self.context:  # too short to be reflected at its edges
            starts = starts[:-1]
        ends = [*starts[1:], frames]
        return [
            _Window(item, max(0, start - self.context), start, end, min(frames, end + self.context))
            for start, end in zip(starts, ends, strict=True)
        ]

    @torch.no_grad()
    def _encoded(
        self, windows: Sequence[_Window], waveforms: Sequence[np.ndarray], speaker: Tensor | None
    ) -> list[Tensor]:
        """Return latents (C, right - left) of windows, in a padded batch."""
        model, hop, cut = self.model, self.hop_length, []
        for window in windows:
            waveform = waveforms[window.item]
            is_last = window.right == len(waveform) // hop
            end = len(waveform) if is_last else window.right * hop
            cut.append(torch.from_numpy(np.ascontiguousarray(waveform[window.left * hop : end])))
        lengths = torch.tensor([len(samples) for samples in cut], device=model.device)
        frame_lengths = torch.tensor([window.right - window.left for window in windows], device=model.device)
        padded = pad_sequence(cut, batch_first=True).unsqueeze(1).to(model.device)
        features = self.spectrogram(padded, lengths)[..., : int(frame_lengths.max())]
        if model.config.posterior_input == "mel":
            features = self.spectrogram.mel(features)
        mask = mask_from_lengths(frame_lengths, features.shape[-1], model.dtype)
        chosen = None if speaker is None else speaker[[window.item for window in windows]]
        mean, _ = model.posterior_encoder.distribution(features.to(model.dtype), mask, chosen)
        latents = model.flow(mean, mask, chosen)
        return [one[:, :length] for one, length in zip(latents, frame_lengths.tolist(), strict=True)]
