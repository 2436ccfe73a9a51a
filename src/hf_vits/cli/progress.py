"""Print the progress of a long text, sentence by sentence."""

import sys
import time
from collections.abc import Sequence
from typing import TextIO

LONG_SENTENCES, LONG_CHARACTERS = 20, 2000
"""Sentences or characters above which a text is long, and progress is printed without a terminal too."""

SECONDS_BETWEEN_LINES = 10.0
"""Shortest time between two lines of a log."""


class Progress:
    """
    Print after each sentence how many are done, how long the speech is and how much time is left.

    A terminal shows one line, which changes. A log gets a line for the first sentence, the last one, and every ten
    seconds between. Nothing is printed for a single sentence, nor for a short text without a terminal.

    Args:
        sentences (`Sequence[str]`):
            All sentences of the text; the time left is estimated from their characters.
        done (`int`, *optional*, defaults to 0):
            Number of sentences that a stopped run has spoken.
        stream (`TextIO`, *optional*):
            Output; standard error by default.
    """

    def __init__(self, sentences: Sequence[str], done: int = 0, stream: TextIO | None = None):
        self.stream = sys.stderr if stream is None else stream
        self.characters = [len(sentence) for sentence in sentences]
        self.first, self.started, self.printed = done, time.monotonic(), None
        is_long = len(sentences) > LONG_SENTENCES or sum(self.characters) > LONG_CHARACTERS
        self.on_terminal = self.stream.isatty()
        self.shown = len(sentences) > 1 and (self.on_terminal or is_long)

    def spoken(self, number: int, seconds: float) -> None:
        """Report that sentence `number`, counted from 0, is done, with the seconds of speech so far."""
        now, last = time.monotonic(), number + 1 == len(self.characters)
        if not self.shown:
            return
        if (
            not self.on_terminal
            and not last
            and self.printed is not None
            and now - self.printed < SECONDS_BETWEEN_LINES
        ):
            return
        self.printed = now
        done, left = sum(self.characters[self.first : number + 1]), sum(self.characters[number + 1 :])
        line = f"sentence {number + 1} of {len(self.characters)}, {clock(seconds)} of speech"
        if left:
            line += f", about {clock((now - self.started) * left / max(done, 1))} left"
        self.stream.write(f"\r\x1b[K{line}" if self.on_terminal else f"{line}\n")
        self.stream.flush()

    def close(self) -> None:
        """Clear the line of a terminal."""
        if self.shown and self.on_terminal and self.printed is not None:
            self.stream.write("\r\x1b[K")
            self.stream.flush()


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds, with hours if there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
