"""How far the speech of a long text is, sentence by sentence, and how much time is left."""

import sys
import time
from collections.abc import Sequence
from typing import TextIO

LONG_SENTENCES, LONG_CHARACTERS = 20, 2000
"""From when on a text is long: progress is told then, whether or not a terminal shows it."""

SECONDS_BETWEEN_LINES = 10.0
"""Least time between two lines where no terminal shows them, as in a log."""


class Progress:
    """
    Tells after each sentence how many are done, how long the speech is and how much time is left.

    A terminal shows one line, which changes; anything else gets a line for the first sentence, the last one, and every
    ten seconds between. A single sentence, and a short text without a terminal, has no progress.

    Args:
        sentences (`Sequence[str]`):
            All sentences of the text; time is expected to grow with their characters.
        done (`int`, *optional*, defaults to 0):
            How many were spoken before, in a run that was stopped.
        stream (`TextIO`, *optional*):
            Where to, standard error by default.
    """

    def __init__(self, sentences: Sequence[str], done: int = 0, stream: TextIO | None = None):
        self.stream = sys.stderr if stream is None else stream
        self.characters = [len(sentence) for sentence in sentences]
        self.first, self.begun, self.told = done, time.monotonic(), None
        is_long = len(sentences) > LONG_SENTENCES or sum(self.characters) > LONG_CHARACTERS
        self.on_terminal = self.stream.isatty()
        self.shown = len(sentences) > 1 and (self.on_terminal or is_long)

    def spoken(self, number: int, seconds: float) -> None:
        """Tell that sentence `number`, counted from 0, is done, and how many seconds of speech there are by now."""
        now, last = time.monotonic(), number + 1 == len(self.characters)
        if not self.shown:
            return
        if not self.on_terminal and not last and self.told is not None and now - self.told < SECONDS_BETWEEN_LINES:
            return
        self.told = now
        done, left = sum(self.characters[self.first : number + 1]), sum(self.characters[number + 1 :])
        line = f"sentence {number + 1} of {len(self.characters)}, {clock(seconds)} of speech"
        if left:
            line += f", about {clock((now - self.begun) * left / max(done, 1))} left"
        self.stream.write(f"\r\x1b[K{line}" if self.on_terminal else f"{line}\n")
        self.stream.flush()

    def close(self) -> None:
        """Clear the line of a terminal."""
        if self.shown and self.on_terminal and self.told is not None:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, with hours if there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
