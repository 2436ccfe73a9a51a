"""`hf-vits speak` uses onnxruntime where it can: the samples, messages and status of PyTorch, without its import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_voices import SMALLEST

from hf_vits.cli import main, speech_runtime

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

FIELDS = {**SMALLEST, "num_speakers": 3, "speaker_embedding_size": 6, "speaker_names": ["ada", "bea", "cem"]}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The cache of all tests here: their voices are equal, so their graphs are made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def voice(saved_voice, tmp_path, cache, monkeypatch):
    monkeypatch.setenv("HF_VITS_CACHE", str(cache))
    saved_voice(tmp_path / "voice", **FIELDS)
    return tmp_path / "voice"


@pytest.fixture
def started(monkeypatch):
    """The voices for which graphs would be made in the background."""
    voices = []
    monkeypatch.setattr("hf_vits.runtime.build.start", voices.append)
    return voices


@pytest.fixture
def speak(voice, tmp_path, capfd, monkeypatch):
    """Speaks in a runtime -> status, what was printed without times, and samples."""

    def run(runtime, *options, text="A hope. Big coal", output="out.wav"):
        monkeypatch.setenv("HF_VITS_RUNTIME", runtime)
        given = ["--voice", str(voice), "--seed", "3", "--overwrite", "--output", str(tmp_path / output)]
        status = main(["speak", *filter(None, [text]), *given, *options])
        printed = "".join(capfd.readouterr()).split(" s of audio")[0]
        samples = soundfile.read(tmp_path / output)[0] if status == 0 else None
        (tmp_path / output).unlink(missing_ok=True)
        return status, printed, samples

    return run


@pytest.fixture
def without_torch(monkeypatch):
    """Speaking with PyTorch fails."""
    monkeypatch.setattr(speech_runtime, "_torch", lambda *_: pytest.fail("PyTorch was used"))


CHOSEN = ("--speaker", "bea")


@pytest.mark.thorough
def test_files_in_both_runtimes_are_equal(speak, monkeypatch):
    for options in ((), ("--speed", "0.7", "--pause", "0.1", "--noise-scale", "0.1", "--noise-scale-duration", "0")):
        expected = speak("torch", *CHOSEN, *options)
        with monkeypatch.context() as patch:
            patch.setattr(speech_runtime, "_torch", lambda *_: pytest.fail("PyTorch was used"))
            status, printed, samples = speak("onnx", *CHOSEN, *options)
        assert (status, printed.splitlines()[-1]) == (0, expected[1])
        np.testing.assert_allclose(samples, expected[2], rtol=0, atol=2.1 / 32767)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(
    "options",
    [
        ["--speaker", "eva"],
        [],
        [*CHOSEN, "--noise-scale", "11"],
        [*CHOSEN, "--language", "fr"],
        [*CHOSEN, "--speed", "99"],
    ],
)
def test_mistakes_are_reported_as_without_graphs(speak, options):
    speak("onnx", *CHOSEN)
    assert speak("auto", *options)[:2] == speak("torch", *options)[:2]
    assert speak("onnx", *options)[0] == 1


@pytest.mark.parametrize(
    "options, text",
    [
        (["--subtitles", "times.srt"], "a hope"),
        (["--short-text-context"], "a hope"),
        (["--dtype", "auto"], "a hope"),
        (["--resume"], "a hope"),
        ([], "<speak>a hope</speak>"),
    ],
)
def test_what_onnxruntime_cannot_do_takes_pytorch_or_is_refused_with_the_reason(
    speak, monkeypatch, tmp_path, options, text
):
    monkeypatch.chdir(tmp_path)
    speak("onnx", *CHOSEN)
    assert speak("auto", *CHOSEN, *options, text=text)[0] == 0
    status, printed, _ = speak("onnx", *CHOSEN, *options, text=text)
    assert status == 1 and "--runtime onnx cannot be used" in printed
    assert (options[0] if options else "SSML") in printed


def test_the_first_call_uses_pytorch_and_has_the_graphs_made_for_the_next(speak, started, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_VITS_CACHE", str(tmp_path / "empty"))
    assert speak("auto", *CHOSEN)[0] == 0
    assert [path.name for path in started] == ["voice"]
    assert speak("torch", *CHOSEN)[0] == 0 and len(started) == 1
    assert speak("auto", "--speaker", "eva")[0] == 1 and len(started) == 1


def test_graphs_that_onnxruntime_cannot_load_take_pytorch(speak, monkeypatch):
    expected = speak("onnx", *CHOSEN)
    monkeypatch.setattr("hf_vits.runtime.graphs.Graphs.load", lambda *_: 1 / 0)
    monkeypatch.setattr("hf_vits.runtime.build.start", lambda voice: None)
    np.testing.assert_allclose(speak("auto", *CHOSEN)[2], expected[2], rtol=0, atol=2.1 / 32767)


def test_without_onnxruntime_nothing_changes(speak, started, monkeypatch):
    monkeypatch.setattr(speech_runtime, "find_spec", lambda name: None)
    assert speak("auto", *CHOSEN)[0] == 0 and started == []
    assert "onnxruntime is not installed" in speak("onnx", *CHOSEN)[1]


def test_info_says_which_runtime_is_used_and_why(speak, monkeypatch):
    monkeypatch.setenv("HF_VITS_RUNTIME", "torch")
    assert speech_runtime.default_runtime() == "PyTorch, as HF_VITS_RUNTIME says"
    speak("onnx", *CHOSEN)
    monkeypatch.delenv("HF_VITS_RUNTIME")
    assert "voices with graphs: 1" in speech_runtime.default_runtime()
    monkeypatch.setattr(speech_runtime, "find_spec", lambda name: None if name == "onnx" else name)
    assert speech_runtime.default_runtime() == "PyTorch, because onnx is not installed"


def test_an_unknown_runtime_in_the_environment_is_a_mistake(speak):
    assert "HF_VITS_RUNTIME is 'fast'; it can be one of auto, onnx, torch" in speak("fast")[1]


def test_speaking_imports_neither_torch_nor_transformers(speak, voice, tmp_path):
    speak("onnx", *CHOSEN)
    arguments = ["speak", "a hope", "--voice", str(voice), *CHOSEN, "--output", str(tmp_path / "new.wav")]
    code = f"import sys; from hf_vits.cli import main; status = main({arguments!r})\n"
    code += "print(status, *sorted({'torch', 'transformers', 'scipy', 'onnx'} & set(sys.modules)), sep=',')"
    environment = {**os.environ, "HF_VITS_RUNTIME": "onnx"}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert result.stdout.splitlines()[-1] == "0", result.stderr


def test_a_stopped_run_is_resumed_by_pytorch(speak, voice, tmp_path, monkeypatch):
    from hf_vits.cli.resume import state_file
    from hf_vits.cli.signals import Stopped
    from hf_vits.runtime.speech import OnnxSpeech

    whole, stream = speak("torch", *CHOSEN)[2], OnnxSpeech.stream

    def stopped(self, *arguments, **options):
        yield next(stream(self, *arguments, **options))
        raise Stopped(2)

    output = tmp_path / "long.wav"
    arguments = ["speak", "A hope. Big coal", "--voice", str(voice), *CHOSEN, "--seed", "3", "--output", str(output)]
    speak("onnx", *CHOSEN)
    monkeypatch.setenv("HF_VITS_RUNTIME", "onnx")
    with monkeypatch.context() as patch:
        patch.setattr(OnnxSpeech, "stream", stopped)
        assert main(arguments) == 130
    assert json.loads(Path(state_file(output)).read_text())["sentences"] == 1
    monkeypatch.setenv("HF_VITS_RUNTIME", "auto")
    assert main([*arguments, "--resume"]) == 0
    np.testing.assert_allclose(soundfile.read(output)[0], whole, rtol=0, atol=2.1 / 32767)
