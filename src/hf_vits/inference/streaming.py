"""Speech in pieces that equal the whole: windows of frames with all the context that the layers see."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.decoders.hifigan import ENDS_REACH, HifiGan, blocks_reach, reach_before
from hf_vits.modules.flow import Flow

FIRST_CHUNK, GROWTH, LARGEST_CHUNK = 8, 4, 96
"""Frames of the first piece, at least; how much longer each is than the one before; and the most that are asked for. So
sound comes early, and the context, which is computed twice, costs little after that."""

STEP, LAST_STEP = 8, 32
"""Windows of growing pieces are of whole steps, the least that `prepared_length` pads to: so a piece gets what would be
computed for nothing, and a CPU, which makes kernels for each length and keeps them, meets few lengths. A sentence may
end anywhere, so its last window is of larger steps, which begin before it. They are no larger than the second piece:
what lies before the window before is forgotten."""

FLOWED_AHEAD = 512
"""Frames that the flow computes at once, where as many were computed before: its context is wide, its frames small."""


def decoder_context(config: VitsConfig) -> int:
    """Frames to either side of a frame that its samples depend on; 13 in the paper's size."""
    reach = ENDS_REACH  # in samples
    for rate, kernel in zip(reversed(config.upsample_rates), reversed(config.upsample_kernel_sizes), strict=True):
        reach = reach_before(reach + blocks_reach(config), rate, kernel)
    return reach + ENDS_REACH


def flow_context(config: VitsConfig) -> int:
    """Frames to either side of a frame that the flow mixes into it; 32 in the paper's size."""
    layers = range(config.prior_encoder_num_wavenet_layers)
    wavenet = sum(config.wavenet_dilation_rate**i * (config.wavenet_kernel_size - 1) // 2 for i in layers)
    return config.prior_encoder_num_flows * wavenet


def check_chunk_frames(chunk_frames: int | None) -> None:
    """`ValueError` if pieces cannot be of so many frames."""
    if chunk_frames is not None and (not isinstance(chunk_frames, int) or chunk_frames < 1):
        raise ValueError(
            f"`chunk_frames` is {chunk_frames!r}; a piece has a whole number of frames, at least one frame."
        )


class Window(NamedTuple):
    """Frames from `left` to `right`, which are decoded for those from `start` to `end`."""

    left: int
    start: int
    end: int
    right: int


def windows(frames: int, context: int, chunk_frames: int | None = None) -> Iterator[Window]:
    """Those that `frames` frames are decoded in, for pieces of `chunk_frames` or of growing size.

    Each piece sees `context` frames to either side, or as many as there are.
    """
    start, size = 0, chunk_frames or FIRST_CHUNK
    while start < frames:
        left, end = max(0, start - context), start + size
        right = end + context
        if chunk_frames is None:
            right = left + _whole(right - left, STEP)
            end, size = right - context, min(GROWTH * size, LARGEST_CHUNK)
            if right >= frames:  # it sees all the rest
                left, end = max(0, frames - _whole(frames - left, LAST_STEP)), frames
        yield Window(left, start, min(end, frames), min(right, frames))
        start = end


def _whole(length: int, step: int) -> int:
    return -(-length // step) * step


class StreamingFlow:
    """
    Latents (1, C, T_spec) that are computed from a sample of the prior as they are asked for, from left to right.

    What is asked for must not begin before what was asked for last; what lies before it is forgotten.
    """

    def __init__(self, flow: Flow, sample: Tensor, context: int, speaker: Tensor | None):
        self.flow, self.sample, self.context, self.speaker = flow, sample, context, speaker
        self.known, self.first = sample[..., :0], 0

    def between(self, start: int, end: int) -> Tensor:
        """-> latents (1, C, end - start)."""
        assert start >= self.first, "these frames are forgotten"
        done = self.first + self.known.shape[-1]
        if end > done:
            left, right = max(0, done - self.context), max(end, done + min(done, FLOWED_AHEAD))
            window = self.sample[..., left : right + self.context]
            fresh = self.flow.inverse(window, torch.ones_like(window[:, :1]), self.speaker)
            self.known = torch.cat([self.known, fresh[..., done - left : right - left]], dim=-1)
        self.known, self.first = self.known[..., start - self.first :], start
        return self.known[..., : end - start]


def decode_in_pieces(
    decoder: HifiGan, frames: StreamingFlow | Tensor, cut: Iterable[Window], speaker: Tensor | None
) -> Iterator[Tensor]:
    """The waveform of each piece, (1, samples), in the mode of whoever asks for it."""
    for left, start, end, right in cut:
        window = frames[..., left:right] if isinstance(frames, Tensor) else frames.between(left, right)
        waveform = decoder(window, speaker).squeeze(1)
        hop = waveform.shape[-1] // (right - left)
        yield waveform[:, hop * (start - left) : hop * (end - left)]
