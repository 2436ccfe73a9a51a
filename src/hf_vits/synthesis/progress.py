"""How far a run is, by the tokens it has spoken, and how fast it speaks."""

import time
from collections.abc import Sequence

from tqdm.auto import tqdm

from hf_vits.synthesis.survey import Row

FORMAT = "{desc}{percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}"


class SpeechBar(tqdm):
    """
    A bar of all rows, of which `remaining` are still to be spoken; tokens stand for the speech that is not there yet.

    Args:
        rows, remaining (`Sequence[Row]`):
            All rows, and those that are not done.
        **kwargs:
            As of `tqdm`.
    """

    def __init__(self, rows: Sequence[Row], remaining: Sequence[Row], **kwargs):
        whole, left = _tokens(rows), _tokens(remaining)
        super().__init__(total=whole, initial=whole - left, desc="speaking", bar_format=FORMAT, **kwargs)
        self.begun, self.speech = time.perf_counter(), 0.0

    def add(self, rows: Sequence[Row], seconds: float) -> None:
        """Moves on by rows that were spoken, which last so many seconds."""
        self.speech += seconds
        rate = self.speech / max(time.perf_counter() - self.begun, 1e-9)
        self.set_postfix_str(f"{self.speech / 3600:.2f} h of speech, {rate:.1f} s of it per s of work", refresh=False)
        self.update(_tokens(rows))


def _tokens(rows: Sequence[Row]) -> int:
    return sum(row.tokens for row in rows)
