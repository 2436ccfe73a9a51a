"""Lines that were wrapped at a width are joined to paragraphs, and other lines are kept."""

import json
import textwrap
from pathlib import Path

import pytest

from hf_vits.text.sentence_splitter import split

PARAGRAPHS = json.loads((Path(__file__).parent / "paragraphs_by_language.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", PARAGRAPHS)
@pytest.mark.parametrize("known", [True, False], ids=["language", "no language"])
def test_a_paragraph_has_the_same_sentences_at_every_width(language, known):
    given = {"at": "de"}.get(language, language) if known else None
    paragraph = PARAGRAPHS[language]
    expected = split(paragraph, language=given)
    assert len(expected) > 2 or language == "th"
    for width in range(40, 81, 4):
        for hyphens in (False, True):
            lines = textwrap.wrap(paragraph, width, break_on_hyphens=hyphens)
            assert len(lines) > 1
            for end in ("\n", "\r\n", " \n  "):
                assert split(end.join(lines), language=given) == expected, (width, lines)


def test_a_dash_at_the_beginning_of_a_wrapped_line_is_not_a_list_item():
    for text in (
        "He raised both of his hands to the sky and said: - Come here, my old friend, and sit down by the fire.",
        "The old house – as it was called by all the people – stood there – small and grey – for many years.",
    ):
        for width in range(30, 81):
            if sum(line.startswith("–") for line in textwrap.wrap(text, width)) < 2:
                assert split(textwrap.fill(text, width), language="en") == [text], width


@pytest.mark.parametrize(
    "lines",
    [
        [
            "In 1984, Apple introduced the Macintosh computer to",
            "the public in a town of the West. Most critics at",
            "The New York Times and other papers loved it a lot.",
        ],
        [
            "These models need no aligner. They're trained end-",
            "to-end, which takes some time.",
        ],
    ],
)
def test_capitals_and_hyphens_in_wrapped_prose_do_not_end_paragraphs(lines):
    unwrapped = " ".join(lines).replace("end- to", "end-to")
    assert split("\n".join(lines), language="en") == split(unwrapped, language="en")


def test_lines_that_are_filled_at_any_word_are_not_verse():
    lines = [
        "In 1984, Apple Computer introduced the Macintosh to us. The Super Bowl",
        "XVIII advertisement, directed by Ridley Scott, cost a lot. Critics at",
        "The New York Times loved it.",
    ]
    assert "The Super Bowl XVIII advertisement, directed by Ridley Scott, cost a lot." in split(
        "\n".join(lines), language="en"
    )


def test_words_before_a_colon_in_wrapped_lines_are_not_names_of_speakers():
    lines = [
        "Then the old man with the grey hat in the corner",
        "said to all of them: nobody moves, and the other one",
        "said at last: very well.",
    ]
    assert split("\n".join(lines), language="en") == [" ".join(lines)]


def test_wrapped_paragraphs_stay_separate():
    paragraphs = [PARAGRAPHS["en"], PARAGRAPHS["en-gb"]]
    wrapped = "\n\n".join(textwrap.fill(paragraph, 60) for paragraph in paragraphs)
    assert split(wrapped, language="en") == [chunk for text in paragraphs for chunk in split(text, language="en")]


def test_a_heading_before_a_wrapped_paragraph_stays_separate():
    for heading in ("Chapter One", "THE OLD MAN AND THE SEA", "# The river", "Rivers, 1901"):
        text = heading + "\n" + textwrap.fill(PARAGRAPHS["en"], 60)
        assert split(text, language="en")[1:] == split(PARAGRAPHS["en"], language="en")


@pytest.mark.parametrize(
    ("lines", "language"),
    [
        (
            [
                "Shall I compare thee to a summer's day?",
                "Thou art more lovely and more temperate:",
                "Rough winds do shake the darling buds of May,",
                "And summer's lease hath all too short a date;",
            ],
            "en",
        ),
        (
            [
                "Wer reitet so spät durch Nacht und Wind?",
                "Es ist der Vater mit seinem Kind;",
                "Er hat den Knaben wohl in dem Arm,",
                "Er faßt ihn sicher, er hält ihn warm.",
            ],
            "de",
        ),
        (
            [
                "Nel mezzo del cammin di nostra vita",
                "Mi ritrovai per una selva oscura,",
                "Che la diritta via era smarrita.",
            ],
            "it",
        ),
        (["Milk", "Eggs", "Bread"], "en"),
        (["milk", "eggs", "bread"], "en"),
        (["- milk and honey", "- eggs", "- a loaf of bread"], "en"),
        (["* milk from the shop at the corner of the street", "* eggs", "* bread"], "en"),
        (
            [
                "Take these things with you on your way to the mountains:",
                "1. a coat",
                "2. bread and milk for three days",
                "3. a map",
            ],
            "en",
        ),
        (["a) the first thing that has to be said about this matter", "b) the second", "c) the last"], "en"),
        (["— Bonjour, dit-il d’une voix très basse en entrant dans la maison", "— Bonjour", "— Entrez donc"], "fr"),
        (["JOHN: I have no idea what you are talking about, my dear", "MARY: No", "JOHN: Well"], "en"),
        (["“Where are you?”", "“Here.”", "“Come!”"], "en"),
        (["The Old House", "A Novel by Nobody in Particular of This Town", "London 1901"], "en"),
        (["+ one", "+ two"], "en"),
        (
            [
                "iii. the third thing that has to be said about this",
                "iv. the fourth thing, which is short",
                "v. no more",
            ],
            "en",
        ),
        (["• 你好", "• 世界"], "cmn"),
    ],
)
def test_lists_verses_headings_and_direct_speech_keep_their_lines(lines, language):
    assert split("\n".join(lines), language=language) == lines


def test_a_wrapped_list_item_is_joined():
    assert split("- the first item goes on and on, so that it\n  is wrapped\n- the second\n") == [
        "- the first item goes on and on, so that it is wrapped",
        "- the second",
    ]


def test_a_small_letter_continues_the_sentence_of_the_line_before():
    assert split("its light struggling\nto penetrate the foliage.") == [
        "its light struggling to penetrate the foliage."
    ]


def test_hyphens_at_line_ends_stay_and_soft_ones_are_removed():
    assert split("a well-\nknown man of the\nold town") == ["a well-known man of the old town"]
    assert split("so he went to the house of Marie-\nLouise") == ["so he went to the house of Marie-Louise"]
    assert split("die Vor-\nund Nachteile") == ["die Vor- und Nachteile"]
    assert split("beau\u00ad\ntiful") == ["beau\u00adtiful"]
    assert split("he said -\nand left") == ["he said - and left"]


def test_line_ends_do_not_divide_phoneme_blocks():
    assert split("Say [[ həl\nˈoʊ ]] now") == ["Say [[ həl ˈoʊ ]] now"]
