"""Samples on standard output are the chunks of the pipeline, in one format; what is reported is what was written."""

import io
import json
import os
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from hf_vits.cli import raw_output
from hf_vits.cli.raw_output import play

RATE = 8000
SENTENCES = ["One.", "Two.", "Three."]


def chunk(samples, sentence=0, **fields):
    """A chunk with a word that begins with it."""
    word = {"text": f"word{sentence}", "start": float(sentence), "end": sentence + 0.5}
    return {"audio": np.asarray(samples), "sentence": sentence, "timestamps": {"word": [word]}, **fields}


@pytest.fixture
def voice():
    """Makes a pipeline that streams these chunks; it lists those that were asked for, and its arguments."""

    def make(*chunks, sentences=SENTENCES):
        pipe = SimpleNamespace(sampling_rate=RATE, sentences=lambda text: sentences, asked=[], calls=[])

        def stream(text, **options):
            pipe.calls.append((text, options))
            for number, one in enumerate(chunks):
                pipe.asked.append(number)
                yield one

        pipe.stream = stream
        return pipe

    return make


@pytest.fixture
def take(monkeypatch):
    """Replaces standard output, in the test itself: pytest has one of its own for each phase."""
    return lambda stream: monkeypatch.setattr(sys, "stdout", stream)


@pytest.fixture
def output(take):
    """Function: the bytes that a call writes to standard output."""

    def written(*arguments, **options):
        take(stream := SimpleNamespace(buffer=io.BytesIO()))
        try:
            play(*arguments, **options)
        finally:
            written.bytes = stream.buffer.getvalue()
        return written.bytes

    return written


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
def test_samples_of_any_type_are_little_endian_floats_of_32_bits(voice, output, dtype):
    values = [0.5, -0.25, 1.0, 0.0, -1.0]
    pipe = voice(chunk(np.array(values[:2], dtype)), chunk(np.array(values[2:], dtype)))
    assert output(pipe, "One.", False) == struct.pack("<5f", *values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_chunk_with_a_sample_that_is_not_finite_is_an_error_and_is_not_written(voice, output, tmp_path, bad):
    pipe = voice(chunk([0.5, 0.25]), chunk([0.5, bad]), chunk([0.75]))
    with pytest.raises(ValueError, match="NaN or infinite"):
        output(pipe, "One.", False, [tmp_path / "times.json"])
    assert output.bytes == struct.pack("<2f", 0.5, 0.25) and pipe.asked == [0, 1]


def test_a_reader_that_closes_the_pipe_ends_the_speech_without_an_error(voice, take, capsys):
    pipe = voice(*(chunk([0.5] * 10, number) for number in range(3)))
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        take(stream)
        play(pipe, "One. Two. Three.", False)
        stream.write("what is printed after that is no error either")
        stream.flush()
    assert pipe.asked == [0] and "standard output: 0.00 s of audio\n" in capsys.readouterr().err


def test_times_and_seconds_are_those_of_what_was_written(voice, monkeypatch, tmp_path, capsys):
    written = []

    def write(samples):
        written.append(samples)
        return len(written) < 3  # the reader goes away before the third chunk

    monkeypatch.setattr(raw_output, "_written", write)
    play(voice(*(chunk([0.5] * RATE, number) for number in range(3))), "text", True, [tmp_path / "times.json"])
    words = json.loads((tmp_path / "times.json").read_text())["word"]
    assert [word["text"] for word in words] == ["word0", "word1"]
    assert "standard output: 2.00 s of audio" in capsys.readouterr().err


def test_an_error_of_standard_output_names_it_and_its_cause(voice, take, monkeypatch):
    def full(data):
        raise OSError(28, "No space left on device")

    discarded = []
    take(SimpleNamespace(buffer=SimpleNamespace(write=full)))
    monkeypatch.setattr(raw_output, "discard_output", lambda: discarded.append(True))
    with pytest.raises(OSError, match="Standard output could not be written to: No space left on device"):
        play(voice(chunk([0.5])), "One.", False)
    assert discarded == [True]


def test_work_is_counted_without_the_time_that_the_reader_takes(voice, monkeypatch, capsys):
    clock = SimpleNamespace(now=5.0)

    def spend(seconds, *_):
        clock.now += seconds
        return True

    def stream(text, **options):
        for number in range(4):
            spend(0.25)
            yield chunk([0.5] * (RATE // 2), number // 2)

    monkeypatch.setattr(raw_output, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(raw_output, "_written", lambda samples: spend(100))
    pipe = voice()
    pipe.stream = stream
    play(pipe, "One. Two.", False)
    assert "2.00 s of audio in 1.00 s of work (real-time factor 0.500)" in capsys.readouterr().err


def test_sentences_that_come_one_by_one_are_moved_behind_the_speech_before_them(voice, output, tmp_path, capsys):
    pipe = voice(chunk([0.5] * RATE))
    written = output(pipe, iter(["One.", "Two."]), True, [tmp_path / "times.json"], pause=0.5, seed=3)
    samples = np.frombuffer(written, "<f4")
    np.testing.assert_array_equal(samples, np.repeat([0.5, 0, 0.5], [RATE, RATE // 2, RATE]).astype(np.float32))
    words = json.loads((tmp_path / "times.json").read_text())["word"]
    assert [(word["start"], word["end"]) for word in words] == [(0.0, 0.5), (1.5, 2.0)]
    assert [text for text, _ in pipe.calls] == ["One.", "Two."]
    assert all(options["seed"] == 3 and options["chunk_frames"] >= 10**6 for _, options in pipe.calls)
    assert "of work" not in capsys.readouterr().err  # they were waited for


def test_each_sentence_is_reported_when_the_next_one_begins_and_the_line_of_a_terminal_is_cleared(
    voice, output, monkeypatch
):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    chunks = [chunk([0.5] * RATE, 0), chunk([0.5] * RATE, 0), chunk([0.5] * RATE, 1), chunk([np.nan], 2)]
    with pytest.raises(ValueError, match="NaN"):
        output(voice(*chunks), "One. Two. Three.", False)
    first, *lines, last = terminal.getvalue().split("\r\x1b[K")
    assert first.startswith(f"{RATE} samples per second; play them with: aplay -f FLOAT_LE -r {RATE}")
    assert [line.split(", about")[0] for line in lines] == [
        "sentence 1 of 3, 0:02 of speech",
        "sentence 2 of 3, 0:03 of speech",
    ]
    assert last == ""
