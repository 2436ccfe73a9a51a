"""Values of attributes, in all forms, as their closed forms."""

import math

import pytest

from hf_vits.prosody.script import Pitch
from hf_vits.ssml.values import SsmlError, pitch, pitch_range, rate, seconds, volume


@pytest.mark.parametrize(
    ("text", "factor"), [("fast", 1.25), ("2", 2.4), ("50%", 0.6), ("+50%", 1.8), ("-50%", 0.6), (" X-Slow ", 0.5)]
)
def test_a_rate_is_a_factor_of_the_current_one_and_a_name_of_the_usual_one(text, factor):
    assert rate(text, 1.2) == pytest.approx(factor)


def test_a_pitch_of_twice_the_frequency_is_an_octave_and_hertz_are_kept():
    assert pitch("+100%", Pitch()).semitones == pytest.approx(12)
    assert pitch("-3st", pitch("+5st", Pitch())).semitones == pytest.approx(2)
    assert pitch("120Hz", pitch("+5st", Pitch())) == Pitch(median=120.0)
    assert pitch("-10Hz", pitch("120Hz", Pitch())) == Pitch(median=120.0, hertz=-10.0)


def test_a_range_of_an_octave_more_is_twice_as_wide():
    assert pitch_range("+12st", Pitch()).spread == pytest.approx(2)
    assert pitch_range("-25%", Pitch()).spread == pytest.approx(0.75)


def test_half_of_the_amplitude_is_six_decibels_less():
    for text in ("50", "-50", "-50%", "-6.0206dB"):
        assert volume(text, 0.0) == pytest.approx(20 * math.log10(0.5), abs=1e-4)
    assert volume("0", 3.0) == -math.inf


def test_times_are_in_seconds():
    assert [seconds("time", text) for text in ("500ms", "1.5s", "+2s")] == [0.5, 1.5, 2.0]


@pytest.mark.parametrize(
    ("read", "text"),
    [(rate, "0.01"), (rate, "2Hz"), (pitch, "-100%"), (pitch, "+30st"), (volume, "120"), (volume, "loudly")],
)
def test_what_is_impossible_is_an_error_that_shows_it(read, text):
    with pytest.raises(SsmlError, match=f"is '{text.replace('+', '.')}'"):
        read(text, Pitch() if read is pitch else 1.0)
