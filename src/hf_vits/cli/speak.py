"""`hf-vits speak`: speak a text, a file or standard input into an audio file or to standard output."""

import argparse
import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_vits.cli.explain import explain, reading
from hf_vits.cli.input_text import read_text_argument, text_of_file
from hf_vits.cli.parser import Parser, number_or_name
from hf_vits.cli.resume import state_file
from hf_vits.cli.speech_runtime import add_runtime, speaker
from hf_vits.cli.subtitles import check_subtitles
from hf_vits.documents.subtitles import SpokenCue, is_subtitles, read_cues
from hf_vits.utils.atomic_file import is_special
from hf_vits.utils.formatting import quoted
from hf_vits.utils.precision import DTYPES, add_dtype, decoder_dtype
from hf_vits.utils.threads import add_threads

if TYPE_CHECKING:
    from hf_vits.pipeline import TextToSpeechPipeline

HELP = "Speak a text into an audio file or to standard output."

RANGES = {"speed": (0.1, 10), "pause": (0, 60)}
"""Limits of options: at a tenth of the speed, a sentence lasts minutes and takes gigabytes."""

SCRATCH = "speech.wav"
"""File of a run without --output, which the next one replaces."""

SEEDS = (-(2**63), 2**64 - 1)
"""Smallest and largest seed that PyTorch accepts."""


def add_arguments(parser: Parser) -> None:
    """Declare the options of the verb."""
    parser.usage = "%(prog)s [options] [text ...]"
    add, add_rare = parser.add_argument, parser.add_rare
    add("text", nargs="*", help="[[ ]] holds phonemes; -- before a leading dash")
    add("--input", metavar="FILE", help="txt md epub srt vtt ass, or - for standard input")
    add("--voice", default="default", metavar="VOICE", help="folder, default, or name on the Hub")
    add("--speaker", metavar="ID", help="speaker, by number or name")
    add_rare("--language", metavar="ID", help="language, by number or name")
    add("--speed", type=float, metavar="X", help="0.1 to 10; 2 is twice as fast")
    add_rare("--noise-scale", type=float, metavar="X", help="variation of the voice; default: the voice's own")
    add_rare("--noise-scale-duration", type=float, metavar="X", help="variation of the rhythm")
    add("--pause", type=float, default=0.0, metavar="SECONDS", help="silence between sentences")
    add("--loudness", type=float, metavar="LUFS", help="-50 to -12; -16 for podcasts, -23 for broadcasts")
    add("--lexicon", metavar="FILE", help="table of words and how to pronounce them")
    add_rare("--no-expand", action="store_true", help="leave $5, Dr. and 1984 to espeak-ng")
    add("--explain", action="store_true", help="print how the text is read; no speech")
    add_rare("--short-text-context", action="store_true", help="speak texts of one to three words more clearly")
    add_rare("--strict", action="store_true", help="refuse letters that the voice cannot read")
    add("--seed", type=int, metavar="N", help="makes the speech repeatable; a 64-bit integer")
    add_threads(parser)
    add_dtype(parser)
    add_runtime(parser)
    add("--output", metavar="FILE", help=f"wav flac ogg opus mp3 …; default: {SCRATCH}; - is raw")
    subtitles = "times of words: srt vtt ass TextGrid json ctm txt"
    add("--subtitles", action="append", default=[], metavar="FILE", help=subtitles)
    add("--overwrite", action="store_true", help="replace existing files of --output, --subtitles")
    add("--resume", action="store_true", help="continue a stopped run; repeat its other options")
    add_rare("--stream", action="store_true", help="write within a sentence; needs --output -")


def run(options: argparse.Namespace) -> int:
    """Speak, print the duration and the time it took, and return the exit status."""
    from hf_vits.cli.incoming_text import incoming_text, sentences_of
    from hf_vits.conversion.resolve import resolve_voice

    output = None if options.output == "-" else Path(SCRATCH if options.output is None else options.output).expanduser()
    cues = _cues(options)
    is_incoming = output is None and not (options.text or options.explain) and options.input in (None, "-")
    incoming = incoming_text() if is_incoming else None
    text = "\n\n".join(cue.text for cue in cues or ()) if cues or incoming else read_text_argument(options)
    if options.explain:
        return explain(options, text)
    check_numbers(options)
    _check_output(output, options)
    subtitles = check_subtitles(options.subtitles, output)
    _refuse_existing([output, *subtitles] if options.output else subtitles, options)
    voice = resolve_voice(options.voice)
    pipe, generator, finish = speaker(options, voice, None if cues or incoming else text)
    controls = {
        "speaker_id": number_or_name(options.speaker, pipe.model.config.speaker_names),
        "language_id": number_or_name(options.language, pipe.model.config.language_names),
        "speaking_rate": options.speed,
        "noise_scale": options.noise_scale,
        "noise_scale_duration": options.noise_scale_duration,
        "strict": options.strict,
        "short_text_context": options.short_text_context,
        **reading(options, pipe.tokenizer, text),
    }
    if incoming is not None:
        text = sentences_of(incoming, getattr(pipe.tokenizer, "text_language", None))
    status = _speak(options, pipe, text if cues is None else cues, output, subtitles, generator=generator, **controls)
    if status == 0:
        finish()
    return status


def _speak(
    options: argparse.Namespace,
    pipe: "TextToSpeechPipeline",
    text: str | Iterable[str] | list[SpokenCue],
    output: Path | None,
    subtitles: Sequence[Path],
    **controls: Any,
) -> int:
    """Speak a text, sentences that arrive one by one, or cues at their times; return the exit status."""
    if output is None:
        from hf_vits.cli.raw_output import play

        play(pipe, text, not options.stream, subtitles, pause=options.pause, **controls)
        return 0
    if isinstance(text, list):
        from hf_vits.cli.timed_speech import TimedSpeech

        return TimedSpeech(output, pipe, text, subtitles, options.loudness, pause=options.pause, **controls).speak()
    from hf_vits.cli.speech_file import SpeechFile

    generator = controls.pop("generator")
    speech = SpeechFile(output, pipe, text, options.pause, generator, subtitles, options.loudness, **controls)
    return speech.speak(partial(_identity, options, text, pipe, controls["lexicon"]), options.resume)


def _cues(options: argparse.Namespace) -> list[SpokenCue] | None:
    """Return the cues of --input, if those are to be spoken at their times."""
    if options.text or options.input is None or not is_subtitles(options.input):
        return None
    if options.resume or options.output == "-":
        raise ValueError("Subtitles are spoken into a file, from the beginning; leave --resume and --output - out.")
    return read_cues(text_of_file(Path(options.input).expanduser()), Path(options.input).suffix.lower())


def check_numbers(options: argparse.Namespace) -> None:
    """Raise `ValueError` for a number out of range, before a voice is loaded."""
    for name, (least, most) in RANGES.items():
        value = getattr(options, name)
        if value is not None and not least <= value <= most:
            raise ValueError(f"--{name} is {value}; it must be {least:g} to {most:g}.")
    for name in ("noise_scale", "noise_scale_duration"):
        value = getattr(options, name)
        if value is not None and not 0 <= value < float("inf"):
            raise ValueError(f"--{name.replace('_', '-')} is {value}; it must be a finite number of at least 0.")
    if getattr(options, "loudness", None) is not None:  # other verbs have none
        from hf_vits.data.leveling import check_loudness

        check_loudness(options.loudness)
    if options.seed is not None and not SEEDS[0] <= options.seed <= SEEDS[1]:
        raise ValueError(f"--seed is {quoted(options.seed)}; it must be a 64-bit integer, {SEEDS[0]} to {SEEDS[1]}.")


def _check_output(output: Path | None, options: argparse.Namespace) -> None:
    from hf_vits.data.audio import check_output

    if output is not None:
        if options.output == "":
            raise ValueError("The name of the file to write is empty; give one with --output.")
        check_output(output)
        if options.stream:
            raise ValueError(
                "--stream needs --output -; leave it out for a file, which is written whole or not at all."
            )
    elif sys.stdout is None or sys.stdout.isatty():
        raise ValueError("Standard output is a terminal; pipe the audio into a player or a file.")
    elif options.resume:
        raise ValueError("--resume needs a file; leave it out, or name a file with --output.")
    elif options.loudness is not None:
        raise ValueError("--loudness needs a file, as it is known at the end only; name one with --output.")


def _refuse_existing(files: Sequence[Path | None], options: argparse.Namespace) -> None:
    """Raise `FileExistsError` for files that the user named and that would be lost."""
    if options.overwrite or options.resume:
        return
    for file in files:
        if file is not None and os.path.lexists(file) and not is_special(file):
            stopped = " --resume continues the stopped run that made it." if state_file(file).exists() else ""
            raise FileExistsError(f"{file} exists; give another name, or replace it with --overwrite.{stopped}")


def _identity(options: argparse.Namespace, text: str, pipe, lexicon) -> dict:
    """Return everything that the speech depends on, by the names of `resume.NAMES`."""
    from hf_vits.utils.digests import voice_digest

    names = ("speaker", "language", "speed", "noise_scale", "seed", "pause", "loudness")
    given = {name: getattr(options, name) for name in names}
    digest = getattr(pipe, "digest", None)  # of onnxruntime, which computes in float32
    dtype = DTYPES[0] if digest else decoder_dtype(pipe.model)
    return {
        "text": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12],
        "voice": digest or voice_digest(pipe.model),
        "dtype": None if dtype == DTYPES[0] else dtype,
        "noise_scale_duration": options.noise_scale_duration,
        "subtitles": bool(options.subtitles) or None,  # a run without any has not kept the times
        "expand": not options.no_expand,
        "lexicon": hashlib.sha256(lexicon.table().encode()).hexdigest()[:12] if lexicon else None,
        **given,
    }
