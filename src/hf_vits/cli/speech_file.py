"""Speak into an audio file, sentence by sentence; a signal leaves a valid file, which --resume continues."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hf_vits.cli.progress import Progress
from hf_vits.cli.raw_output import WHOLE_SENTENCE
from hf_vits.cli.resume import (
    Unfinished,
    copy_file,
    encode_state,
    read_samples,
    read_unfinished,
    remove_unfinished,
    state_file,
    write_unfinished,
)
from hf_vits.cli.signals import Stopped, answer_signal, delayed_signals
from hf_vits.cli.subtitles import Subtitles
from hf_vits.data.audio import audio_writer
from hf_vits.data.audio_writing import LOSSY
from hf_vits.data.leveling import leveled_writer
from hf_vits.utils.atomic_file import is_special

if TYPE_CHECKING:
    import torch

    from hf_vits.pipeline import TextToSpeechPipeline


@contextmanager
def speech_writer(output: Path, rate: int, loudness: float | None) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that appends samples to an audio file, which gets a loudness in LUFS if one is given."""
    with audio_writer(output, rate) as write:
        if loudness is None:
            yield write
            return
        folder = None if is_special(output) else output.absolute().parent
        with leveled_writer(write, rate, loudness, folder) as append:
            yield append


class Speech(NamedTuple):
    """Counts of the sentences and samples in the file, of new samples, the seconds of work for those, and the state of
    the random generator."""

    sentences: int
    samples: int
    new_samples: int
    work: float
    state: "torch.Tensor"


class SpeechFile:
    """
    Speak a text into an audio file.

    Args:
        output (`Path`):
            The file.
        pipe ([`TextToSpeechPipeline`]):
            The voice.
        text (`str`):
            The text.
        pause (`float`):
            Seconds of silence between sentences.
        generator (`torch.Generator`):
            Random generator.
        subtitles (`list[Path]`):
            Files for the times of the words.
        loudness (`float`, *optional*):
            LUFS that the file gets.
        **options:
            Arguments of `pipe.stream`.
    """

    def __init__(
        self,
        output: Path,
        pipe: "TextToSpeechPipeline",
        text: str,
        pause: float,
        generator: "torch.Generator",
        subtitles: Sequence[Path] = (),
        loudness: float | None = None,
        **options: Any,
    ):
        self.output, self.pipe, self.text, self.generator = output, pipe, text, generator
        self.options = {**options, "pause": pause}
        self.times = Subtitles(subtitles, pipe.sampling_rate)
        self.sentences, self.special = pipe.sentences(text), is_special(output)
        self.former_sentences = 0  # in an unfinished file of the same options that is not resumed
        self.loudness = loudness
        self.changed = not self.special and (loudness is not None or output.suffix.lstrip(".").upper() in LOSSY)

    def speak(self, identity: Callable[[], dict[str, Any]], resume: bool = False) -> int:
        """
        Speak, print the duration, and return the exit status: 0, or that of a signal.

        Args:
            identity (`Callable`):
                Returns what the speech depends on, by the names of `resume.NAMES`.
            resume (`bool`, *optional*, defaults to `False`):
                Continue speech that was stopped.
        """
        previous = self._previous_run(identity, resume)
        if previous is not None:
            self.generator.set_state(previous.state())
            self.times = Subtitles(self.times.files, self.times.rate, previous.timestamps)
        with ExitStack() as files:
            write = files.enter_context(speech_writer(self.output, self.pipe.sampling_rate, self.loudness))
            copy = files.enter_context(self._copy())
            speech, stopped = self._spoken(lambda samples: [each(samples) for each in (write, *copy)], previous)
            if stopped is None or self.special:
                copy.clear()  # it is not needed
            with nullcontext() if self.special else delayed_signals():
                files.close()
                if self.special or stopped is None:
                    remove_unfinished(self.output)
                else:
                    state, times = encode_state(speech.state), self.times.timestamps if self.times.files else None
                    unfinished = Unfinished(identity(), speech.sentences, speech.samples, state, times)
                    write_unfinished(self.output, unfinished)
                self.times.write()
                self._report(speech, stopped)
        return 0 if stopped is None else 128 + stopped.number

    def _previous_run(self, identity: Callable[[], dict[str, Any]], resume: bool) -> Unfinished | None:
        if resume and self.special:
            raise ValueError(f"{self.output} is not a regular file, so there is nothing to resume; leave --resume out.")
        if resume:
            previous = read_unfinished(self.output, identity())
            if previous is None:
                print(f"There is no {self.output} yet: starting from the beginning.", file=sys.stderr)
            return previous
        if not self.special and state_file(self.output).exists():
            with suppress(ValueError):  # of other options, or damaged
                former = read_unfinished(self.output, identity())
                self.former_sentences = former.sentences if former else 0
            print(
                f"Starting {self.output} again; to continue the stopped run, stop this one and give --resume.",
                file=sys.stderr,
            )
        return None

    @contextmanager
    def _copy(self) -> Iterator[list[Callable[[np.ndarray], None]]]:
        """Open a lossless copy, if the file has other samples, as a list of one writer; an empty list discards it."""
        if not self.changed or len(self.sentences) < 2:
            yield []
            return
        try:
            with audio_writer(copy_file(self.output), self.pipe.sampling_rate) as write:
                writers = [write]
                yield writers
                if not writers:
                    raise _NotKept
        except _NotKept:
            pass

    def _spoken(
        self, write: Callable[[np.ndarray], object], previous: Unfinished | None
    ) -> tuple[Speech, Stopped | None]:
        """Speak to the end of the text, or to a signal; an interrupted sentence is not in the file."""
        done, samples, new, work = (previous.sentences, previous.samples, 0, 0.0) if previous else (0, 0, 0, 0.0)
        state, stopped, begun, silence = self.generator.get_state(), None, samples, []
        progress, start = Progress(self.sentences, done), time.perf_counter()
        try:
            for block in read_samples(self.output, previous, self.changed) if previous else ():
                write(block)
            chunks = self.pipe.stream(
                self.text,
                chunk_frames=WHOLE_SENTENCE,
                first_sentence=done,
                generator=self.generator,
                return_timestamps=self.times.units,
                **self.options,
            )
            for chunk in chunks:
                if chunk.get("is_pause"):
                    silence = [chunk["audio"]]
                    continue
                with delayed_signals():
                    sound, silence = np.concatenate([*silence, chunk["audio"]]), []
                    self.times.add(chunk, begun)
                    write(_quantised(sound) if self.changed else sound)
                    samples, new, done = samples + len(sound), new + len(sound), chunk["sentence"] + 1
                    state, work = self.generator.get_state(), time.perf_counter() - start
                    progress.spoken(chunk["sentence"], samples / self.pipe.sampling_rate)
        except Stopped as signal:
            if not new or done <= self.former_sentences:  # the existing file is kept
                raise
            answer_signal()
            stopped = None if done == len(self.sentences) else signal
        finally:
            progress.close()
        return Speech(done, samples, new, work, state), stopped

    def _report(self, speech: Speech, stopped: Stopped | None) -> None:
        rate, stream = self.pipe.sampling_rate, sys.stderr if self.special else sys.stdout
        if stopped is not None:
            state = state_file(self.output)
            on = "" if self.special else f" To continue, repeat the command with --resume, which reads {state}."
            print(
                f"Stopped by {stopped} after {speech.sentences} of {len(self.sentences)} sentences: {self.output} "
                f"holds {speech.samples / rate:.2f} s of speech.{on}",
                file=sys.stderr,
            )
            return
        seconds, new = speech.samples / rate, speech.new_samples / rate
        factor = f" (real-time factor {speech.work / new:.3f})" if new else ""
        print(f"{self.output}: {seconds:.2f} s of audio in {speech.work:.2f} s of work{factor}", file=stream)


class _NotKept(Exception):
    """Abort the writer of a file that is not needed."""


def _quantised(samples: np.ndarray) -> np.ndarray:
    """float (n,) -> int16 (n,): what the lossless copy keeps, so every run encodes the same."""
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
