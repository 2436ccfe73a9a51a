"""Speech that a signal stops is a whole file of what was spoken, and goes on to what one run would have made."""

import copy
import json
import os
import signal
import time

import numpy as np
import processes
import pytest
import soundfile
import torch

from hf_vits import TextToSpeechPipeline
from hf_vits.cli import main
from hf_vits.data.loudness import integrated_loudness

TEXT = "A hope! Feed me! Lead me! A man came! He came back!"
SENTENCES = ["A hope!", "Feed me!", "Lead me!", "A man came!", "He came back!"]


VOICES = {}
"""The voice of these tests, made once."""


@pytest.fixture
def pipe(make_model, make_tokenizer):
    if "tiny" not in VOICES:
        VOICES["tiny"] = TextToSpeechPipeline(make_model(), make_tokenizer())
    return VOICES["tiny"]


@pytest.fixture
def speak(pipe, tmp_path, monkeypatch):
    """Runs `hf-vits speak` on the text; a signal comes while a sentence is computed."""
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "config.json").write_text("{}")
    monkeypatch.setattr("hf_vits.cli.speech_runtime._pipeline", lambda folder, dtype: pipe)
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "out").mkdir()
    stream = TextToSpeechPipeline.stream

    def run(output, *arguments, stop_in=None, by=signal.SIGINT):
        def stopped(self, *given, **options):
            for chunk in stream(self, *given, **options):
                if chunk["sentence"] == stop_in:
                    os.kill(os.getpid(), by)
                yield chunk

        monkeypatch.setattr(TextToSpeechPipeline, "stream", stopped)
        given = [
            "speak",
            "--input",
            str(tmp_path / "text.txt"),
            "--voice",
            str(tmp_path / "voice"),
            "--pause",
            "0.1",
            "--overwrite",
        ]
        return main([*given, "--output", str(tmp_path / "out" / output), *arguments])

    return run


def samples(file):
    return soundfile.read(file, dtype="int16")[0]


def test_the_text_has_the_sentences_that_these_tests_take_it_to_have(pipe):
    assert pipe.sentences(TEXT) == SENTENCES


@pytest.mark.parametrize(
    ("ending", "stops"), [("wav", (1, 2, 4)), ("flac", (4,)), ("ogg", (1, 4)), ("mp3", (2,))], ids=str
)
def test_a_run_that_is_stopped_and_resumed_equals_one_that_is_not(speak, tmp_path, ending, stops):
    assert speak(f"whole.{ending}", "--seed", "3") == 0
    for number, stop in enumerate(stops):
        again = ["--resume"] if number else []
        assert speak(f"a.{ending}", "--seed", "3", *again, stop_in=stop) == 128 + signal.SIGINT
        partial = samples(tmp_path / "out" / f"a.{ending}")
        assert len(partial) > 0
    assert speak(f"a.{ending}", "--seed", "3", "--resume") == 0
    whole, resumed = (samples(tmp_path / "out" / f"{name}.{ending}") for name in ("whole", "a"))
    np.testing.assert_array_equal(resumed, whole)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [f"a.{ending}", f"whole.{ending}"]


@pytest.mark.parametrize("ending", ["wav", "ogg"])
def test_the_loudness_of_a_run_that_is_stopped_and_resumed_is_that_of_the_whole(speak, tmp_path, ending):
    wanted = ["--seed", "3", "--loudness", "-20"]
    assert speak(f"whole.{ending}", *wanted) == 0
    assert speak(f"a.{ending}", *wanted, stop_in=2) == 130
    rate = soundfile.info(tmp_path / "out" / f"a.{ending}").samplerate
    partial = soundfile.read(tmp_path / "out" / f"a.{ending}")[0]
    assert integrated_loudness(partial, rate) == pytest.approx(-20, abs=0.3)
    assert speak(f"a.{ending}", *wanted, "--resume") == 0
    whole, resumed = (samples(tmp_path / "out" / f"{name}.{ending}") for name in ("whole", "a"))
    np.testing.assert_array_equal(resumed, whole)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [f"a.{ending}", f"whole.{ending}"]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_what_was_spoken_and_says_so(speak, tmp_path, capsys, by):
    assert speak("whole.wav", "--seed", "3") == 0
    assert speak("a.wav", "--seed", "3", stop_in=2, by=by) == 128 + by
    printed = capsys.readouterr().err
    partial, whole = samples(tmp_path / "out" / "a.wav"), samples(tmp_path / "out" / "whole.wav")
    assert 0 < len(partial) < len(whole)
    np.testing.assert_array_equal(partial, whole[: len(partial)])
    assert f"Stopped by {by.name} after 2 of 5 sentences" in printed
    assert f"holds {len(partial) / 16000:.2f} s" in printed and "--resume" in printed
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["a.wav", "a.wav.resume.json", "whole.wav"]


@pytest.mark.parametrize("ending", ["wav", "ogg"])
def test_a_signal_before_the_first_sentence_leaves_the_former_file(speak, tmp_path, capsys, ending):
    (tmp_path / "out" / f"a.{ending}").write_bytes(b"old")
    assert speak(f"a.{ending}", stop_in=0, by=signal.SIGTERM) == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in capsys.readouterr().err
    assert [(file.name, file.read_bytes()) for file in (tmp_path / "out").iterdir()] == [(f"a.{ending}", b"old")]


def test_a_resumed_run_that_is_stopped_at_once_keeps_what_there_was(speak, tmp_path):
    speak("a.mp3", "--seed", "3", stop_in=2)
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert speak("a.mp3", "--seed", "3", "--resume", stop_in=2) == 130
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    assert sorted(before) == ["a.mp3", "a.mp3.resume.flac", "a.mp3.resume.json"]


@pytest.mark.parametrize("ending", ["wav", "mp3"])
def test_a_run_from_the_beginning_that_is_stopped_earlier_keeps_what_there_was(speak, tmp_path, ending):
    speak(f"a.{ending}", "--seed", "3", stop_in=3)
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert speak(f"a.{ending}", "--seed", "3", stop_in=2) == 130
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    assert speak(f"a.{ending}", "--seed", "3", stop_in=4) == 130
    assert json.loads((tmp_path / "out" / f"a.{ending}.resume.json").read_text())["sentences"] == 4


def test_a_run_without_a_seed_continues_with_its_own_noise(speak, tmp_path):
    speak("a.wav", stop_in=2)
    state = json.loads((tmp_path / "out" / "a.wav.resume.json").read_text())
    assert state["sentences"] == 2 and state["work"]["seed"] is None
    begin = samples(tmp_path / "out" / "a.wav")
    assert speak("a.wav", "--resume") == 0
    np.testing.assert_array_equal(samples(tmp_path / "out" / "a.wav")[: len(begin)], begin)


def test_a_sentence_is_spoken_from_a_number_on_as_in_the_whole_text(pipe):
    noise = torch.Generator().manual_seed(3)
    states, whole = [], []
    for chunk in pipe.stream(TEXT, chunk_frames=10**9, generator=noise):
        whole.append(chunk)
        states.append(noise.get_state())
    assert [chunk["sentence"] for chunk in whole] == [0, 1, 2, 3, 4]
    for first in (1, 4):
        noise.set_state(states[first - 1])
        rest = list(pipe.stream(TEXT, chunk_frames=10**9, first_sentence=first, generator=noise))
        assert [chunk["sentence"] for chunk in rest] == list(range(first, 5))
        for chunk, expected in zip(rest, whole[first:], strict=True):
            np.testing.assert_array_equal(chunk["audio"], expected["audio"])
    assert not list(pipe.stream(TEXT, first_sentence=5))


def test_sentences_of_which_nothing_can_be_said_count_but_are_not_spoken(pipe):
    stars = "*" * 400
    chunks = list(pipe.stream(f"A hope!\n\n{stars}\n\nFeed me!\n\n{stars}", chunk_frames=10**9))
    assert [chunk["sentence"] for chunk in chunks] == [0, 2]
    assert not list(pipe.stream(f"A hope!\n\n{stars}", first_sentence=1))


@pytest.mark.parametrize(
    ("change", "printed"),
    [
        (("--seed", "4"), "--seed was 3, now 4"),
        (("--seed", "3", "--speed", "2"), "--speed was not given, now 2.0"),
        (("--seed", "3", "--pause", "0.2"), "--pause was 0.1, now 0.2"),
    ],
)
def test_a_run_with_other_options_is_not_resumed(speak, tmp_path, capsys, change, printed):
    speak("a.wav", "--seed", "3", stop_in=2)
    before = (tmp_path / "out" / "a.wav").read_bytes()
    assert speak("a.wav", *change, "--resume") == 1
    assert printed in capsys.readouterr().err and (tmp_path / "out" / "a.wav").read_bytes() == before


def test_speech_of_another_dtype_is_not_resumed(speak, pipe, tmp_path, capsys, monkeypatch):
    speak("a.wav", stop_in=2)
    half = copy.deepcopy(pipe.model)
    half.decoder.bfloat16()
    changed = TextToSpeechPipeline(half, pipe.tokenizer)
    monkeypatch.setattr("hf_vits.cli.speech_runtime._pipeline", lambda folder, dtype: changed)
    assert speak("a.wav", "--dtype", "bfloat16", "--resume") == 1
    assert "other options: --dtype was not given, now bfloat16. Give those" in capsys.readouterr().err


def test_another_text_and_another_voice_are_not_resumed(speak, pipe, tmp_path, capsys, make_model, monkeypatch):
    speak("a.wav", stop_in=2)
    (tmp_path / "text.txt").write_text(TEXT + " A hope!")
    other = make_model()
    with torch.no_grad():
        other.text_encoder.embed_tokens.weight[0, 0] += 1
    changed = TextToSpeechPipeline(other, pipe.tokenizer)
    monkeypatch.setattr("hf_vits.cli.speech_runtime._pipeline", lambda folder, dtype: changed)
    assert speak("a.wav", "--resume") == 1
    assert "the text differs, the voice differs" in capsys.readouterr().err


def damage_state(folder):
    (folder / "a.wav.resume.json").write_text("{")


def shorten_state(folder):
    (folder / "a.wav.resume.json").write_text("{}")


def cut_sound(folder):
    soundfile.write(folder / "a.wav", np.zeros(100), 16000)


def remove_sound(folder):
    (folder / "a.wav").unlink()


def remove_state(folder):
    (folder / "a.wav.resume.json").unlink()


@pytest.mark.parametrize(
    ("damage", "printed"),
    [
        (damage_state, "resume.json is not JSON"),
        (shorten_state, "resume.json is damaged"),
        (cut_sound, "a.wav has 100 samples, but the stopped run wrote"),
        (remove_sound, "a.wav cannot be read"),
        (remove_state, "There is nothing to resume"),
    ],
)
def test_what_cannot_be_resumed_is_one_sentence(speak, tmp_path, capsys, damage, printed):
    speak("a.wav", stop_in=2)
    damage(tmp_path / "out")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    capsys.readouterr()
    assert speak("a.wav", "--resume") == 1
    errors = capsys.readouterr().err
    assert printed in errors and len(errors.strip().splitlines()) == 1, errors
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_a_run_to_go_on_with_that_never_began_begins(speak, tmp_path, capsys):
    assert speak("a.wav", "--resume") == 0
    assert "from the beginning" in capsys.readouterr().err and (tmp_path / "out" / "a.wav").is_file()


def test_a_run_from_the_beginning_says_that_it_could_go_on_and_removes_what_is_left(speak, tmp_path, capsys):
    speak("a.ogg", stop_in=2)
    capsys.readouterr()
    assert speak("a.ogg") == 0
    assert "--resume" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.ogg"]


@pytest.mark.timeout(120)
def test_a_process_that_is_ended_leaves_a_playable_file_and_no_hidden_one(pipe, tmp_path):
    for part in (pipe.model, pipe.tokenizer):
        part.save_pretrained(tmp_path / "voice")
    (tmp_path / "out").mkdir()
    (tmp_path / "text.txt").write_text("A man came back. " * 2000)
    arguments = ["speak", "--input", tmp_path / "text.txt", "--voice", tmp_path / "voice"]
    arguments += ["--output", tmp_path / "out" / "a.wav"]
    errors, end = processes.pipe()
    process = processes.start(processes.command, [*map(str, arguments)], None, None, end)
    end.close()
    with errors:
        first = errors.readline().decode()
        assert "sentence 1 of 2000" in first and "left" in first
        time.sleep(0.2)
        process.terminate()
        printed = errors.read().decode()
    assert processes.exit_codes([process]) == [128 + signal.SIGTERM] and "Traceback" not in printed
    assert "Stopped by SIGTERM after" in printed and len(samples(tmp_path / "out" / "a.wav")) > 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.wav", "a.wav.resume.json"]
