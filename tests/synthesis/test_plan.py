"""What can be said is found out alike by one process and by several."""

import datasets
import pytest

from hf_vits import TextToSpeechPipeline
from hf_vits.inference.arguments import MAX_TOKENS
from hf_vits.synthesis.plan import SHOWN_ROWS, SkippedRow, SynthesisPlan, survey


def test_the_shares_of_processes_make_one_survey(pipe):
    data = datasets.Dataset.from_dict({"text": ["A cab. Hi", None, "dogz", "Zz", "i", "q"]})
    whole = survey(data, range(6), pipe, "text")
    joined = SynthesisPlan.joined(survey(data, range(part, 6, 4), pipe, "text") for part in range(4))
    assert joined == whole and [row.number for row in whole.rows] == [0, 2, 4]
    assert [row.sentences for row in whole.rows] == [2, 1, 1] and whole.dropped == {"z": 1}


def test_lengths_are_those_of_the_sequences_that_the_model_sees(pipe):
    data = datasets.Dataset.from_dict({"text": ["A cab. Hi"]})
    ids = [pipe.tokenizer(sentence)["input_ids"] for sentence in ("A cab.", "Hi")]
    assert survey(data, [0], pipe, "text").rows[0].tokens == sum(map(len, ids))


CELLS = [
    (7, "text that cannot be read"),
    (["hi"], "text that cannot be read"),
    ({"text": "hi"}, "text that cannot be read"),  # what the pipeline would speak
    (float("nan"), "no text"),
]


@pytest.mark.parametrize(("text", "reason"), CELLS)
def test_cells_that_are_no_texts_are_left_out(pipe, text, reason):
    (left_out,) = survey(datasets.Dataset.from_dict({"text": [text]}), [0], pipe, "text").left_out
    assert left_out.reason == reason


def test_a_sentence_that_the_model_would_refuse_is_left_out(pipe, monkeypatch):
    monkeypatch.setattr("hf_vits.synthesis.plan.MAX_TOKENS", 9)
    data = datasets.Dataset.from_dict({"text": ["hi", "a cab a"]})
    assert [row.number for row in survey(data, range(2), pipe, "text").left_out] == [1]
    assert MAX_TOKENS > 9


def test_a_table_names_the_first_rows_and_counts_the_others():
    left_out = [SkippedRow(number, "no text", "") for number in range(SHOWN_ROWS + 3)]
    line = SynthesisPlan([], left_out).table().splitlines()[-1]
    assert line.startswith("    43  no text  0, 1, 2") and line.endswith("39 and 3 others")


def test_letters_of_scripts_that_the_voice_cannot_read_stand_in_the_table(pipe, make_tokenizer):
    pytest.importorskip("espeakng_loader")
    english = TextToSpeechPipeline(pipe.model, make_tokenizer(phonemize=True, phoneme_language="en-us"))
    data = datasets.Dataset.from_dict({"text": ["a hope", "你好 and so on"]})
    parts = [survey(data, [number], english, "text") for number in range(2)]
    line = SynthesisPlan.joined(parts).without([]).table().splitlines()[-1]
    assert "does not read" in line and "'你' x1" in line and "'好' x1" in line


def test_strict_leaves_out_texts_that_the_voice_cannot_read_as_they_are_written(pipe, make_tokenizer):
    pytest.importorskip("espeakng_loader")
    english = TextToSpeechPipeline(pipe.model, make_tokenizer(phonemize=True, phoneme_language="en-us"))
    data = datasets.Dataset.from_dict({"text": ["你好 and so on"]})
    assert not survey(data, [0], english, "text").left_out
    found = survey(data, [0], english, "text", strict=True)
    (left_out,) = found.left_out
    assert left_out.reason == "text that cannot be read" and "Han" in left_out.detail
    assert not found.rows and not found.of_other_scripts
