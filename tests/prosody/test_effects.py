"""Pauses, volume and marks are at the samples of their tokens, in chunks as in the whole."""

import numpy as np
import pytest

from hf_vits.prosody import effects as module
from hf_vits.prosody.effects import SentenceAudio, SentenceEffects
from hf_vits.prosody.script import Mark, Pause, Pitch, Sentence, Style, Time
from hf_vits.timestamps.tokens import BLANK, SentenceTokens

HOP, RATE = 10, 1000
TEXT = "ab cd"
TOKENS = SentenceTokens(TEXT, [*TEXT], [(i, i + 1) for i in range(5)])
DURATIONS = [4, 6, 1, 5, 4]


def effects_of(events=(), styles=None, tokens=TOKENS):
    sentence = Sentence(TEXT, TEXT, [(i, i + 1) for i in range(5)], styles or [Style()] * 5, list(events))
    return SentenceEffects(sentence, tokens, False)


def audio_of(**fields):
    return SentenceAudio(effects_of(**fields), DURATIONS, HOP, RATE)


@pytest.mark.parametrize("size", [1, 7, 110, 200])
def test_chunks_with_pauses_and_volume_equal_the_whole(size):
    fields = {
        "events": [(0, Pause(0.02)), (3, Pause(0.05)), (5, Pause(0.03))],
        "styles": [Style()] * 3 + [Style(volume=-6)] * 2,
    }
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 200).astype(np.float32)
    whole, audio = audio_of(**fields).add(samples), audio_of(**fields)
    parts = [audio.add(samples[start : start + size]) for start in range(0, 200, size)]
    assert len(whole) == 200 + 20 + 50 + 30
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-7)


def test_a_pause_is_silence_before_the_token_of_its_place():
    made = audio_of(events=[(3, Pause(0.05))]).add(np.ones(200, np.float32))
    assert len(made) == 250 and not made[110:160].any()
    fade = round(module.FADE * RATE)
    assert (made[: 110 - fade] == 1).all() and (made[160 + fade :] == 1).all()
    assert (np.diff(made[110 - fade : 110]) < 0).all() and (np.diff(made[160 : 160 + fade]) > 0).all()


def test_volume_is_a_factor_of_amplitude_and_loud_samples_stay_below_one():
    quiet = audio_of(styles=[Style(volume=-20)] * 5).add(np.full(200, 0.5, np.float32))
    np.testing.assert_allclose(quiet, 0.05, rtol=1e-5)
    loud = audio_of(styles=[Style(volume=20)] * 5).add(np.linspace(-1, 1, 200, dtype=np.float32))
    assert np.abs(loud).max() <= 1 and (np.diff(loud) >= 0).all()
    silent = audio_of(styles=[Style(volume=float("-inf"))] * 5).add(np.ones(200, np.float32))
    assert not silent.any()


def test_places_after_a_pause_are_later_and_what_ends_at_it_is_not():
    audio = audio_of(events=[(3, Pause(0.05))])
    assert audio.moved(0, 110) == (0, 110)
    assert audio.moved(110, 200) == (160, 250)


@pytest.mark.parametrize(("place", "token"), [(0, 0), (1, 1), (2, 3), (3, 3), (5, 5)])
def test_an_event_is_before_the_first_sound_from_its_place_on(place, token):
    assert effects_of(events=[(place, Mark("here"))]).events == [(token, Mark("here"))]


def test_a_blank_has_the_style_of_the_token_before_it():
    tokens = SentenceTokens(TEXT, [BLANK, "a", BLANK, "b", BLANK], [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)])
    slow = Style(rate=0.5)
    assert effects_of(styles=[slow, Style(), Style(), Style(), Style()], tokens=tokens).token_rates == [
        0.5,
        0.5,
        0.5,
        1,
        1,
    ]


def test_a_time_is_frames_of_its_tokens_and_too_short_a_one_is_an_error():
    def spans(end):
        return effects_of(styles=[Style()] + [Style(time=time)] * 3 + [Style()]) if (time := Time(0.0, end)) else None

    assert spans(0.08).span_durations(HOP, RATE) == [(1, 4, 8)]
    with pytest.raises(ValueError, match="takes 0.03 s at least"):
        spans(0.02).span_durations(HOP, RATE)


def test_only_pitch_needs_the_whole_sentence():
    assert not effects_of(styles=[Style(rate=2.0, volume=3.0)] * 5).needs_whole
    assert effects_of(styles=[Style(pitch=Pitch(semitones=1.0))] * 5).needs_whole
    assert (
        effects_of(events=[(0, Pause(0.0))]).begins_with_pause
        and not effects_of(events=[(1, Pause(1.0))]).begins_with_pause
    )
