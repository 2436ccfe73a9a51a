"""Prosody by arguments: rates, pauses, volume, pitch and durations of the words of a text."""

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.usefixtures("without_gradients")

TEXT = "A big hope. Feed me."
HOP, RATE = 8, 16_000


def audio(pipe, text=TEXT, **arguments):
    return pipe(text, **arguments)["audio"]


def streamed(pipe, text=TEXT, **arguments):
    return np.concatenate([chunk["audio"] for chunk in pipe.stream(text, **arguments)])


NEUTRAL = {"word_rates": 1.0, "pauses": 0.0, "volume": 0.0, "pitch": 0.0, "pitch_range": 1.0}


@pytest.mark.parametrize("name", NEUTRAL)
def test_a_neutral_value_changes_no_sample(pipe, name):
    np.testing.assert_array_equal(audio(pipe, **{name: NEUTRAL[name]}), audio(pipe))
    np.testing.assert_array_equal(audio(pipe, **{name: [NEUTRAL[name]] * 5}), audio(pipe))


def test_the_rate_of_a_word_divides_the_frames_of_its_tokens_and_of_no_others(pipe, frames_of):
    speech = pipe("A big hope.", word_rates=[1, 0.5, 2], return_timestamps="word")
    rates = np.ones(23)  # blank a blank space blank b …
    rates[5:11], rates[13:23] = 0.5, 2  # a word ends with the blank after it; the mark belongs to it
    frames = np.ceil(frames_of("A big hope.").numpy() / rates)
    assert len(speech["audio"]) == HOP * frames.sum()
    times = [(round(word["start"] * RATE), round(word["end"] * RATE)) for word in speech["timestamps"]]
    assert times[1] == (HOP * frames[:5].sum(), HOP * frames[:11].sum())
    assert times[2][0] == HOP * frames[:13].sum()


def test_rates_of_tokens_divide_the_frames_that_the_model_predicts(pipe, frames_of):
    encoding = pipe.tokenizer("a hope", return_tensors="pt")
    rates = torch.linspace(0.5, 3, encoding["input_ids"].shape[1])[None]
    found = pipe.model(**encoding, token_rates=rates, speaking_rate=0.7, noise_scale=0.0, noise_scale_duration=0.0)
    expected = torch.ceil(frames_of("a hope") / (0.7 * rates[0].double()))
    torch.testing.assert_close(found.durations[0].double(), expected)
    with pytest.raises(ValueError, match="token_rates.*one rate for"):
        pipe.model(**encoding, token_rates=rates[:, 1:])
    with pytest.raises(ValueError, match="0.1 to 10"):
        pipe.model(**encoding, token_rates=rates * 0)


def test_a_pause_after_a_word_is_silence_of_so_many_samples_between_two_fades(pipe):
    plain = pipe(TEXT, return_timestamps="word", speaking_rate=0.1)
    cut = round(plain["timestamps"][1]["start"] * RATE)
    speech = pipe(TEXT, pauses={0: 0.1234}, return_timestamps="word", speaking_rate=0.1)
    silence, fade = round(0.1234 * RATE), round(0.005 * RATE)
    assert len(speech["audio"]) == len(plain["audio"]) + silence and cut > fade
    assert not speech["audio"][cut : cut + silence].any()
    slope, before, after = (np.arange(fade) + 0.5) / fade, slice(cut - fade, cut), slice(cut, cut + fade)
    expected = plain["audio"].copy()
    expected[before] *= slope[::-1]
    expected[after] *= slope
    found = np.delete(speech["audio"], slice(cut, cut + silence))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    later = [word["start"] + silence / RATE for word in plain["timestamps"][1:]]
    np.testing.assert_allclose([word["start"] for word in speech["timestamps"][1:]], later, atol=1e-9)
    assert speech["timestamps"][0] == plain["timestamps"][0]


def test_a_pause_after_a_sentence_is_in_place_of_the_one_between_sentences(pipe):
    with_pause = audio(pipe, pause=0.2)
    assert len(audio(pipe, pause=0.2, pauses={2: 0.5})) - len(with_pause) == round(0.3 * RATE)
    assert len(audio(pipe, pause=0.2, pauses={-1: 0.5})) - len(with_pause) == round(0.5 * RATE)


def test_volume_multiplies_samples(pipe):
    np.testing.assert_allclose(audio(pipe, volume=-6), audio(pipe) * 10**-0.3, rtol=1e-5)
    words = pipe("A big hope.", return_timestamps="word", speaking_rate=0.1)
    start, end = (round(words["timestamps"][1][name] * RATE) for name in ("start", "end"))
    ramp = round(0.005 * RATE)
    changed = audio(pipe, "A big hope.", volume={1: -20}, speaking_rate=0.1)
    np.testing.assert_array_equal(changed[: start - ramp], words["audio"][: start - ramp])
    inner = slice(start + ramp, end - ramp)
    np.testing.assert_allclose(changed[inner], words["audio"][inner] / 10, rtol=1e-5)


def test_what_was_made_louder_does_not_exceed_one(pipe):
    loud = audio(pipe, volume=24)
    assert 0.85 < np.abs(loud).max() <= 1
    quiet = np.abs(audio(pipe)) * 10**1.2 < 0.85
    np.testing.assert_allclose(loud[quiet], audio(pipe)[quiet] * 10**1.2, rtol=1e-5)


def test_given_durations_are_spoken_sentence_by_sentence(pipe):
    lengths = [pipe.tokenizer(sentence)["input_ids"] for sentence in pipe.sentences(TEXT)]
    durations = [list(range(1, len(ids) + 1)) for ids in lengths]
    expected = HOP * sum(map(sum, durations))
    assert len(audio(pipe, durations=durations)) == len(streamed(pipe, durations=durations)) == expected
    assert len(audio(pipe, "deaf", durations=[2] * 9)) == 18 * HOP
    with pytest.raises(ValueError, match="1 lists of frames for 2 sentences"):
        audio(pipe, durations=durations[:1])


ALL = {"word_rates": {1: 0.5}, "pauses": [0, 0.05, 0, 0.1, 0.2], "volume": {0: -3, 3: 2}, "pitch": {2: 3.0}}


@pytest.mark.parametrize("chunk_frames", [None, 3])
@pytest.mark.parametrize("names", [["word_rates", "pauses", "volume"], list(ALL)])
def test_streamed_chunks_equal_the_whole_with_times(pipe, names, chunk_frames):
    arguments = {**{name: ALL[name] for name in names}, "pause": 0.1, "return_timestamps": True}
    whole = pipe(TEXT, **arguments)
    chunks = list(pipe.stream(TEXT, chunk_frames=chunk_frames, **arguments))
    np.testing.assert_allclose(np.concatenate([chunk["audio"] for chunk in chunks]), whole["audio"], atol=1e-5)
    for unit, times in whole["timestamps"].items():
        assert sum((chunk["timestamps"][unit] for chunk in chunks), []) == times


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_items_of_a_batch_have_the_prosody_that_each_has_alone(pipe, batch_size):
    items = [{"text": TEXT, **ALL}, {"text": "deaf"}, {"text": "A big hope.", "word_rates": [1, 2, 3]}]
    together = pipe(items, batch_size=batch_size)
    for speech, item in zip(together, items, strict=True):
        np.testing.assert_allclose(speech["audio"], pipe(item)["audio"], atol=1e-5)


WRONG = [
    ({"word_rates": [1, 2]}, "2 values and the text 5 words"),
    ({"pitch": {7: 1.0}}, "word 7; there are words 0 to 4"),
    ({"volume": "loud"}, "'loud'.*-100 to 24"),
    ({"pauses": -1}, "0 to 60"),
    ({"word_rates": {0: 0.0}}, "0.1 to 10"),
    ({"pitch": [float("nan")] * 5}, "nan"),
    ({"pitch_range": True}, "True"),
]


@pytest.mark.parametrize(("arguments", "named"), WRONG)
def test_a_wrong_value_is_an_error_that_names_it(pipe, arguments, named):
    with pytest.raises(ValueError, match=named):
        pipe(TEXT, **arguments)


def test_values_by_word_for_several_texts_belong_to_each_text(pipe):
    with pytest.raises(ValueError, match="pitch.*one text"):
        pipe([TEXT, TEXT], pitch=[1, 2, 3, 4, 5])
    assert len(pipe([TEXT, "deaf"], volume=-6)) == 2
    with pytest.raises(ValueError, match="for all, or `batch_size=1`"):
        pipe([{"text": "deaf", "durations": [2] * 9}, {"text": "deaf"}], batch_size=2)
