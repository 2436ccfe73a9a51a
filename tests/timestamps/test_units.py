"""What counts as a word and as a character."""

import pytest

from hf_vits.timestamps.units import characters, words


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Dr. Smith paid $3.50 in 1984.", "Dr.|Smith|paid|$3.50|in|1984."),
        ("  it's   (a) \t“quoted” end-to-end, 1914–1918 ", "it's|(a)|“quoted”|end-to-end,|1914–1918"),
        ("Wait—what? Well...yes -- no… and…so", "Wait—|what?|Well...|yes|--|no…|and…|so"),
        ("say [[hə lˈoʊ]]s, now", "say|[[hə lˈoʊ]]s,|now"),
        ("你好，世界！Hello「こん」にちは。ラーメン", "你|好，|世|界！|Hello|「こ|ん」|に|ち|は。|ラ|ー|メ|ン"),
        ("กี่ เป็น", "กี่|เป็|น"),
        ("x 👍🏽 e\u0301te\u0301", "x|👍🏽|e\u0301te\u0301"),
        ("", ""),
    ],
)
def test_words_are_as_written_with_their_marks(sentence, expected):
    assert "|".join(sentence[start:end] for start, end in words(sentence)) == expected


def test_words_and_characters_hold_everything_but_white_space_once():
    for sentence in ("a  b—c 你「好」 ((( x", "\u3000日本 !? กำ\u200b", "“” ... [[ a ]] ]] [["):
        for divide in (words, characters):
            spans = divide(sentence)
            assert all(a < b <= c for (a, b), (c, _) in zip(spans, [*spans[1:], (len(sentence), 0)], strict=True))
            assert "".join("".join(sentence[a:b] for a, b in spans).split()) == "".join(sentence.split())


def test_a_character_is_a_letter_with_its_marks():
    sentence = "e\u0301 👍🏽 각 ß"
    assert [sentence[start:end] for start, end in characters(sentence)] == ["e\u0301", "👍🏽", "각", "ß"]
