"""Rules of a language are patterns with macros, and templates with calls."""

import json
import re
from importlib import import_module

import pytest

from hf_vits.text.expansion import language as module
from hf_vits.text.expansion.language import READINGS, Language, codes, language_of


@pytest.fixture
def toy():
    """A language with a table of units, and a function that repeats a word."""

    @READINGS.register("twice")
    def twice(language, word):
        return None if word == "0" else f"{word} {word}"

    yield Language("xx", "xx", {"units": {"kg": "kilogram", "Mb": "megabit"}}, (), {}, None)
    READINGS.unregister("twice")


def test_a_template_calls_functions_with_groups_and_words(toy):
    groups = {"n": "3", "empty": None}
    assert toy.fill("about {twice n}  and {twice word}", groups) == "about 3 3 and word word"
    assert toy.fill("{twice -}{twice empty} end", groups) == "end"


def test_a_template_with_a_call_that_does_not_apply_says_nothing(toy):
    assert toy.fill("about {twice n}", {"n": "0"}) is None


def test_a_word_is_found_in_its_own_case_or_in_small_letters(toy):
    assert [toy.word("units", key) for key in ("kg", "KG", "Mb", "mb", "x")] == [
        *("kilogram", "kilogram", "megabit", None, None)
    ]
    assert toy.word("months", "kg") is None


def test_entries_of_a_table_share_a_word_and_may_begin_with_the_sign():
    assert dict(module._entries("kg=kilogram|kilograms; lb,lbs=pound|pounds")) == {
        "kg": "kilogram|kilograms",
        **dict.fromkeys(("lb", "lbs"), "pound|pounds"),
    }
    assert dict(module._entries(["==equals", "+=plus"])) == {"=": "equals", "+": "plus"}


def test_the_longest_key_of_a_macro_matches_first_and_macros_may_have_macros():
    macros = {"unit": module._alternatives({"m": "", "mm": "", "m²": "", ".": ""}), "amount": r"\d+ ?~unit~"}
    pattern = module._compiled("~amount~", macros)
    assert [pattern.match(text)[0] for text in ("3 mm", "3m²", "3 m.", "3.")] == ["3 mm", "3m²", "3 m", "3."]
    assert not pattern.match("3x")


@pytest.mark.parametrize("code", codes())
def test_rules_of_every_language_call_functions_that_exist(code):
    """A template is filled only when its pattern matches, so a wrong name would be found late."""
    import_module("hf_vits.text.expansion.expand")  # registers them
    names = {name for rule in language_of(code).rules for name in re.findall(r"\{(\w+)", rule.template)}
    assert names and names <= set(READINGS)


def test_a_variant_changes_words_and_goes_first(monkeypatch, tmp_path):
    content = {
        "tables": {"units": "kg=kilogram"},
        "rules": [["units", "~units~", "{plain}"]],
        "templates": {"date": "day month", "time": "at"},
        "numbers": json.loads((module._FOLDER / "en.json").read_text(encoding="utf-8"))["numbers"],
        "variants": {"xx-us": {"rules": [["own", "lb", "pound"]], "templates": {"date": "month day"}}},
    }
    (tmp_path / "en.json").write_text(json.dumps(content))
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    plain, variant = (module._load.__wrapped__("en", voice) for voice in ("xx", "xx-us"))
    assert [rule.name for rule in plain.rules] == ["units"] and plain.templates["date"] == "day month"
    assert [rule.name for rule in variant.rules] == ["own", "units"]
    assert variant.templates == {"date": "month day", "time": "at"}


def test_a_voice_without_rules_has_no_language():
    assert language_of(None) is None and language_of("xx") is None
    assert language_of("en-us").code == language_of("en-gb").code == "en"
