"""A text in chunks has the sentences of the whole one, each as early as it can be known."""

import json
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_vits.text import sentence_stream
from hf_vits.text.sentence_splitter import split
from hf_vits.text.sentence_stream import SentenceStream


def of_language(name):
    return json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))


TEXTS = {language: " ".join(sentences) for language, sentences in of_language("sentences_by_language.json").items()}
PARAGRAPHS = of_language("paragraphs_by_language.json")


def chunks(text, size):
    return [text[i : i + size] for i in range(0, len(text), size)]


def streamed(text, size=1, language=None, most=400):
    stream = SentenceStream(language, most)
    return [sentence for chunk in chunks(text, size) for sentence in stream.add(chunk)] + stream.finish()


@pytest.mark.parametrize("size", [1, 4, 50])
@pytest.mark.parametrize("texts", [TEXTS, PARAGRAPHS], ids=["sentences", "paragraphs"])
def test_chunks_have_the_sentences_of_the_whole_text_in_every_language(texts, size):
    for code, text in texts.items():
        for language in (code, None):
            assert streamed(text, size, language) == split(text, language=language)


def test_blank_lines_lists_titles_and_lines_wrapped_at_a_usual_width_are_those_of_the_whole_text():
    story = textwrap.wrap(PARAGRAPHS["en"], 72)
    text = "\n".join(
        ["# A title", "", *story, "", "- milk", "- two eggs", "", "1. First", "2. Second. And more", "***"]
    )
    assert streamed(text, 3, "en") == split(text, language="en")


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("Hello there. ", "The ", "Hello there."),
        ("It is 5 p.m. We", " ", "It is 5 p.m."),
        ("你好。", "我", None),  # a mark or a letter that belongs to it may follow
        ("你好。我", "，", "你好。"),
        ("Really?! ", "Yes.", "Really?!"),
        ("One.\n\nTwo", " ", "One."),
        ("- milk\n- eggs", "\n", "- milk"),
        ("Pi is 3. ", "1", "Pi is 3."),
        ("Dr. ", "Smith ", None),
        ("Say [[ one. Two ", "three ", None),
        ("Wait. ", "... ", None),
        ("no end of " * 41, "it ", ("no end of " * 40).strip()),
    ],
)
def test_a_sentence_is_returned_with_the_word_after_it(before, after, found):
    stream = SentenceStream("en")
    assert [*map(stream.add, before)] == [[]] * len(before) or found == ("no end of " * 40).strip()
    stream = SentenceStream("en")
    assert stream.add(before) + stream.add(after) == ([] if found is None else [found])


def test_in_a_long_text_every_sentence_is_returned_as_early():
    stream, sentence = SentenceStream("en"), "This is a sentence of a long text, and not the last one. "
    assert stream.add(sentence) == []
    assert [len(stream.add(chunk)) for _ in range(99) for chunk in ("This ", sentence[5:])] == [1, 0] * 99


def test_a_line_break_after_a_long_line_is_decided_by_the_whole_line():
    text = "This is a sentence. " * 90 + "We then went by the old road to the north of the town with my brother"
    text += "\nParis was far away. And more."
    assert streamed(text, 9, "en") == split(text, language="en")


def test_after_its_end_a_stream_takes_another_text():
    stream = SentenceStream("en")
    assert stream.add("One. Two") == [] and stream.finish() == ["One.", "Two"]
    assert stream.finish() == [] and stream.add("Three. Four five") == ["Three."] and stream.finish() == ["Four five"]


ALPHABET = "aB .,!?…\"')。१।\n\n[]—1-D"


@given(
    st.lists(st.text(alphabet=ALPHABET, max_size=30) | st.text(max_size=9), max_size=12),
    st.integers(1, 60),
)
def test_nothing_is_lost_and_nothing_returned_twice_however_a_text_is_divided(given_chunks, most):
    stream = SentenceStream(max_characters=most)
    found = [sentence for chunk in given_chunks for sentence in stream.add(chunk)] + stream.finish()
    assert "".join("".join(found).split()) == "".join("".join(given_chunks).split())
    assert all(sentence == sentence.strip() and 0 < len(sentence) <= most for sentence in found)


@pytest.mark.parametrize("text", ["Mr. A said so, and Dr. B. agreed... ", "a", "!", "[[ a. ", "语", "- a\n"])
def test_work_per_chunk_does_not_grow_with_the_text(monkeypatch, text):
    lengths = []
    monkeypatch.setattr(sentence_stream, "split", lambda text, *rest: lengths.append(len(text)) or split(text, *rest))
    stream, found = SentenceStream("en"), 0
    for chunk in chunks(text * (5_000 // len(text)), 50):
        found += len(stream.add(chunk))
    assert max(lengths) < 4_000 and found
