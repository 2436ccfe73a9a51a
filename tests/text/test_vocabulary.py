"""Files of a tokenizer, also those of transformers, and the errors for damaged ones."""

import json

import pytest
import transformers

from hf_vits.tokenization_vits import HfVitsTokenizer, VitsTokenizer

LETTERS = {"_": 0, "a": 1, "b": 2}
OPTIONS = {"pad_token": "_", "phonemize": False}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps(LETTERS))
    return tmp_path


@pytest.fixture
def tokenizer(folder):
    return VitsTokenizer(str(folder / "vocab.json"), **OPTIONS)


def config_of(folder):
    return json.loads((folder / "tokenizer_config.json").read_text())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("\xff", "is not JSON"),
        ("{}", "found no token"),
        ('["a", "b"]', "found a list"),
        ('{"a": -1}', "found 'a': -1"),
        ('{"_": 0, "a": "1"}', "found 'a': '1'"),
        ('{"_": 0, "a": true}', "found 'a': True"),
        ('{"a": 1, "b": 2}', "gives no token the id 0.*`blank_token`"),
    ],
)
def test_an_invalid_vocabulary_is_refused_with_its_path(folder, content, message):
    path = folder / "vocab.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ValueError, match=rf"vocab\.json.*{message}"):
        VitsTokenizer(str(path), **OPTIONS)
    with pytest.raises(ValueError, match=rf"vocab\.json.*{message}"):
        VitsTokenizer.from_pretrained(folder, **OPTIONS)


def test_a_vocabulary_without_the_id_0_needs_a_blank_token_or_no_blank(folder):
    path = folder / "vocab.json"
    path.write_text('{"a": 1, "b": 2}')
    assert VitsTokenizer(str(path), **OPTIONS, blank_token="b")("a")["input_ids"] == [2, 1, 2]
    assert VitsTokenizer(str(path), **OPTIONS, add_blank=False)("ab")["input_ids"] == [1, 2]


def test_a_folder_without_a_vocabulary_is_named(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(OSError, match=rf"{tmp_path.name} has no vocab\.json"):
        VitsTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]", '"a"'])
def test_a_broken_configuration_is_named(folder, content):
    (folder / "tokenizer_config.json").write_text(content)
    with pytest.raises(ValueError, match=rf"{folder.name}.*(is not JSON|must hold one JSON object)"):
        VitsTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("token", ["<s>", "a"])
def test_transformers_files_with_a_bos_token_load_and_never_add_it(folder, token):
    upstream = transformers.VitsTokenizer(str(folder / "vocab.json"), **OPTIONS, bos_token=token)
    upstream.save_pretrained(folder / "upstream")
    for options in ({}, {"upstream_compatible": True}):
        loaded = VitsTokenizer.from_pretrained(folder / "upstream", **options)
        assert loaded.bos_token == token
        assert loaded("b")["input_ids"] == [0, 2, 0]
        loaded.save_pretrained(folder / "again")
        assert config_of(folder / "again")["tokenizer_class"] == "VitsTokenizer"
        again = VitsTokenizer.from_pretrained(folder / "again")
        assert (again("b")["input_ids"], again.decode([0, 2, 0])) == ([0, 2, 0], "b")


def test_a_special_token_named_later_changes_no_id_and_survives_saving(tokenizer, folder):
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "b"})
    assert tokenizer("ab")["input_ids"] == [0, 1, 0, 2, 0]
    tokenizer.save_pretrained(folder / "saved")
    loaded = VitsTokenizer.from_pretrained(folder / "saved")
    assert (loaded.bos_token, loaded("ab")["input_ids"]) == ("<s>", [0, 1, 0, 2, 0])


def test_a_bos_token_is_added_if_an_option_of_this_package_or_the_caller_declares_it(folder):
    VitsTokenizer(str(folder / "vocab.json"), **OPTIONS, bos_token="a").save_pretrained(folder)
    assert config_of(folder)["tokenizer_class"] == "HfVitsTokenizer"
    assert HfVitsTokenizer.from_pretrained(folder)("b")["input_ids"] == [1, 0, 2, 0]
    config = {**OPTIONS, "tokenizer_class": "VitsTokenizer", "bos_token": "a"}
    for extension, adds_bos in (({}, False), ({"add_bos_eos": True}, True), ({"unicode_form": "NFD"}, True)):
        (folder / "tokenizer_config.json").write_text(json.dumps({**config, **extension}))
        assert VitsTokenizer.from_pretrained(folder)("b")["input_ids"] == [1] * adds_bos + [0, 2, 0]
    (folder / "tokenizer_config.json").write_text(json.dumps(OPTIONS))
    assert VitsTokenizer.from_pretrained(folder, bos_token="a")("b")["input_ids"] == [1, 0, 2, 0]
    assert VitsTokenizer.from_pretrained(folder, bos_token="a", add_bos_eos=False)("b")["input_ids"] == [0, 2, 0]


def test_a_tokenizer_that_adds_no_bos_is_loaded_without(folder):
    options = {**OPTIONS, "bos_token": "a", "blank_token": "b", "add_bos_eos": False}
    VitsTokenizer(str(folder / "vocab.json"), **options).save_pretrained(folder)
    assert config_of(folder)["add_bos_eos"] is False
    assert HfVitsTokenizer.from_pretrained(folder)("a")["input_ids"] == [2, 1, 2]


def test_a_bos_token_changed_to_one_outside_the_vocabulary_is_refused(folder):
    tokenizer = VitsTokenizer(str(folder / "vocab.json"), **OPTIONS, bos_token="a")
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    for call in (lambda: tokenizer("b"), lambda: tokenizer.save_pretrained(folder / "saved")):
        with pytest.raises(ValueError, match="`bos_token` is '<s>'"):
            call()


def test_a_token_that_the_model_was_not_trained_on_cannot_be_added(tokenizer, folder):
    with pytest.raises(ValueError, match="'é' cannot be added.*special_tokens=True"):
        tokenizer.add_tokens(["a", "é"])
    with pytest.raises(ValueError, match="'<x>' cannot be added"):
        tokenizer.add_tokens("<x>")
    assert tokenizer.add_tokens(["<x>"], special_tokens=True) == 1
    compatible = VitsTokenizer(str(folder / "vocab.json"), **OPTIONS, upstream_compatible=True)
    assert compatible.add_tokens(["é"]) == 1


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"language": "deu"}, "HfVitsTokenizer"),  # transformers would use American English
        ({"phoneme_language": "EN-US"}, "VitsTokenizer"),
        ({"language": "eng"}, "VitsTokenizer"),
        ({"language": "deu", "phonemize": False}, "VitsTokenizer"),
        ({"language": "deu", "upstream_compatible": True}, "VitsTokenizer"),
    ],
)
def test_the_saved_class_depends_on_the_language(folder, options, name):
    options = {"pad_token": "_", **options}
    VitsTokenizer(str(folder / "vocab.json"), **options).save_pretrained(folder)
    assert config_of(folder)["tokenizer_class"] == name


@pytest.mark.parametrize("value", [b"abc", bytearray(b"abc")])
def test_the_error_for_bytes_names_their_type(tokenizer, value):
    with pytest.raises(ValueError, match=rf"must be a string.*\({type(value).__name__}\)"):
        tokenizer(value)


@pytest.mark.parametrize(("batch", "message"), [(["ab", ""], "Nothing of the text"), (["ab", 3], "must be a string")])
def test_an_error_in_a_batch_has_the_index_of_the_text(tokenizer, batch, message):
    with pytest.raises(ValueError, match=f"Text 1 of the batch: .*{message}"):
        tokenizer(batch)


def test_one_dropped_character_is_in_the_singular(tokenizer, caplog):
    tokenizer("ab!")
    assert caplog.records[-1].getMessage().endswith("dropped 1 character: '!' x1.")


def test_a_large_vocabulary_is_not_listed_whole(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({chr(0x4E00 + i): i for i in range(5000)}))
    with pytest.raises(ValueError, match=r"The vocabulary contains '.{60}\.\.\.'") as caught:
        VitsTokenizer(str(tmp_path / "vocab.json"), **OPTIONS)("a")
    assert len(str(caught.value)) < 250


def test_transformers_preparation_is_refused_outside_the_compatible_mode(tokenizer):
    with pytest.raises(ValueError, match="upstream_compatible=True"):
        tokenizer.prepare_for_tokenization("a")


def test_tokens_convert_to_their_text(tokenizer, folder):
    assert tokenizer.convert_tokens_to_string(tokenizer.tokenize("bab")) == "bab"
    with_ends = VitsTokenizer(str(folder / "vocab.json"), **OPTIONS, bos_token="a", eos_token="b")
    assert with_ends.convert_tokens_to_string(with_ends.tokenize("bab")) == "bab"


def test_blanks_within_a_word_have_its_offsets(folder):
    pytest.importorskip("espeakng_loader")
    (folder / "vocab.json").write_text(json.dumps({symbol: i for i, symbol in enumerate("_ haʊsðə.ˈiɡbɪ")}))
    tokenizer = VitsTokenizer(str(folder / "vocab.json"), pad_token="_")
    offsets = tokenizer("The big house.", return_offsets_mapping=True)["offset_mapping"]
    for places in zip(*offsets, strict=True):
        assert list(places) == sorted(places)
    assert offsets[:6] == [(0, 0), (0, 3), (0, 3), (0, 3), (3, 3), (3, 4)]
