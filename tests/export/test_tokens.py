"""What runtimes without our front end map to ids is what the tokenizer makes of each character."""

import pytest

from hf_vits.export.tokens import composed, tokens_of


def test_every_code_point_has_the_id_that_the_tokenizer_gives_it(make_tokenizer):
    tokenizer = make_tokenizer()
    tokens = tokens_of(tokenizer)
    for letter, expected in tokens.ids.items():
        if letter.isalpha():
            assert tokenizer(letter, add_special_tokens=False).input_ids == [tokens.blank, expected, tokens.blank], (
                letter
            )
    assert tokens.ids["A"] == tokens.ids["a"] == tokens.own["a"]  # the vocabulary has small letters only
    assert tokens.blank == tokenizer.blank_id == 0 and (tokens.bos, tokens.eos) == (None, None)


@pytest.mark.parametrize("add_blank", [True, False])
def test_ids_that_a_text_may_contain_are_those_of_tokens_and_of_the_blank_if_there_is_one(make_tokenizer, add_blank):
    tokens = tokens_of(make_tokenizer(add_blank=add_blank))
    assert (tokens.blank is None) == (not add_blank)
    assert set(tokens.used) == {*tokens.own.values()} | ({tokens.blank} if add_blank else set())
    assert list(tokens.special.values()) == [tokens.blank, None, None]


def test_tokens_that_decomposition_changes_are_composed():
    assert composed({"a": 1, "é": 2, "ö": 3, "\u0301": 4}) == ["é", "ö"]
