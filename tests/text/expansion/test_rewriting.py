"""A tokenizer with `expand` and `lexicon` gives the ids of the text as read, with places in the text as written."""

import pytest

pytest.importorskip("unicode_rbnf")
from hf_vits import VitsTokenizer
from hf_vits.text.lexicon import FILE, Lexicon

LETTERS = {letter: i for i, letter in enumerate("_abcdefghijklmnopqrstuvwxyz ,.'-")}
TEXT = "Dr. Nguyen paid $5 in 1984."
READ = "doctor when paid five dollars in nineteen eighty-four."
WORDS = {"Nguyen": "when"}


@pytest.fixture
def tokenizer():
    return VitsTokenizer.from_vocab(LETTERS, pad_token="_", phonemize=False, language="eng")


def test_the_ids_are_those_of_the_text_as_it_is_read(tokenizer):
    given = tokenizer(TEXT, expand=True, lexicon=WORDS)["input_ids"]
    assert given == tokenizer(READ)["input_ids"]
    assert tokenizer.tokenize(TEXT, expand=True, lexicon=WORDS) == tokenizer.tokenize(READ)
    assert not tokenizer.dropped_characters(TEXT, expand=True, lexicon=WORDS)


def test_without_the_options_the_ids_are_as_before(tokenizer):
    plain = tokenizer("dr. nguyen paid  in .")["input_ids"]
    assert tokenizer(TEXT)["input_ids"] == tokenizer(TEXT, expand=False)["input_ids"] == plain


def test_offsets_are_places_in_the_text_as_written(tokenizer):
    encoding = tokenizer(TEXT, expand=True, lexicon=WORDS, return_offsets_mapping=True)
    spans = encoding["offset_mapping"]
    assert spans == sorted(spans)
    heads = list(dict.fromkeys(TEXT[start:end] for start, end in spans if end - start > 1))
    assert heads == ["Dr.", "Nguyen", "$5", "1984"]


def test_decomposed_letters_match_and_keep_their_places(tokenizer):
    text = "Zoe\u0308 came"
    lexicon = {"Zoë": "zoey"}
    assert tokenizer(text, lexicon=lexicon)["input_ids"] == tokenizer("zoey came")["input_ids"]
    assert tokenizer.rewritten(text, False, lexicon)[0][:2] == (0, 4)


def test_the_lexicon_comes_before_the_rules_and_blocks_before_both():
    tokenizer = VitsTokenizer.from_vocab(LETTERS, pad_token="_", phonemize=True)
    found = tokenizer.rewritten("Dr. [[Dr. 5]] $5", lexicon={"Dr.": "driver", "$5": "a fiver"})
    assert [(item.spoken, item.rule) for item in found] == [("driver", "lexicon"), ("a fiver", "lexicon")]


def test_phonemes_for_a_voice_of_letters_are_an_error_that_names_the_entry(tokenizer):
    with pytest.raises(ValueError, match="'Nguyen'.* gives phonemes .* reads letters"):
        tokenizer(TEXT, lexicon={"Nguyen": "/wɪn/"})


def test_a_lexicon_travels_with_the_tokenizer(tokenizer, tmp_path):
    tokenizer.lexicon = Lexicon.of(WORDS)
    written = tokenizer.save_pretrained(tmp_path)
    assert str(tmp_path / FILE) in written
    again = VitsTokenizer.from_pretrained(tmp_path)
    assert again("Nguyen")["input_ids"] == tokenizer("when")["input_ids"]
    assert not again.is_upstream_equivalent and tokenizer.from_vocab(LETTERS, phonemize=False).is_upstream_equivalent
    (tmp_path / FILE).write_text("when\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1 has 1 columns"):
        VitsTokenizer.from_pretrained(tmp_path)


def test_a_call_overrides_the_lexicon_of_the_voice(tokenizer):
    tokenizer.lexicon = Lexicon.of(WORDS)
    assert tokenizer("Nguyen", lexicon={"Nguyen": "win"})["input_ids"] == tokenizer("win")["input_ids"]


def test_upstreams_ids_refuse_the_options():
    tokenizer = VitsTokenizer.from_vocab(LETTERS, phonemize=False, upstream_compatible=True)
    for options in ({"expand": True}, {"lexicon": WORDS}):
        with pytest.raises(ValueError, match=f"{next(iter(options))} cannot"):
            tokenizer("a", **options)


def test_phonemes_of_a_lexicon_replace_those_of_the_word():
    pytest.importorskip("espeakng_loader")
    vocabulary = {letter: i for i, letter in enumerate("_ abcdefghijklmnopqrstuvwxyzæɐɑɒɔəɚɛɜɡɪŋɹʃʊʌʒθðɾɫˈˌː.,'")}
    tokenizer = VitsTokenizer.from_vocab(vocabulary, pad_token="_", language="eng")
    encoding = tokenizer("A gif by Nguyen.", lexicon={"Nguyen": "/wˈɪn/", "gif": "jiff"}, return_offsets_mapping=True)
    assert tokenizer.decode(encoding["input_ids"]) == tokenizer.decode(tokenizer("A jiff by [[wˈɪn]].")["input_ids"])
    assert (9, 15) in encoding["offset_mapping"]
