"""Every format encodes in chunks, as a stream, at any rate; another package can add one."""

import numpy as np
import pytest
from encoded_sounds import FORMATS, decoded, encoded, sweep

from hf_vits.serving.encoders.base import AUDIO_FORMATS, Encoder, available_formats, make_encoder


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


@pytest.mark.parametrize("target", [8_000, 24_000, 44_100])
@pytest.mark.parametrize("name", ["wav", "pcm"])
def test_a_stream_is_resampled_as_the_whole_would_be(name, target):
    soxr = pytest.importorskip("soxr")
    sound = sweep(20_000, 22_050)
    found, _ = decoded(name, encoded(name, sound, 22_050, False, 1_000, target)[0], target)
    expected = soxr.resample(sound, 22_050, target)
    assert len(found) == len(expected) and np.abs(found - expected).max() < 1e-4


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
