"""Measure loudness and true peak by ITU-R BS.1770-5, of sound that arrives in chunks: LUFS and decibels true peak."""

from functools import cache

import numpy as np

STEP_SECONDS, STEPS = 0.1, 4
"""A block of 400 ms begins every 100 ms."""

ABSOLUTE_GATE, RELATIVE_GATE, OFFSET = -70.0, -10.0, -0.691
"""Blocks below -70 LUFS, or 10 LU below the mean of the others, are silence; a constant of the recommendation."""

RESPONSE_SECONDS = 0.2
"""Length of the K-weighting's impulse response, which has decayed to 1e-15 by then."""

OVERSAMPLING, TAPS = 4, 24
"""Points per sample at which the true peak is measured, and samples that each is interpolated from."""


class LoudnessMeter:
    """
    Measure the loudness of sound in chunks of any length; memory grows by 10 numbers per second.

    Args:
        sampling_rate (`int`):
            Samples per second.
    """

    def __init__(self, sampling_rate: int):
        self.response = _impulse_response(sampling_rate)
        self.step = STEP_SECONDS * sampling_rate
        self.before = np.zeros(len(self.response) - 1)
        self.energies: list[float] = []  # of complete steps
        self.rest, self.samples = np.zeros(0), 0  # of the step that has begun, squared; all so far

    def add(self, samples: np.ndarray) -> None:
        """Add samples, float (n,)."""
        if not len(samples):
            return
        joined = np.concatenate([self.before, samples.astype(np.float64)])
        self.before = joined[len(samples) :]
        weighted = _convolved(joined, self.response)[len(self.response) - 1 : len(joined)]
        squares, begin = np.concatenate([self.rest, np.square(weighted)]), self.samples - len(self.rest)
        self.samples, used = self.samples + len(samples), 0
        while (end := round(self.step * (len(self.energies) + 1))) <= self.samples:
            self.energies.append(float(squares[used : end - begin].sum()))
            used = end - begin
        self.rest = squares[used:]

    @property
    def loudness(self) -> float:
        """
        The integrated loudness of all samples in LUFS, -inf for silence; of less than 400 ms, that without gates.
        """
        energies = np.array(self.energies)
        if len(energies) < STEPS:
            total = energies.sum() + self.rest.sum()
            return _decibels(total / self.samples) + OFFSET if self.samples else -np.inf
        blocks = np.convolve(energies, np.ones(STEPS), "valid") / (STEPS * self.step)
        blocks = blocks[blocks > 10 ** ((ABSOLUTE_GATE - OFFSET) / 10)]
        if not len(blocks):
            return -np.inf
        return _decibels(blocks[blocks > blocks.mean() * 10 ** (RELATIVE_GATE / 10)].mean()) + OFFSET


def integrated_loudness(waveform: np.ndarray, sampling_rate: int) -> float:
    """
    Return the integrated loudness of a waveform in LUFS, by ITU-R BS.1770: mono, gated, -inf for silence.

    Args:
        waveform (`np.ndarray` of shape `(T_wav,)`):
            Within ±1.
        sampling_rate (`int`):
            Samples per second.

    Example:

    ```python
    >>> import numpy as np
    >>> from hf_vits.data.loudness import integrated_loudness

    >>> round(integrated_loudness(np.sin(2 * np.pi * 997 * np.arange(48_000) / 48_000), 48_000), 1)
    -3.0
    ```
    """
    meter = LoudnessMeter(sampling_rate)
    meter.add(np.asarray(waveform))
    return meter.loudness


def true_peaks(samples: np.ndarray) -> np.ndarray:
    """
    Return the largest magnitude at each sample and at the points between it and its neighbors.

    Args:
        samples (`np.ndarray` of shape `(n,)`):
            Preceded and followed by silence.

    Returns:
        `np.ndarray` of shape `(n,)`.
    """
    peaks, size = np.abs(samples), len(samples)
    for kernel in _interpolators():  # points before each sample, and one after the last
        between = np.abs(np.convolve(samples, kernel)[TAPS // 2 - 1 : TAPS // 2 + size])
        peaks = np.maximum(peaks, np.maximum(between[:-1], between[1:]))
    return peaks


@cache
def _interpolators() -> list[np.ndarray]:
    """Return the filters for the points between two samples: a sinc in a Kaiser window."""
    places = np.arange(TAPS) - TAPS // 2 + 0.5
    kernels = []
    for part in range(1, OVERSAMPLING):
        distance = places + part / OVERSAMPLING - 0.5
        window = np.i0(8.0 * np.sqrt(np.maximum(0, 1 - np.square(distance / (TAPS / 2))))) / np.i0(8.0)
        kernels.append(np.sinc(distance) * window)
    return kernels


@cache
def _impulse_response(rate: int) -> np.ndarray:
    """Return the impulse response of the K-weighting at a sampling rate: a shelf of +4 dB and a high pass at 38 Hz."""
    response = np.zeros(round(RESPONSE_SECONDS * rate))
    response[0] = 1.0
    for numerator, denominator in (_shelf(rate), _high_pass(rate)):
        response = _filtered(response, numerator, denominator)
    return response


def _shelf(rate: int) -> tuple[list[float], list[float]]:
    """Return the first stage of the K-weighting, of which the recommendation has the coefficients at 48 kHz."""
    frequency, quality, gain = 1681.974450955533, 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    k, middle = np.tan(np.pi * frequency / rate), gain**0.4996667741545416
    numerator = [gain + middle * k / quality + k * k, 2 * (k * k - gain), gain - middle * k / quality + k * k]
    denominator = [1 + k / quality + k * k, 2 * (k * k - 1), 1 - k / quality + k * k]
    return [value / denominator[0] for value in numerator], [value / denominator[0] for value in denominator]


def _high_pass(rate: int) -> tuple[list[float], list[float]]:
    """Return the second stage."""
    k, quality = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    denominator = [1 + k / quality + k * k, 2 * (k * k - 1), 1 - k / quality + k * k]
    return [1.0, -2.0, 1.0], [value / denominator[0] for value in denominator]


def _filtered(samples: np.ndarray, numerator: list[float], denominator: list[float]) -> np.ndarray:
    """Return the output of a recursive filter of second order, sample by sample."""
    out, first, second = np.empty_like(samples), 0.0, 0.0
    for i, sample in enumerate(samples.tolist()):
        value = numerator[0] * sample + first
        first = numerator[1] * sample - denominator[1] * value + second
        second = numerator[2] * sample - denominator[2] * value
        out[i] = value
    return out


def _convolved(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    size = len(samples) + len(response) - 1
    padded = 1 << (size - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(samples, padded) * np.fft.rfft(response, padded), padded)[:size]


def _decibels(energy: float) -> float:
    return 10 * float(np.log10(energy)) if energy > 0 else -np.inf
