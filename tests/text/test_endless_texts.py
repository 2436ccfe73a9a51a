"""Every function of a text takes time in proportion to its length, whatever the text repeats."""

import time
from contextlib import suppress
from pathlib import Path

import pytest

from hf_vits.text import coqui_cleaners, normalizers, sentence_splitter, writing_systems
from hf_vits.text.expansion.expand import expansions
from hf_vits.text.expansion.numbers import is_available
from hf_vits.text.lexicon import Lexicon
from hf_vits.text.normalizers import romanize
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.text.phoneme_blocks import BLOCK
from hf_vits.text.vocabulary import match_unicode_form

LENGTH = 10_000
MOMENT = 0.25
"""Seconds of CPU time that a long text always needs less than; a quadratic pattern needs several."""

GROWTH = 9
"""Maximum growth of the time for four times the length; linear growth is 4, quadratic 16."""


def plain(text):
    return TextWithOffsets.original(text, track=False)


def written_forms(text):
    if is_available():
        expansions(text, "en")


def read_metadata(text, folder):
    from hf_vits.data.metadata_folder import _rows

    table = Path(folder) / "metadata.csv"
    for header, part in (("file_name,text\n1.wav,", text[: len(text) // 6]), ("1|", text)):
        table.write_text(header + part, encoding="utf-8", newline="")
        with suppress(ValueError):  # that a table is refused is tested elsewhere
            _rows(table)


WORDS = Lexicon.of({"a": "b", "a a a a": "c", "dr.": "doctor", "x": "y"})
GREEK = writing_systems.SupportedScripts(frozenset(["Greek"]), "el", passes_latin=True)

READERS = {
    "sentences": lambda text, folder: sentence_splitter.split(text),
    "sentences of German": lambda text, folder: sentence_splitter.split(text, language="de"),
    "sentences of any length": lambda text, folder: sentence_splitter.split(text, 10**6),
    "short chunks": lambda text, folder: sentence_splitter.split(text, 7),
    "white space": lambda text, folder: normalizers.collapse_white_space(plain(text)),
    "English cleaner": lambda text, folder: normalizers.english(plain(text)) if text.isascii() else None,
    "English numbers": lambda text, folder: coqui_cleaners.numbers(plain(text)),
    "English times": lambda text, folder: coqui_cleaners.times(plain(text)),
    "romanization": lambda text, folder: romanize(plain(text)) if text.isascii() else None,
    "phoneme blocks": lambda text, folder: list(BLOCK.finditer(text)),
    "letters that are not known": lambda text, folder: TextWithOffsets.original(text, True).keep(frozenset("aeiou")),
    "tables": read_metadata,
    "scripts": lambda text, folder: GREEK.count_others(text),
    "letters of a vocabulary": lambda text, folder: match_unicode_form(
        TextWithOffsets.original(text, True), frozenset("aé\u0301")
    ),
    "written forms": lambda text, folder: written_forms(text),
    "lexicon": lambda text, folder: list(WORDS.matches(text, "en")),
    "composed letters": lambda text, folder: TextWithOffsets.original(text, True).composed(),
} | {
    f"{name} in {language}": lambda text, folder, name=name, language=language: coqui_cleaners.clean(
        plain(text), name, language
    )
    for name, language in (("english_cleaners", "en"), ("french_cleaners", "fr"), ("no_cleaners", "en"))
}

# What is repeated, and what stands at the end.
ENDLESS = [
    (".", "x"),
    ("!?", "x"),
    ("…", "x"),
    ("。", "x"),
    (".”", "x"),
    (".)", "x"),
    ("”", "."),
    ("(", "."),
    ("— ", "."),
    (" ", "x"),
    ("\n", "x"),
    ("\n ", "x"),
    (" \t\r\n", "x"),
    (". ", "x"),
    (".\n", "X"),
    ("a.", ""),
    ("a. ", "B"),
    ("X. ", "x"),
    ("Dr. ", ""),
    ("z. B. ", ""),
    ("[[", ""),
    ("[[a]] ", ""),
    ("[[ a. ]]. ", "[["),
    ("[[" + "a" * 9, "]"),
    ("1", "st"),
    ("1,", "."),
    ("$1.", ""),
    ("1:00 ", "am"),
    ("a", ""),
    ("a ", ""),
    ("e\u0301", "\u0301"),
    ("\u0301", "x"),
    ("👩\u200d", "👩"),
    ("क\u094d", ""),
    ("|", '"'),
    ('"', ","),
    (",", "x"),
    ("a-\n", "b"),
    ("a\nA\n", ""),
    ("- a\n", "-"),
    ("3. ", "M"),
    ("I. ", "x"),
    ("1. a\n", "2."),
    ("А ", "b"),
    ("π", "b"),
    ("Aa aa aa aa aa aa aa aa aa aa aa aa aa aa\n", "b"),
]


def seconds(reader, unit, end, length, folder):
    text = (unit * (length // len(unit) + 1))[:length] + end
    start = time.process_time()
    reader(text, folder)
    return time.process_time() - start


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("unit", "end"), ENDLESS, ids=[ascii(unit)[1:-1][:24] for unit, _ in ENDLESS])
def test_a_long_text_takes_linear_time(unit, end, tmp_path):
    assert len(ENDLESS) >= 30
    for name, reader in READERS.items():
        for _ in range(3):  # a busy machine may slow one run down, and not the same one three times
            long = seconds(reader, unit, end, LENGTH, tmp_path)
            if long < MOMENT or long < GROWTH * seconds(reader, unit, end, LENGTH // 4, tmp_path):
                break
        else:
            pytest.fail(f"{name}: {LENGTH:,} characters take {long:.2f} s, more than {GROWTH} times a fourth of them.")


def test_a_text_of_many_different_unknown_letters_takes_linear_time():
    text = "".join(map(chr, range(0x20000, 0x20000 + LENGTH)))
    start = time.process_time()
    _, dropped = TextWithOffsets.original(text, track=True).keep(frozenset("a"))
    assert time.process_time() - start < 4 * MOMENT
    assert dropped.total() == LENGTH and max(dropped.values()) == 1
