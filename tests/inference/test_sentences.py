"""Sentences are encoded one by one; those without tokens are passed over, unless there are no others."""

from collections import Counter

import pytest

from hf_vits.inference.sentences import SentenceEncoder
from hf_vits.prosody.script import Sentence
from hf_vits.text.errors import NoTokensError, UnsupportedTextError


class Encoder(SentenceEncoder):
    """Encodes texts of letters, and records the arguments."""

    def __init__(self, tokenizer):
        self.tokenizer, self.calls = tokenizer, []

    def _encoding(self, sentence, **arguments):
        self.calls.append((sentence, arguments))
        if not any(character.isalpha() for character in sentence):
            raise NoTokensError(sentence)
        return {"input_ids": [len(sentence)]}


@pytest.fixture
def encoder(make_tokenizer):
    return Encoder(make_tokenizer())


def test_sentences_without_tokens_have_no_encoding(encoder):
    found = list(encoder._encodings("whole", ["***", "ab", "***", "abc"], {}))
    assert found == [(0, "***", None), (1, "ab", {"input_ids": [2]}), (2, "***", None), (3, "abc", {"input_ids": [3]})]


def test_a_text_of_which_no_sentence_has_tokens_raises_the_error_of_the_whole(encoder):
    with pytest.raises(NoTokensError, match=r"^\*\*\* !!!$"):
        list(encoder._encodings("*** !!!", ["***", "!!!"], {}))


def test_the_rest_of_a_text_may_be_without_tokens(encoder):
    assert list(encoder._encodings("ab ***", ["ab", "***"], {}, first=1)) == [(1, "***", None)]


def test_sentences_with_styles_are_encoded_with_their_offsets(encoder):
    list(encoder._encodings("ab", ["ab", Sentence.plain("abc")], {"expand": True}))
    assert encoder.calls == [("ab", {"expand": True}), ("abc", {"expand": True, "return_offsets_mapping": True})]


def test_letters_that_the_vocabulary_lacks_are_an_error_if_strict(encoder):
    encoder._check_readable("a hope, 12", False, {})
    encoder._check_readable("a hope,", True, {})  # a comma is no letter
    with pytest.raises(UnsupportedTextError, match="dropped 3 characters: 'z' x2, '1' x1"):
        encoder._check_readable("a zz. hope 1", True, {})
    assert encoder.tokenizer.dropped_characters("zz1") == Counter("zz1")
