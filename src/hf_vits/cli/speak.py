"""`hf-vits speak`: text, a file or standard input, to a file of sound or to a player."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hf_vits.cli.threads import add_threads, use_threads

HELP = "Speak a text into a sound file, or to standard output."

WHOLE_SENTENCE = 10**9
"""Frames of a piece that no sentence has."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the verb."""
    parser.add_argument(
        "text",
        nargs="?",
        help="what to say (after -- if it begins with a dash); without it and --input, standard input is read",
    )
    parser.add_argument("--input", metavar="FILE", help="a text file to speak, or - for standard input")
    parser.add_argument(
        "--voice",
        default="default",
        metavar="VOICE",
        help="a folder, default (en_US-joe-medium), or the name of a voice on the Hub",
    )
    parser.add_argument("--speaker", metavar="ID", help="who speaks, by number or name")
    parser.add_argument("--language", metavar="ID", help="in which language, by number or name")
    parser.add_argument("--speed", type=float, help="2 speaks twice as fast (default: the voice's own)")
    parser.add_argument("--noise-scale", type=float, help="variation of the sound (default: the voice's own)")
    parser.add_argument("--noise-scale-duration", type=float, help="variation of the rhythm (default: the voice's own)")
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="silence between sentences")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse a text with letters that the voice cannot read, instead of warning of them",
    )
    parser.add_argument("--seed", type=int, help="makes the speech repeatable")
    add_threads(parser)
    parser.add_argument(
        "--output",
        default="speech.wav",
        metavar="FILE",
        help="default: speech.wav; - writes samples to standard output, 32-bit floats, little-endian, mono",
    )
    parser.add_argument(
        "--stream", action="store_true", help="hand over sound within a sentence, as early as possible, for --output -"
    )


def run(options: argparse.Namespace) -> None:
    """Speaks, and prints how long the speech is and how long it took."""
    from hf_vits.audio import check_output
    from hf_vits.named import number_or_name
    from hf_vits.resolve import resolve_voice

    text = _text(options)
    if options.output != "-":
        check_output(options.output)
        if options.stream:
            raise ValueError(
                "--stream is for a player; give --output -, or leave it out: a file is whole or not there."
            )
    elif sys.stdout.isatty():
        raise ValueError("Standard output is a terminal, which shows no sound; pipe it into a player or a file.")
    voice = resolve_voice(options.voice)
    use_threads(options.threads)
    pipe = _pipeline(voice)
    import torch  # after all that can be wrong without it: it takes a second or two

    controls = {
        "speaker_id": number_or_name(options.speaker, pipe.model.config.speaker_names),
        "language_id": number_or_name(options.language, pipe.model.config.language_names),
        "speaking_rate": options.speed,
        "noise_scale": options.noise_scale,
        "noise_scale_duration": options.noise_scale_duration,
    }
    if options.seed is not None:
        controls["generator"] = torch.Generator().manual_seed(options.seed)
    chunk_frames = None if options.stream else WHOLE_SENTENCE
    samples, work, start = 0, 0.0, time.perf_counter()
    with _writer(options.output, pipe.sampling_rate) as write:
        for piece in pipe.stream(
            text, chunk_frames=chunk_frames, pause=options.pause, strict=options.strict, **controls
        ):
            work += time.perf_counter() - start  # without the time that a player takes
            samples += len(piece["audio"])
            write(piece["audio"])
            start = time.perf_counter()
    seconds, name = samples / pipe.sampling_rate, "standard output" if options.output == "-" else options.output
    print(
        f"{name}: {seconds:.2f} s of audio in {work:.2f} s of work (real-time factor {work / seconds:.3f})",
        file=sys.stderr if options.output == "-" else sys.stdout,
    )


@contextmanager
def _writer(output: str, rate: int) -> Iterator[Callable]:
    """A function that writes samples (n,) to a file, or at once to standard output."""
    from hf_vits.audio import audio_writer

    if output != "-":
        with audio_writer(output, rate) as write:
            yield write
        return
    print(f"{rate} samples per second; play them with: aplay -f FLOAT_LE -r {rate}", file=sys.stderr)

    def write(samples) -> None:
        sys.stdout.buffer.write(samples.astype("<f4").tobytes())
        sys.stdout.buffer.flush()

    try:
        yield write
    except BrokenPipeError:  # nobody listens any more; Python would complain once more when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _text(options: argparse.Namespace) -> str:
    if options.text is not None and options.input is not None:
        raise ValueError("A text and --input are both given; give one of them.")
    if options.text is not None:
        text = options.text
    elif options.input in (None, "-"):
        text = sys.stdin.read()
    else:
        text = _file(Path(options.input))
    if not text.strip():
        raise ValueError("There is no text to speak; give it as an argument, with --input, or on standard input.")
    return text


def _file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); convert it first."
        ) from error


def _pipeline(voice: str):
    from transformers.utils import logging

    from hf_vits import TextToSpeechPipeline, VitsModel, VitsTokenizer

    logging.disable_progress_bar()  # a voice loads in a fraction of a second
    return TextToSpeechPipeline(VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice))
