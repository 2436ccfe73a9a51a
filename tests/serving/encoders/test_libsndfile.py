"""Sounds come back from compressed formats, complete at both ends."""

import numpy as np
import pytest
from encoded_sounds import DELAYS, FORMATS, LOSSLESS, NOISE, RATES, decoded, encoded, sweep

from hf_vits.serving.encoders.base import AUDIO_FORMATS


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
