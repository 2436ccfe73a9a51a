"""`hf-vits speak --subtitles` writes the times of what is in the audio file, also of a run that was stopped."""

import json
import os
import signal

import numpy as np
import pytest
import soundfile

from hf_vits import TextToSpeechPipeline
from hf_vits.cli import main

TEXT = "A hope! Feed me! Lead me!\n\nя\n\nA man came! He came back!"
MADE = {}


@pytest.fixture
def speak(make_model, make_tokenizer, tmp_path, monkeypatch):
    """Runs `hf-vits speak` on the text; a signal comes while a sentence is computed."""
    if not MADE:
        MADE["pipe"] = TextToSpeechPipeline(make_model(), make_tokenizer())
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "config.json").write_text("{}")
    monkeypatch.setattr("hf_vits.cli.speech_runtime._pipeline", lambda folder, dtype: MADE["pipe"])
    stream = TextToSpeechPipeline.stream

    def run(output, *arguments, stop_in=None, text=TEXT):
        def stopped(self, *given, **options):
            for chunk in stream(self, *given, **options):
                if chunk["sentence"] == stop_in:
                    os.kill(os.getpid(), signal.SIGINT)
                yield chunk

        monkeypatch.setattr(TextToSpeechPipeline, "stream", stopped)
        given = ["speak", text, "--voice", str(tmp_path / "voice"), "--pause", "0.1", "--seed", "3", "--overwrite"]
        names = [argument if argument.startswith("--") else str(tmp_path / argument) for argument in arguments]
        return main([*given, "--output", str(tmp_path / output) if output != "-" else "-", *names])

    return run


def words(file):
    return json.loads(file.read_text(encoding="utf-8"))["word"]


@pytest.mark.parametrize("ending", ["wav", "ogg"])
def test_files_have_the_times_of_the_pipeline_and_end_with_the_audio(speak, tmp_path, ending):
    assert speak(f"a.{ending}", "--subtitles", "a.json", "--subtitles", "a.vtt") == 0
    samples, rate = soundfile.read(tmp_path / f"a.{ending}")
    import torch

    expected = MADE["pipe"](TEXT, pause=0.1, return_timestamps="word", generator=torch.Generator().manual_seed(3))
    assert words(tmp_path / "a.json") == expected["timestamps"] and len(expected["timestamps"]) == 13
    assert json.loads((tmp_path / "a.json").read_text())["duration"] == len(samples) / rate
    assert (tmp_path / "a.vtt").read_text().startswith("WEBVTT\n\n00:00:00.")


def test_a_run_that_is_stopped_and_resumed_has_the_times_of_one_that_is_not(speak, tmp_path):
    assert speak("whole.wav", "--subtitles", "whole.json") == 0
    assert speak("a.wav", "--subtitles", "a.json", stop_in=2) == 130
    whole, partial = words(tmp_path / "whole.json"), words(tmp_path / "a.json")
    assert partial == whole[:4]
    assert partial[-1]["end"] <= soundfile.info(tmp_path / "a.wav").duration
    assert speak("a.wav", "--subtitles", "a.json", "--resume", stop_in=4) == 130
    assert words(tmp_path / "a.json") == whole[:6]
    assert speak("a.wav", "--subtitles", "a.json", "--resume") == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


DOCUMENT = """<speak>A hope! <mark name="a"/><break time="0.5s"/>Feed me! Lead <break time="70ms"/> me!
<prosody volume="-6dB">A man</prosody> came.<mark name="b"/></speak>"""


def test_a_document_that_is_stopped_and_resumed_has_the_sound_times_and_marks_of_one_that_is_not(speak, tmp_path):
    import torch

    assert speak("whole.wav", "--subtitles", "whole.json", text=DOCUMENT) == 0
    expected = MADE["pipe"](DOCUMENT, pause=0.1, return_timestamps="word", generator=torch.Generator().manual_seed(3))
    assert soundfile.info(tmp_path / "whole.wav").frames == len(expected["audio"])
    assert (
        json.loads((tmp_path / "whole.json").read_text())["mark"] == expected["marks"] and len(expected["marks"]) == 2
    )
    assert speak("a.wav", "--subtitles", "a.json", stop_in=1, text=DOCUMENT) == 130
    assert speak("a.wav", "--subtitles", "a.json", "--resume", text=DOCUMENT) == 0
    for ending in ("wav", "json"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"whole.{ending}").read_bytes()


@pytest.mark.parametrize("first", [True, False])
def test_times_cannot_be_added_to_a_run_that_kept_none(speak, tmp_path, capsys, first):
    subtitles = ["--subtitles", "a.json"]
    assert speak("a.wav", *subtitles * first, stop_in=2) == 130
    assert speak("a.wav", *subtitles * (not first), "--resume") == 1
    assert f"--subtitles was {'given' if first else 'not given'}" in capsys.readouterr().err
    if not first:
        state = tmp_path / "a.wav.resume.json"
        content = json.loads(state.read_text())
        assert content["timestamps"] is None
        del content["timestamps"]  # as an earlier version wrote it
        state.write_text(json.dumps(content))
        assert speak("a.wav", "--resume") == 0


@pytest.mark.parametrize("way", [[], ["--stream"]], ids=["whole", "stream"])
def test_raw_samples_have_times_too(speak, tmp_path, capfdbinary, way):
    assert speak("-", "--subtitles", "a.json", *way) == 0
    samples = np.frombuffer(capfdbinary.readouterr().out, "<f4")
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["duration"] == len(samples) / 16_000
    assert [word["text"] for word in found["word"]] == TEXT.split()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.sub"], ".srt, .vtt, .ass"),
        (["a.srt", "a.srt"], "written twice"),
        (["none/a.srt"], "no folder"),
    ],
)
def test_a_file_that_cannot_be_written_is_an_error_before_there_is_speech(speak, tmp_path, capsys, files, message):
    assert speak("a.wav", *(word for file in files for word in ("--subtitles", file))) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a.wav").exists()
