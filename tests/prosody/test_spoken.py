"""The times of a text are those of its parts, moved by what is before them and by the silence of their effects."""

import numpy as np
import pytest

from hf_vits.prosody.effects import SentenceEffects
from hf_vits.prosody.script import Mark, Pause, Sentence, Style
from hf_vits.prosody.spoken import SpokenText
from hf_vits.timestamps.tokens import SentenceTokens

HOP, RATE = 8, 1000
TEXT, DURATIONS = "ab cd", [4, 6, 1, 5, 4]  # words of 80 and 72 samples, and 8 between them
TOKENS = SentenceTokens(TEXT, [*TEXT], [(i, i + 1) for i in range(5)])
SAMPLES = HOP * sum(DURATIONS)


@pytest.fixture
def spoken(make_config):
    """Makes the times of a text of a tiny voice, for the units that are wanted."""
    config = make_config(sampling_rate=RATE)
    assert config.hop_length == HOP
    return lambda wanted=None: SpokenText(wanted, config)


def effects_of(*events, is_document=True, **style):
    spans = [(i, i + 1) for i in range(5)]
    return SentenceEffects(Sentence(TEXT, TEXT, spans, [Style(**style)] * 5, list(events)), TOKENS, is_document)


def in_samples(timestamps):
    return [(item["text"], round(item["start"] * RATE), round(item["end"] * RATE)) for item in timestamps]


def test_without_units_and_without_a_document_there_are_no_times_and_nothing_is_computed(spoken):
    text = spoken()
    text.pause(100)
    assert text.sentence(None, None, None) is None
    assert text.take(100) == text.take() == {}


def test_words_begin_after_the_sentences_and_pauses_before_them_and_plain_text_has_no_marks(spoken):
    text = spoken("word")
    assert text.sentence([TOKENS], DURATIONS, None) is None
    text.pause(50)
    text.sentence([TOKENS], [1, 1, 1, 1, 1], None)
    (field,) = (fields := text.take()).values()
    begin = SAMPLES + 50
    expected = [("ab", 0, 80), ("cd", 88, 160), ("ab", begin, begin + 16), ("cd", begin + 24, begin + 40)]
    assert in_samples(field) == expected and fields.keys() == {"timestamps"}


def test_a_sentence_that_is_not_spoken_has_an_empty_time_beside_the_one_that_is(spoken):
    text = spoken(("sentence", "word"))
    text.sentence([SentenceTokens("я"), TOKENS, SentenceTokens("ю")], DURATIONS, None)
    found = {unit: in_samples(times) for unit, times in text.take()["timestamps"].items()}
    assert found["sentence"] == [("я", 0, 0), (TEXT, 0, SAMPLES), ("ю", SAMPLES, SAMPLES)]
    assert found["word"] == [("я", 0, 0), ("ab", 0, 80), ("cd", 88, 160), ("ю", SAMPLES, SAMPLES)]


def test_a_document_has_marks_also_if_no_timestamps_are_wanted(spoken):
    text, events = spoken(), [(0, Mark("first")), (3, Pause(0.05)), (3, Mark("middle")), (5, Mark("last"))]
    for _ in range(2):
        text.sentence(None, DURATIONS, effects_of(*events))
    marks = {"first": 0, "middle": 88 + 50, "last": SAMPLES + 50}
    expected = [(name, place + later) for later in (0, SAMPLES + 50) for name, place in marks.items()]
    (fields,) = [text.take()]
    assert fields.keys() == {"marks"}
    assert [(mark["name"], round(mark["time"] * RATE)) for mark in fields["marks"]] == expected
    assert text.take() == {"marks": []}


def test_the_effects_that_are_returned_make_a_waveform_that_ends_with_its_times(spoken):
    text = spoken(("sentence", "word"))
    audio = text.sentence([TOKENS], DURATIONS, effects_of((3, Pause(0.05)), (5, Pause(0.02)), volume=-20))
    waveform = audio.add(np.ones(SAMPLES, np.float32))
    found = {unit: in_samples(times) for unit, times in text.take()["timestamps"].items()}
    assert found["word"] == [("ab", 0, 80), ("cd", 138, 210)]
    assert found["sentence"] == [(TEXT, 0, len(waveform))] == [(TEXT, 0, SAMPLES + 70)]
    assert not waveform[88:138].any() and not waveform[210:].any() and waveform[20] == pytest.approx(0.1)


def test_styles_of_a_text_that_is_no_document_bring_no_marks(spoken):
    text = spoken("word")
    assert text.sentence([TOKENS], DURATIONS, effects_of(is_document=False, volume=-6)) is not None
    fields = text.take()
    assert fields.keys() == {"timestamps"} and in_samples(fields["timestamps"]) == [("ab", 0, 80), ("cd", 88, 160)]


@pytest.mark.parametrize("is_document", [True, False])
def test_a_pause_before_the_first_sentence_has_marks_if_that_is_of_a_document(spoken, is_document):
    text = spoken()
    text.pause(100, effects_of(is_document=is_document))
    assert text.take(100) == ({"marks": []} if is_document else {})


@pytest.mark.parametrize("size", [1, 7, 88, 160, 500])
def test_chunks_bring_what_begins_in_them_and_together_what_the_whole_has(spoken, size):
    def make():
        text = spoken("word")
        for _ in range(2):
            text.sentence([TOKENS], DURATIONS, effects_of((0, Mark("a")), (3, Pause(0.05)), (3, Mark("b"))))
            text.pause(30)
        return text

    total, text = 2 * (SAMPLES + 50 + 30), make()
    parts = [text.take(min(size, total - start)) for start in range(0, total, size)]
    for number, part in enumerate(parts):
        starts = [item["start"] for item in part["timestamps"]] + [mark["time"] for mark in part["marks"]]
        assert all(number * size <= round(start * RATE) < (number + 1) * size for start in starts)
    whole = make().take()
    assert len(whole["timestamps"]) == len(whole["marks"]) == 4
    assert whole == {name: sum((part[name] for part in parts), []) for name in whole}
