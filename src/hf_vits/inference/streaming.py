"""Decode latents chunk by chunk, from windows with all the context of the layers, so that chunks equal the whole."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.flow import Flow

FIRST_CHUNK, LARGEST_CHUNK = 16, 512
"""Least frames of the first chunk, and the size at which growth stops: the first chunk comes early, and the context,
which is computed twice, costs little after that."""

GROWTH = 4, 16
"""Least and greatest ratio of each chunk to the one before, which is played while the next is decoded."""

REST = LARGEST_CHUNK // 4
"""Frames by which the last chunk may be larger than that, in place of a further one with a context of its own."""

SPEED = 4e10
"""Products in a second that a machine is trusted to reach; one core with AVX-512 reaches twice as many and more."""

STEP, LAST_STEP = 8, 32
"""Windows of growing chunks are multiples of 8 frames, to which `padded_length` would pad them anyway; this also
limits the lengths for which a CPU library caches kernels. The last window, which may end anywhere, is a multiple of 32
that begins earlier; not more, because frames before the previous window are dropped."""

FLOW_LOOKAHEAD = 512
"""Frames that the flow computes at once, if as many were computed before: its context is wide and its frames cheap."""


def flow_context(config: VitsConfig) -> int:
    """Return the frames to either side of a frame that the flow's convolutions mix into it; 32 in the paper's size."""
    layers = range(config.prior_encoder_num_wavenet_layers)
    wavenet = sum(config.wavenet_dilation_rate**i * (config.wavenet_kernel_size - 1) // 2 for i in layers)
    return config.prior_encoder_num_flows * wavenet


def growth(config: VitsConfig) -> int:
    """Return the ratio of each chunk to the one before: greater for a decoder that is fast beside its speech."""
    products = config.decoder_config.count_products(config.flow_size)
    ratio = SPEED * config.hop_length / config.sampling_rate / products if products else GROWTH[0]
    return min(max(int(ratio) - 2, GROWTH[0]), GROWTH[1])  # less 2 for the context to both sides


class Window(NamedTuple):
    """Frames from `left` to `right`, decoded for the chunk from `start` to `end`."""

    left: int
    start: int
    end: int
    right: int


def first_chunk(growth: int, before: float) -> int:
    """Return the least frames of the first chunk of a sentence after one of `before` frames, 0 if there was none: a
    size to which chunks grow. When the other is made, half of it is not played; half of that is for the next text."""
    size = FIRST_CHUNK
    while size < LARGEST_CHUNK and min(growth * size, LARGEST_CHUNK) <= growth * before / 4:
        size = min(growth * size, LARGEST_CHUNK)
    return size


def windows(
    frames: int, context: int, chunk_frames: int | None = None, growth: int = GROWTH[0], before: float = 0.0
) -> Iterator[Window]:
    """Divide `frames` frames, after `before` of another sentence, into chunks of `chunk_frames`, or of sizes that grow
    by `growth`, each with `context` frames to either side, or as many as there are."""
    start, size = 0, chunk_frames or first_chunk(growth, before)
    while start < frames:
        left, end = max(0, start - context), start + size
        right = end + context
        if chunk_frames is None:
            right = left + _round_up(right - left, STEP)
            end, rest = right - context, REST if size == LARGEST_CHUNK else 0
            size = min(growth * size, LARGEST_CHUNK)
            if right + rest >= frames:  # the window holds all that is left
                left, end, right = max(0, frames - _round_up(frames - left, LAST_STEP)), frames, frames
        yield Window(left, start, min(end, frames), min(right, frames))
        start = end


def _round_up(length: int, step: int) -> int:
    return -(-length // step) * step


class StreamingFlow:
    """
    Compute latents (1, C, T_spec) from a sample of the prior on demand, from left to right.

    No request may begin before the previous one; latents before it are dropped. Without a `context`, every frame
    depends on all, which are computed at the first request.
    """

    def __init__(self, flow: Flow, sample: Tensor, context: int | None, speaker: Tensor | None):
        self.flow, self.sample, self.context, self.speaker = flow, sample, context, speaker
        self.latents, self.first = sample[..., :0], 0

    def between(self, start: int, end: int) -> Tensor:
        """Return latents (1, C, end - start)."""
        assert start >= self.first, "these frames are dropped"
        done = self.first + self.latents.shape[-1]
        if end > done:
            context, frames = self.context, self.sample.shape[-1]
            left, right = 0, frames
            if context is not None:
                left, right = max(0, done - context), max(end, done + min(done, FLOW_LOOKAHEAD))
            window = self.sample[..., left : right + (context or 0)]
            new = self.flow.inverse(window, torch.ones_like(window[:, :1]), self.speaker)
            self.latents = torch.cat([self.latents, new[..., done - left : right - left]], dim=-1)
        self.latents, self.first = self.latents[..., start - self.first :], start
        return self.latents[..., : end - start]


@torch.no_grad()
def decode_chunks(
    decoder: Callable[..., Tensor], frames: StreamingFlow | Tensor, chunks: Iterable[Window], speaker: Tensor | None
) -> Iterator[Tensor]:
    """Return the waveform of each chunk, (1, samples), without recording a graph."""
    for left, start, end, right in chunks:
        window = frames[..., left:right] if isinstance(frames, Tensor) else frames.between(left, right)
        waveform = decoder(window, speaker).squeeze(1)
        hop = waveform.shape[-1] // (right - left)
        yield waveform[:, hop * (start - left) : hop * (end - left)]
