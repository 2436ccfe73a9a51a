"""Which rows are spoken together: those of like length, so that no process waits long for another."""

from collections.abc import Iterator, Sequence

from hf_vits.synthesis.survey import Row

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
