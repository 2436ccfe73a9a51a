"""Expansion keeps everything else of a text, and each reading keeps its place."""

import json
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("unicode_rbnf")
pytest.importorskip("emoji")
from hf_vits.text import espeak
from hf_vits.text.expansion import numbers
from hf_vits.text.expansion.expand import expand, expanded, expansions
from hf_vits.text.expansion.language import READINGS, codes, language_of
from hf_vits.text.offsets import TextWithOffsets
from hf_vits.text.sentence_splitter import split
from hf_vits.text.sentences import plain_sentences

TEXT = "Dr. Smith paid $3.50 on 3/14/2024 at 5:30 p.m., i.e. 5% of £12m 😀."
TABLES = {code: Path(__file__).parent / f"written_{code}.tsv" for code in codes()}


def rows(code):
    return [line.split("\t") for line in TABLES[code].read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.parametrize("language", codes())
def test_sentences_without_written_forms_stay_as_they_are(language):
    for sentence in plain_sentences(language):
        assert expand(sentence, language) == sentence


def test_what_is_not_expanded_keeps_its_letters_and_places():
    found = expansions(TEXT, "en")
    out = expanded(TextWithOffsets.original(TEXT, track=True), found)
    assert [TEXT[item.start : item.end] for item in found] == [item.written for item in found]
    whole = {(item.start, item.end) for item in found}
    for character, (start, end) in zip(out.text, out.spans, strict=True):
        assert (start, end) in whole or TEXT[start:end] == character
    assert out.spans == sorted(out.spans) and len(whole) == len(found) == 8


def test_phonemes_in_a_text_are_kept():
    assert expand("[[$5 1984]] costs $5") == "[[$5 1984]] costs five dollars"


def test_a_language_without_rules_is_left_alone():
    assert expand("Bei 5 kg", "sw") == "Bei 5 kg" and expand("5", None) == "5"


def test_a_stop_stays_where_it_ends_the_sentence_too():
    assert expand("He lives at 10 Downing St. She does not.") == "He lives at ten Downing Street. She does not."
    assert expand("At 5 p.m. it rains.") == "At five pee em it rains." and expand("At 5 p.m.").endswith("em.")


def test_a_reading_is_separated_from_letters_and_signs_around_it():
    assert expand("x²+y") == "x squared plus y"
    assert expand("Hi😀😀🚀!") == "Hi grinning face rocket!"


@pytest.mark.parametrize("language", codes())
def test_sentences_are_not_split_within_written_forms(language):
    for rule, written, _ in rows(language):
        if rule != "plain" and not re.search(r"mi\. N\.|\. (That|Nobody) ", written):
            assert split(written, language=language) == [written]


@pytest.mark.parametrize("language", codes())
def test_no_abbreviation_before_a_number_ends_a_sentence(language):
    for abbreviation in language_of(language).tables["numbered"]:
        written = f"a {abbreviation.removesuffix('.')}. 5 b"
        assert split(written, language=language) == [written] or abbreviation[-1] in "º°№"


@pytest.mark.parametrize("language", codes())
def test_every_template_calls_functions_that_exist(language):
    known = language_of(language)
    templates = [rule.template for rule in known.rules] + list(known.templates.values())
    for name in re.findall(r"\{(\w+) ", " ".join(templates)):
        assert name in READINGS
    for rule in known.rules:
        for call in re.findall(r"\{\w+ ([^}]*)\}", rule.template):
            single = [word for word in call.split() if len(word) == 1 and word.isalpha()]
            assert set(single) <= {*rule.pattern.groupindex, "n", "r", "s"}, rule


def test_letters_are_named_as_espeak_names_them():
    pytest.importorskip("espeakng_loader")
    names = language_of("en").tables["letters"]
    said = espeak.words_phonemes([*map(str.upper, names), *names.values()], "en-us")
    bare = [re.sub("[ˈˌ ]", "", phonemes) for phonemes in said]
    assert bare[:26] == bare[26:]


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "unicode_rbnf", None)
    numbers._engine.cache_clear()
    with pytest.raises(ImportError, match=r"hf_vits\[words\]"):
        expand("5 cats")
    monkeypatch.setitem(sys.modules, "emoji", None)
    with pytest.raises(ImportError, match=r"hf_vits\[words\]"):
        expand("😀")


@pytest.mark.parametrize("number", ["9" * 15, "9" * 16, "9" * 61, "9" * 5000, "0" * 20, "1." * 99, "²" * 9])
def test_long_numbers_are_read_or_left(number):
    for language in codes():
        assert expand(f"a {number} b", language).startswith("a ")


def test_a_file_of_rules_has_one_rule_per_line():
    for file in Path(numbers.__file__).parent.glob("*.json"):
        content = file.read_text(encoding="utf-8")
        lines = [line.strip().rstrip(",") for line in content.splitlines()]
        parsed = json.loads(content)
        rules = parsed.get("rules", []) + [
            rule for part in parsed.get("variants", {}).values() for rule in part.get("rules", [])
        ]
        assert [json.loads(line) for line in lines if re.match(r"\[\".*\]$", line)] == rules


def test_voices_of_a_country_have_their_own_dates_and_numbers():
    assert expand("On 3/4/2024, 101 came.", "en-us") == "On March fourth, twenty twenty-four, one hundred one came."
    assert expand("On 3/4/2024, 101 came.", "en-gb") == (
        "On the third of April, twenty twenty-four, one hundred and one came."
    )
    assert expand("Il a 71 ans.", "fr-be") == "Il a septante-et-un ans."
    assert expand("Pesa 2.5 kg.", "es-419") == "Pesa dos punto cinco kilogramos."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Use approx. ≈ 40.", "Use approximately approximately forty."),  # two forms that touch
        ("A file, i.e. 12 bytes. 12 cm.", "A file, that is twelve bytes. Twelve centimeters."),
    ],
)
def test_a_reading_has_the_spaces_and_the_case_of_its_place(written, read):
    assert expand(written, "en") == read
