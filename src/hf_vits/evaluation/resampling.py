"""Resample speech to the rate that recognizers, speaker encoders and raters take."""

import numpy as np

RATE = 16_000
"""Samples per second that the models here take."""


def resampled(waveform: np.ndarray, sampling_rate: int, target: int = RATE) -> np.ndarray:
    """waveform (T_wav,) within ±1 or clipped to it -> float32 at `target` samples per second."""
    waveform = np.clip(np.asarray(waveform, dtype=np.float32), -1, 1)
    if sampling_rate == target or not waveform.size:
        return waveform
    import librosa

    return librosa.resample(waveform, orig_sr=sampling_rate, target_sr=target, res_type="soxr_hq")
