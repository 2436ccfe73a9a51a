"""Measure the level of speech without its pauses."""

from collections.abc import Iterable

import numpy as np

WINDOW_SECONDS = 0.02
"""Length of the windows whose energy is measured."""

RANGE_DB = 20.0
"""A window is speech if its level is at most so far below that of the loudest."""


def speech_level(waveforms: Iterable[np.ndarray], sampling_rate: int) -> float:
    """
    Return the level of speech without its pauses, in dB relative to a constant of 1.

    Args:
        waveforms (`Iterable[np.ndarray]`):
            Waveforms, each of shape `(T,)` and within ±1.
        sampling_rate (`int`):
            Hertz.

    Returns:
        `float`: ten times the logarithm of the mean energy of all windows that are speech; -inf if there are none.
    """
    size, energies = max(1, int(WINDOW_SECONDS * sampling_rate)), []
    for waveform in waveforms:
        windows = waveform[: len(waveform) // size * size].reshape(-1, size).astype(np.float64)
        energy = np.square(windows).mean(axis=1)
        energies.append(energy[energy > energy.max(initial=0) * 10 ** (-RANGE_DB / 10)])
    speech = np.concatenate(energies) if energies else np.zeros(0)
    return 10 * float(np.log10(speech.mean())) if len(speech) else -np.inf
