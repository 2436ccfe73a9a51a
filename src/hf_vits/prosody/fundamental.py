"""Track the fundamental frequency (F0) of speech: normalized cross-correlation and the best path through its peaks."""

import numpy as np

LOWEST, HIGHEST = 50.0, 550.0
"""Hertz between which F0 is looked for."""

STEP = 0.005
"""Seconds between two frames."""

_CANDIDATES = 6  # of a frame, besides "unvoiced"
_CUTOFF = 900.0
_UNVOICED, _OCTAVE, _JUMP, _SWITCH = 0.35, 0.06, 2.5, 0.4
"""Strength of "unvoiced", what a candidate loses for each octave below the highest, and costs of a change of F0 (for
each octave) and of a change between voiced and unvoiced."""


def fundamental_frequency(samples: np.ndarray, rate: int) -> np.ndarray:
    """
    Return F0 in hertz every 5 ms, 0 where speech is unvoiced.

    Args:
        samples (`float array of shape (samples,)`):
            Speech of one speaker.
        rate (`int`):
            Samples per second.
    """
    strengths, lags = _candidates(_low_frequencies(np.asarray(samples, dtype=np.float64), rate), rate)
    path = _best_path(strengths, lags)
    chosen = lags[np.arange(len(lags)), path]
    return np.where(path > 0, rate / np.maximum(chosen, 1), 0.0)


def _low_frequencies(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the part below 1 kHz, without the higher formants."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    return np.fft.irfft(spectrum * np.clip((_CUTOFF + 200 - hertz) / 400, 0, 1), len(samples))


def _candidates(samples: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """-> strengths and lags (frames, 1 + candidates); the first is "unvoiced"."""
    longest, shortest = int(rate / LOWEST), int(rate / HIGHEST)
    window, step = int(0.018 * rate), STEP * rate
    count = int(len(samples) / step) + 1
    size = window + longest
    padded = np.concatenate([np.zeros(size // 2), samples, np.zeros(size)])
    starts = np.round(np.arange(count) * step).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    frames = frames - frames.mean(axis=1, keepdims=True)
    correlation = _normalized_correlation(frames, window, longest, float(np.mean(samples**2)))
    strengths = np.full((count, _CANDIDATES + 1), -np.inf)
    lags = np.ones((count, _CANDIDATES + 1))
    strengths[:, 0] = _UNVOICED
    inner = correlation[:, 1:-1]
    is_peak = (inner > correlation[:, :-2]) & (inner >= correlation[:, 2:]) & (inner > 0.3)
    is_peak[:, : shortest - 1] = False
    for frame, peaks in enumerate(is_peak):
        places = np.flatnonzero(peaks) + 1
        if not len(places):
            continue
        row = correlation[frame]
        before, at, after = row[places - 1], row[places], row[places + 1]
        curve = np.minimum(before - 2 * at + after, -1e-12)
        offset = np.clip(0.5 * (before - after) / curve, -0.5, 0.5)
        height = at - 0.25 * (before - after) * offset - _OCTAVE * np.log2((places + offset) / shortest)
        best = np.argsort(-height)[:_CANDIDATES]
        strengths[frame, 1 : 1 + len(best)] = height[best]
        lags[frame, 1 : 1 + len(best)] = (places + offset)[best]
    return strengths, lags


def _normalized_correlation(frames: np.ndarray, window: int, longest: int, power: float) -> np.ndarray:
    """Correlate the first `window` samples of frames (count, size) with those that are later by each lag."""
    size = 1 << int(np.ceil(np.log2(frames.shape[1] + window)))
    first = np.fft.rfft(frames[:, :window], size)
    products = np.fft.irfft(np.fft.rfft(frames, size) * first.conj(), size)[:, : longest + 1]
    sums = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    energies = sums[:, window : window + longest + 1] - sums[:, : longest + 1]
    floor = window * power * 1e-3 + 1e-12  # silence correlates with nothing
    return products / (np.sqrt(np.maximum(energies[:, :1], 0) * np.maximum(energies, 0)) + floor)


def _best_path(strengths: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Return the candidate of each frame, by dynamic programming."""
    logs = np.log2(lags)
    total, previous = strengths[0].copy(), np.zeros(strengths.shape, dtype=int)
    for frame in range(1, len(strengths)):
        cost = _JUMP * np.abs(logs[frame][:, None] - logs[frame - 1][None, :])
        cost[0, :], cost[:, 0] = _SWITCH, _SWITCH
        cost[0, 0] = 0.0
        reached = total[None, :] - cost
        previous[frame] = reached.argmax(axis=1)
        total = reached.max(axis=1) + strengths[frame]
    path = [int(total.argmax())]
    for frame in range(len(strengths) - 1, 0, -1):
        path.append(int(previous[frame, path[-1]]))
    return np.array(path[::-1])
