"""Sounds that are encoded and decoded again."""

import io

import numpy as np
import pytest
import soundfile

from hf_vits.serving.encoders.base import AUDIO_FORMATS, make_encoder

RATES = (16_000, 22_050, 24_000, 44_100, 48_000)
LOSSLESS = ("wav", "flac", "pcm")
DELAYS = {"mp3": 1105, "aac": 1024}
"""Samples before the sound in a stream of these, by their specifications and encoders; others have none."""
NOISE = {"mp3": 0.03, "opus": 0.12, "aac": 0.05}
"""Largest allowed ratio of the energy of the difference to that of the sound."""


def sweep(samples, rate):
    """A rising tone with a mark at the very end, which a lost tail would lack."""
    time = np.arange(samples) / rate
    wave = 0.4 * np.sin(2 * np.pi * (200 + 300 * time) * time) * np.minimum(1, np.arange(samples, 0, -1) / 50 + 0.2)
    return wave.astype(np.float32)


def encoded(name, samples, rate, is_whole, size=2_560, target=None):
    encoder = make_encoder(name, rate, is_whole, target)
    parts = [encoder.encode(samples[start : start + size]) for start in range(0, len(samples), size)]
    assert not is_whole or not any(parts)
    return b"".join([*parts, encoder.finish()]), encoder


def with_length(flac, samples):
    """Writes the number of samples into the header of a FLAC stream, where it is unknown: libsndfile reads no other."""
    assert not int.from_bytes(flac[21:26], "big") & (2**36 - 1)
    return flac[:21] + (int.from_bytes(flac[21:26], "big") | samples).to_bytes(5, "big") + flac[26:]


def decoded(name, data, rate):
    if name == "pcm":
        return np.frombuffer(data, "<i2") / 32767, rate
    if name == "aac":
        av = pytest.importorskip("av")
        with av.open(io.BytesIO(data)) as file:
            frames = [frame.to_ndarray().ravel() for frame in file.decode(audio=0)]
            return np.concatenate(frames), file.streams.audio[0].rate
    if name in ("wav", "flac"):
        values, rate = soundfile.read(io.BytesIO(data), dtype="int16")
        return values / 32767, rate
    return soundfile.read(io.BytesIO(data))


def missing(name):
    return pytest.mark.skipif(not AUDIO_FORMATS[name].is_available(), reason="its package is not installed")


FORMATS = [pytest.param(name, marks=missing(name)) for name in AUDIO_FORMATS]
