"""`hf-vits speak` speaks like the pipeline, and every mistake is one line."""

import errno
import io
import os
import threading
from pathlib import Path

import numpy as np
import processes
import pytest
import soundfile
import torch
from tiny_voices import SPEAKERS

from hf_vits import TextToSpeechPipeline
from hf_vits.cli import main
from hf_vits.data.loudness import integrated_loudness
from hf_vits.inference.streaming import growth


@pytest.fixture(scope="module")
def pipe(make_model, make_tokenizer):
    """A voice of three speakers, to be read only."""
    return TextToSpeechPipeline(make_model(**SPEAKERS), make_tokenizer())


@pytest.fixture
def voice(pipe, saved_voice, tmp_path):
    """The voice, and its folder."""
    return pipe, str(saved_voice(tmp_path / "voice", **SPEAKERS))


def test_speak_writes_what_the_pipeline_says_and_reports_the_times(voice, tmp_path, capsys):
    pipe, folder = voice
    output = tmp_path / "out.wav"
    arguments = ["speak", "a hope", "--voice", folder, "--speaker", "bea", "--speed", "1.5", "--seed", "4"]
    assert main([*arguments, "--output", str(output)]) == 0
    generator = torch.Generator().manual_seed(4)
    expected = pipe("a hope", speaker_id="bea", speaking_rate=1.5, generator=generator)["audio"]
    written, rate = soundfile.read(output)
    assert rate == 16000
    np.testing.assert_allclose(written, expected, rtol=0, atol=1.1 / 32767)
    printed = capsys.readouterr().out
    assert f"{len(expected) / 16000:.2f} s of audio" in printed
    assert "s of work" in printed and "real-time factor" in printed


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_decoder_computes_in_the_dtype_asked_for(voice, tmp_path, monkeypatch, dtype):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    folder, file = voice[1], tmp_path / "out.wav"
    options = ["--voice", folder, "--speaker", "0", "--seed", "1", "--dtype", dtype, "--output", str(file)]
    assert main(["speak", "a bed.", *options]) == 0
    pipe = TextToSpeechPipeline(folder, dtype=getattr(torch, dtype), speaker_id=0)
    assert next(pipe.model.decoder.parameters()).dtype == getattr(torch, dtype)
    expected = pipe("a bed.", generator=torch.Generator().manual_seed(1), expand=True)["audio"]
    np.testing.assert_allclose(soundfile.read(file)[0], expected, rtol=0, atol=2**-15)


def test_a_text_with_letters_that_the_voice_cannot_read_is_refused_if_strict(voice, tmp_path, capsys):
    output = tmp_path / "out.wav"
    arguments = ["speak", "a hope, да", "--voice", voice[1], "--speaker", "bea", "--output", str(output)]
    assert main([*arguments, "--strict"]) == 1
    assert "Cyrillic: 'а' x1, 'д' x1" in capsys.readouterr().err
    assert not output.exists()
    assert main(arguments) == 0 and output.exists()


def test_a_language_is_chosen_by_name_or_number(make_model, make_tokenizer, tmp_path, capsys):
    model, tokenizer = (
        make_model(num_languages=2, language_embedding_size=2, language_names=["en", "7"]),
        make_tokenizer(),
    )
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "voice")
    output = tmp_path / "out.wav"
    arguments = ["speak", "a hope", "--voice", str(tmp_path / "voice"), "--seed", "1", "--overwrite"]
    arguments += ["--output", str(output)]
    for given, language in (("en", 0), ("7", 1), ("1", 1)):
        assert main([*arguments, "--language", given]) == 0
        generator = torch.Generator().manual_seed(1)
        expected = TextToSpeechPipeline(model, tokenizer)("a hope", language_id=language, generator=generator)["audio"]
        np.testing.assert_allclose(soundfile.read(output)[0], expected, rtol=0, atol=1.1 / 32767)
    assert main([*arguments, "--language", "fr"]) == 1
    assert "its languages are ['en', '7']" in capsys.readouterr().err


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
        (["a hope", "--speaker", "0", "--speed", "nan"], "--speed is nan; it must be 0.1 to 10"),
        (["a hope", "--speaker", "0", "--speed", "0.001"], "--speed is 0.001; it must be 0.1 to 10"),
        (["a hope", "--speaker", "0", "--speed", "-1"], "--speed is -1.0"),
        (
            ["a hope", "--speaker", "0", "--seed", str(2**64)],
            f"--seed is {2**64}; it must be a 64-bit integer",
        ),
        (["a hope", "--speaker", "0", "--seed", "9" * 400], "--seed is 99999"),
        (["a hope", "--speaker", "0", "--seed", str(-(2**63) - 1)], "64-bit integer"),
        (["a hope", "--speaker", "0", "--pause", "-1"], "--pause is -1.0; it must be 0 to 60"),
        (["a hope", "--speaker", "0", "--pause", "inf"], "--pause is inf"),
        (["a hope", "--speaker", "0", "--noise-scale", "nan"], "--noise-scale is nan"),
        (["a hope", "--speaker", "0", "--noise-scale-duration", "-2"], "--noise-scale-duration is -2.0"),
        (["--input", "nope.txt", "--speaker", "0"], "There is no file nope.txt; --input takes a text"),
        (["--input", "voice", "--speaker", "0"], "voice is a folder"),
        (["--input", "/dev/zero", "--speaker", "0"], "/dev/zero has more than"),
        (["a hope", "--speaker", "0", "--output", ""], "empty"),
        (["a hope", "--speaker", "0", "--output", "voice"], "no format of sound"),
        (["a hope", "--speaker", "0", "--output", "-", "--resume"], "--resume needs a file"),
        (["", "--speaker", "0"], "no text"),
        (["caf\udce9", "--speaker", "0"], "1 of its bytes are not characters. Give it in a UTF-8 file, with --input"),
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
    assert named in errors and len(errors.strip().splitlines()) == 1, errors
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.thorough
def test_ten_megabytes_of_text_are_refused_at_once(voice, tmp_path, capsys):
    (tmp_path / "text.txt").write_text("a hope. " * 1_250_000)
    assert main(["speak", "--input", str(tmp_path / "text.txt"), "--voice", voice[1], "--speaker", "0"]) == 1
    assert "10,000,000 characters" in capsys.readouterr().err


def test_a_byte_order_mark_is_not_spoken_and_other_encodings_are_named(voice, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["speak", "--voice", voice[1], "--speaker", "0", "--seed", "1", "--input", "text.txt"]
    (tmp_path / "text.txt").write_bytes("a hope".encode("utf-8-sig"))
    assert main(arguments) == 0 and "dropped" not in capsys.readouterr().err
    (tmp_path / "text.txt").write_bytes("a höpe".encode("latin-1"))
    assert main(arguments) == 1
    assert "text.txt is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", '{"model_type": "vits", "hidden_size": "wide"}'),
        ("config.json", "[1]"),
        ("config.json", None),
        ("model.safetensors", "short"),
        ("model.safetensors", None),
        ("vocab.json", None),
        ("vocab.json", "{"),
    ],
)
def test_a_broken_voice_is_reported_without_a_traceback(voice, tmp_path, monkeypatch, capsys, file, content):
    monkeypatch.chdir(tmp_path)
    (Path(voice[1]) / file).unlink()
    if content is not None:
        (Path(voice[1]) / file).write_text(content)
    assert main(["speak", "a hope", "--voice", voice[1], "--speaker", "0"]) == 1
    assert capsys.readouterr().err.startswith("hf-vits speak: ")
    assert not (tmp_path / "speech.wav").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["a", "hope"],
        ["a hope"],
        ["a", "--pause", "0.1", "hope"],
        ["--pause", "0.1", "a", "hope"],
        ["--pause", "0.1", "--", "a", "hope"],
        ["a", "--", "hope"],
    ],
)
def test_words_without_quotation_marks_are_one_text(voice, tmp_path, monkeypatch, words):
    said = []
    stream = TextToSpeechPipeline.stream
    monkeypatch.setattr(
        TextToSpeechPipeline, "stream", lambda self, text, **k: said.append(text) or stream(self, text, **k)
    )
    options = ["--voice", voice[1], "--speaker", "0", "--output", str(tmp_path / "out.wav")]
    assert main(["speak", *options, *words]) == 0
    assert said == ["a hope"]


@pytest.mark.parametrize("words", [["--", "-5", "degrees"], ["--", "-5 degrees"], ["--", "--speed 3 of them"]])
def test_what_begins_with_a_dash_is_text_after_two_dashes(voice, tmp_path, monkeypatch, words):
    said = []
    monkeypatch.setattr(TextToSpeechPipeline, "sentences", lambda self, text: said.append(text) or ["a hope"])
    options = ["--voice", voice[1], "--speaker", "0", "--output", str(tmp_path / "out.wav")]
    assert main(["speak", *options, *words]) == 0
    assert set(said) == {" ".join(words[1:])}


def test_the_name_of_a_text_as_a_text_is_warned_of(voice, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.hope").write_text("feed me")
    assert main(["speak", "a.hope", "--voice", voice[1], "--speaker", "0"]) == 0
    assert "This speaks the name 'a.hope'; to speak the text in that file, use --input" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"\xffa hope", b"a h\xf6pe"])
def test_standard_input_that_is_not_utf_8_is_one_sentence(voice, tmp_path, monkeypatch, capsys, content):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main(["speak", "--voice", voice[1], "--speaker", "0", "--output", str(tmp_path / "a.wav")]) == 1
    assert "The text on standard input is not UTF-8" in capsys.readouterr().err


@pytest.mark.thorough
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_standard_output_is_one_sentence(voice):
    arguments = ["speak", "a hope", "--speaker", "1", "--output", "-", "--voice", voice[1]]
    errors, end = processes.pipe()
    process = processes.start(processes.command, arguments, "/dev/full", None, end)
    end.close()
    with errors:
        printed = errors.read().decode()
    assert processes.exit_codes([process]) == [1] and "Traceback" not in printed and "Exception ignored" not in printed
    assert "Standard output could not be written to: No space left on device" in printed


@pytest.mark.parametrize("stream", [[], ["--stream"]], ids=["whole sentences", "streamed"])
def test_samples_go_to_standard_output_and_words_about_them_elsewhere(voice, capfdbinary, stream):
    pipe, folder = voice
    arguments = ["speak", "a hope", "--voice", folder, "--speaker", "1", "--seed", "4", "--output", "-", *stream]
    assert main(arguments) == 0
    written, printed = capfdbinary.readouterr()
    expected = pipe("a hope", speaker_id=1, generator=torch.Generator().manual_seed(4))["audio"]
    np.testing.assert_allclose(np.frombuffer(written, "<f4"), expected, rtol=0, atol=1e-5)
    assert b"16000" in printed and b"real-time factor" in printed


def test_speech_for_a_fifo_is_written_to_it_and_words_about_it_elsewhere(voice, tmp_path, capfd):
    fifo, read = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    assert main(["speak", "a hope", "--voice", voice[1], "--speaker", "1", "--output", str(fifo)]) == 0
    reader.join(10)
    written, printed = capfd.readouterr()
    assert soundfile.info(io.BytesIO(read[0])).samplerate == 16000 and fifo.is_fifo()
    assert not written and "s of audio" in printed


def test_a_full_disk_is_one_sentence_and_no_file(voice, tmp_path, monkeypatch, capsys):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("hf_vits.data.audio_writing._Sink._write", full)
    (tmp_path / "out").mkdir()
    arguments = ["speak", "a hope", "--voice", voice[1], "--speaker", "1", "--output", str(tmp_path / "out" / "a.wav")]
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert f"No space is left on the disk of the folder {tmp_path / 'out'}" in errors
    assert len(errors.strip().splitlines()) == 1 and not list((tmp_path / "out").iterdir())


def test_a_stream_is_written_piece_by_piece(voice, monkeypatch):
    chunks = []

    class Output:
        buffer = property(lambda self: self)
        write, flush, isatty = chunks.append, staticmethod(lambda: None), staticmethod(lambda: False)

    monkeypatch.setattr("sys.stdout", Output())
    arguments = ["speak", "a hope a hope a hope", "--voice", voice[1], "--speaker", "1", "--speed", "0.1"]
    assert main([*arguments, "--output", "-", "--stream"]) == 0
    lengths = [len(chunk) for chunk in chunks]
    assert len(lengths) > 2 and lengths[1] == growth(voice[0].model.config) * lengths[0]
    chunks.clear()
    assert main([*arguments, "--output", "-"]) == 0
    assert len(chunks) == 1


def test_a_player_that_goes_away_ends_the_speech_without_a_complaint(voice, tmp_path):
    arguments = ["speak", "a hope. " * 50, "--voice", voice[1], "--speaker", "1", "--output", "-", "--stream"]
    (samples, samples_end), (errors, errors_end) = processes.pipe(), processes.pipe()
    speaking = processes.start(processes.command, arguments, None, samples_end, errors_end)
    samples_end.close()
    errors_end.close()
    samples.read(64)
    samples.close()
    with errors:
        printed = errors.read().decode()
    assert processes.exit_codes([speaking]) == [0] and "Traceback" not in printed and "Broken" not in printed, printed


@pytest.mark.parametrize(
    ("arguments", "terminal", "printed"), [(["--stream"], False, "--output -"), (["--output", "-"], True, "terminal")]
)
def test_a_stream_goes_to_a_player(voice, tmp_path, monkeypatch, capsys, arguments, terminal, printed):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    assert main(["speak", "a hope", "--voice", voice[1], "--speaker", "0", *arguments]) == 1
    assert printed in capsys.readouterr().err


def test_a_file_appears_when_all_is_said(voice, tmp_path, monkeypatch):
    def stops(self, *_, **__):
        yield {"audio": np.zeros(100, dtype=np.float32), "sampling_rate": 16000, "sentence": 0}
        raise ValueError("no more")

    monkeypatch.setattr(TextToSpeechPipeline, "stream", stops)
    assert main(["speak", "a hope", "--voice", voice[1], "--output", str(tmp_path / "out.wav")]) == 1
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_a_file_that_was_named_is_replaced_only_if_asked(voice, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["speak", "a hope", "--voice", voice[1], "--speaker", "0", "--seed", "1"]
    for name in ("a.wav", "a.srt", "speech.wav"):
        (tmp_path / name).write_text("old")
    assert main([*arguments, "--output", "a.wav"]) == 1
    assert "a.wav exists; give another name, or replace it with --overwrite." in capsys.readouterr().err
    assert main([*arguments, "--output", "b.wav", "--subtitles", "a.srt"]) == 1 and not (tmp_path / "b.wav").exists()
    assert (tmp_path / "a.wav").read_text() == (tmp_path / "a.srt").read_text() == "old"
    assert main([*arguments, "--output", "a.wav", "--subtitles", "a.srt", "--overwrite"]) == 0
    assert soundfile.info("a.wav").frames and (tmp_path / "a.srt").read_text().startswith("1\n")
    assert main(arguments) == 0 and soundfile.info("speech.wav").frames  # the file of runs without a name
    (tmp_path / "a.wav.resume.json").touch()
    assert main([*arguments, "--output", "a.wav"]) == 1
    assert "--resume continues the stopped run that made it." in capsys.readouterr().err


def test_a_file_gets_the_loudness_that_is_asked_for(voice, tmp_path, capsys):
    arguments = ["speak", "a hope", "--voice", voice[1], "--speaker", "0", "--seed", "1"]
    for loudness in ("-30", "-20"):
        output = tmp_path / f"{loudness}.wav"
        assert main([*arguments, "--loudness", loudness, "--output", str(output)]) == 0
        assert integrated_loudness(*soundfile.read(output)) == pytest.approx(float(loudness), abs=0.1)
    assert main([*arguments, "--loudness", "-5", "--output", str(tmp_path / "c.wav")]) == 1
    assert "it must be -50 to -12" in capsys.readouterr().err
    assert main([*arguments, "--loudness", "-16", "--output", "-"]) == 1
    assert "needs a file" in capsys.readouterr().err


def test_markdown_is_spoken_without_its_markup(voice, tmp_path, capsys):
    pytest.importorskip("markdown_it")
    (tmp_path / "a.md").write_text("a *hope*\n\n```\nx = 1\n```\n")
    arguments = ["speak", "--input", str(tmp_path / "a.md"), "--voice", voice[1], "--speaker", "0", "--seed", "1"]
    assert main([*arguments, "--output", str(tmp_path / "a.wav")]) == 0
    expected = voice[0]("a hope", speaker_id=0, generator=torch.Generator().manual_seed(1))["audio"]
    np.testing.assert_allclose(soundfile.read(tmp_path / "a.wav")[0], expected, rtol=0, atol=1.1 / 32767)
    assert "a.md: 1 block of code left out." in capsys.readouterr().err
