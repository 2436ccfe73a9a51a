"""A document is divided into sentences, whose styles, pauses and marks stay at their places."""

import pytest

from hf_vits.prosody.script import Block, Mark, Pause, Pitch, Script, Sentence, Style, Time
from hf_vits.text.offsets import TextWithOffsets

LOUD = Style(volume=6.0)


def block(text, styles=None, events=(), offset=0, **arguments):
    spans = [(offset + i, offset + i + 1) for i in range(len(text))]
    return Block(TextWithOffsets(text, spans), styles or [Style()] * len(text), list(events), arguments)


def split(text):
    """Sentences end with a full stop."""
    return [part.strip() + "." for part in text.split(".") if part.strip()]


def script(*blocks):
    return Script("".join(one.text.text for one in blocks), list(blocks))


def test_sentences_have_their_own_text_styles_and_arguments():
    styles = [LOUD] * 4 + [Style()] * 4
    first, second = script(block("A b. Cd.", styles, speaker_id=1)).sentences(split)
    assert (first.text, second.text) == ("A b.", "Cd.") and (first.content, second.content) == ("A b.", "Cd.")
    assert first.styles == [LOUD] * 4 and second.styles == [Style()] * 3
    assert second.spans == [(0, 1), (1, 2), (2, 3)] and second.arguments == {"speaker_id": 1}


def test_events_between_sentences_belong_to_the_second_and_those_at_the_end_to_the_last():
    events = [(2, Mark("inside")), (4, Pause(1.0)), (8, Mark("end"))]
    first, second = script(block("A b. Cd.", events=events)).sentences(split)
    assert first.events == [(2, Mark("inside"))]
    assert second.events == [(0, Pause(1.0)), (3, Mark("end"))]


def test_events_of_a_block_without_text_wait_for_the_next_sentence():
    (only,) = script(block(" ", events=[(0, Mark("begin"))]), block("Cd.", offset=1)).sentences(split)
    assert only.events == [(0, Mark("begin"))]
    assert script(block(" ", events=[(0, Mark("begin"))])).sentences(split) == []


def test_a_time_that_sentences_share_is_divided_by_letters():
    time = Time(1.0, 4.0)
    first, second = script(block("Abcd. Ef.", [Style(time=time)] * 9)).sentences(split)
    (one,), (other,) = ({style.time for style in sentence.styles} for sentence in (first, second))
    assert (one.begin, one.end, other.begin, other.end) == (1.0, 3.0, 3.0, 4.0)


def test_a_mark_of_a_replaced_part_ends_no_sentence():
    """ "Dr." is read for a mark of one character that is not a letter, such as a symbol."""
    text = TextWithOffsets(
        "See D.r. now.", [(i, i + 1) for i in range(4)] + [(4, 6)] * 4 + [(i, i + 1) for i in range(6, 11)]
    )
    (only,) = Script("See ## now.", [Block(text, [Style()] * 13)]).sentences(split)
    assert only.text == "See D.r. now." and only.content == "See ## now."


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [("a b", 2, "a, b"), ("a b", 1, "a, b"), ("ab", 1, "a, b"), ("a, b", 3, "a, b"), ("ab", 2, "ab"), ("ab", 0, "ab")],
)
def test_a_pause_between_words_has_a_comma_before_it(text, place, expected):
    sentence = Sentence.plain(text)
    sentence.events = [(place, Pause(0.5))]
    found = sentence.with_commas()
    assert found.text == expected and len(found.spans) == len(found.styles) == len(expected)
    ((moved, event),) = found.events
    assert event == Pause(0.5) and found.text[moved:].strip() == text[place:].strip()


def test_neither_marks_nor_pauses_of_no_length_add_commas():
    sentence = Sentence.plain("a b")
    sentence.events = [(2, Mark("here")), (2, Pause(0.0))]
    assert sentence.with_commas().text == "a b"


def test_the_usual_style_changes_nothing():
    assert Sentence.plain("ab").styles == [Style()] * 2 and Style().pitch == Pitch()
