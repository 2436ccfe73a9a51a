"""What is decoded is what was encoded, to the precision of the format, and complete at both ends."""

import io
import struct
import wave

import numpy as np
import pytest
import soundfile

from hf_vits.serving.encoders.base import AUDIO_FORMATS, Encoder, available_formats, make_encoder

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


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "stream"])
@pytest.mark.parametrize("samples", [1, 700, 4_096, 33_333])
@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_return_every_sample_to_half_a_step(name, samples, is_whole):
    sound = sweep(samples, 22_050)
    data, _ = encoded(name, sound, 22_050, is_whole)
    data = with_length(data, samples) if name == "flac" and not is_whole else data
    found, rate = decoded(name, data, 22_050)
    assert rate == 22_050 and len(found) == samples
    assert np.abs(found - sound).max() <= 0.51 / 32767


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "stream"])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", [name for name in FORMATS if name.values[0] not in LOSSLESS])
def test_lossy_formats_keep_the_sound_and_its_end(name, rate, is_whole):
    samples = 3 * rate + 517
    sound = sweep(samples, rate)
    data, encoder = encoded(name, sound, rate, is_whole)
    found, read_rate = decoded(name, data, rate)
    assert read_rate == encoder.sampling_rate == AUDIO_FORMATS[name].nearest_rate(rate)
    delay = 0 if is_whole and name == "mp3" else DELAYS.get(name, 0)
    expected = -(-samples * read_rate // rate) if read_rate != rate else samples
    if delay:
        assert len(found) >= delay + expected
    else:
        assert 0 <= len(found) - expected + (read_rate != rate) <= 0.011 * read_rate
    found = found[delay : delay + expected]
    if read_rate != rate:
        found = np.interp(np.arange(samples) / rate, np.arange(len(found)) / read_rate, found)
    assert np.sum((found - sound) ** 2) < NOISE[name] * np.sum(sound**2)
    end = slice(-rate // 20, None)
    assert np.sum((found[end] - sound[end]) ** 2) < 0.2 * np.sum(sound[end] ** 2)


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_do_not_depend_on_the_size_of_chunks(name):
    sound = sweep(30_000, 22_050)
    one, other = (encoded(name, sound, 22_050, False, size)[0] for size in (2_048, 4_096))
    assert one == other or name == "opus"  # whose number of the stream is random


@pytest.mark.parametrize("name", [name for name in FORMATS if name.values[0] != "aac"])
def test_a_stream_begins_with_the_first_chunks(name):
    encoder = make_encoder(name, 22_050, False)
    sound = sweep(10_240, 22_050)
    parts = [encoder.encode(sound[start : start + 2_560]) for start in range(0, 10_240, 2_560)]
    assert sum(map(len, parts[:2])) > 200 and all(sum(map(len, parts[i : i + 2])) for i in range(3))


def test_the_header_of_wav_has_the_length_of_a_whole_file_and_says_that_that_of_a_stream_is_unknown():
    sound = sweep(5_000, 16_000)
    with wave.open(io.BytesIO(encoded("wav", sound, 16_000, True)[0])) as file:
        assert (file.getnframes(), file.getframerate(), file.getsampwidth(), file.getnchannels()) == (5000, 16000, 2, 1)
    whole, stream = (encoded("wav", sound, 16_000, is_whole)[0] for is_whole in (True, False))
    assert struct.unpack("<I", whole[4:8])[0] == len(whole) - 8
    assert stream[4:8] == stream[40:44] == b"\xff\xff\xff\xff" and stream[44:] == whole[44:]


@pytest.mark.parametrize("target", [8_000, 24_000, 44_100])
@pytest.mark.parametrize("name", ["wav", "pcm"])
def test_a_stream_is_resampled_as_the_whole_would_be(name, target):
    soxr = pytest.importorskip("soxr")
    sound = sweep(20_000, 22_050)
    found, _ = decoded(name, encoded(name, sound, 22_050, False, 1_000, target)[0], target)
    expected = soxr.resample(sound, 22_050, target)
    assert len(found) == len(expected) and np.abs(found - expected).max() < 1e-4


def test_samples_beyond_full_scale_are_clipped_and_not_wrapped():
    sound = np.array([2, -2, 1, -1, 0.5], np.float32)
    found, _ = decoded("pcm", encoded("pcm", sound, 22_050, False)[0], 22_050)
    assert np.allclose(found, [1, -1, 1, -1, 0.5], atol=1e-4)


def test_a_format_of_another_package_is_one_class():
    @AUDIO_FORMATS.register("silence")
    class Silence(Encoder):
        media_type = "audio/x-silence"

        def encode(self, samples):
            return b"0" * len(samples)

        def finish(self):
            return b"."

    try:
        assert "silence" in available_formats()
        assert encoded("silence", np.zeros(3, np.float32), 22_050, False)[0] == b"000."
    finally:
        AUDIO_FORMATS.unregister("silence")


def test_a_format_whose_package_is_missing_is_not_offered(monkeypatch):
    monkeypatch.setattr(AUDIO_FORMATS["flac"], "package", "no_such_package")
    assert "flac" not in available_formats() and "wav" in available_formats()
