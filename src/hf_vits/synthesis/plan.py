"""The plan of a run, made before any speech: the rows to speak, those to skip and why, and their batches."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from hf_vits.data.columns import speaker_labels, speaker_name, speaker_number
from hf_vits.inference.limits import MAX_TOKENS
from hf_vits.pipeline import TextToSpeechPipeline
from hf_vits.text.errors import NoTokensError, format_counts, shortened
from hf_vits.utils.logging import silence_logging

NO_TEXT = "no text"
NO_SPEAKER = "no speaker"
NO_TOKENS = "no character that the voice knows"
TOO_LONG = f"a sentence of more than {MAX_TOKENS:,} tokens"
UNREADABLE = "text that cannot be read"
REFUSED = "text that the model refuses"

SHOWN_ROWS = 40
"""Largest number of row numbers in a line of the table."""

MAX_BATCH_TOKENS = 50_000
"""Largest size of a process's batch, unless it is a single text: about half an hour of speech, held in memory."""


@dataclass(frozen=True)
class Row:
    """A row to speak: its number, its lengths, the number of its speaker, and a digest of its tokens."""

    number: int
    sentences: int
    tokens: int
    speaker: int | None
    token_digest: bytes


@dataclass(frozen=True)
class SkippedRow:
    """A row that is not spoken."""

    number: int
    reason: str
    detail: str


@dataclass
class SynthesisPlan:
    """Rows to speak and to skip, in their order, and counts of dropped characters and of letters of other scripts."""

    rows: list[Row] = field(default_factory=list)
    skipped: list[SkippedRow] = field(default_factory=list)
    dropped: Counter = field(default_factory=Counter)
    other_scripts: Counter = field(default_factory=Counter)

    @classmethod
    def merge(cls, parts: Iterable["SynthesisPlan"]) -> "SynthesisPlan":
        """Return one plan of those that processes made for their shares."""
        parts = list(parts)
        return cls(
            sorted((row for part in parts for row in part.rows), key=lambda row: row.number),
            sorted((row for part in parts for row in part.skipped), key=lambda row: row.number),
            sum((part.dropped for part in parts), Counter()),
            sum((part.other_scripts for part in parts), Counter()),
        )

    def without(self, refused: Iterable[SkippedRow]) -> "SynthesisPlan":
        """Return the plan that skips further rows, which the model refused."""
        skipped = sorted([*self.skipped, *refused], key=lambda row: row.number)
        numbers = {row.number for row in skipped}
        return replace(self, rows=[row for row in self.rows if row.number not in numbers], skipped=skipped)

    def table(self) -> str:
        """Return lines about skipped rows by reason, and about dropped characters; empty without either."""
        lines = []
        if self.skipped:
            reasons = Counter(row.reason for row in self.skipped)
            width = max(map(len, [*reasons, "reason"]))
            total = len(self.skipped) + len(self.rows)
            lines += [f"{len(self.skipped):,} of {total:,} rows are skipped:", f"  rows  {'reason':{width}}  numbers"]
            lines += [f"{n:6d}  {reason:{width}}  {self._numbers(reason)}" for reason, n in reasons.most_common()]
        if self.dropped:
            lines.append(f"Characters that the voice does not know, dropped from texts: {format_counts(self.dropped)}")
        if self.other_scripts:
            letters = format_counts(self.other_scripts)
            lines.append(f"Letters of scripts that the voice does not read, named or read as in another: {letters}")
        return "\n".join(lines)

    def _numbers(self, reason: str) -> str:
        rows = [row for row in self.skipped if row.reason == reason]
        more = f" and {len(rows) - SHOWN_ROWS:,} others" if len(rows) > SHOWN_ROWS else ""
        first = f"; the first is {rows[0].detail}" if rows[0].detail else ""
        return ", ".join(str(row.number) for row in rows[:SHOWN_ROWS]) + more + first


def plan_rows(
    dataset,
    numbers: Iterable[int],
    pipe: TextToSpeechPipeline,
    text_column: str,
    speaker_column: str | None = None,
    speaker: int | None = None,
    strict: bool = False,
) -> SynthesisPlan:
    """
    Plan the rows with these numbers.

    Args:
        dataset (`datasets.Dataset`):
            The texts.
        numbers (`Iterable[int]`):
            Numbers of the rows to look at.
        pipe ([`TextToSpeechPipeline`]):
            The voice.
        text_column, speaker_column (`str`, *optional*):
            Names of columns.
        speaker (`int`, *optional*):
            The speaker of all rows, without a column that names them.
        strict (`bool`, *optional*, defaults to `False`):
            Skip texts with letters that the voice cannot read.

    Raises:
        ValueError: if a row names a speaker that the voice does not have.
    """
    plan, labels = SynthesisPlan(), speaker_labels(dataset, speaker_column)
    rows = dataset.select_columns(list(dict.fromkeys(name for name in (text_column, speaker_column) if name)))
    for number in numbers:
        item = rows[number]
        row = _planned(number, item[text_column], pipe, plan, strict)
        if isinstance(row, Row) and speaker_column is not None:
            row = _with_speaker(row, speaker_name(item[speaker_column], labels), pipe)
        elif isinstance(row, Row):
            row = replace(row, speaker=speaker)
        (plan.rows if isinstance(row, Row) else plan.skipped).append(row)
    return plan


def _planned(
    number: int, text: object, pipe: TextToSpeechPipeline, plan: SynthesisPlan, strict: bool
) -> Row | SkippedRow:
    """Return a row to speak or to skip; count its dropped characters in the plan."""
    if text is None or text != text or (isinstance(text, str) and not text.strip()):  # NaN is not itself
        return SkippedRow(number, NO_TEXT, "")
    if not isinstance(text, str):  # a dictionary would be an item with controls to the pipeline
        return SkippedRow(number, UNREADABLE, f"{shortened(repr(text))}, not a string")
    try:
        with silence_logging():
            encodings = list(pipe.preprocess(text, strict=strict))
    except NoTokensError:
        return SkippedRow(number, NO_TOKENS, shortened(repr(text)))
    except ValueError as error:
        return SkippedRow(number, UNREADABLE, shortened(str(error), 120))
    ids = [encoding["input_ids"][0].tolist() for encoding in encodings]
    if max(map(len, ids)) > MAX_TOKENS:
        return SkippedRow(number, TOO_LONG, shortened(repr(text)))
    for sentence in pipe.sentences(text):
        plan.dropped.update(pipe.tokenizer.dropped_characters(sentence))
    if pipe.tokenizer.phonemize or pipe.tokenizer.is_uroman:  # else they are dropped
        plan.other_scripts.update(pipe.tokenizer.letters_of_other_scripts("\n".join(pipe.sentences(text))))
    digest = hashlib.blake2b(json.dumps(ids).encode(), digest_size=8).digest()
    return Row(number, len(ids), sum(map(len, ids)), None, digest)


def _with_speaker(row: Row, name: str | None, pipe: TextToSpeechPipeline) -> Row | SkippedRow:
    if name is None:
        return SkippedRow(row.number, NO_SPEAKER, "")
    try:
        return replace(row, speaker=speaker_number(name, pipe.model.config))
    except ValueError as error:
        raise ValueError(f"In row {row.number}: {error}") from error


def joint_batches(rows: Sequence[Row], batch_size: int, processes: int) -> Iterator[list[Row]]:
    """
    Yield the rows of each step of all processes, the longest first, so that too little memory shows at once.

    Process number p speaks every row from p on in steps of `processes`; the rows of a step are similar in length.
    """
    ordered = sorted(rows, key=lambda row: (-row.sentences, -row.tokens, row.number))
    batch: list[Row] = []
    for row in ordered:
        tokens = sum(other.tokens for other in batch) + row.tokens
        too_many = len(batch) >= processes and tokens > MAX_BATCH_TOKENS * processes
        if len(batch) == batch_size * processes or too_many:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
