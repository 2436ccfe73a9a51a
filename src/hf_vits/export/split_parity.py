"""Whether a graph in two says what it says in PyTorch: latents, and windows of them that make up the whole."""

from collections.abc import Sequence

import numpy as np
import torch

from hf_vits.export import Voice
from hf_vits.export.parity import Feed, Waveform, compared, runner

WINDOW_FRAMES = 16
"""Frames of a window, without what lies around it; a text of the check has several."""


@torch.no_grad()
def split_parity(voice: Voice, symbols: Sequence[int], first: bytes, second: bytes, context: int) -> str:
    """Runs both graphs as one who streams does; arguments, result and errors are those of `whole_parity`."""
    run_first, run_second = runner(first), runner(second)

    def speak(feed: Feed) -> tuple[np.ndarray, Waveform]:
        latents, durations = run_first(feed)

        def waveform(item: int, frames: int) -> np.ndarray:
            sid = {"sid": feed["sid"][item : item + 1]} if "sid" in feed else {}
            own = latents[item : item + 1, :, :frames]
            pieces = windows(own, context, lambda window: run_second({"latents": window, **sid})[0])
            return np.concatenate(pieces, axis=-1)

        return durations, waveform

    return compared(voice, symbols, speak)


def windows(latents: np.ndarray, context: int, decode) -> list[np.ndarray]:
    """latents (1, C, T_spec) -> the samples of each window, decoded with its context, which is cut off."""
    frames, pieces = latents.shape[-1], []
    for start in range(0, frames, WINDOW_FRAMES):
        end = min(start + WINDOW_FRAMES, frames)
        left, right = max(0, start - context), min(frames, end + context)
        samples = decode(latents[..., left:right])
        hop = samples.shape[-1] // (right - left)
        pieces.append(samples[..., hop * (start - left) : hop * (end - left)])
    return pieces
