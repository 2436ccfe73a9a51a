"""What of the texts can be said, found out before the work: lengths, speakers, and what is left out and why."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from hf_vits.data.columns import speaker_labels, speaker_name, speaker_number
from hf_vits.inference.arguments import MAX_TOKENS
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.text.errors import NoTokensError, format_counts, shortened
from hf_vits.utils.logging import silence_logging

NO_TEXT = "no text"
NO_SPEAKER = "no speaker"
NOTHING_KNOWN = "nothing that the voice can say"
TOO_LONG = f"a sentence of more than {MAX_TOKENS:,} tokens"
UNREADABLE = "text that cannot be read"
REFUSED = "speech that the voice cannot make"

SHOWN_ROWS = 40
"""Most numbers of rows in a line of the table."""


@dataclass(frozen=True)
class Row:
    """A row that is spoken: its number, how long it is, who speaks, and a digest of its symbols."""

    number: int
    sentences: int
    tokens: int
    speaker: int | None
    symbols: bytes


@dataclass(frozen=True)
class SkippedRow:
    """A row that is not spoken."""

    number: int
    reason: str
    detail: str


@dataclass
class SynthesisPlan:
    """Rows in their order, those left out, and characters that are left out of the others, with their counts."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[SkippedRow] = field(default_factory=list)
    dropped: Counter = field(default_factory=Counter)
    of_other_scripts: Counter = field(default_factory=Counter)

    @classmethod
    def joined(cls, parts: Iterable["SynthesisPlan"]) -> "SynthesisPlan":
        """One survey of several that processes made of their shares."""
        parts = list(parts)
        return cls(
            sorted((row for part in parts for row in part.rows), key=lambda row: row.number),
            sorted((row for part in parts for row in part.left_out), key=lambda row: row.number),
            sum((part.dropped for part in parts), Counter()),
            sum((part.of_other_scripts for part in parts), Counter()),
        )

    def without(self, refused: Iterable[SkippedRow]) -> "SynthesisPlan":
        """Of the same texts, when some of the rows turned out not to be speakable."""
        left_out = sorted([*self.left_out, *refused], key=lambda row: row.number)
        gone = {row.number for row in left_out}
        return SynthesisPlan(
            [row for row in self.rows if row.number not in gone], left_out, self.dropped, self.of_other_scripts
        )

    def table(self) -> str:
        """Rows left out by reason and dropped characters, as lines; empty if there are none of either."""
        lines = []
        if self.left_out:
            reasons = Counter(row.reason for row in self.left_out)
            width = max(map(len, [*reasons, "reason"]))
            total = len(self.left_out) + len(self.rows)
            lines += [f"{len(self.left_out):,} of {total:,} rows are left out:", f"  rows  {'reason':{width}}  numbers"]
            lines += [f"{n:6d}  {reason:{width}}  {self._numbers(reason)}" for reason, n in reasons.most_common()]
        if self.dropped:
            lines.append(f"Left out of texts, because the voice does not know them: {format_counts(self.dropped)}")
        if self.of_other_scripts:
            letters = format_counts(self.of_other_scripts)
            lines.append(f"Letters of scripts that the voice does not read, named or read as in another: {letters}")
        return "\n".join(lines)

    def _numbers(self, reason: str) -> str:
        rows = [row for row in self.left_out if row.reason == reason]
        more = f" and {len(rows) - SHOWN_ROWS:,} others" if len(rows) > SHOWN_ROWS else ""
        first = f"; the first is {rows[0].detail}" if rows[0].detail else ""
        return ", ".join(str(row.number) for row in rows[:SHOWN_ROWS]) + more + first


def survey(
    dataset,
    numbers: Iterable[int],
    pipe: TextToSpeechPipeline,
    text: str,
    speaker: str | None = None,
    speaker_of_all: int | None = None,
    strict: bool = False,
) -> SynthesisPlan:
    """
    Looks at the rows with these numbers; `text` and `speaker` are names of columns. `strict` leaves out texts of which
    the voice cannot read a letter.

    Raises:
        ValueError: if a row names a speaker that the voice does not have.
    """
    found, labels = SynthesisPlan(), speaker_labels(dataset, speaker)
    rows = dataset.select_columns(list(dict.fromkeys(name for name in (text, speaker) if name)))
    for number in numbers:
        item = rows[number]
        row = _looked_at(number, item[text], pipe, found, strict)
        if isinstance(row, Row):
            row = replace(row, speaker=speaker_of_all)
        if isinstance(row, Row) and speaker is not None:
            row = _with_speaker(row, speaker_name(item[speaker], labels), pipe)
        (found.rows if isinstance(row, Row) else found.left_out).append(row)
    return found


def _looked_at(
    number: int, text: object, pipe: TextToSpeechPipeline, found: SynthesisPlan, strict: bool
) -> Row | SkippedRow:
    if text is None or text != text or (isinstance(text, str) and not text.strip()):  # NaN is not itself
        return SkippedRow(number, NO_TEXT, "")
    if not isinstance(text, str):  # a dictionary would be an item with controls to the pipeline
        return SkippedRow(number, UNREADABLE, f"{shortened(repr(text))}, no string")
    try:
        with silence_logging():
            encodings = list(pipe.preprocess(text, strict=strict))
    except NoTokensError:
        return SkippedRow(number, NOTHING_KNOWN, shortened(repr(text)))
    except ValueError as error:
        return SkippedRow(number, UNREADABLE, shortened(str(error), 120))
    ids = [encoding["input_ids"][0].tolist() for encoding in encodings]
    if max(map(len, ids)) > MAX_TOKENS:
        return SkippedRow(number, TOO_LONG, shortened(repr(text)))
    for sentence in pipe.sentences(text):
        found.dropped.update(pipe.tokenizer.dropped_characters(sentence))
    if pipe.tokenizer.phonemize or pipe.tokenizer.is_uroman:  # else they are dropped
        found.of_other_scripts.update(pipe.tokenizer.letters_of_other_scripts(text))
    symbols = hashlib.blake2b(json.dumps(ids).encode(), digest_size=8).digest()
    return Row(number, len(ids), sum(map(len, ids)), None, symbols)


def _with_speaker(row: Row, name: str | None, pipe: TextToSpeechPipeline) -> Row | SkippedRow:
    if name is None:
        return SkippedRow(row.number, NO_SPEAKER, "")
    try:
        speaker = speaker_number(name, pipe.model.config)
    except ValueError as error:
        raise ValueError(f"In row {row.number}: {error}") from error
    return replace(row, speaker=speaker)


MOST_TOKENS = 50_000
"""Of a process's batch, unless it is a single text: about half an hour of speech, which is held in memory."""


def joint_batches(rows: Sequence[Row], batch_size: int, processes: int) -> Iterator[list[Row]]:
    """
    The rows of each step of all processes, the longest first: memory that does not suffice shows at once.

    Process number p speaks every row from p on in steps of `processes`; theirs are neighbours in length.
    """
    ordered = sorted(rows, key=lambda row: (-row.sentences, -row.tokens, row.number))
    batch: list[Row] = []
    for row in ordered:
        tokens = sum(other.tokens for other in batch) + row.tokens
        if len(batch) == batch_size * processes or (len(batch) >= processes and tokens > MOST_TOKENS * processes):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
