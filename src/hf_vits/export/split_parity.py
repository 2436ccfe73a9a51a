"""Whether a graph in two says what it says in PyTorch: latents, and windows of them that make up the whole."""

from collections.abc import Sequence

import numpy as np
import torch

from hf_vits.export import Voice
from hf_vits.export.graph import twin_of
from hf_vits.export.parity import Parity, feeds, runner, told

WINDOW_FRAMES = 16
"""Frames of a window, without what lies around it; a text of the check has several."""


@torch.no_grad()
def split_parity(voice: Voice, symbols: Sequence[int], first: bytes, second: bytes, context: int) -> str:
    """Runs both graphs as one who streams does; arguments, result and errors are those of `whole_parity`."""
    model, parity = twin_of(voice.model), Parity(voice.precision)
    language = model.language_vector(voice.language, 1)
    run_first, run_second = runner(first), runner(second)
    for feed, speakers in feeds(model, symbols):
        latents, durations = run_first(feed)
        for item, length in enumerate(feed["input_lengths"]):
            ids = torch.from_numpy(feed["input"][item : item + 1, :length])
            speaker = model.speaker_vector(None if speakers is None else speakers[item], 1)
            own = durations[item : item + 1, :length]
            call = {"speaker": speaker, "language": language}
            expected = model.latents(ids, **call, noise_scale=0.0, durations=torch.from_numpy(own)).latents
            made = latents[item : item + 1, :, : own.sum()]
            sid = {"sid": feed["sid"][item : item + 1]} if "sid" in feed else {}
            pieces = windows(made, context, lambda window, sid=sid: run_second({"latents": window, **sid})[0])
            parity.add(np.concatenate(pieces, axis=-1), model.decode(expected, speaker=speaker))
            rate = 1 / float(feed["scales"][1])
            predicted = model.prior(ids, **call, noise_scale_duration=0.0, speaking_rate=rate).durations
            parity.add_durations(own, predicted)
            parity.texts += 1
    return told(parity)


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
