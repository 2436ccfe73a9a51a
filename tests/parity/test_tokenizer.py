"""Ids against transformers' own tokenizer, and against the original front ends' rules as stated here."""

import json
import logging
import random
import re

import pytest
import transformers

from hf_vits.tokenization_vits import VitsTokenizer

IPA = "ɑɐɒæɓʙβɔɕçɗɖðʤəɘɚɛɜɝɞɟʄɡɠɢʛɦɧħɥʜɨɪʝɭɬɫɮʟɱɯɰŋɳɲɴøɵɸθœɶʘɹɺɾɻʀʁɽʂʃʈʧʉʊʋⱱʌɣɤʍχʎʏʑʐʒʔʡʕʢǀǁǂǃˈˌːˑʼʴʰʱʲʷˠˤ˞↓↑→↗↘'̩'ᵻ"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LJS = {symbol: i for i, symbol in enumerate("_" + ';:,.!?¡¿—…"«»“” ' + LETTERS + IPA)}


def numbered(symbols):
    return {symbol: i for i, symbol in enumerate(symbols)}


# name: vocabulary, pad token, options, characters to draw from
ALPHABETS = {
    "english with the letter k as pad": (
        numbered("k'zjyuxwvts_rqponmlihgfedcba- 1"),
        "k",
        {"language": "eng"},
        "kkkKbcdeTHE   '-_!?1234.,\n\tİé<unk>",
    ),
    "cyrillic": (
        numbered("|абвгдежзийклмнопрстуфхцчшщъыьэюя -"),
        "|",
        {"language": "rus"},
        "абвгдежзАБВГДЕЖЗИЙЪэюя   -—!?,.xyz\nё",
    ),
    "romanian": (
        numbered("aăâbcdefghiîjklmnopqrsşţtuvwxyz -'"),
        "a",
        {"language": "ron"},
        "aaabțțţȚŢșşSŞăĂîÎ  -.,!xyzT",
    ),
    "devanagari": (
        numbered("नमसतेकाहिुी्रदयआैं गलव"),
        "न",
        {"language": "hin"},
        "ननमसतेकाहिुी्रदयआैं  गलवABC।,१२\u200d",
    ),
    "greek": (
        numbered("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώ '-"),
        "α",
        {"language": "ell"},
        "αΑβΒσΣςοΟδΔ  ΆάΈέ,.;!\nXYZ",
    ),
    "chinese through uroman": (
        numbered("aeioubdghjklmnpqrstwxyz '-"),
        "a",
        {"language": "cmn", "is_uroman": True},
        "你好世界三百五十爱中国 ABCxyz，。! Приветéß\n\t",
    ),
}
# Those of which only the compatible mode is the same: transformers gives ids that no model has a row for.
ODD_ALPHABETS = {
    "pad outside": (numbered("ab "), "_", {}, "aabb _<unk>"),
    "unk outside": (numbered("ab "), "a", {"unk_token": "?"}, "aabb ?<unk>"),
    "gaps": ({"a": 10, "b": 20, " ": 30, "_": 0}, "_", {}, "aabbAB _?<unk>"),
    "a gap at the end": ({"_": 0, "a": 1, "b": 3, " ": 2, "c": 5}, "<pad>", {}, "aabbc _<pad>"),
    "no id 0": ({"a": 1, "b": 2, " ": 3, "_": 4}, "_", {}, "aabb _?"),
    "two with one id": ({"_": 0, "a": 1, "b": 1, " ": 2}, "_", {}, "aabb _?"),
}
STRINGS = 1000


def drawn(characters, seed, count=STRINGS):
    generator = random.Random(seed)
    return ["".join(generator.choices(characters, k=generator.randrange(1, 25))) for _ in range(count)]


def interspersed(ids):
    out = [0]
    for index in ids:
        out += [index, 0]
    return out


def mms_rules(text, vocabulary, language, is_uroman=False, romanizer=None):
    """The order of the original MMS inference script."""
    if language == "ron":
        text = text.replace("ț", "ţ")
    if is_uroman:
        text = re.sub(r"\s+", " ", romanizer.romanize_string(text)).strip()
    text = "".join(filter(vocabulary.__contains__, text.lower())).strip()
    return interspersed([vocabulary[character] for character in text])


def english_rules(text, vocabulary, phonemize):
    """The original VITS English cleaner, step by step."""
    from unidecode import unidecode

    text = unidecode(text).lower()
    for short, long in [
        ("mrs", "misess"),
        ("mr", "mister"),
        ("dr", "doctor"),
        ("st", "saint"),
        ("co", "company"),
        ("jr", "junior"),
        ("maj", "major"),
        ("gen", "general"),
        ("drs", "doctors"),
        ("rev", "reverend"),
        ("lt", "lieutenant"),
        ("hon", "honorable"),
        ("sgt", "sergeant"),
        ("capt", "captain"),
        ("esq", "esquire"),
        ("ltd", "limited"),
        ("col", "colonel"),
        ("ft", "fort"),
    ]:
        text = re.sub(rf"\b{short}\.", long, text, flags=re.IGNORECASE)
    phonemes = re.sub(r"\s+", " ", phonemize(text))
    return interspersed([vocabulary[symbol] for symbol in phonemes if symbol in vocabulary])


@pytest.fixture(scope="module")
def shared_uroman():
    """Upstream builds a new romaniser for every text, which takes seconds."""
    uroman = pytest.importorskip("uroman")
    instance = uroman.Uroman()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uroman, "Uroman", lambda: instance)
        yield instance


@pytest.fixture
def vocab_file(tmp_path):
    def written(vocabulary):
        path = tmp_path / "vocab.json"
        path.write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
        return str(path)

    return written


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("name", ALPHABETS)
def test_ids_equal_those_of_transformers_in_compatible_mode(name, vocab_file, shared_uroman):
    vocabulary, pad, options, characters = ALPHABETS[name]
    options = {"pad_token": pad, "phonemize": False, **options}
    ours = VitsTokenizer(vocab_file(vocabulary), upstream_compatible=True, **options)
    upstream = transformers.VitsTokenizer(vocab_file(vocabulary), **options)
    texts = drawn(characters, seed=1)
    assert [ours(text)["input_ids"] for text in texts] == [upstream(text)["input_ids"] for text in texts]


@pytest.mark.parametrize("add_blank", [True, False])
@pytest.mark.parametrize("name", ODD_ALPHABETS)
def test_unusual_vocabularies_are_read_as_by_transformers_in_compatible_mode(name, add_blank, vocab_file):
    vocabulary, pad, options, characters = ODD_ALPHABETS[name]
    options = {"pad_token": pad, "phonemize": False, "add_blank": add_blank, **options}
    ours = VitsTokenizer(vocab_file(vocabulary), upstream_compatible=True, **options)
    upstream = transformers.VitsTokenizer(vocab_file(vocabulary), **options)
    for tokenizer in (ours, upstream):
        tokenizer.add_tokens(["é"])
    assert (ours.get_vocab(), len(ours)) == (upstream.get_vocab(), len(upstream))
    assert (ours.unk_token_id, ours.pad_token_id) == (upstream.unk_token_id, upstream.pad_token_id)
    for text in drawn(characters + "é", seed=6, count=200):
        ids, tokens = upstream(text)["input_ids"], upstream.tokenize(text)
        assert (ours(text)["input_ids"], ours.tokenize(text)) == (ids, tokens)
        assert ours.decode(ids) == upstream.decode(ids)
        if None not in tokens:
            assert ours.convert_tokens_to_string(tokens) == upstream.convert_tokens_to_string(tokens)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("name", ALPHABETS)
def test_ids_follow_the_original_mms_rules(name, vocab_file, shared_uroman):
    vocabulary, pad, options, characters = ALPHABETS[name]
    tokenizer = VitsTokenizer(vocab_file(vocabulary), pad_token=pad, phonemize=False, **options)
    for text in drawn(characters, seed=2):
        expected = mms_rules(text, vocabulary, **options, romanizer=shared_uroman)
        if expected == [0]:
            with pytest.raises(ValueError, match="Nothing of the text"):
                tokenizer(text)
        else:
            assert tokenizer(text)["input_ids"] == expected, text


# fmt: off
WORDS = [
    "the", "of", "a", "to", "and", "in", "it", "is", "was", "Dr.", "Mr.", "St.", "42", "1999", "3.5", "$20", "don't",
    "café", "naïve", "“quoted”", "(aside)", "--", "-", "—", "...", ",", ".", "!", "?", ":", ";", "hello,", "world!",
    "birch", "canoe", "smooth", "planks", "U.S.", "e.g.", "&", "%", "well-known\n", "it's", "[x]", "co.", "…",
]
# fmt: on


def sentences(seed, count=STRINGS):
    generator = random.Random(seed)
    return [" ".join(generator.choices(WORDS, k=generator.randrange(1, 9))) for _ in range(count)]


@pytest.fixture(scope="module")
def phonemizer():
    package = pytest.importorskip("phonemizer")
    pytest.importorskip("espeakng_loader")
    logging.getLogger("phonemizer").setLevel(logging.ERROR)
    from hf_vits.text.phonemizer import upstream_phonemes

    upstream_phonemes("a")  # points phonemizer to the library that pip installed
    return package


@pytest.mark.thorough
def test_english_phoneme_ids_equal_those_of_transformers_in_compatible_mode(vocab_file, phonemizer):
    assert (len(LJS), max(LJS.values())) == (177, 177)
    ours = VitsTokenizer(vocab_file(LJS), pad_token="_", upstream_compatible=True)
    upstream = transformers.VitsTokenizer(vocab_file(LJS), pad_token="_")
    texts = sentences(seed=3)
    assert [ours(text)["input_ids"] for text in texts] == [upstream(text)["input_ids"] for text in texts]


@pytest.mark.thorough
def test_english_phoneme_ids_follow_the_original_vits_rules(vocab_file, phonemizer):
    tokenizer = VitsTokenizer(vocab_file(LJS), pad_token="_")

    def phonemize(text):
        return phonemizer.phonemize(
            text,
            language="en-us",
            backend="espeak",
            strip=True,
            preserve_punctuation=True,
            with_stress=True,
            punctuation_marks=';:,.!?¡¿—…"«»“”',  # of the original symbols; phonemizer's own add brackets
        )

    for text in sentences(seed=4):
        expected = english_rules(text, LJS, phonemize)
        if expected == [0]:
            with pytest.raises(ValueError, match="Nothing of the text"):
                tokenizer(text)
        else:
            assert tokenizer(text)["input_ids"] == expected, text


@pytest.mark.parametrize("name", ALPHABETS)
def test_either_tokenizer_loads_the_files_of_the_other(name, vocab_file, shared_uroman, tmp_path):
    vocabulary, pad, options, characters = ALPHABETS[name]
    options = {"pad_token": pad, "phonemize": False, **options}
    ours = VitsTokenizer(vocab_file(vocabulary), **options)
    upstream = transformers.VitsTokenizer(vocab_file(vocabulary), **options)
    ours.save_pretrained(tmp_path / "ours")
    upstream.save_pretrained(tmp_path / "upstream")
    texts = drawn(characters, seed=5, count=20)
    from_ours = transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")
    from_upstream = VitsTokenizer.from_pretrained(tmp_path / "upstream")
    assert type(from_ours) is transformers.VitsTokenizer
    assert [from_ours(text).input_ids for text in texts] == [upstream(text).input_ids for text in texts]
    known = [text for text in texts if upstream(text).input_ids]
    assert [from_upstream(text).input_ids for text in known] == [ours(text).input_ids for text in known]
    assert json.loads((tmp_path / "ours/vocab.json").read_text()) == vocabulary


def test_a_batch_pads_and_truncates_as_transformers_does(vocab_file):
    vocabulary, _, options, _ = ALPHABETS["cyrillic"]
    options = {"pad_token": "|", "phonemize": False, **options}
    ours = VitsTokenizer(vocab_file(vocabulary), **options)
    upstream = transformers.VitsTokenizer(vocab_file(vocabulary), **options)
    texts = ["привет", "да", "мир"]
    for call in (
        {"padding": True},
        {"padding": "max_length", "max_length": 21},
        {"padding": True, "truncation": True, "max_length": 6},
        {"padding": True, "pad_to_multiple_of": 8, "return_tensors": "pt"},
        {"padding": True, "padding_side": "left"},
        {"return_attention_mask": False},
    ):
        expected, got = upstream(texts, **call), ours(texts, **call)
        assert {k: to_list(v) for k, v in got.items()} == {k: to_list(v) for k, v in expected.items()}
        one = {"padding": call.get("padding") == "max_length" and "max_length", "max_length": 21}
        assert dict(ours(texts[0], **one)) == dict(upstream(texts[0], **one))


def to_list(value):
    return value.tolist() if hasattr(value, "tolist") else value
