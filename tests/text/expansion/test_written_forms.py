"""Written forms are read as a person reads them: tables of phrases, written by hand before the rules."""

import csv
import re
from pathlib import Path

import pytest

pytest.importorskip("unicode_rbnf")
pytest.importorskip("emoji")
from hf_vits.text.expansion.expand import expand, expansions
from hf_vits.text.expansion.language import language_of

FOLDER = Path(__file__).parent
LEAST = {"en": 0.97, "de": 0.9, "fr": 0.9, "es": 0.9, "ru": 0.9}


def table(name):
    with open(FOLDER / f"written_{name}.tsv", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def plain(text, language):
    """Words without case and marks; a letter alone in capitals is its name."""
    letters = language_of(language).tables["letters"]
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text)
    return " ".join(
        letters.get(word.lower(), word) if len(word) == 1 and word.isupper() else word for word in words
    ).casefold()


def wrong(name, rows):
    language = name[:2]
    for row in rows:
        said = expand(row["written"], language)
        if plain(said, language) != plain(row["read"], language):
            yield f"{row['rule']}: {row['written']} | {row['read']} | {said}"


@pytest.mark.parametrize("language", LEAST)
def test_forms_are_read_as_a_person_reads_them(language):
    rows = table(language)
    missed = list(wrong(language, rows))
    assert len(rows) >= (300 if language == "en" else 50)
    assert 1 - len(missed) / len(rows) >= LEAST[language], "\n".join(missed)


@pytest.mark.parametrize("language", LEAST)
def test_each_form_is_expanded_by_its_rule(language):
    for row in table(language):
        rules = {found.rule.split(".")[0] for found in expansions(row["written"], language)}
        assert row["rule"] == "plain" or row["rule"] in rules or expand(row["written"], language) == row["written"]
