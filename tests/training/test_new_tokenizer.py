import json

import pytest

from hf_vits import VitsTokenizer
from hf_vits.text.espeak_chunks import EspeakError
from hf_vits.text.frontend import FrontEnd
from hf_vits.training.initialization import BLANK, tokenizer_of_texts

TEXTS = ["A hope s, Zoë!", "cabbage; 7 ¿", "no."]


def make(texts=TEXTS, **options):
    return tokenizer_of_texts(texts, phonemize=False, **options)


def test_it_says_every_character_of_its_texts_with_blanks_between():
    tokenizer = make()
    for text in TEXTS:
        assert not tokenizer.dropped_characters(text)
        ids = tokenizer(text).input_ids
        assert ids[::2] == [0] * (len(ids) // 2 + 1)
        assert "".join(tokenizer.convert_ids_to_tokens(ids[1::2])) == text.lower()


def test_ids_are_those_of_the_sorted_symbols_after_the_blank_whatever_the_order_of_the_texts():
    symbols = sorted(set("".join(TEXTS).lower()))
    expected = {symbol: number for number, symbol in enumerate([BLANK, *symbols])}
    for texts in (TEXTS, [*TEXTS[::-1], BLANK]):
        vocabulary = make(iter(texts)).get_vocab()
        assert {symbol: number for symbol, number in vocabulary.items() if symbol != "<unk>"} == expected


def test_symbols_rarer_than_asked_for_are_left_out():
    vocabulary = make(["aab", "acc"], least=2).get_vocab()
    assert set(vocabulary) - {"<unk>"} == {BLANK, "a", "c"}


def test_its_texts_are_prepared_as_it_will_prepare_them():
    assert "A" in make(normalize=False).get_vocab() and "A" not in make().get_vocab()


def test_it_is_the_same_after_saving_and_loading(tmp_path):
    tokenizer = make()
    tokenizer.save_pretrained(tmp_path)
    loaded = VitsTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert [loaded(text).input_ids for text in TEXTS] == [tokenizer(text).input_ids for text in TEXTS]
    assert json.loads((tmp_path / "vocab.json").read_text())[BLANK] == 0


@pytest.mark.parametrize("texts", [[], ["", BLANK]])
def test_texts_without_a_symbol_are_an_error(texts):
    with pytest.raises(ValueError, match="no symbol.*text column"):
        make(texts)


def test_an_unknown_option_is_an_error_that_lists_those_there_are():
    with pytest.raises(ValueError, match=r"\['phonemise'\].*'phonemize'"):
        make(phonemise=True)


def test_a_text_that_espeak_cannot_speak_is_left_out_and_the_others_make_the_vocabulary(monkeypatch, caplog):
    def symbols(front_end, text):
        if text.text == "deadly":
            raise EspeakError("espeak-ng crashed at 'deadly'")
        return text

    monkeypatch.setattr(FrontEnd, "tokens", symbols)
    assert set(tokenizer_of_texts(["ab", "deadly", "bc"], phonemize=False).get_vocab()) >= {"a", "b", "c"}
    assert "'deadly'" in caplog.text
    with pytest.raises(ValueError, match="no symbol"):
        tokenizer_of_texts(["deadly"], phonemize=False)
