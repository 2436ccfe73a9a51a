"""The fundamental frequency of sounds whose frequency is known."""

import numpy as np
import pytest

from hf_vits.prosody.fundamental import STEP, fundamental_frequency

RATE = 16_000


@pytest.mark.parametrize("hertz", [80, 123.4, 310])
def test_a_tone_with_its_harmonics_has_its_frequency(hertz):
    time = np.arange(RATE // 2) / RATE
    tone = sum(np.sin(2 * np.pi * hertz * number * time) / number for number in range(1, 6))
    found = fundamental_frequency(0.1 * tone, RATE)
    assert len(found) == int(0.5 / STEP) + 1
    assert found[10:-10] == pytest.approx(hertz, rel=0.01)


def test_noise_and_silence_are_unvoiced():
    noise = np.random.default_rng(1).normal(0, 0.1, RATE // 2)
    assert (fundamental_frequency(noise, RATE) == 0).mean() > 0.8
    assert not fundamental_frequency(np.zeros(RATE // 4), RATE).any()
