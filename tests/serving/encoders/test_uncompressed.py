"""Samples come back from uncompressed and lossless formats."""

import io
import struct
import wave

import numpy as np
import pytest
from encoded_sounds import LOSSLESS, decoded, encoded, sweep, with_length


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


def test_the_header_of_wav_has_the_length_of_a_whole_file_and_says_that_that_of_a_stream_is_unknown():
    sound = sweep(5_000, 16_000)
    with wave.open(io.BytesIO(encoded("wav", sound, 16_000, True)[0])) as file:
        assert (file.getnframes(), file.getframerate(), file.getsampwidth(), file.getnchannels()) == (5000, 16000, 2, 1)
    whole, stream = (encoded("wav", sound, 16_000, is_whole)[0] for is_whole in (True, False))
    assert struct.unpack("<I", whole[4:8])[0] == len(whole) - 8
    assert stream[4:8] == stream[40:44] == b"\xff\xff\xff\xff" and stream[44:] == whole[44:]


def test_samples_beyond_full_scale_are_clipped_and_not_wrapped():
    sound = np.array([2, -2, 1, -1, 0.5], np.float32)
    found, _ = decoded("pcm", encoded("pcm", sound, 22_050, False)[0], 22_050)
    assert np.allclose(found, [1, -1, 1, -1, 0.5], atol=1e-4)
