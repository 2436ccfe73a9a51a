import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_vits.text.sentence_splitter import split


@pytest.mark.parametrize(
    "chunks",
    [
        ["One.", "Two!", "Three?"],
        ["Dr. Smith and Mrs. Jones met J. R. Brown.", "They left."],
        ["It costs 3.50 or 1,000.5 in all.", "Yes."],
        ["Wait... what is it?", "No."],
        ["He stopped…", "Then he left."],
        ['He said "no."', "Then he left."],
        ['"Why?" she asked.', "Nobody knew."],
        ["What?!", "Really!!"],
        ["(A whole one.)", "Another."],
        ["Apples, pears etc. are good.", "We like apples etc.", "Go on."],
        ["See e.g. this one.", "At 5 p.m.", "We leave."],
        ["It starts at 7 p.m. London time.", "At 5 p.m.", "Lunch time was over.", "10 Downing St.", "Dr. Smith came."],
        ["Take Hwy. 101.", "See par. 3, no. WH-10 and 77 Mass. Ave.", "I was at mass.", "Mary sang.", "Max. : 5 V"],
        ["It is at 10 a.m. U.S. time, 9 a.m. Monday and 5 p.m. ET.", "At 5 p.m.", "Joe left Fri. 3 Oct."],
        ["No. 5 is alive.", "No.", "Never."],
        ["The U.S. economy grew.", "It did."],
        ["你好。", "今天天气很好！", "是吗？", "「好。」", "他说。"],
        ["नमस्ते।", "आप कैसे हैं?", "ठीक॥", "हाँ।"],
        ["مرحبا.", "كيف حالك؟", "جيد۔", "نعم"],
        ["Ναι.", "Όχι!"],
    ],
)
def test_a_text_is_split_at_the_ends_of_sentences(chunks):
    assert split(" ".join(chunks)) == chunks


def test_lines_and_paragraphs_are_split_even_without_a_full_stop():
    assert split("A title\nFirst line\r\n\r\n  Second. Third\u2028Last ") == [
        "A title",
        "First line",
        "Second.",
        "Third",
        "Last",
    ]


def test_marks_alone_are_joined_to_the_next_chunk():
    assert split("... Yes. — No!\n***\n") == ["... Yes.", "— No! ***"]
    assert split("!!!") == ["!!!"]


def test_phoneme_blocks_are_not_split():
    assert split("Say [[ a. B! ]] now. Then go.") == ["Say [[ a. B! ]] now.", "Then go."]


def test_long_sentences_are_cut_after_clauses_then_at_spaces_then_anywhere():
    assert split("one two three, four five six; seven", 16) == ["one two three,", "four five six;", "seven"]
    assert split("one two three four", 9) == ["one two", "three", "four"]
    assert split("abcdefghij", 4) == ["abcd", "efgh", "ij"]


def test_an_accent_is_not_separated_from_its_letter():
    assert split("abce\u0301f", 4) == ["abc", "e\u0301f"]


LETTERS = {
    "Thai": "กี่",
    "Thai, vowel first": "เก้",
    "Lao": "ໂກ້",
    "Devanagari": "क्ष्मि",
    "Bengali": "ক্ষৌ",
    "Tamil": "கௌ",
    "Malayalam": "സ്ത്രീ",
    "Sinhala": "ක\u0dca\u200dෂෝ",
    "Burmese": "က္ကို့",
    "Burmese with asat": "မြန်",
    "Khmer": "ស្ត្រី",
    "Tibetan": "སྐྲུ",
    "Hangul jamo": "\u1112\u1161\u11ab",
    "Latin with marks": "e\u0301\u0323\u0330",
    "Hebrew with points": "שׁ\u05b8",
    "family": "👨\u200d👩\u200d👧\u200d👦",
    "skin": "👍🏽",
    "flag": "🇩🇪",
    "flag of Wales": "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
    "keycap": "1\ufe0f\u20e3",
}


@pytest.mark.parametrize("name", LETTERS)
def test_a_long_word_is_cut_between_letters_as_users_perceive_them(name):
    letter = LETTERS[name]
    for most in (len(letter), len(letter) + 1, len(letter) + 2, 17, 40, 400):
        if most < len(letter):
            continue
        chunks = split(letter * 500, most)
        assert "".join(chunks) == letter * 500
        assert all(chunk == letter * (len(chunk) // len(letter)) and len(chunk) <= most for chunk in chunks)


def test_a_word_whose_letters_are_all_bound_is_cut_between_clusters():
    chunks = split("க்" * 500, 41)  # a Tamil mark that binds every letter to the next
    assert "".join(chunks) == "க்" * 500 and all(len(chunk) <= 41 and chunk[0] == "க" for chunk in chunks)


def test_a_letter_longer_than_the_limit_is_cut_at_the_limit():
    assert split("e" + "\u0301" * 9, 4) == ["e\u0301\u0301\u0301", "\u0301" * 4, "\u0301" * 2]


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_an_empty_text_has_no_chunks(text):
    assert split(text) == []


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="`max_characters` is 0"):
        split("a", 0)


@given(
    st.text(alphabet="aBé\u0301 .,;!?…\"')(。、١।\n\r[]—1", max_size=200) | st.text(max_size=100), st.integers(1, 30)
)
def test_no_character_is_lost_and_no_chunk_is_too_long(text, most):
    chunks = split(text, most)
    assert "".join("".join(chunks).split()) == "".join(text.split())
    assert all(0 < len(chunk) <= most and chunk == chunk.strip() for chunk in chunks)


@pytest.mark.thorough
def test_a_very_long_text_is_split_without_loss():
    text = "Mr. A said so, and Dr. B. agreed... " * 20_000
    assert "".join("".join(split(text)).split()) == "".join(text.split())
