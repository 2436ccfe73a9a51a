"""A plan is the same for one process and for several, and its batches hold every row once."""

import datasets
import pytest

from hf_vits import TextToSpeechPipeline
from hf_vits.inference.limits import MAX_TOKENS
from hf_vits.synthesis.plan import (
    MAX_BATCH_TOKENS,
    SHOWN_ROWS,
    Row,
    SkippedRow,
    SynthesisPlan,
    joint_batches,
    plan_rows,
)


def test_the_shares_of_processes_make_one_plan_rows(pipe):
    data = datasets.Dataset.from_dict({"text": ["A cab. Hi", None, "dogz", "Zz", "i", "q"]})
    whole = plan_rows(data, range(6), pipe, "text")
    joined = SynthesisPlan.merge(plan_rows(data, range(part, 6, 4), pipe, "text") for part in range(4))
    assert joined == whole and [row.number for row in whole.rows] == [0, 2, 4]
    assert [row.sentences for row in whole.rows] == [2, 1, 1] and whole.dropped == {"z": 1}


def test_lengths_are_those_of_the_sequences_that_the_model_sees(pipe):
    data = datasets.Dataset.from_dict({"text": ["A cab. Hi"]})
    ids = [pipe.tokenizer(sentence)["input_ids"] for sentence in ("A cab.", "Hi")]
    assert plan_rows(data, [0], pipe, "text").rows[0].tokens == sum(map(len, ids))


CELLS = [
    (7, "text that cannot be read"),
    (["hi"], "text that cannot be read"),
    ({"text": "hi"}, "text that cannot be read"),  # what the pipeline would speak
    (float("nan"), "no text"),
]


@pytest.mark.parametrize(("text", "reason"), CELLS)
def test_cells_that_are_no_texts_are_skipped(pipe, text, reason):
    (skipped,) = plan_rows(datasets.Dataset.from_dict({"text": [text]}), [0], pipe, "text").skipped
    assert skipped.reason == reason


def test_a_sentence_that_the_model_would_refuse_is_skipped(pipe, monkeypatch):
    monkeypatch.setattr("hf_vits.synthesis.plan.MAX_TOKENS", 9)
    data = datasets.Dataset.from_dict({"text": ["hi", "a cab a"]})
    assert [row.number for row in plan_rows(data, range(2), pipe, "text").skipped] == [1]
    assert MAX_TOKENS > 9


def test_a_table_names_the_first_rows_and_counts_the_others():
    skipped = [SkippedRow(number, "no text", "") for number in range(SHOWN_ROWS + 3)]
    line = SynthesisPlan([], skipped).table().splitlines()[-1]
    assert line.startswith("    43  no text  0, 1, 2") and line.endswith("39 and 3 others")


def test_letters_of_scripts_that_the_voice_cannot_read_stand_in_the_table(pipe, make_tokenizer):
    pytest.importorskip("espeakng_loader")
    english = TextToSpeechPipeline(pipe.model, make_tokenizer(phonemize=True, phoneme_language="en-us"))
    data = datasets.Dataset.from_dict({"text": ["a hope", "你好 and so on"]})
    parts = [plan_rows(data, [number], english, "text") for number in range(2)]
    line = SynthesisPlan.merge(parts).without([]).table().splitlines()[-1]
    assert "does not read" in line and "'你' x1" in line and "'好' x1" in line


def test_strict_leaves_out_texts_that_the_voice_cannot_read_as_they_are_written(pipe, make_tokenizer):
    pytest.importorskip("espeakng_loader")
    english = TextToSpeechPipeline(pipe.model, make_tokenizer(phonemize=True, phoneme_language="en-us"))
    data = datasets.Dataset.from_dict({"text": ["你好 and so on"]})
    assert not plan_rows(data, [0], english, "text").skipped
    plan = plan_rows(data, [0], english, "text", strict=True)
    (skipped,) = plan.skipped
    assert skipped.reason == "text that cannot be read" and "Han" in skipped.detail
    assert not plan.rows and not plan.other_scripts


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
    given = rows([MAX_BATCH_TOKENS // 2] * 4 + [2 * MAX_BATCH_TOKENS] * 3 + [5] * 9)
    batches = [[row.tokens for row in batch] for batch in joint_batches(given, 8, 2)]
    assert batches[:2] == [[2 * MAX_BATCH_TOKENS] * 2, [2 * MAX_BATCH_TOKENS, MAX_BATCH_TOKENS // 2]]
    assert sorted(sum(batches, [])) == sorted(row.tokens for row in given)
    assert all(sum(batch) <= 2 * MAX_BATCH_TOKENS for batch in batches[2:])


def test_there_is_nothing_to_do_without_rows():
    assert list(joint_batches([], 4, 2)) == []
