"""Speech into a file, sentence by sentence: a signal leaves a whole file of what was spoken, to go on with later."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hf_vits.cli.progress import Progress
from hf_vits.cli.resume import (
    Unfinished,
    copy_file,
    encoded,
    read_unfinished,
    remove_unfinished,
    samples_of,
    state_file,
    write_unfinished,
)
from hf_vits.cli.signals import Stopped, answer, held
from hf_vits.data.audio import audio_writer
from hf_vits.data.audio_writing import LOSSY
from hf_vits.utils.new_files import is_special

if TYPE_CHECKING:
    import torch

    from hf_vits.pipeline import TextToSpeechPipeline

WHOLE_SENTENCE = 10**9
"""Frames of a piece that no sentence has."""


class Speech(NamedTuple):
    """What was spoken: sentences and samples in the file, seconds of work for how many of them, and the generator's
    state after it."""

    sentences: int
    samples: int
    new_samples: int
    work: float
    state: "torch.Tensor"


class SpeechFile:
    """
    Speaks a text into a file.

    Args:
        output (`Path`):
            The file.
        pipe ([`TextToSpeechPipeline`]):
            The voice.
        text (`str`):
            What to say.
        pause (`float`):
            Seconds of silence between sentences.
        generator (`torch.Generator`):
            Source of the noise.
        **options:
            Of `pipe.stream`.
    """

    def __init__(
        self,
        output: Path,
        pipe: "TextToSpeechPipeline",
        text: str,
        pause: float,
        generator: "torch.Generator",
        **options: Any,
    ):
        self.output, self.pipe, self.text, self.generator, self.options = output, pipe, text, generator, options
        self.silence = np.zeros(round(pause * pipe.sampling_rate), dtype=np.float32)
        self.sentences, self.special = pipe.sentences(text), is_special(output)
        self.former_sentences = 0  # of an unfinished file of the same work that is not gone on with
        self.lossy = not self.special and output.suffix.lstrip(".").upper() in LOSSY

    def speak(self, work: Callable[[], dict[str, Any]], resume: bool = False) -> int:
        """
        Speak, and tell how long the speech is; returns the exit status, that of a signal if one has come.

        Args:
            work (`Callable`):
                Gives what decides how the text is spoken, by the names of `unfinished.NAMES`.
            resume (`bool`, *optional*, defaults to `False`):
                Go on with speech that was stopped.
        """
        begun = self._begun(work, resume)
        if begun is not None:
            self.generator.set_state(begun.state())
        with ExitStack() as files:
            write = files.enter_context(audio_writer(self.output, self.pipe.sampling_rate))
            copy = files.enter_context(self._copy())
            speech, stopped = self._spoken(lambda samples: [each(samples) for each in (write, *copy)], begun)
            if stopped is None or self.special:
                copy.clear()  # which is not kept then
            with nullcontext() if self.special else held():
                files.close()
                if self.special or stopped is None:
                    remove_unfinished(self.output)
                else:
                    state = encoded(speech.state)
                    write_unfinished(self.output, Unfinished(work(), speech.sentences, speech.samples, state))
                self._tell(speech, stopped)
        return 0 if stopped is None else 128 + stopped.number

    def _begun(self, work: Callable[[], dict[str, Any]], resume: bool) -> Unfinished | None:
        if resume and self.special:
            raise ValueError(f"{self.output} is no file, so there is nothing to go on with; leave --resume out.")
        if resume:
            begun = read_unfinished(self.output, work())
            if begun is None:
                print(f"There is no {self.output} yet: it is spoken from the beginning.", file=sys.stderr)
            return begun
        if not self.special and state_file(self.output).exists():
            with suppress(ValueError):  # of other work, or damaged: nothing to go on with
                former = read_unfinished(self.output, work())
                self.former_sentences = former.sentences if former else 0
            print(
                f"{self.output} is spoken anew; to go on with what was stopped, stop this and give --resume.",
                file=sys.stderr,
            )
        return None

    @contextmanager
    def _copy(self) -> Iterator[list[Callable[[np.ndarray], None]]]:
        """A writer of the samples as they are, in a list, for a format that changes them; the file stays only if the
        list still holds it at the end."""
        if not self.lossy or len(self.sentences) < 2:
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

    def _spoken(self, write: Callable[[np.ndarray], object], begun: Unfinished | None) -> tuple[Speech, Stopped | None]:
        """Speaks to the end of the text or a signal; the sentence that this interrupts is not in the file."""
        done, samples, new, work = (begun.sentences, begun.samples, 0, 0.0) if begun else (0, 0, 0, 0.0)
        state, stopped = self.generator.get_state(), None
        progress, start = Progress(self.sentences, done), time.perf_counter()
        try:
            for block in samples_of(self.output, begun, self.lossy) if begun else ():
                write(block)
            pieces = self.pipe.stream(
                self.text,
                chunk_frames=WHOLE_SENTENCE,
                first_sentence=done,
                generator=self.generator,
                **self.options,
            )
            for piece in pieces:
                with held():
                    sound = np.concatenate([self.silence, piece["audio"]]) if samples else piece["audio"]
                    write(_quantised(sound) if self.lossy else sound)
                    samples, new, done = samples + len(sound), new + len(sound), piece["sentence"] + 1
                    state, work = self.generator.get_state(), time.perf_counter() - start
                    progress.spoken(piece["sentence"], samples / self.pipe.sampling_rate)
        except Stopped as signal:
            if not new or done <= self.former_sentences:  # what is there stays as it is
                raise
            answer()
            stopped = None if done == len(self.sentences) else signal
        finally:
            progress.close()
        return Speech(done, samples, new, work, state), stopped

    def _tell(self, speech: Speech, stopped: Stopped | None) -> None:
        rate, stream = self.pipe.sampling_rate, sys.stderr if self.special else sys.stdout
        if stopped is not None:
            state = state_file(self.output)
            on = "" if self.special else f" To go on, give the same command and --resume, which reads {state}."
            print(
                f"Stopped by {stopped} after {speech.sentences} of {len(self.sentences)} sentences: {self.output} "
                f"holds the {speech.samples / rate:.2f} s that were spoken.{on}",
                file=sys.stderr,
            )
            return
        seconds, new = speech.samples / rate, speech.new_samples / rate
        factor = f" (real-time factor {speech.work / new:.3f})" if new else ""
        print(f"{self.output}: {seconds:.2f} s of audio in {speech.work:.2f} s of work{factor}", file=stream)


class _NotKept(Exception):
    """Ends the writer of a file that is not wanted after all."""


def _quantised(samples: np.ndarray) -> np.ndarray:
    """float (n,) -> int16 (n,): what is kept for a resumed run, and so what each run has encoded."""
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
