"""Subtitles are spoken at their times, faster where they must be, and what did not fit is said."""

import numpy as np
import pytest
import soundfile
import torch

from hf_vits import TextToSpeechPipeline
from hf_vits.cli import main

pytest.importorskip("pysubs2")
RATE = 16_000


@pytest.fixture
def speak(make_model, make_tokenizer, tmp_path, monkeypatch):
    """Runs `hf-vits speak` on cues, each a beginning in seconds and a text; returns the samples."""
    pipe = TextToSpeechPipeline(make_model(), make_tokenizer())
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "config.json").write_text("{}")
    monkeypatch.setattr("hf_vits.cli.speech_runtime._pipeline", lambda folder, dtype: pipe)

    def run(cues, *arguments, output="out.wav"):
        blocks = [
            f"{i}\n00:00:{start:06.3f} --> 00:00:{start + 0.5:06.3f}\n{text}\n".replace(".", ",", 2)
            for i, (start, text) in enumerate(cues, 1)
        ]
        (tmp_path / "in.srt").write_text("\n".join(blocks))
        given = ["speak", "--input", str(tmp_path / "in.srt"), "--voice", str(tmp_path / "voice"), "--seed", "3"]
        assert main([*given, "--output", str(tmp_path / output), *arguments]) == 0
        return soundfile.read(tmp_path / output)[0]

    run.pipe = pipe
    return run


def spoken(pipe, *texts):
    generator = torch.Generator().manual_seed(3)
    return [pipe(text, generator=generator)["audio"] for text in texts]


def test_a_cue_begins_at_its_time_with_the_speech_of_the_pipeline(speak, capsys):
    found = speak([(0.5, "a hope"), (4.0, "feed me")])
    first, second = spoken(speak.pipe, "a hope", "feed me")
    assert len(found) == 4 * RATE + len(second)
    for begin, samples in ((RATE // 2, first), (4 * RATE, second)):
        np.testing.assert_allclose(found[begin : begin + len(samples)], samples, rtol=0, atol=1e-4)
    assert not found[: RATE // 2].any() and not found[RATE // 2 + len(first) : 4 * RATE].any()
    printed = capsys.readouterr()
    assert "out.wav: 2 cues" in printed.out and printed.err == ""


def test_a_cue_with_little_room_is_spoken_faster_and_reported(speak, capsys):
    usual = len(spoken(speak.pipe, "a hope of a dog, a man came")[0])
    begin = round(usual / 1.4 / RATE, 3)
    found = speak([(0.0, "a hope of a dog, a man came"), (begin, "feed me")])
    printed = capsys.readouterr().err
    assert "1 of 2 cues spoken faster: 1 (x1." in printed and "late" not in printed
    assert len(found) < usual + RATE * 3


def test_a_cue_without_enough_room_makes_the_next_one_late_and_the_one_after_is_in_time(speak, capsys):
    text = "a hope of a dog, a man came back"
    begin = round(len(spoken(speak.pipe, text)[0]) / 4 / RATE, 3)
    cues = [(0.0, text), (begin, "feed me"), (20.0, "lead me")]
    found = speak(cues)
    printed = capsys.readouterr().err
    assert "spoken faster: 1 (x2.00)" in printed and "1 of 3 cues begun late: 2 (" in printed
    assert not found[18 * RATE : 20 * RATE].any() and found[20 * RATE :].any()


def test_times_of_words_are_those_of_the_file(speak, tmp_path, capsys):
    speak([(0.5, "a hope"), (4.0, "feed me")], "--subtitles", str(tmp_path / "out.ctm"))
    lines = [line.split() for line in (tmp_path / "out.ctm").read_text().splitlines()]
    assert [line[4] for line in lines] == ["a", "hope", "feed", "me"]
    starts = [float(line[2]) for line in lines]
    assert 0.5 <= starts[0] < starts[1] < 4.0 <= starts[2] < starts[3]


def test_what_needs_one_text_is_refused(speak, tmp_path, capsys):
    (tmp_path / "in.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\na\n")
    for options in (["--resume", "--output", str(tmp_path / "a.wav")], ["--output", "-"]):
        assert main(["speak", "--input", str(tmp_path / "in.srt"), *options]) == 1
        assert "Subtitles are spoken into a file" in capsys.readouterr().err
