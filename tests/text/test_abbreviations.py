"""Full stops after abbreviations, ordinals and initials end no sentence; oracle: the rules of each language."""

import json
import unicodedata
from pathlib import Path

import pytest

from hf_vits.text.sentence_splitter import split

# Sentences by language, which must be split again after they are joined.
SENTENCES = json.loads((Path(__file__).parent / "sentences_by_language.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_end_where_the_language_ends_them(language):
    assert split(" ".join(SENTENCES[language]), language=language) == SENTENCES[language]


@pytest.mark.parametrize("language", SENTENCES)
def test_no_sentence_is_split_if_the_language_is_unknown(language):
    for sentence in SENTENCES[language]:
        assert split(sentence) == [sentence]


@pytest.mark.parametrize("language", ["deu", "de", "DE", "de+f3"])
def test_a_language_may_be_given_by_any_of_its_names(language):
    assert split("Am 3. Mai kam er.", language=language) == ["Am 3. Mai kam er."]


def test_decomposed_letters_are_known_too():
    text = "Ver núm. 5 y pág. 6."
    assert len(split(unicodedata.normalize("NFD", text), language="es")) == 1


def test_a_word_of_one_language_is_not_an_abbreviation_of_another():
    assert split("Fui al mar. Comimos.", language="es") == ["Fui al mar.", "Comimos."]
    assert split("Das ist so. Peter kam.", language="de") == ["Das ist so.", "Peter kam."]
    assert split("Je vais à l'est. Paul reste.", language="fr") == ["Je vais à l'est.", "Paul reste."]
