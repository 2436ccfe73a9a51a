"""Errors about texts show what was given, and not all of it."""

from collections import Counter

import pytest

from hf_vits.text.errors import (
    MAX_CHARACTERS,
    NoTokensError,
    check_added_tokens,
    check_text,
    dropped_message,
    format_counts,
    is_batch,
    no_tokens_error,
    of_item,
    shortened,
)


@pytest.mark.parametrize("text", [None, 3, b"a", ["a"]])
def test_what_is_no_string_is_an_error_with_its_type(text):
    with pytest.raises(ValueError, match=f"must be a string.*{type(text).__name__}"):
        check_text(text)


def test_a_text_may_have_a_hundred_thousand_characters_and_no_more():
    check_text("a" * MAX_CHARACTERS)
    with pytest.raises(ValueError, match="100,001 characters; the limit is 100,000"):
        check_text("a" * (MAX_CHARACTERS + 1))


def test_sequences_of_texts_are_batches_and_strings_are_none():
    assert is_batch(["a"], None, False) and is_batch(("a", "b"), None, False)
    assert not is_batch("ab", None, False) and not is_batch(b"ab", None, False)
    for given in (([], None, False), ("a", "b", False), (["a"], None, True)):
        with pytest.raises(ValueError):
            is_batch(*given)


@pytest.mark.parametrize("kind", [ValueError, NoTokensError])
def test_an_error_of_an_item_has_its_index_and_stays_of_its_kind(kind):
    with pytest.raises(kind, match="^Text 2 of the batch: wrong$"), of_item(2):
        raise kind("wrong")
    with pytest.raises(kind, match="^wrong$"), of_item(None):
        raise kind("wrong")


def test_counts_are_in_order_of_frequency_and_the_last_ones_are_only_counted():
    assert format_counts(Counter("abbccc")) == "'c' x3, 'b' x2, 'a' x1"
    assert format_counts(Counter("ba")) == "'a' x1, 'b' x1"
    assert format_counts(Counter("abcdefghijklmno")).endswith("'l' x1 and 3 others")
    assert dropped_message(Counter("ß")) == "The vocabulary lacks parts of the text: dropped 1 character: 'ß' x1."
    assert "dropped 3 characters" in dropped_message(Counter("ßßé"))


@pytest.mark.parametrize(
    ("text", "dropped", "reason"),
    [
        ("漢字", Counter("漢字"), "dropped 2 characters.*The vocabulary contains 'ab'"),
        ("  ", Counter(), "it is empty"),
        ("***", Counter("***"), "nothing in it is read aloud; dropped 3"),
    ],
)
def test_a_text_of_which_nothing_is_left_is_an_error_with_the_reason(text, dropped, reason):
    with pytest.raises(NoTokensError, match=reason):
        raise no_tokens_error(text, dropped, ["b", "a"])


def test_tokens_that_the_model_does_not_know_cannot_be_added():
    check_added_tokens(["a"], "a", False)
    check_added_tokens(["a"], ["<s>"], True)
    with pytest.raises(ValueError, match="'b' cannot be added"):
        check_added_tokens(["a"], ["a", "b"], False)


def test_a_long_text_is_shown_in_part():
    assert shortened("abcdef", 6) == "abcdef" and shortened("abcdefg", 6) == "abcdef..."
