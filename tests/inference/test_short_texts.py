"""A short text in a context: the end of what was spoken, with its own times; nothing else changes."""

import numpy as np
import pytest
import torch

from hf_vits import TextToSpeechPipeline, VitsTokenizer
from hf_vits.inference.short_texts import LEAD_SECONDS, LEADS, in_context

pytestmark = pytest.mark.usefixtures("without_gradients")

UNITS = ["sentence", "word", "character", "phoneme"]


def seeded():
    return torch.Generator().manual_seed(3)


@pytest.fixture(params=[(True, "eng"), (False, "eng"), (True, None), (False, "fin")], ids=str)
def pipe(make_model, request):
    blank, language = request.param
    letters = {token: i for i, token in enumerate("_abcdefghijklmnopqrstuvwxyz .,!'")}
    fields = {"pad_token": "_", "phonemize": False, "add_blank": blank, "language": language}
    return TextToSpeechPipeline(make_model(vocab_size=len(letters)), VitsTokenizer.from_vocab(letters, **fields))


def context_of(pipe, text):
    return in_context(text, {"en-us": "en", "fi": "fi", None: None}[pipe.tokenizer.text_language])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes", "Yes, Yes, Yes"),
        ("Yes!", "Yes, Yes, Yes!"),
        ("“Good morning, sir.”", "Good morning, sir, Good morning, sir, “Good morning, sir.”"),
        ("[[ jˈɛs ]].", "[[ jˈɛs ]], [[ jˈɛs ]], [[ jˈɛs ]]."),
        ("one two three four", None),
        ("...", None),
    ],
)
def test_texts_of_one_to_three_words_follow_words_of_their_language_or_their_own(text, expected):
    for language in (None, "fi"):
        assert in_context(text, language) == (expected and (expected, len(expected) - len(text)))
    for language, lead in LEADS.items():
        assert in_context(text, language) == (expected and (lead + text, len(lead)))


@pytest.mark.parametrize("text", ["feed me!", "A hope", "fan. ", "a man came"])
def test_a_short_text_is_the_end_of_what_was_spoken_from_the_pause_before_it(pipe, text):
    speech = pipe(text, short_text_context=True, return_timestamps=UNITS, generator=seeded())
    whole = pipe(context_of(pipe, text.strip())[0], return_timestamps="word", generator=seeded())
    rate, hop = pipe.sampling_rate, pipe.model.config.hop_length
    kept = len(speech["audio"])
    np.testing.assert_array_equal(speech["audio"], whole["audio"][-kept:])
    own = whole["timestamps"][-len(text.split()) :]
    before = whole["timestamps"][-len(text.split()) - 1]
    cut = len(whole["audio"]) - kept
    lead = round(own[0]["start"] * rate) - cut
    pause = round((own[0]["start"] - before["end"]) * rate)
    assert lead == min(pause, hop * round(LEAD_SECONDS * rate / hop))
    words = speech["timestamps"]["word"]
    for found, expected in zip(words, own, strict=True):
        assert found["text"] == expected["text"]
        for name in ("start", "end"):
            assert round(found[name] * rate) == round(expected[name] * rate) - cut
    assert speech["timestamps"]["sentence"] == [{"text": text.strip(), "start": 0.0, "end": kept / rate}]
    assert "".join(item["text"] for item in speech["timestamps"]["phoneme"]) == "".join(
        filter(str.isalpha, text.lower())
    )


@pytest.mark.thorough(but_every=3)
def test_a_stream_and_a_batch_equal_single_calls(pipe):
    texts = ["feed me!", "a man came back, a dog", "hello. a man", "dog"]
    options = {"short_text_context": True, "noise_scale": 0.0, "noise_scale_duration": 0.0, "return_timestamps": True}
    single = [pipe(text, **options) for text in texts]
    for found, expected in zip(pipe(texts, batch_size=4, **options), single, strict=True):
        np.testing.assert_allclose(found["audio"], expected["audio"], rtol=0, atol=1e-6)
        assert found["timestamps"] == expected["timestamps"]
    for text, expected in zip(texts, single, strict=True):
        for chunk_frames in (None, 3):
            chunks = list(pipe.stream(text, chunk_frames=chunk_frames, **options))
            joined = np.concatenate([chunk["audio"] for chunk in chunks])
            np.testing.assert_allclose(joined, expected["audio"], rtol=0, atol=1e-5)
            for unit in UNITS:
                times = [item for chunk in chunks for item in chunk["timestamps"][unit]]
                assert times == expected["timestamps"][unit]


@pytest.mark.parametrize("text", ["a man came back", "feed me. feed me.", "one two, three four"])
def test_longer_texts_do_not_change(pipe, text):
    expected = pipe(text, generator=seeded())["audio"]
    np.testing.assert_array_equal(pipe(text, generator=seeded(), short_text_context=True)["audio"], expected)


def test_a_voice_without_commas_does_not_change(make_model, make_tokenizer):
    pipe = TextToSpeechPipeline(make_model(), make_tokenizer())
    expected = pipe("a hope", generator=seeded())["audio"]
    np.testing.assert_array_equal(pipe("a hope", generator=seeded(), short_text_context=True)["audio"], expected)
