"""The original's `G_*.pth` and MMS's folders become voices that sound the same, with text and discriminators."""

import json
import shutil

import pytest
import torch
from original_discriminators import Original, stored_as, write_pth
from original_files import in_original_layout, original_config, tiny_model, with_weight_norm, write_original

from hf_vits import VitsModel, VitsTokenizer, convert
from hf_vits.cli import main
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator
from hf_vits.hub.license import origin_of
from hf_vits.training.initialization import ModelInitialization

KINDS = {
    "one speaker": {},
    "several speakers": {"num_speakers": 3, "speaker_embedding_size": 6},
    "deterministic durations": {"use_stochastic_duration_prediction": False},
    "block type 2": {"resblock_type": "2", "resblock_dilation_sizes": [[1, 2], [2, 6]]},
    "without posterior encoder": {"inference_only": True},
}
ACCENTED = ("k", "'", "z", "é", "n", " ", "ß", "ț", "a", "b", "c", "d", "-", "_")


def speak(model, **extra):
    ids = torch.tensor([[0, 7, 0, 12, 0, 3, 0]])
    speaker = {"speaker_id": 1} if model.config.num_speakers > 1 else {}
    return model(ids, noise_scale=0.0, noise_scale_duration=0.0, **speaker, **extra).waveform


def write_mms(folder, model, symbols=ACCENTED, **data):
    """As fairseq's archives unpack: a folder named after the language."""
    file = write_original(folder, model, **{"text_cleaners": [], "training_files": "train.ltr", **data})
    (folder / "vocab.txt").write_text("".join(f"{symbol}\n" for symbol in symbols), encoding="utf-8")
    return file


@pytest.mark.thorough
@pytest.mark.parametrize("fields", KINDS.values(), ids=KINDS)
def test_a_voice_comes_back_with_equal_tensors_and_equal_sound(fields, tmp_path):
    model = tiny_model(**fields)
    file = write_original(tmp_path / "run", model, in_original_layout(model))

    convert(file).save(tmp_path / "voice")

    back = VitsModel.from_pretrained(tmp_path / "voice")
    weights, expected = back.state_dict(), model.state_dict()
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(weights[name], tensor), name
    assert torch.equal(speak(back), speak(model))


def test_weight_norm_is_folded_in_the_decoder_and_kept_in_the_wavenets(tmp_path):
    model = tiny_model()
    tensors = with_weight_norm(in_original_layout(model))
    assert "dec.ups.0.weight_g" in tensors and "flow.flows.0.enc.in_layers.0.weight_g" in tensors

    converted = convert(write_original(tmp_path, model, tensors))

    for name, tensor in model.state_dict().items():
        if name.startswith("decoder."):
            torch.testing.assert_close(converted.state_dict[name], tensor, rtol=1e-6, atol=0)
        else:
            assert torch.equal(converted.state_dict[name], tensor), name


@pytest.mark.parametrize("wrapped", [False, True])
def test_names_may_begin_as_distributed_training_leaves_them(wrapped, tmp_path):
    model = tiny_model()
    tensors = in_original_layout(model)
    if wrapped:
        tensors = {"module." + name: tensor for name, tensor in tensors.items()}
    torch.save(tensors, write_original(tmp_path, model))

    assert convert(tmp_path / "G_7.pth").state_dict.keys() == model.state_dict().keys()


def test_the_configuration_tells_of_sound_training_and_speakers(tmp_path):
    model = tiny_model(num_speakers=3, speaker_embedding_size=6)
    config = original_config(model, win_length=20, mel_fmin=55.0, mel_fmax=7000.0, n_mel_channels=60)
    config["speakers"] = {"ada": 0, "cem": 2}

    ours = convert(write_original(tmp_path, model, config=config)).config

    assert (ours.sampling_rate, ours.fft_size, ours.hop_length, ours.win_length) == (16_000, 32, 8, 20)
    assert (ours.num_mel_bins, ours.mel_fmin, ours.mel_fmax) == (60, 55.0, 7000.0)
    assert list(ours.speaker_names) == ["ada", "1", "cem"]
    assert (ours.noise_scale, ours.noise_scale_duration, ours.speaking_rate) == (0.667, 0.8, 1.0)


@pytest.mark.thorough
def test_the_discriminators_of_the_same_step_come_along_and_training_starts_with_them(tmp_path):
    discriminators = Original().eval()
    write_pth(
        write_original(tmp_path / "run", tiny_model()).with_name("D_7.pth"),
        stored_as(discriminators.state_dict()),
    )

    converted = convert(tmp_path / "run")
    converted.save(tmp_path / "voice")

    assert any("training can continue at once" in note for note in converted.notes)
    back = VitsDiscriminator.from_pretrained(tmp_path / "voice", subfolder="discriminator").eval()
    waveform = torch.randn(1, 1, 600, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        scores, theirs = back(waveform).logits, [features[-1] for features in discriminators(waveform)]
    for ours, expected in zip(scores, theirs, strict=True):
        torch.testing.assert_close(ours.flatten(), expected.flatten(), rtol=1e-4, atol=1e-5)
    start = ModelInitialization.from_pretrained(str(tmp_path / "voice"))
    assert not start.new_modules


@pytest.mark.thorough
def test_discriminators_elsewhere_are_read_from_where_they_are_given(tmp_path):
    write_original(tmp_path / "run", tiny_model())
    elsewhere = write_pth(tmp_path / "D_other.pth", stored_as(Original().state_dict()))

    assert main(["convert", str(tmp_path / "run"), str(tmp_path / "a"), "--discriminator", str(elsewhere)]) == 0
    assert main(["convert", str(tmp_path / "run"), str(tmp_path / "b")]) == 0

    assert (tmp_path / "a" / "discriminator" / "config.json").is_file()
    assert not (tmp_path / "b" / "discriminator").exists()


def test_a_folder_of_several_checkpoints_asks_which(tmp_path):
    file = write_original(tmp_path, tiny_model())
    shutil.copy(file, tmp_path / "G_8.pth")

    with pytest.raises(ValueError, match="G_7.pth, G_8.pth. Give the file itself"):
        convert(tmp_path)


def test_mms_text_is_blanked_by_symbol_0_even_where_that_is_a_letter(tmp_path):
    convert(write_mms(tmp_path / "fra", tiny_model())).save(tmp_path / "voice")

    tokenizer = VitsTokenizer.from_pretrained(tmp_path / "voice")

    def ids(text):
        """fairseq's order: lower case, drop what is unknown, strip, then a 0 around every symbol."""
        known = [ACCENTED.index(letter) for letter in text.lower() if letter in ACCENTED]
        return [0, *(i for symbol in known for i in (symbol, 0))]

    for text in ("KZé ", "k", "kk", "z k?a!", "ß-ab"):
        assert tokenizer(text)["input_ids"] == ids(text.strip()), text
    assert (tokenizer.language, tokenizer.is_uroman, tokenizer.phonemize) == ("fra", False, False)


def test_mms_says_that_it_romanises_and_that_it_is_not_for_commerce(tmp_path, caplog):
    converted = convert(write_mms(tmp_path / "kor", tiny_model(), training_files="/data/kor/train.uroman"))
    converted.save(tmp_path / "voice")

    assert converted.tokenizer.is_uroman and converted.tokenizer.language == "kor"
    assert any("may be used commercially" in note for note in converted.notes)
    assert origin_of(str(tmp_path / "voice")).is_non_commercial


@pytest.mark.thorough
def test_stock_transformers_speaks_a_converted_mms_voice_the_same(tmp_path):
    import transformers

    model = tiny_model(vocab_size=len(ACCENTED))
    convert(write_mms(tmp_path / "fra", model)).save(tmp_path / "voice")

    stock = transformers.VitsModel.from_pretrained(tmp_path / "voice").eval()
    stock.noise_scale = stock.noise_scale_duration = 0.0
    with torch.no_grad():
        theirs = stock(torch.tensor([[0, 7, 0, 12, 0, 3, 0]])).waveform
    torch.testing.assert_close(theirs, speak(model), rtol=0, atol=1e-5)


def test_a_voice_of_178_symbols_has_the_original_s_with_the_apostrophe_at_176(tmp_path):
    tokenizer = convert(write_original(tmp_path, tiny_model(vocab_size=178))).tokenizer

    ids = tokenizer.get_vocab()
    expected = {"_": 0, ";": 1, " ": 16, "A": 17, "z": 68, "ɑ": 69, "ˈ": 156, "'": 176, "\u0329": 175, "ᵻ": 177}
    assert {symbol: ids[symbol] for symbol in expected} == expected
    assert tokenizer.phonemize and tokenizer.cleaner == "english" and tokenizer.vocab_size == 177


def test_symbols_in_the_configuration_win_and_unknown_cleaners_are_said(tmp_path):
    model = tiny_model()
    config = original_config(model, text_cleaners=["zh_ja_mixture_cleaners"])
    config["symbols"] = list("_,.!?-~…NQabdefghkl")

    converted = convert(write_original(tmp_path, model, config=config))

    assert converted.tokenizer("aN!")["input_ids"] == [0, 10, 0, 8, 0, 3, 0]
    assert any("zh_ja_mixture_cleaners" in note and "takes text unchanged" in note for note in converted.notes)


def test_a_voice_whose_symbols_nobody_tells_is_converted_without_a_tokenizer_and_says_so(tmp_path):
    converted = convert(write_original(tmp_path, tiny_model()))

    assert converted.tokenizer is None
    assert any("No tokenizer: the voice has 20 symbols" in note for note in converted.notes)


CONTRADICTIONS = {
    "data.n_speakers": (("data", "n_speakers"), 7, "`data.n_speakers` in .*config.json is 7"),
    "data.hop_length": (("data", "hop_length"), 256, "`data.hop_length` in .*config.json is 256"),
    "data.filter_length": (("data", "filter_length"), 1024, "`data.filter_length` in .*config.json is 1024"),
    "model.resblock": (("model", "resblock"), "2", "`model.resblock` in .*config.json is 2"),
    "no rates": (("model", "upsample_rates"), None, "has no `model.upsample_rates`"),
    "rates in words": (("model", "upsample_rates"), ["8"], "`model.upsample_rates` .* must be a list of whole"),
    "flat dilations": (("model", "resblock_dilation_sizes"), [1, 3], "must be a list of lists"),
    "rate": (("data", "sampling_rate"), "fast", "`data.sampling_rate` .* must be a whole number"),
    "add_blank": (("data", "add_blank"), "yes", "`data.add_blank` .* must be true or false"),
    "symbols": (("symbols",), list("abcdefghijklmnopqrstuvw"), "23 symbols are listed, but the embedding has 20 rows"),
}


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("path", "value", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_configuration_that_is_not_this_voice_s_is_refused_and_nothing_written(path, value, message, tmp_path):
    model = tiny_model()
    config = original_config(model)
    inner = config
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    file = write_original(tmp_path / "run", model, config=config)

    with pytest.raises(ValueError, match=message):
        convert(file).save(tmp_path / "voice")
    assert not (tmp_path / "voice").exists()


def test_a_voice_without_its_configuration_asks_for_it(tmp_path):
    file = write_original(tmp_path, tiny_model())
    (tmp_path / "config.json").rename(tmp_path / "other.json")

    with pytest.raises(FileNotFoundError, match="config.json is missing.*--config"):
        convert(file)
    assert convert(file, tmp_path / "other.json").config.sampling_rate == 16_000


def test_discriminators_in_the_place_of_a_voice_are_distinguished(tmp_path):
    with pytest.raises(ValueError, match="no format that can be converted"):
        convert(write_pth(tmp_path / "D_7.pth", stored_as(Original().state_dict())))


def test_a_table_of_symbols_that_is_not_text_is_refused(tmp_path):
    file = write_mms(tmp_path / "fra", tiny_model())
    (tmp_path / "fra" / "vocab.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="vocab.txt is not UTF-8"):
        convert(file)
    (tmp_path / "fra" / "vocab.txt").write_bytes(b"")
    with pytest.raises(ValueError, match="vocab.txt holds no symbol"):
        convert(file)


def test_a_converted_folder_has_a_card_that_says_what_was_done(tmp_path):
    convert(write_mms(tmp_path / "fra", tiny_model())).save(tmp_path / "voice")

    text = (tmp_path / "voice" / "README.md").read_text(encoding="utf-8")
    assert "license: cc-by-nc-4.0" in text and "language: fra" in text and "An MMS voice" in text
    assert json.loads((tmp_path / "voice" / "config.json").read_text())["model_type"] == "vits"


def test_a_folder_that_holds_what_is_read_is_not_replaced(tmp_path, capsys):
    file = write_original(tmp_path / "run", tiny_model())

    for output in (tmp_path / "run", tmp_path):
        assert main(["convert", str(file), str(output), "--overwrite"]) == 1
        assert "give another folder" in capsys.readouterr().err
    assert file.is_file()


def test_a_voice_stripped_for_speech_is_taken_with_what_else_only_training_uses(tmp_path):
    model = tiny_model()
    tensors = in_original_layout(model)
    stripped = {name: tensor for name, tensor in tensors.items() if not name.startswith("enc_q.")}
    assert any(name.startswith("dp.post_") for name in stripped)

    converted = convert(write_original(tmp_path, model, stripped))

    assert converted.config.inference_only
    assert any("Left out, used in training only: dp.flows.1" in note or "dp.post_" in note for note in converted.notes)
    assert torch.equal(speak(converted.model()), speak(model))


def test_half_a_posterior_encoder_is_damage_and_no_field_of_ours_is_advised(tmp_path):
    tensors = in_original_layout(tiny_model())
    del tensors["enc_q.proj.bias"]

    with pytest.raises(ValueError, match=r"(?s)posterior_encoder.conv_proj.bias.*part of them and not all") as error:
        convert(write_original(tmp_path, tiny_model(), tensors))
    assert "inference_only" not in str(error.value)


def test_the_state_of_training_beside_the_weights_is_noted(tmp_path):
    notes = convert(write_original(tmp_path, tiny_model())).notes

    assert "Left out, the state of training beside the weights: iteration, optimizer, learning_rate." in notes


@pytest.mark.parametrize("name", ["G_9.pth", "ada.pth"])
def test_discriminators_of_another_number_are_not_read_but_noted(name, tmp_path):
    file = write_original(tmp_path, tiny_model()).rename(tmp_path / name)
    write_pth(tmp_path / "D_10.pth", stored_as(Original().state_dict()))

    converted = convert(file)

    assert converted.discriminator is None
    assert any("of another number: D_10.pth" in note and "--discriminator" in note for note in converted.notes)


def test_a_table_of_one_speaker_becomes_a_part_of_biases(tmp_path):
    model = tiny_model(num_speakers=2, speaker_embedding_size=6)
    tensors, config = in_original_layout(model), original_config(model, n_speakers=1)
    tensors["emb_g.weight"] = tensors["emb_g.weight"][1:]

    converted = convert(write_original(tmp_path, model, with_weight_norm(tensors), config))

    assert (converted.config.num_speakers, converted.config.speaker_embedding_size) == (1, 0)
    assert any("vector was added to the biases" in note for note in converted.notes)
    torch.testing.assert_close(speak(converted.model()), speak(model), rtol=0, atol=2e-5)


PHONEMES = list("_^$ .,?abdeiknostˈˌː")
LETTERS = list("_-' .,?abcdefghiklmn")


def notes_of(folder, symbols, cleaners, mms=False):
    model = tiny_model()
    config = original_config(model, text_cleaners=cleaners)
    if not mms:
        config["symbols"] = symbols
    else:
        (folder / "vocab.txt").write_text("".join(f"{symbol}\n" for symbol in symbols), encoding="utf-8")
    return convert(write_original(folder, model, config=config)).notes


@pytest.mark.parametrize(
    ("symbols", "cleaners", "expected"),
    [(PHONEMES, [], True), (LETTERS, [], False), (PHONEMES, ["english_cleaners2"], False)],
)
def test_phonemes_that_no_cleaner_makes_from_a_text_are_noted(tmp_path, symbols, cleaners, expected):
    notes = notes_of(tmp_path, symbols, cleaners)

    assert any("give the tokenizer phonemes in place of texts" in note for note in notes) == expected


def test_rows_without_a_symbol_are_counted_and_not_taken_for_long_symbols(tmp_path):
    notes = notes_of(tmp_path, [*LETTERS[:17], "", "", "sh"], ["basic_cleaners"])

    assert "Left out, symbols that are not one code point: 'sh'." in notes
    assert "2 of the 20 rows of symbols have none, so that no text uses them." in notes


@pytest.mark.parametrize("mms", [True, False])
def test_fewer_symbols_than_rows_raise_the_question_whether_the_files_belong_together(tmp_path, mms):
    notes = notes_of(tmp_path, LETTERS[:5], [], mms)

    assert any("15 of the 20 rows of symbols" in note and "Only 5 are listed; do the files" in note for note in notes)


def test_a_voice_with_all_its_symbols_has_no_notes_on_them(tmp_path):
    notes = notes_of(tmp_path, LETTERS, ["basic_cleaners"])

    assert not any("rows of symbols" in note or "code point" in note for note in notes)
