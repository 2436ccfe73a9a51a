"""Written forms are read as a person reads them: tables of phrases, written by hand; docs/text.md says when."""

import csv
import functools
import itertools
import re
from pathlib import Path

import pytest

pytest.importorskip("unicode_rbnf")
pytest.importorskip("emoji")
from hf_vits.text.expansion.expand import expand, expanded, expansions
from hf_vits.text.expansion.language import language_of
from hf_vits.text.offsets import TextWithOffsets

FOLDER = Path(__file__).parent
LEAST = {"en": 0.97, "de": 0.9, "fr": 0.9, "es": 0.9, "ru": 0.9}


def table(language, kind="written"):
    with open(FOLDER / f"{kind}_{language}.tsv", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def plain(text, language):
    """Words without case and marks; a letter alone in capitals is its name."""
    letters = language_of(language).tables["letters"]
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text)
    return " ".join(
        letters.get(word.lower(), word) if len(word) == 1 and word.isupper() else word for word in words
    ).casefold()


@functools.cache
def read(written, language):
    """Return a phrase as it is read, and the rules that did it."""
    found = expansions(written, language)
    said = expanded(TextWithOffsets.original(written, track=False), found).text
    return said, {item.rule.split(".")[0] for item in found}


def wrong(language, rows):
    for row in rows:
        said, _ = read(row["written"], language)
        if plain(said, language) != plain(row["read"], language):
            yield f"{row['rule']}: {row['written']} | {row['read']} | {said}"


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("language", LEAST)
def test_forms_are_read_as_a_person_reads_them(language):
    rows = table(language)
    missed = list(wrong(language, rows))
    assert len(rows) >= (300 if language == "en" else 50)
    assert 1 - len(missed) / len(rows) >= LEAST[language], "\n".join(missed)


@pytest.mark.parametrize("language", LEAST)
def test_each_form_is_expanded_by_its_rule(language):
    for row in table(language):
        said, rules = read(row["written"], language)
        assert row["rule"] == "plain" or row["rule"] in rules or said == row["written"]


def accepted(pattern):
    """Yield the readings of a pattern such as "{one|a} pound{ sterling|}"."""
    parts = re.split(r"\{([^}]*)\}", pattern)
    yield from map("".join, itertools.product(*(part.split("|") if i % 2 else [part] for i, part in enumerate(parts))))


def compared(text, language):
    """Words as `plain` gives them, where English "hundred and five" is "hundred five" and a small letter its name."""
    if language == "en":
        text = re.sub(r"\b(?!a\b)[a-z]\b", lambda letter: letter[0].upper(), text)
    return re.sub(r"\b(hundred|thousand) and ", r"\1 ", plain(text, language)).replace("ё", "е")


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(
    ("language", "number"), [*itertools.product(LEAST, ["1", "2", *map(str, range(5, 16))]), ("en", "3"), ("en", "4")]
)
def test_lists_written_later_have_a_reading_that_a_person_accepts(language, number):
    rows = [row for row in table(language, "accepted") if row["list"] == number]
    said = {row["written"]: compared(expand(row["written"], language), language) for row in rows}
    missed = [
        f"{row['written']} | {said[row['written']]}"
        for row in rows
        if said[row["written"]] not in {compared(reading, language) for reading in accepted(row["read"])}
    ]
    assert len(rows) >= (100 if language == "en" else 30)
    assert 1 - len(missed) / len(rows) >= LEAST[language], "\n".join(missed)
