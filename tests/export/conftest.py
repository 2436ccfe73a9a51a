"""Voices of every kind that are exported, and how a file is run."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_vits import VitsTokenizer
from hf_vits.export import export, onnx_graph, original

sys.path.insert(0, str(Path(__file__).parent))  # for what these tests share
sys.path.insert(0, str(Path(__file__).parent.parent / "conversion"))

from export_voices import FEWER, KINDS, LETTERS
from original_discriminators import SMALL

pytest.importorskip("onnx")


@pytest.fixture(scope="session")
def make_model(make_model):
    """The voices of all tests, with fewer layers."""
    return lambda **fields: make_model(**{**FEWER, **fields})


@pytest.fixture(scope="session", autouse=True)
def traces():
    """A graph is traced once for all tests, if its module and weights are the same: tracing takes most of the time."""
    known, trace = {}, onnx_graph.traced

    def traced(module, inputs, outputs):
        weights = b"".join(tensor.numpy().tobytes() for tensor in module.state_dict().values())
        key = type(module), tuple(inputs), hash(weights), str(module)
        if key not in known:
            known[key] = trace(module, inputs, outputs)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_graph, "traced", traced)
        yield


@pytest.fixture(scope="session")
def make_voice_tokenizer(tmp_path_factory):
    """A tokenizer of 20 tokens."""

    def make(tokens=LETTERS, **fields):
        file = tmp_path_factory.mktemp("tokens") / "tokens.json"
        file.write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
        return VitsTokenizer(str(file), **{"pad_token": "_", "phonemize": False, **fields})

    return make


@pytest.fixture(scope="session")
def exported(make_model, make_voice_tokenizer, tmp_path_factory):
    """-> a function from a kind of voice to its model and its file, which is made once."""
    made = {}

    def exported(kind):
        if kind not in made:
            model, folder = make_model(**KINDS[kind]), tmp_path_factory.mktemp("exported")
            language = "cs" if kind == "languages" else None
            export(model, make_voice_tokenizer(), folder / "out", "sherpa", language=language)
            made[kind] = model, folder / "out" / "model.onnx"
        return made[kind]

    return exported


@pytest.fixture
def narrow(monkeypatch):
    """Accept discriminators of a thousandth of the paper's weights as the original's."""
    for name, channels in SMALL.items():
        monkeypatch.setitem(original.DISCRIMINATORS, name, channels)


@pytest.fixture
def piper_tokenizer(make_voice_tokenizer):
    """A tokenizer with phonemes, as a voice of Piper's has it."""
    return make_voice_tokenizer(
        "_^$ əlˈoʊhɛɹðædzn,.",
        phonemize=True,
        phoneme_language="en-us",
        phoneme_style="piper",
        unicode_form="NFD",
        normalize=False,
        bos_token="^",
        eos_token="$",
        blank_token="_",
    )


@pytest.fixture
def run():
    """Runs a file in onnxruntime: ids (B, T_text), lengths, scales and speakers -> its outputs."""
    onnxruntime = pytest.importorskip("onnxruntime")
    sessions = {}

    def run(file, ids, lengths=None, scales=(0, 1, 0), speakers=None):
        if file not in sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            sessions[file] = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        ids = np.asarray(ids, dtype=np.int64)
        feed = {
            "input": ids,
            "input_lengths": np.asarray([ids.shape[1]] * len(ids) if lengths is None else lengths, dtype=np.int64),
            "scales": np.asarray(scales, dtype=np.float32),
        }
        if speakers is not None:
            feed["sid"] = np.asarray(speakers, dtype=np.int64)
        return sessions[file].run(None, feed)

    return run


@pytest.fixture
def silent():
    """A voice without noise, as PyTorch speaks it: ids (1, T_text) -> waveform (T_wav,) and durations (T_text,)."""

    @torch.no_grad()
    def speak(model, ids, speaker=None, rate=1.0):
        ids = torch.as_tensor(ids)
        language = "cs" if model.config.num_languages > 1 else None
        call = {"speaker_id": speaker, "language_id": language, "speaking_rate": rate}
        out = model(ids, **call, noise_scale=0, noise_scale_duration=0)
        return out.waveform[0].numpy(), out.durations[0].numpy()

    return speak


@pytest.fixture
def sherpa_says(capfd):
    """What sherpa-onnx makes of a text, or of phonemes, without noise; it must not complain."""
    sherpa = pytest.importorskip("sherpa_onnx", reason="needs the package sherpa-onnx")

    def say(folder, text="", speaker=None, phonemes=None):
        vits = sherpa.OfflineTtsVitsModelConfig(
            model=str(folder / "model.onnx"),
            tokens=str(folder / "tokens.txt"),
            noise_scale=0,
            noise_scale_w=0,
            length_scale=1,
        )
        model = sherpa.OfflineTtsModelConfig(vits=vits, num_threads=1)
        engine = sherpa.OfflineTts(sherpa.OfflineTtsConfig(model=model))
        settings = sherpa.GenerationConfig()
        settings.sid, settings.silence_scale = speaker or 0, 1.0  # otherwise it cuts pauses
        if phonemes:
            settings.phoneme_codepoints = [[ord(token) for token in phonemes]]
        samples = np.array(engine.generate(text, settings).samples, dtype=np.float32)
        assert capfd.readouterr().err == ""
        assert engine.num_speakers == (3 if speaker is not None else 1)
        return samples

    return say
