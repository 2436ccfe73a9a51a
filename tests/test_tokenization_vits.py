import doctest
import json
import pickle
import re
import sys
import unicodedata

import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_vits.text.sentence_splitter import split
from hf_vits.tokenization_vits import HfVitsTokenizer, VitsTokenizer

MMS = {symbol: i for i, symbol in enumerate("k'zjyuxwvts_rqponmlihgfedcba- ")}  # the pad of this voice is the letter k
PIPER = {symbol: i for i, symbol in enumerate("_^$ .,?!abcdefghijklmnopqrstuvwxyzəɪʊˈˌː\u0303")}
COQUI = {symbol: i for i, symbol in enumerate(["<PAD>", "<EOS>", "<BOS>", *"abcdefgh ", "<BLNK>"])}
PIPER_OPTIONS = {
    "pad_token": "_",
    "blank_token": "_",
    "bos_token": "^",
    "eos_token": "$",
    "unicode_form": "NFD",
    "normalize": False,
    "phoneme_style": "piper",
    "phoneme_language": "en-us",
}


@pytest.fixture
def make(tmp_path):
    def made(vocabulary, cls=VitsTokenizer, **options):
        path = tmp_path / "vocab.json"
        path.write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
        return cls(str(path), **options)

    return made


@pytest.fixture
def mms(make):
    return make(MMS, pad_token="k", phonemize=False, language="eng")


@pytest.mark.parametrize("text", ["kite", "kk", "back", "k", "kick the kayak"])
def test_a_pad_that_is_a_letter_keeps_its_blanks(mms, text):
    ids = mms(text)["input_ids"]
    assert ids[1::2] == [MMS[letter] for letter in text]
    assert ids[0::2] == [0] * (len(text) + 1)


def test_special_tokens_in_the_text_are_letters_like_any_other(mms):
    assert mms("a<unk>b")["input_ids"][1::2] == [MMS[letter] for letter in "aunkb"]


def test_piper_sequences_have_bos_eos_and_blanks(make):
    tokenizer = make(PIPER, **PIPER_OPTIONS | {"phonemize": False})
    blank, bos, eos = 0, 1, 2
    assert tokenizer("ab")["input_ids"] == [bos, blank, PIPER["a"], blank, PIPER["b"], blank, eos]
    assert tokenizer("ab", add_special_tokens=False)["input_ids"] == [blank, PIPER["a"], blank, PIPER["b"], blank]
    assert tokenizer("ã")["input_ids"] == [bos, blank, PIPER["a"], blank, PIPER["\u0303"], blank, eos]


def test_coqui_blanks_have_a_token_of_their_own(make):
    tokenizer = make(COQUI, pad_token="<PAD>", blank_token="<BLNK>", phonemize=False)
    assert tokenizer("ab")["input_ids"] == [12, 3, 12, 4, 12]
    with_ends = make(
        COQUI, pad_token="<PAD>", blank_token="<BLNK>", bos_token="<BOS>", eos_token="<EOS>", phonemize=False
    )
    assert with_ends("ab")["input_ids"] == [2, 12, 3, 12, 4, 12, 1]
    batch = tokenizer(["abc", "a"], padding=True)
    assert batch["input_ids"][1] == [12, 3, 12, 0, 0, 0, 0]
    assert tokenizer.batch_decode(batch["input_ids"]) == ["abc", "a"]


def test_without_blanks_there_are_none(make):
    assert make(MMS, pad_token="k", phonemize=False, add_blank=False)("kite")["input_ids"] == [0, 19, 9, 23]


@pytest.mark.parametrize("name", ["blank_token", "bos_token", "eos_token"])
def test_a_declared_token_must_be_in_the_vocabulary(make, name):
    with pytest.raises(ValueError, match=f"`{name}` is '%'.*30 tokens"):
        make(MMS, phonemize=False, **{name: "%"})


@pytest.mark.parametrize("name", ["phoneme_style", "unicode_form", "cleaner"])
def test_an_unknown_option_is_refused_with_the_known_ones(make, name):
    with pytest.raises(ValueError, match=f"`{name}` is 'other'; it can be one of"):
        make(MMS, **{name: "other"})


FLAGS = ("add_blank", "normalize", "phonemize", "is_uroman", "upstream_compatible", "add_bos_eos")


@pytest.mark.parametrize("name", [*FLAGS, "language", "phoneme_language"])
@pytest.mark.parametrize("value", [["hin"], {}, 0, 1.5, ""])
def test_an_option_of_another_type_is_refused_with_its_type(make, name, value):
    if value == "" and name not in FLAGS:
        return  # no language, as transformers leaves it
    allowed = "true or false" if name in FLAGS else "a name, or null"
    with pytest.raises(ValueError, match=re.escape(f"`{name}` is {value!r}; it must be {allowed}")):
        make(MMS, **{name: value})


@pytest.mark.parametrize("options", [{}, {"normalize": False}, {"add_blank": False}])
@given(text=st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_every_id_has_a_row_in_the_model(tmp_path_factory, options, text):
    path = tmp_path_factory.getbasetemp() / "vocab.json"
    path.write_text(json.dumps(MMS))
    tokenizer = VitsTokenizer(str(path), phonemize=False, **options)
    try:
        batch = tokenizer([text, "a much longer text than the other one is"], padding=True)
    except ValueError as error:
        assert "Nothing of the text" in str(error)
        return
    assert all(0 <= index < len(MMS) for row in batch["input_ids"] for index in row)


def test_dropped_characters_are_counted_in_one_warning(mms, caplog):
    assert mms.dropped_characters("Wait! 42%, 4.") == {"!": 1, "4": 2, "2": 1, "%": 1, ",": 1, ".": 1}
    mms(["Hi!", "you?!"])
    assert [record.getMessage() for record in caplog.records] == [
        "The vocabulary lacks parts of the text: dropped 3 characters: '!' x2, '?' x1."
    ]


def test_there_is_no_warning_if_nothing_is_dropped(mms, caplog):
    assert not mms.dropped_characters("Kite")
    mms("Kite")
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!!!", "is left to speak: nothing in it is read aloud; dropped 3 characters: '!' x3."),
        ("", "is left to speak: it is empty."),
        ("   ", "is left to speak: it is empty."),
        ("Привет", "The vocabulary contains.*abcdefgh"),
    ],
)
def test_a_text_without_tokens_is_an_error_that_says_why(mms, text, reason):
    with pytest.raises(ValueError, match=f"Nothing of the text.*{reason}") as caught:
        mms(text)
    assert ("vocabulary" in str(caught.value)) == (text == "Привет")


def test_a_text_without_tokens_is_empty_in_compatible_mode(make):
    assert make(MMS, pad_token="k", phonemize=False, upstream_compatible=True)("!!!")["input_ids"] == []


def test_the_error_for_a_very_long_text_names_the_splitter(mms):
    with pytest.raises(ValueError, match=r"100,001 characters.*hf_vits\.text\.sentence_splitter\.split"):
        mms("a" * 100_001)
    assert len(mms("a" * 100_000)["input_ids"]) == 200_001


@pytest.mark.parametrize("text", [5, 2.5, b"abc", ["a", 3], [["a"]], {"text": "a"}])
def test_a_text_of_another_type_is_refused(mms, text):
    with pytest.raises(ValueError, match="must be a string"):
        mms(text)


@pytest.mark.parametrize("call", [{"text": []}, {"text": "a", "text_pair": "b"}])
def test_empty_batches_and_pairs_are_refused(mms, call):
    with pytest.raises(ValueError, match="give"):
        mms(**call)


def test_offsets_point_into_the_original_text(mms):
    text = "  Kite, İb!"
    encoding = mms(text, return_offsets_mapping=True)
    offsets = encoding["offset_mapping"]
    symbols = [mms.decoder[index] for index in encoding["input_ids"][1::2]]
    assert symbols == list("kite ib")
    assert [text[start:end] for start, end in offsets[1::2]] == ["K", "i", "t", "e", " ", "İ", "b"]
    assert offsets[0::2] == [(2, 2), (3, 3), (4, 4), (5, 5), (7, 7), (8, 8), (9, 9), (10, 10)]


def test_offsets_of_bos_eos_and_padding_are_empty_and_in_place(make):
    tokenizer = make(PIPER, **PIPER_OPTIONS | {"phonemize": False})
    batch = tokenizer(["xab", "a"], return_offsets_mapping=True, padding=True)
    assert batch["offset_mapping"][0] == [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 3)]
    assert batch["offset_mapping"][1] == [(0, 0), (0, 0), (0, 1), (1, 1), (1, 1), *[(1, 1)] * 4]


def test_offsets_are_truncated_with_the_ids(mms):
    kept = mms("kite", return_offsets_mapping=True, truncation=True, max_length=4)
    assert (len(kept["input_ids"]), kept["offset_mapping"]) == (4, [(0, 0), (0, 1), (1, 1), (1, 2)])
    tensors = mms(["kite", "a"], return_offsets_mapping=True, padding=True, return_tensors="pt")
    assert tensors["offset_mapping"].shape == (2, 9, 2)


@given(text=st.text(alphabet="aAßİéé\u0301ǅțŢkK !。\u0130\n", min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_offsets_do_not_change_the_ids_and_never_decrease(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "small.json"
    path.write_text(json.dumps({symbol: i for i, symbol in enumerate("kaeiţțs\u0301\u0307\u0327 ")}))
    tokenizer = VitsTokenizer(str(path), pad_token="k", phonemize=False, language="ron", unicode_form="NFD")
    try:
        plain = tokenizer(text)["input_ids"]
    except ValueError:
        return
    tracked = tokenizer(text, return_offsets_mapping=True)
    assert tracked["input_ids"] == plain
    starts = [start for start, _ in tracked["offset_mapping"]]
    assert starts == sorted(starts)
    assert all(0 <= start <= end <= len(text) for start, end in tracked["offset_mapping"])


def test_compatible_mode_has_no_offsets(make):
    with pytest.raises(ValueError, match="upstream_compatible"):
        make(MMS, phonemize=False, upstream_compatible=True)("a", return_offsets_mapping=True)


def test_decoding_returns_the_text_without_blanks_and_padding(mms):
    texts = ["the kite", "a", "back", "kk"]
    assert [mms.decode(mms(text)["input_ids"]) for text in texts] == texts
    batch = mms(["the long kite", "a"], padding=True, return_tensors="pt")
    assert mms.batch_decode(batch["input_ids"]) == ["the long kite", "a"]
    assert mms.decode(batch["input_ids"][1]) == "a"


def test_the_attention_mask_determines_padding(mms):
    batch = mms(["the long kite", "back", "kkkk"], padding=True, return_tensors="pt")
    decoded = mms.batch_decode(batch["input_ids"], attention_mask=batch["attention_mask"])
    assert decoded == ["the long kite", "back", "kkkk"]


def test_padding_is_unambiguous_if_the_blank_is_another_token(make):
    tokenizer = make(COQUI, pad_token="a", blank_token="<BLNK>", phonemize=False)
    batch = tokenizer(["bad", "ba", "b"], padding=True)
    assert tokenizer.batch_decode(batch["input_ids"]) == ["bad", "ba", "b"]


def test_decoding_removes_bos_and_eos(make):
    tokenizer = make(PIPER, **PIPER_OPTIONS | {"phonemize": False})
    batch = tokenizer(["abc", "a"], padding=True)
    assert batch["attention_mask"][1] == [1] * 5 + [0] * 4
    assert tokenizer.batch_decode(batch["input_ids"]) == ["abc", "a"]


def test_a_vocabulary_with_a_gap_keeps_its_last_token(make):
    tokenizer = make({"_": 0, "a": 1, "b": 3}, pad_token="_", phonemize=False)  # three symbols for four rows
    assert tokenizer("ab")["input_ids"] == [0, 1, 0, 3, 0]
    assert tokenizer.convert_ids_to_tokens(3) == "b"
    assert tokenizer.unk_token_id == 4


def test_a_pad_token_outside_the_vocabulary_pads_with_the_blank(make):
    tokenizer = make(MMS, phonemize=False)
    assert tokenizer.pad_token == "<pad>"
    assert tokenizer(["ab", "a"], padding=True)["input_ids"][1] == [0, MMS["a"], 0, 0, 0]


def test_tokens_and_ids_convert_into_each_other(mms):
    tokens = mms.tokenize("kite")
    assert tokens == ["k", "k", "k", "i", "k", "t", "k", "e", "k"]
    assert mms.convert_tokens_to_ids(tokens) == mms("kite")["input_ids"] == mms.encode("kite")
    assert mms.convert_ids_to_tokens(mms.encode("kite")) == tokens


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "VitsTokenizer"),
        ({"blank_token": "k"}, "VitsTokenizer"),  # id 0, as upstream has it
        ({"upstream_compatible": True}, "VitsTokenizer"),
        ({"blank_token": "a"}, "HfVitsTokenizer"),
        ({"bos_token": "a"}, "HfVitsTokenizer"),
        ({"eos_token": "a"}, "HfVitsTokenizer"),
        ({"unicode_form": "NFD"}, "HfVitsTokenizer"),
        ({"phonemize": True, "phoneme_style": "piper"}, "HfVitsTokenizer"),
        ({"phonemize": True, "phoneme_language": "de"}, "HfVitsTokenizer"),
        ({"phonemize": True, "phoneme_language": "en-us"}, "VitsTokenizer"),
    ],
)
def test_the_saved_class_is_ours_if_transformers_has_other_ids(make, tmp_path, options, name):
    tokenizer = make(MMS, pad_token="k", **{"phonemize": False, **options})
    tokenizer.save_pretrained(tmp_path / "saved")
    config = json.loads((tmp_path / "saved/tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == name
    loaded = HfVitsTokenizer.from_pretrained(tmp_path / "saved")
    for option, value in options.items():
        assert getattr(loaded, option) == value
    if not options:  # a file upstream could write
        upstream = transformers.VitsTokenizer(tokenizer.init_kwargs and str(tmp_path / "vocab.json"), pad_token="k")
        upstream.save_pretrained(tmp_path / "upstream")
        assert config.keys() == json.loads((tmp_path / "upstream/tokenizer_config.json").read_text()).keys()


def test_saving_and_loading_keeps_the_ids(make, tmp_path):
    tokenizer = make(PIPER, HfVitsTokenizer, **PIPER_OPTIONS | {"phonemize": False})
    tokenizer.save_pretrained(tmp_path / "saved")
    loaded = HfVitsTokenizer.from_pretrained(tmp_path / "saved")
    assert loaded("hello ã.")["input_ids"] == tokenizer("hello ã.")["input_ids"]
    assert (loaded.bos_token, loaded.eos_token, loaded.blank_token) == ("^", "$", "_")
    loaded.save_pretrained(tmp_path / "again")
    for name in ("vocab.json", "tokenizer_config.json"):
        assert (tmp_path / "again" / name).read_text() == (tmp_path / "saved" / name).read_text()


def test_folders_of_transformers_4_load(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps(MMS))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"<unk>": len(MMS)}))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": "k", "unk_token": "<unk>"}))
    config = {"add_blank": True, "normalize": True, "phonemize": False, "language": "eng", "is_uroman": False}
    config |= {"pad_token": "k", "unk_token": "<unk>", "tokenizer_class": "VitsTokenizer"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = VitsTokenizer.from_pretrained(tmp_path)
    assert tokenizer("Kite")["input_ids"] == [0, 0, 0, 19, 0, 9, 0, 23, 0]
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.language) == (0, len(MMS), "eng")


def test_separate_encodings_can_be_padded(mms):
    batch = mms.pad([mms("kite"), mms("a", return_offsets_mapping=False)], return_tensors="pt")
    assert batch["input_ids"].tolist() == mms(["kite", "a"], padding=True)["input_ids"]
    assert batch["attention_mask"].sum(dim=1).tolist() == [9, 3]


def test_unknown_phonemes_are_dropped_and_counted(make):
    pytest.importorskip("espeakng_loader")
    tokenizer = make({symbol: i for i, symbol in enumerate("_həlo ")}, pad_token="_")
    assert tokenizer.dropped_characters("Hello") == {"ˈ": 1, "ʊ": 1}  # of həlˈoʊ
    assert tokenizer("Hello")["input_ids"] == [0, 1, 0, 2, 0, 3, 0, 4, 0]


def test_a_tokenizer_can_be_pickled(mms):
    assert pickle.loads(pickle.dumps(mms))("Kite!")["input_ids"] == mms("Kite!")["input_ids"]


def test_the_pipeline_accepts_the_tokenizer(mms):
    config = transformers.VitsConfig(
        vocab_size=len(MMS),
        hidden_size=16,
        num_hidden_layers=1,
        ffn_dim=16,
        flow_size=16,
        spectrogram_bins=9,
        upsample_initial_channel=32,
        posterior_encoder_num_wavenet_layers=1,
        duration_predictor_filter_channels=16,
    )
    pipe = transformers.pipeline("text-to-speech", model=transformers.VitsModel(config), tokenizer=mms, device="cpu")
    assert pipe("A kite")["audio"].size > 0


def test_options_changed_later_take_effect(mms):
    mms.add_blank = False
    assert mms("kite")["input_ids"] == [0, 19, 9, 23]


def test_the_error_for_missing_uroman_has_the_command_that_installs_it(make, monkeypatch):
    from hf_vits.text import normalizers

    normalizers._uroman.cache_clear()
    monkeypatch.setitem(sys.modules, "uroman", None)
    tokenizer = make(MMS, pad_token="k", phonemize=False, is_uroman=True)
    assert tokenizer("kite")["input_ids"] == [0, 0, 0, 19, 0, 9, 0, 23, 0]  # Latin letters need none
    with pytest.raises(ImportError, match=r'pip install "hf_vits\[phonemes\]"'):
        tokenizer("Привет")


LETTERS = {letter: index for index, letter in enumerate("_ abcdefghijklmnopqrstuvwxyzäéüñçệẹ\u0301\u0300한국어힘")}


@pytest.mark.parametrize(
    "text", ["café à la crème", "Älter ÜBER", "niño, ça", "Việt", "ẹ\u0301 ọ", "한국어 힘", "e\u0301e\u0323\u0301"]
)
def test_decomposed_text_becomes_the_letters_of_the_vocabulary(make, text):
    tokenizer = make(LETTERS, phonemize=False, pad_token="_")
    composed, apart = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    expected = tokenizer(composed, return_offsets_mapping=True)
    given = tokenizer(apart, return_offsets_mapping=True)
    read = tokenizer.decode(given.input_ids)
    assert set(read) <= set(LETTERS)
    for letter in composed.lower():
        if letter in LETTERS:
            assert letter in read
    if all(letter in LETTERS for letter in composed.lower() if letter != ","):
        assert given.input_ids == expected.input_ids
    for symbol, (start, end) in zip(read, given.offset_mapping[1::2], strict=True):
        original = unicodedata.normalize("NFC", apart[start:end]).lower()
        assert symbol in original, (symbol, original)  # a letter spans itself with its marks


def test_a_vocabulary_of_letters_and_marks_decomposes_letters(make):
    tokenizer = make({symbol: index for index, symbol in enumerate("_aeo\u0301\u0323")}, phonemize=False, pad_token="_")
    assert tokenizer.decode(tokenizer("é\u0323óa").input_ids) == "e\u0323\u0301o\u0301a"
    assert not tokenizer.dropped_characters("ẹ́")


def test_a_letter_that_is_unknown_in_every_form_is_reported_unchanged(make):
    tokenizer = make({symbol: index for index, symbol in enumerate("_ae")}, phonemize=False, pad_token="_")
    assert tokenizer.dropped_characters("aé") == {"é": 1}
    assert tokenizer.dropped_characters("ae\u0301") == {"\u0301": 1}


@pytest.mark.parametrize("style", ["vits", "piper"])
@pytest.mark.parametrize(
    ("language", "text"), [("fr-fr", "café, naïf"), ("vi", "tiếng Việt"), ("ko", "안녕"), ("en-us", "naïve")]
)
def test_decomposed_text_has_the_phonemes_of_the_composed_one(make, language, text, style):
    pytest.importorskip("espeakng_loader")
    tokenizer = make(PIPER, **{**PIPER_OPTIONS, "phoneme_language": language, "phoneme_style": style})
    composed, apart = (tokenizer(unicodedata.normalize(form, text)).input_ids for form in ("NFC", "NFD"))
    assert composed == apart


def test_without_a_pad_token_there_is_no_pad_id_but_ids_are_decoded(make_tokenizer):
    tokenizer = make_tokenizer()
    ids = tokenizer("a dog").input_ids
    tokenizer.pad_token = None
    assert tokenizer.pad_token_id is None
    assert tokenizer.decode(ids) == "a dog"


def test_the_whole_signature_is_kept_for_a_copy(make_tokenizer):
    import inspect

    tokenizer = make_tokenizer()
    signature = inspect.signature(type(tokenizer).__init__).parameters.values()
    optional = [parameter.name for parameter in signature if parameter.default is not inspect.Parameter.empty]
    assert set(optional) - {"self", "vocab_file", "kwargs"} <= tokenizer.init_kwargs.keys()
    assert tokenizer.init_kwargs["bos_token"] is None and tokenizer.init_kwargs["blank_token"] is None


def test_a_pad_token_outside_the_vocabulary_is_saved_as_one_that_transformers_can_use(
    make_tokenizer, make_model, tmp_path
):
    import torch
    import transformers

    tokenizer = make_tokenizer(pad_token="<pad>")
    tokenizer.save_pretrained(tmp_path)
    make_model().save_pretrained(tmp_path)
    upstream = transformers.VitsTokenizer.from_pretrained(tmp_path)
    texts = ["a dog", "deaf"]
    batch = upstream(texts, padding=True, return_tensors="pt")
    assert torch.equal(batch.input_ids, tokenizer(texts, padding=True, return_tensors="pt").input_ids)
    with torch.no_grad():
        assert transformers.VitsModel.from_pretrained(tmp_path)(**batch).waveform.shape[0] == 2
    again = type(tokenizer).from_pretrained(tmp_path)
    assert again.pad_token_id == tokenizer.pad_token_id and again.decode(batch.input_ids[1]) == "deaf"


@pytest.mark.parametrize("documented", [VitsTokenizer, split])
def test_the_examples_of_docstrings_run(documented):
    text = documented.__doc__.split("```python")[1].split("```")[0]
    example = doctest.DocTestParser().get_doctest(text, {}, documented.__name__, None, 0)
    assert len(example.examples) > 1
    assert doctest.DocTestRunner().run(example).failed == 0
