"""Each row is spoken once, beside rows of like length, and in batches that memory holds."""

import pytest

from hf_vits.synthesis.plan import MOST_TOKENS, Row, joint_batches


def rows(tokens):
    return [Row(number, 1, count, None, b"") for number, count in enumerate(tokens)]


@pytest.mark.parametrize(("batch_size", "processes"), [(4, 1), (2, 3), (1, 2), (100, 2)])
def test_every_row_is_in_one_batch_with_its_neighbours_in_length(batch_size, processes):
    given = rows([7 * number % 50 for number in range(50)])
    batches = list(joint_batches(given, batch_size, processes))
    assert [row.tokens for batch in batches for row in batch] == list(range(49, -1, -1))
    assert all(len(batch) == batch_size * processes for batch in batches[:-1])
    for batch in batches[:-1]:
        shares = [sum(row.tokens for row in batch[process::processes]) for process in range(processes)]
        assert max(shares) - min(shares) <= batch_size * (processes - 1)


def test_long_texts_come_in_smaller_batches_but_each_process_has_one():
    given = rows([MOST_TOKENS // 2] * 4 + [2 * MOST_TOKENS] * 3 + [5] * 9)
    batches = [[row.tokens for row in batch] for batch in joint_batches(given, 8, 2)]
    assert batches[:2] == [[2 * MOST_TOKENS] * 2, [2 * MOST_TOKENS, MOST_TOKENS // 2]]
    assert sorted(sum(batches, [])) == sorted(row.tokens for row in given)
    assert all(sum(batch) <= 2 * MOST_TOKENS for batch in batches[2:])


def test_there_is_nothing_to_do_without_rows():
    assert list(joint_batches([], 4, 2)) == []
