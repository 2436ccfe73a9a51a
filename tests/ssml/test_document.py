"""Every document says what is written in it, as it says, for as long as it says; hostile ones are refused at once."""

import importlib.util
import math
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hf_vits import TextToSpeechPipeline, VitsTokenizer
from hf_vits.ssml import SsmlError, VoiceTraits, is_ssml, read_ssml
from hf_vits.text.sentence_splitter import split

sys.path.insert(0, str(Path(__file__).parent))

from documents import DOCUMENTS, HOSTILE
from notation import noted, spoken, timed

SPEAKERS, LANGUAGES = ("ada", "bea", "cem"), ("de", "it")
VOICE = VoiceTraits("en-us", True, SPEAKERS, LANGUAGES, 3)
KNOWN = "abcdefghijklmnopqrstuvwxyz0123456789.?!:"
FRAMES = math.pi
"""Frames of each token before they are rounded up: no rate divides it to a whole number."""


def by_name(documents):
    return pytest.mark.parametrize("document", documents, ids=[document.name for document in documents])


def skip_without_words(document):
    if document.needs == "words" and importlib.util.find_spec("unicode_rbnf") is None:
        pytest.skip("needs unicode-rbnf")


@by_name(DOCUMENTS)
def test_a_document_says_what_it_should(document):
    skip_without_words(document)
    assert is_ssml(document.document)
    script = read_ssml(document.document, VOICE)
    assert noted(script.sentences(split)) == document.expected
    expected = spoken(document.expected) if document.content is None else document.content
    assert script.content == expected
    assert len(script.ignored) == len(document.ignored), script.ignored
    for named, found in zip(document.ignored, script.ignored, strict=True):
        assert named in found and re.search(r"\(line \d+\)$", found)


class EqualDurations(nn.Module):
    def forward(self, hidden, mask, speaker=None, language=None):
        return mask * math.log(FRAMES)


@pytest.fixture(scope="module")
def pipe(make_model):
    names = {"speaker_names": list(SPEAKERS), "language_names": list(LANGUAGES)}
    sizes = {"speaker_embedding_size": 6, "language_embedding_size": 4}
    model = make_model(vocab_size=50, num_speakers=3, num_languages=2, **sizes, **names)
    model.duration_predictor = EqualDurations()
    vocabulary = {symbol: i for i, symbol in enumerate("_ " + KNOWN)}
    tokenizer = VitsTokenizer.from_vocab(vocabulary, pad_token="_", phonemize=False)
    return TextToSpeechPipeline(model, tokenizer, speaker_id="ada", language_id="it", noise_scale=0.0)


def is_timed(document):
    """True for documents that a voice of letters reads as the notation has it."""
    sentences = re.sub(r"<[^>]*>|\{[^:]*:", "", document.expected).split(" / ")
    return "[[" not in document.expected and all(any(c in KNOWN for c in text.lower()) for text in sentences)


@pytest.mark.thorough(but_every=3)
@by_name([document for document in DOCUMENTS if is_timed(document)])
def test_a_document_lasts_as_long_as_it_should(pipe, document):
    skip_without_words(document)
    samples, marks = timed(document.expected, KNOWN, FRAMES, pipe.model.hop_length, pipe.sampling_rate)
    with torch.no_grad():
        speech = pipe(document.document, return_timestamps="word")
    assert len(speech["audio"]) == samples
    assert [(mark["name"], round(mark["time"] * pipe.sampling_rate)) for mark in speech["marks"]] == marks
    assert all(word["text"] in (document.content or spoken(document.expected)) for word in speech["timestamps"])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_within_a_second(pipe, name):
    document, named = HOSTILE[name]
    begun = time.process_time()
    assert is_ssml(document) == (named is not None)
    if named is not None:
        with pytest.raises(ValueError, match=named), torch.no_grad():
            pipe(document)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "text", ["a < b", "<p>a</p>", "say <speak>a</speak>", "<speaker>a", "<speakers/>", "< speak>a", "&lt;speak>", ""]
)
def test_a_text_that_merely_contains_such_signs_is_no_document(text):
    assert not is_ssml(text)


def test_there_are_as_many_documents_as_are_promised():
    assert len(DOCUMENTS) + len(HOSTILE) >= 150 and len(HOSTILE) >= 40


def test_an_error_names_the_line_and_what_is_allowed():
    with pytest.raises(SsmlError, match=r"^Line 3: `rate` is 'banana'; it can be x-slow, .* a number with %\.$"):
        read_ssml('<speak>\na\n<prosody rate="banana">b</prosody></speak>')


def test_strict_refuses_what_has_no_effect_and_else_a_warning_names_it(pipe, caplog):
    document = "<speak>a <foo>b</foo></speak>"
    with pytest.raises(SsmlError, match="<foo>, but for its text.*strict"):
        pipe(document, strict=True)
    assert len(pipe(document)["audio"]) == len(pipe("a b")["audio"])
    assert caplog.text.count("<foo>") == 1


def test_text_is_spoken_as_it_is_where_the_package_for_numbers_is_missing(monkeypatch):
    def missing(*_):
        raise ImportError("The package is not installed.")

    monkeypatch.setattr("hf_vits.text.expansion.say_as.say_as", missing)
    script = read_ssml('<speak>It is <say-as interpret-as="date">3/14</say-as>.</speak>')
    assert noted(script.sentences(split)) == "It is 3/14."
    assert ["not installed" in part for part in script.ignored] == [True]


@pytest.mark.parametrize("chunk_frames", [None, 3])
def test_streamed_chunks_equal_the_whole_with_times_and_marks(pipe, chunk_frames):
    document = """<speak><mark name="a"/>One <break time="70ms"/> day
    <prosody pitch="+3st" volume="-6dB">was</prosody>. <break time="0.1s"/>Two <mark name="b"/> days
    <prosody rate="slow" duration="80ms">were. Three</prosody>.<break/><mark name="c"/></speak>"""
    whole = pipe(document, pause=0.3, return_timestamps=True)
    chunks = list(pipe.stream(document, pause=0.3, return_timestamps=True, chunk_frames=chunk_frames))
    np.testing.assert_allclose(np.concatenate([chunk["audio"] for chunk in chunks]), whole["audio"], atol=1e-5)
    assert sum((chunk["marks"] for chunk in chunks), []) == whole["marks"]
    assert [mark["name"] for mark in whole["marks"]] == ["a", "b", "c"]
    assert whole["marks"][2]["time"] == len(whole["audio"]) / pipe.sampling_rate
    for unit, times in whole["timestamps"].items():
        assert sum((chunk["timestamps"][unit] for chunk in chunks), []) == times


def test_every_chunk_of_a_document_has_marks_also_the_pause_that_a_stream_goes_on_with(pipe):
    document = '<speak>One day. <mark name="a"/>Two days.</speak>'
    chunks = list(pipe.stream(document, pause=0.3, first_sentence=1))
    assert chunks[0]["is_pause"] and chunks[0]["marks"] == []
    assert sum((chunk["marks"] for chunk in chunks), []) == [{"name": "a", "time": 0.3}]


def test_documents_and_texts_are_spoken_in_one_batch(pipe):
    texts = [
        '<speak>One <prosody rate="slow">day</prosody></speak>',
        "two days",
        '<speak><voice name="bea">a</voice></speak>',
        '<speak>a <prosody duration="0.1s">day</prosody></speak>',
    ]
    together = pipe(texts, batch_size=4)
    for speech, text in zip(together, texts, strict=True):
        np.testing.assert_allclose(speech["audio"], pipe(text)["audio"], atol=1e-5)
    assert ["marks" in speech for speech in together] == [True, False, True, True]


def test_a_document_without_markup_is_spoken_as_its_text(pipe):
    text = "One day. Two days."
    speech = pipe(f"<speak>{text}</speak>", pause=0.1, return_timestamps=True)
    expected = pipe(text, pause=0.1, return_timestamps=True)
    np.testing.assert_array_equal(speech["audio"], expected["audio"])
    assert speech["timestamps"] == expected["timestamps"] and pipe.sentences(
        f"<speak>{text}</speak>"
    ) == pipe.sentences(text)


def test_a_speaker_of_a_document_is_that_of_a_call(pipe):
    np.testing.assert_array_equal(
        pipe('<speak><voice name="cem">One</voice></speak>')["audio"], pipe("One", speaker_id="cem")["audio"]
    )
