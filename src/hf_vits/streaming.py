"""Speech in pieces that equal the whole: windows of frames with all the context that the layers see, and no more."""

from collections.abc import Iterator
from itertools import accumulate, chain, repeat, takewhile

import torch
from torch import Tensor

from hf_vits.configuration_vits import VitsConfig
from hf_vits.modules.decoder import ENDS_REACH, HifiGan, blocks_reach, reach_before
from hf_vits.modules.flow import Flow

FIRST_CHUNK, GROWTH, LARGEST_CHUNK = 8, 4, 96
"""Frames of the first piece; how much longer each is than the one before; and the most. So sound comes early, and the
context, which is computed twice, costs little after that. It also takes most of the second piece's time."""

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


def chunk_ends(frames: int, chunk_frames: int | None) -> list[int]:
    """Where pieces of `chunk_frames`, or of growing size, end in `frames` frames."""
    check_chunk_frames(chunk_frames)
    if chunk_frames is None:
        growing = takewhile(lambda size: size < LARGEST_CHUNK, (FIRST_CHUNK * GROWTH**i for i in range(64)))
        sizes = chain(growing, repeat(LARGEST_CHUNK))
    else:
        sizes = repeat(chunk_frames)
    return [*takewhile(lambda end: end < frames, accumulate(sizes)), frames]


class FlowedFrames:
    """
    Latents (1, C, T_spec) that are computed from a sample of the prior as they are asked for, from left to right.

    What is asked for must not begin before what was asked for last; what lies before it is forgotten.
    """

    def __init__(self, flow: Flow, sample: Tensor, context: int, speaker: Tensor | None):
        self.flow, self.sample, self.context, self.speaker = flow, sample, context, speaker
        self.known, self.first = sample[..., :0], 0

    def between(self, start: int, end: int) -> Tensor:
        """-> latents (1, C, end - start)."""
        done = self.first + self.known.shape[-1]
        if end > done:
            left, right = max(0, done - self.context), max(end, done + min(done, FLOWED_AHEAD))
            window = self.sample[..., left : right + self.context]
            fresh = self.flow.inverse(window, torch.ones_like(window[:, :1]), self.speaker)
            self.known = torch.cat([self.known, fresh[..., done - left : right - left]], dim=-1)
        self.known, self.first = self.known[..., start - self.first :], start
        return self.known[..., : end - start]


def decode_in_pieces(
    decoder: HifiGan,
    frames: FlowedFrames | Tensor,
    ends: list[int],
    context: int,
    speaker: Tensor | None,
) -> Iterator[Tensor]:
    """Pieces of the waveform, (1, samples) each, that end at the frames `ends`, in the mode of whoever asks for one."""
    start = 0
    for end in ends:
        left, right = max(0, start - context), min(end + context, ends[-1])
        window = frames[..., left:right] if isinstance(frames, Tensor) else frames.between(left, right)
        waveform = decoder(window, speaker).squeeze(1)
        hop = waveform.shape[-1] // (right - left)
        yield waveform[:, hop * (start - left) : hop * (end - left)]
        start = end
