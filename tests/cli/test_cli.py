import io
import json

import numpy as np
import pytest
import soundfile
import torch

from hf_vits import TextToSpeechPipeline
from hf_vits.cli import main


@pytest.fixture
def voice(make_model, make_tokenizer, speakers, tmp_path):
    model, tokenizer = make_model(**speakers), make_tokenizer()
    model.save_pretrained(tmp_path / "voice")
    tokenizer.save_pretrained(tmp_path / "voice")
    return TextToSpeechPipeline(model, tokenizer), str(tmp_path / "voice")


def test_speak_writes_what_the_pipeline_says_and_reports_the_times(voice, tmp_path, capsys):
    pipe, folder = voice
    output = tmp_path / "out.wav"
    arguments = ["speak", "a hope", "--voice", folder, "--speaker", "bea", "--speed", "1.5", "--seed", "4"]
    assert main([*arguments, "--output", str(output)]) == 0
    generator = torch.Generator().manual_seed(4)
    expected = pipe("a hope", speaker_id="bea", speaking_rate=1.5, generator=generator)["audio"]
    written, rate = soundfile.read(output)
    assert rate == 16000
    np.testing.assert_allclose(written, expected, rtol=0, atol=1 / 32767)
    printed = capsys.readouterr().out
    assert f"{len(expected) / 16000:.2f} s of audio" in printed
    assert "s of work" in printed and "real-time factor" in printed


@pytest.mark.parametrize("way", ["argument", "file", "dash", "pipe"])
def test_text_comes_as_argument_file_or_standard_input(voice, tmp_path, monkeypatch, way):
    text = "a hope"
    monkeypatch.setattr("sys.stdin", io.StringIO("" if way in ("argument", "file") else text))
    (tmp_path / "text.txt").write_text(text)
    given = {"argument": [text], "file": ["--input", str(tmp_path / "text.txt")], "dash": ["--input", "-"], "pipe": []}
    output = tmp_path / "out.wav"
    assert (
        main(["speak", *given[way], "--voice", voice[1], "--speaker", "0", "--seed", "1", "--output", str(output)]) == 0
    )
    generator = torch.Generator().manual_seed(1)
    assert len(soundfile.read(output)[0]) == len(voice[0](text, speaker_id=0, generator=generator)["audio"])


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["a hope", "--speaker", "dan"], "ada"),
        (["a hope"], "3 speakers"),
        (["a hope", "--speaker", "0", "--speed", "nan"], "speaking_rate"),
        (["", "--speaker", "0"], "no text"),
        (["***", "--speaker", "0"], "*"),
        (["a hope", "--input", "text.txt"], "one of them"),
        (["a hope", "--speaker", "0", "--output", "speech.mp9"], ".mp9"),
        (["a hope", "--voice", "nowhere/at/all"], "nowhere/at/all"),
    ],
)
def test_what_cannot_be_spoken_is_one_line_and_no_file(voice, tmp_path, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    voice_arguments = [] if "--voice" in arguments else ["--voice", voice[1]]
    assert main(["speak", *arguments, *voice_arguments]) == 1
    errors = capsys.readouterr().err
    assert named in errors and "Traceback" not in errors
    assert sorted(tmp_path.rglob("*")) == before


def test_convert_of_what_is_no_voice_is_an_error_and_makes_no_folder(tmp_path, capsys):
    (tmp_path / "voice.onnx").write_bytes(b"nothing of the kind")
    (tmp_path / "voice.onnx.json").write_text(json.dumps({}))
    assert main(["convert", str(tmp_path / "voice.onnx"), str(tmp_path / "out")]) == 1
    assert "voice.onnx" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_verb_is_wrong_usage():
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
