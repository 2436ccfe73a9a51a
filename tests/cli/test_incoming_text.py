"""A text on standard input is spoken while it is being written, and with the samples of the whole text."""

import io
import os
import threading

import numpy as np
import pytest
import torch

from hf_vits import TextToSpeechPipeline
from hf_vits.cli import incoming_text, main
from hf_vits.cli.incoming_text import sentences_of, stream_sentences
from hf_vits.text.sentence_splitter import split

TEXT = "A hope. A home, a lamp é.\n\n***\n\nOpen fog…\nand no end"


@pytest.fixture
def pipe(make_model, make_tokenizer):
    return TextToSpeechPipeline(make_model().double(), make_tokenizer())


@pytest.fixture
def written():
    """Both ends of a pipe: a function that writes, which closes it for None, and a file that reads."""
    reading, writing = os.pipe()
    with open(reading, "rb") as stream:
        yield lambda text: os.close(writing) if text is None else os.write(writing, text.encode()), stream


def samples_of(chunks):
    return np.concatenate([chunk["audio"] for chunk in chunks])


def seeded():
    return torch.Generator().manual_seed(3)


def test_each_sentence_and_each_line_comes_before_the_next_one_is_written(written):
    write, stream = written
    sentences = sentences_of(stream, "en")
    write("One. Tw")
    write("o is ")
    assert next(sentences) == "One."
    write("it.\n")  # and then nothing
    assert next(sentences) == "Two is it."
    write("Three\nFo")
    write("ur")
    write(None)
    assert list(sentences) == ["Three", "Four"]


def test_the_lines_of_a_document_of_markup_belong_together(written):
    write, stream = written
    threading.Timer(3 * incoming_text.QUIET, lambda: (write("One. Two three.</speak>"), write(None))).start()
    write("<speak>\n")
    assert list(sentences_of(stream, "en")) == ["<speak>\nOne. Two three.</speak>"]


def test_a_line_that_goes_on_at_once_is_not_divided(written):
    write, stream = written
    write("- The text goes on with a line that was wrapped\n")
    write("here. And so on")
    write(None)
    assert list(sentences_of(stream, "en")) == ["- The text goes on with a line that was wrapped here.", "And so on"]


class Divided(io.BytesIO):
    """Bytes that are read one at a time."""

    def read1(self, size=-1):
        return self.read(1)


def test_bytes_that_are_read_one_by_one_are_the_text():
    text = TEXT + " 你好。我\U0001f44d"
    assert list(sentences_of(Divided(("\ufeff" + text).encode()), "en")) == split(text, language="en")


def test_a_document_of_markup_is_read_as_a_whole():
    for document in ("\n<speak>One. Two. Three.</speak>\n", "<?xml version='1.0'?>One. Two three. "):
        assert list(sentences_of(Divided(document.encode()), "en")) == [document]
    for text in ("<sp", " <", "<spoken. Words here.", "< a. Words here."):
        assert list(sentences_of(Divided(text.encode()), "en")) == split(text)


@pytest.mark.parametrize(("content", "place"), [(b"a hope \xff", 7), (b"\xe4\xbd", 0), (b"caf\xe9.", 3)])
def test_bytes_that_are_not_utf_8_are_an_error_with_their_place(content, place):
    for stream in (io.BytesIO(content), Divided(content)):
        with pytest.raises(ValueError, match=rf"not UTF-8 \(.* at byte {place}\)"):
            list(sentences_of(stream, None))


def test_sentences_have_the_samples_and_the_times_of_the_whole_text(pipe):
    options = {"pause": 0.1, "return_timestamps": ("word", "sentence")}
    whole = list(pipe.stream(TEXT, generator=seeded(), **options))
    parts = list(stream_sentences(pipe, iter(split(TEXT)), generator=seeded(), **options))
    np.testing.assert_array_equal(samples_of(parts), samples_of(whole))
    rate = pipe.sampling_rate
    moved = [
        (item["text"], round(item["start"] * rate) + chunk.get("later", 0))
        for chunk in parts
        for item in chunk.get("timestamps", {}).get("word", [])
    ]
    words = [item for chunk in whole for item in chunk["timestamps"]["word"]]
    assert moved == [(item["text"], round(item["start"] * rate)) for item in words]


def test_a_text_without_anything_to_speak_is_an_error(pipe):
    with pytest.raises(ValueError, match="left to speak"):
        list(stream_sentences(pipe, iter(["***"])))
    with pytest.raises(ValueError, match="There is no text to speak"):
        list(stream_sentences(pipe, iter([])))


@pytest.fixture
def folder(pipe, tmp_path):
    pipe.model.float().save_pretrained(tmp_path / "voice")
    pipe.tokenizer.save_pretrained(tmp_path / "voice")
    return str(tmp_path / "voice")


@pytest.mark.parametrize("stream", [[], ["--stream"]], ids=["whole sentences", "streamed"])
def test_speak_writes_the_first_sentence_before_the_text_is_complete(
    folder, pipe, written, monkeypatch, capfdbinary, stream
):
    write, reads = written
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(reads))
    first_is_written = threading.Event()
    of_pipe = TextToSpeechPipeline.stream

    def streamed(self, text, **options):
        yield from of_pipe(self, text, **options)
        first_is_written.set()

    monkeypatch.setattr(TextToSpeechPipeline, "stream", streamed)

    def finish():
        assert first_is_written.wait(60)
        write("home.")
        write(None)

    write("A hope. A ")
    writer = threading.Thread(target=finish)
    writer.start()
    arguments = ["speak", "--voice", folder, "--seed", "3", "--pause", "0.1", "--output", "-", *stream]
    assert main(arguments) == 0
    writer.join()
    monkeypatch.undo()
    expected = samples_of(pipe.stream("A hope. A home.", pause=0.1, generator=seeded()))
    found, printed = capfdbinary.readouterr()
    np.testing.assert_allclose(np.frombuffer(found, "<f4"), expected, rtol=0, atol=1e-6)
    assert f"{len(expected) / 16000:.2f} s of audio".encode() in printed


def test_an_empty_standard_input_is_one_sentence(folder, monkeypatch, capfd):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b" \n")))
    assert main(["speak", "--voice", folder, "--output", "-"]) == 1
    written, errors = capfd.readouterr()
    assert not written and "There is no text to speak" in errors.splitlines()[-1]


def test_a_stream_whose_state_is_unknown_is_read_to_its_end(monkeypatch):
    monkeypatch.setattr(incoming_text, "QUIET", 0.0)
    assert list(sentences_of(io.BytesIO(b"One\nTwo\n"), "en")) == ["One", "Two"]
