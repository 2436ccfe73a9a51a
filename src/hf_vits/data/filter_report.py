"""Count which rows of a data set are kept or dropped, and note what may be wrong with those that are kept."""

import hashlib
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hf_vits.text.errors import format_counts, shortened

TWICE = "recordings that come twice, with the same text"
CONTRADICTED = "recordings with another text in another row"
ODD_RATE = "texts that are much too long or too short for their sound"

MIN_RATES = 20
"""Number of clips from which on the median of tokens per second is meaningful."""

MIN_LOG_RATIO, MAX_DEVIATIONS = math.log(2), 4 * 1.4826
"""A rate is odd if it is twice or half the median or beyond, and four standard deviations from it, which a normal
distribution has at 1.4826 times the median of absolute deviations."""

MAX_REMEMBERED = 1_000_000
"""Recordings that are remembered for comparison with later ones."""


@dataclass
class FilterReport:
    """
    Count the clips and seconds that were kept, the rows that were dropped for each reason, and the kept ones that are
    noted for a possible mistake in the data; remember the first row of each kind.
    """

    kept: int = 0
    seconds: float = 0.0
    dropped: Counter = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    unknown_characters: Counter = field(default_factory=Counter)
    other_scripts: Counter = field(default_factory=Counter)
    notes: Counter = field(default_factory=Counter)
    checked: int | None = None
    """Clips whose audio was decoded and checked; `None` if none were."""
    joined: int | None = None
    """Clips that the kept ones are joined to in the first epoch; `None` if they are not joined."""
    repeated: set[str] = field(default_factory=set)
    """Rows whose recording was in an earlier row."""
    _recordings: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    _rates: list[tuple[float, str]] = field(default_factory=list, repr=False)
    _withdrawn: set[str] = field(default_factory=set, repr=False)

    def keep(self, seconds: float, tokens: int, text: str, source: object, row: str) -> None:
        """Count a row to train on, and compare it with earlier ones; `source` is its undecoded audio."""
        self.kept += 1
        self.seconds += seconds
        if len(self._rates) < MAX_REMEMBERED:
            self._rates.append((tokens / seconds, row))
        if name := recording_name(source):
            self.compare(name, text, row)

    def drop(self, reason: str, row: str, detail: object = "") -> None:
        """Count a dropped row, named so that users find it."""
        self.dropped[reason] += 1
        self.first.setdefault(reason, f"{row}{f': {detail}' if str(detail) else ''}")

    def withdraw(self, seconds: float, reason: str, row: str, detail: object = "") -> None:
        """Drop a row that was kept before, because its audio turned out to be unusable."""
        self.kept -= 1
        self.seconds -= seconds
        self._withdrawn.add(row)
        self.drop(reason, row, detail)

    def note(self, kind: str, row: str, detail: object = "") -> None:
        """Count a row that is kept though something about it may be wrong."""
        self.notes[kind] += 1
        self.first.setdefault(kind, f"{row}{f': {detail}' if str(detail) else ''}")

    def compare(self, recording: str, text: str, row: str) -> None:
        """Note a recording that occurred before, by the name of its file or content."""
        if recording not in self._recordings:
            if len(self._recordings) < MAX_REMEMBERED:
                self._recordings[recording] = (" ".join(text.split()), row)
            return
        other, place = self._recordings[recording]
        self.repeated.add(row)
        if other == " ".join(text.split()):
            self.note(TWICE, row, f"as in {place}")
        else:
            self.note(CONTRADICTED, row, f"{shortened(text)!r}, and {shortened(other)!r} in {place}")

    @property
    def noted(self) -> Counter:
        """Numbers of noted rows by kind, including texts that do not fit their audio."""
        odd = [place for place, _ in self._odd_rates()]
        return self.notes + Counter({ODD_RATE: len(odd)} if odd else {})

    def __str__(self) -> str:
        lines = [f"kept    {self.kept:7d}  clips, {self.seconds / 60:.1f} minutes"]
        if self.joined is not None:
            lines.append(f"joined  {self.joined:7d}  clips that the kept ones are joined to, others in each epoch")
        lines += [f"dropped {n:7d}  {reason}; first {self.first[reason]}" for reason, n in self.dropped.most_common()]
        first = {ODD_RATE: ": ".join(next(self._odd_rates(), ("", ""))), **self.first}
        lines += [f"noted   {n:7d}  {kind}; first {first[kind]}" for kind, n in self.noted.most_common()]
        if self.checked is not None and self.checked < self.kept:
            lines.append(f"The sound of {self.checked:,} clips was looked at, of the others only the length.")
        if self.unknown_characters:
            lines.append(
                f"left out of texts, because the voice does not know them: {format_counts(self.unknown_characters)}"
            )
        if self.other_scripts:
            lines.append(f"letters of scripts that the voice does not read: {format_counts(self.other_scripts)}")
        return "\n".join(lines)

    def _odd_rates(self) -> Iterator[tuple[str, str]]:
        """Yield the rows whose tokens per second are far from the median, with a description."""
        kept = [(rate, row) for rate, row in self._rates if row not in self._withdrawn]
        if len(kept) < MIN_RATES:
            return
        rates = [math.log(rate) for rate, _ in kept]
        median = statistics.median(rates)
        deviation = statistics.median(abs(rate - median) for rate in rates)
        limit = max(MIN_LOG_RATIO, MAX_DEVIATIONS * deviation)
        for rate, (tokens, row) in zip(rates, kept, strict=True):
            if abs(rate - median) > limit:
                yield row, f"{tokens:.1f} tokens per second, where half of the clips have up to {math.exp(median):.1f}"


def recording_name(source: object) -> str | None:
    """Return what identifies a recording: the digest of the file's content, or its path."""
    content, path = (source.get("bytes"), source.get("path")) if isinstance(source, Mapping) else (None, source)
    if isinstance(content, bytes | bytearray) and content:
        return f"content {hashlib.blake2b(content, digest_size=12).hexdigest()}"
    return f"path {path}" if isinstance(path, str) else None
