import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from hf_vits.text.offsets import TextWithOffsets


def tracked(text):
    return TextWithOffsets.original(text, track=True)


def origins(result, text):
    """Return the original of each character of the result."""
    return [text[start:end] for start, end in result.spans]


def test_lower_case_may_lengthen_the_text():
    text = "xİΣ"
    result = tracked(text).lower()
    assert result.text == text.lower()
    assert origins(result, text) == ["x", "İ", "İ", "Σ"]


@given(st.text(max_size=30), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_unicode_forms_equal_pythons_and_keep_all_spans(text, form):
    result = tracked(text).unicode_form(form)
    assert result.text == unicodedata.normalize(form, text)
    assert len(result.spans) == len(result.text)
    for character, origin in zip(result.text, origins(result, text), strict=True):
        assert character in unicodedata.normalize(form, origin)


def test_a_decomposed_letter_spans_the_letter():
    text = "aãb"
    result = tracked(text).unicode_form("NFD")
    assert origins(result, text) == ["a", "ã", "ã", "b"]


def test_letters_composed_of_several_keep_a_correct_span():
    text = "a\u1100\u1161"  # the jamo of one Hangul syllable, none of them a combining mark
    result = tracked(text).unicode_form("NFC")
    assert (result.text, result.spans) == ("a\uac00", [(0, 1), (1, 3)])


def test_unknown_characters_are_dropped_and_counted():
    result, dropped = tracked("a-b--c").keep(frozenset("abc"))
    assert (result.text, dropped) == ("abc", {"-": 3})
    assert result.spans == [(0, 1), (2, 3), (5, 6)]
