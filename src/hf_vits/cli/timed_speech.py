"""Speak subtitles into an audio file: each cue at its time, faster if the next one begins too soon."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hf_vits.cli.progress import Progress
from hf_vits.cli.speech_file import speech_writer
from hf_vits.cli.subtitles import Subtitles
from hf_vits.documents.subtitles import SpokenCue

if TYPE_CHECKING:
    import torch

    from hf_vits.pipeline import TextToSpeechPipeline

MAX_FASTER = 2.0
"""Most that speech is sped up to fit; faster speech is hardly understood."""

TRIES = 4
"""Times that a cue is spoken until it fits: tokens have whole frames, so a rate does not scale them exactly."""

LISTED = 10
"""Cues that the report names."""


class Fitted(NamedTuple):
    """A cue as it was spoken: its number, how much faster than usual, and seconds after the time of the cue."""

    number: int
    faster: float
    late: float


class TimedSpeech:
    """
    Speak cues into an audio file.

    Args:
        output (`Path`):
            The file.
        pipe ([`TextToSpeechPipeline`]):
            The voice.
        cues (`list[SpokenCue]`):
            What to speak, by their beginnings.
        subtitles (`list[Path]`):
            Files for the times of the words.
        loudness (`float`, *optional*):
            LUFS that the file gets.
        generator (`torch.Generator`):
            Random generator.
        **options:
            Arguments of the pipeline.
    """

    def __init__(
        self,
        output: Path,
        pipe: "TextToSpeechPipeline",
        cues: Sequence[SpokenCue],
        subtitles: Sequence[Path] = (),
        loudness: float | None = None,
        *,
        generator: "torch.Generator",
        **options: Any,
    ):
        self.output, self.pipe, self.cues, self.generator, self.options = output, pipe, cues, generator, options
        self.rate, self.loudness, self.samples = pipe.sampling_rate, loudness, 0
        self.times = Subtitles(subtitles, pipe.sampling_rate)

    def speak(self) -> int:
        """Speak, print what was fitted how, and return the exit status."""
        start, fitted = time.perf_counter(), []
        progress = Progress([cue.text for cue in self.cues])
        try:
            with speech_writer(self.output, self.rate, self.loudness) as write:
                for number, cue in enumerate(self.cues):
                    fitted.append(self._cue(write, number, cue))
                    progress.spoken(number, self.samples / self.rate)
        finally:
            progress.close()
        self.times.write()
        work = time.perf_counter() - start
        print(
            f"{self.output}: {len(self.cues)} cues, {self.samples / self.rate:.2f} s of audio in {work:.2f} s of work"
        )
        _report(fitted)
        return 0

    def _cue(self, write: Callable[[np.ndarray], object], number: int, cue: SpokenCue) -> Fitted:
        """Write silence up to the time of a cue, and its speech."""
        while (gap := round(cue.start * self.rate) - self.samples) > 0:
            self._write(write, np.zeros(min(gap, self.rate), dtype=np.float32))
        late = self.samples / self.rate - cue.start
        room = None
        if number + 1 < len(self.cues):
            room = max(0, round(self.cues[number + 1].start * self.rate) - self.samples)
        speech, faster = self._fitted(cue.text, room)
        self.times.add(speech, self.samples)
        self._write(write, speech["audio"])
        return Fitted(number + 1, faster, late)

    def _write(self, write: Callable[[np.ndarray], object], samples: np.ndarray) -> None:
        write(samples)
        self.samples += len(samples)

    def _fitted(self, text: str, room: int | None) -> tuple[dict, float]:
        """Speak a text, again and faster while it takes more samples than there is room for; return how much faster."""
        state, faster = self.generator.get_state(), 1.0
        usual = self.options.get("speaking_rate") or self.pipe.model.config.speaking_rate
        options = {**self.options, "return_timestamps": self.times.units}
        for _ in range(TRIES):
            self.generator.set_state(state)
            options["speaking_rate"] = min(10.0, usual * faster)
            speech = self.pipe(text, generator=self.generator, **options)
            if room is None or len(speech["audio"]) <= room or faster == MAX_FASTER:
                break
            faster = min(MAX_FASTER, 1.01 * faster * len(speech["audio"]) / max(1, room))
        return speech, options["speaking_rate"] / usual


def _report(fitted: Sequence[Fitted]) -> None:
    """Print which cues were spoken faster, and which began late because the one before took too long."""
    for message, cues in (
        ("spoken faster", [f"{cue.number} (x{cue.faster:.2f})" for cue in fitted if cue.faster > 1]),
        ("begun late", [f"{cue.number} ({cue.late:.2f} s)" for cue in fitted if cue.late > 0.001]),
    ):
        if cues:
            more = f" and {len(cues) - LISTED} more" if len(cues) > LISTED else ""
            print(f"{len(cues)} of {len(fitted)} cues {message}: {', '.join(cues[:LISTED])}{more}", file=sys.stderr)
