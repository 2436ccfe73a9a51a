import json
import logging
import unicodedata

import numpy as np
import pytest
import torch
from export_voices import KINDS

from hf_vits.conversion import convert
from hf_vits.export import export
from hf_vits.modules.weight_norm import NEW_G, NEW_V, fold


@pytest.fixture
def load():
    """Loads a voice in piper-tts, which must not complain."""
    piper = pytest.importorskip("piper", reason="needs the package piper-tts")
    return lambda file: piper.PiperVoice.load(str(file))


@pytest.fixture
def piper_says():
    """What piper-tts makes of a text without noise: ids and waveform, of each sentence."""

    def say(voice, text, speaker=None):
        from piper.config import SynthesisConfig

        config = SynthesisConfig(speaker_id=speaker, noise_scale=0, noise_w_scale=0, normalize_audio=False)
        return [(chunk.phoneme_ids, chunk.audio_float_array) for chunk in voice.synthesize(text, config)]

    return say


def nfd(text):
    return unicodedata.normalize("NFD", text)


def test_piper_speaks_a_voice_with_phonemes(
    make_model, piper_tokenizer, tmp_path, load, piper_says, silent, caplog, capfd
):
    model = make_model(**KINDS["piper"], speaking_rate=0.8)
    notes = export(model, piper_tokenizer, tmp_path / "out", name="lou")
    assert len(notes) == 1 and notes[0].startswith("6 texts against PyTorch")
    text = "Hello, the lads."
    with caplog.at_level(logging.WARNING):
        ((ids, waveform),) = piper_says(load(tmp_path / "out" / "lou.onnx"), text)
    assert not caplog.records and capfd.readouterr().err == ""
    assert ids == piper_tokenizer(text).input_ids
    expected, _ = silent(model, [ids], rate=0.8)  # the voice's own, which Piper takes from the JSON file
    np.testing.assert_allclose(waveform, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("layout", "kind"), [("as in MMS", "paper"), ("with a frame", "speakers"), ("without blanks", "paper")]
)
def test_piper_lays_letters_out_as_the_voice_was_trained(
    make_model, make_voice_tokenizer, tmp_path, load, piper_says, silent, layout, kind
):
    fields = {
        "as in MMS": {},
        "with a frame": {"bos_token": "^", "eos_token": "$", "blank_token": "."},
        "without blanks": {"add_blank": False},
    }[layout]
    tokenizer = make_voice_tokenizer(nfd("_abcdefghijé .'^$?"), unicode_form="NFD", **fields)
    model = make_model(**KINDS[kind])
    export(model, tokenizer, tmp_path / "out", name="mms")
    voice = load(tmp_path / "out" / "mms.onnx")
    for text in ("Abidé jac", nfd("DÉÉ. fig"), "h"):
        for speaker in (0, 2) if kind == "speakers" else (None,):
            ((ids, waveform),) = piper_says(voice, text, speaker)
            assert ids == tokenizer(text).input_ids
            expected, _ = silent(model, [ids], speaker)
            np.testing.assert_allclose(waveform, expected, rtol=0, atol=1e-4)


def test_piper_finds_how_long_each_phoneme_is(make_model, piper_tokenizer, tmp_path, load, silent):
    model = make_model(**KINDS["piper"])
    export(model, piper_tokenizer, tmp_path / "out", name="lou")
    ids = piper_tokenizer("Hello.").input_ids
    from piper.config import SynthesisConfig

    config = SynthesisConfig(noise_scale=0, noise_w_scale=0)
    _, samples = load(tmp_path / "out" / "lou.onnx").phoneme_ids_to_audio(ids, config, include_alignments=True)
    np.testing.assert_array_equal(samples, silent(model, [ids])[1] * model.config.hop_length)


@pytest.mark.thorough
def test_speakers_are_found_by_name(make_model, make_voice_tokenizer, tmp_path):
    for fields, expected in (
        (KINDS["speakers"], {"ada": 0, "bea": 1, "cem": 2}),
        (KINDS["plain durations"], {"0": 0, "1": 1}),
        (KINDS["paper"], {}),
    ):
        export(make_model(**fields), make_voice_tokenizer("_abcd"), tmp_path / "out", overwrite=True)
        about = json.loads((tmp_path / "out" / "voice.onnx.json").read_text())
        assert about["speaker_id_map"] == expected and about["num_speakers"] == max(1, len(expected))


def test_a_voice_that_piper_would_speak_wrongly_is_refused_with_the_way_out(make_model, make_voice_tokenizer, tmp_path):
    model = make_model()
    for tokenizer, reason in (
        (make_voice_tokenizer("_abcé"), "never find é .*sherpa"),
        (make_voice_tokenizer("_abc", is_uroman=True), "uroman.*sherpa"),
    ):
        with pytest.raises(ValueError, match=reason):
            export(model, tokenizer, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []


def test_letters_that_the_voice_itself_takes_apart_are_no_loss(make_model, make_voice_tokenizer, tmp_path):
    for form in ("NFD", "NFKD"):
        notes = export(make_model(), make_voice_tokenizer("_abcé", unicode_form=form), tmp_path / form)
        assert len(notes) == 1 and notes[0].startswith("6 texts against PyTorch")


def test_what_piper_cannot_keep_is_noted(make_model, make_voice_tokenizer, tmp_path):
    tokenizer = make_voice_tokenizer(["k", "a", "_", "<x>", "ç"], pad_token="k", phonemize=True)
    notes = "\n".join(export(make_model(), tokenizer, tmp_path / "out"))
    assert "not trained with Piper's front end" in notes
    assert "Piper uses _" in notes and "<x>" in notes and "tokens ç" in notes


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "languages"])
def test_our_own_reader_reads_the_voice_back(make_model, piper_tokenizer, tmp_path, kind):
    model = make_model(**KINDS[kind])
    if not model.config.window_size:
        pytest.skip("without a window, shapes do not tell the number of heads")
    export(model, piper_tokenizer, tmp_path / "out", name="lou")

    converted = convert(tmp_path / "out")

    found = {name: getattr(converted.config, name) for name in ("hop_length", "sampling_rate", "resblock_type")}
    assert found == {name: getattr(model.config, name) for name in found}
    assert_same_weights(converted.state_dict, model.state_dict())
    assert converted.tokenizer("hello").input_ids == piper_tokenizer("hello").input_ids


@pytest.mark.parametrize("blanks", [True, False])
def test_our_own_reader_reads_a_voice_without_a_frame_back(make_model, make_voice_tokenizer, tmp_path, blanks):
    tokenizer = make_voice_tokenizer(nfd("_abcdefghijé .'"), unicode_form="NFD", add_blank=blanks)
    export(make_model(), tokenizer, tmp_path / "out")
    found = convert(tmp_path / "out").tokenizer
    for text in ("Abidé jac", "b", nfd("ÉÉ")):
        assert found(text).input_ids == tokenizer(text).input_ids
        assert found.decode(tokenizer(text).input_ids) == nfd(text.lower())


def assert_same_weights(found, expected):
    """Equal, but weight norm only as far as folding it allows, and no more than speaking needs."""
    for name, tensor in found.items():
        if name.endswith(NEW_G):
            v = name.removesuffix(NEW_G) + NEW_V
            torch.testing.assert_close(fold(tensor, found[v]), fold(expected[name], expected[v]), rtol=0, atol=1e-6)
        elif not name.endswith(NEW_V):
            assert torch.equal(tensor, expected[name]), name


def test_tokens_that_a_cleaner_takes_off_the_ends_of_a_text_are_kept_within_it():
    from hf_vits import VitsTokenizer
    from hf_vits.export.tokens import tokens_of

    tokens = {token: i for i, token in enumerate("_abc def")}
    tokenizer = VitsTokenizer.from_vocab(
        tokens, pad_token="_", phonemize=False, normalize=False, cleaner="basic_cleaners"
    )

    table = tokens_of(tokenizer).ids

    assert {token: table[token] for token in "abc def"} == {token: tokens[token] for token in "abc def"}
    assert table["A"] == tokens["a"]
