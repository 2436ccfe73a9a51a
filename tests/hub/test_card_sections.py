"""A part of a card is replaced, and everything that a person wrote stays as it was."""

import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard

from hf_vits.hub.card_sections import with_results, with_section

CARD = """---
# mine: keep this
license: mit   # chosen by hand
tags: [a,   b]
model-index:
- name: theirs
  results:
  - task: {type: text-to-speech}
    dataset: {type: other/data, name: other}
    metrics:
    - {type: mos, value: 4.5, name: a listening test}
language: [en]
---
# Voice

What I wrote.\x20\x20
"""


def result(metric="wer", value=1.5, dataset="mine"):
    return EvalResult("text-to-speech", dataset, dataset, metric, value, task_name="Text-to-Speech")


def test_a_section_is_added_at_the_end_and_then_replaced_in_its_place():
    first = with_section(CARD, "tool", "## Evaluation\n\none")
    assert first.startswith(CARD.rstrip()) and "one" in first
    moved = first + "\nMore of mine.\n"
    second = with_section(moved, "tool", "two")
    assert second == moved.replace("## Evaluation\n\none", "two") and second.endswith("More of mine.\n")
    assert with_section("", "tool", "x") == "<!-- tool: begin -->\n\nx\n\n<!-- tool: end -->\n"


def test_results_are_added_and_every_other_line_stays():
    text = with_results(CARD, "voice", [result()], "tool")
    kept = [line for line in CARD.splitlines() if "model-index" not in line]
    head = [line for line in kept if line.startswith(("#", "license", "tags", "language", "What"))]
    assert [line for line in text.splitlines() if line in head] == head
    results = ModelCard(text).data.eval_results
    assert [(one.metric_type, one.metric_value) for one in results] == [("mos", 4.5), ("wer", 1.5)]
    assert yaml.safe_load(text.split("---")[1])["model-index"][0]["name"] == "theirs"


def test_results_of_an_earlier_call_and_of_the_same_metric_and_data_are_replaced():
    first = with_results(CARD, "voice", [result("wer", 1.5, "old"), result("mcd", 6.0, "old")], "tool")
    hand = with_results(first, "voice", [result("wer", 9.0, "mine"), result("cer", 3.0, "mine")], "another tool")
    text = with_results(hand, "voice", [result("wer", 2.5, "mine")], "tool")
    results = [(one.dataset_name, one.metric_type, one.metric_value) for one in ModelCard(text).data.eval_results]
    assert sorted(results) == [("mine", "cer", 3.0), ("mine", "wer", 2.5), ("other", "mos", 4.5)]
    assert with_results(text, "voice", [result("wer", 2.5, "mine")], "tool") == text


@pytest.mark.parametrize("text", ["", "# Only a title\n", "---\nlicense: mit\n---\n\nText.\n"])
def test_a_card_without_results_or_metadata_gets_them(text):
    assert with_results(text, "voice", [], "tool") == text
    changed = with_results(text, "voice", [result()], "tool")
    assert ModelCard(changed).data.model_name == "voice" and changed.endswith(text.split("---\n")[-1])


@pytest.mark.parametrize("front", ["a: [", "model-index: 3", "model-index:\n- results: [{dataset: x, metrics: [3]}]"])
def test_metadata_that_cannot_be_read_is_an_error_that_names_the_file(front):
    with pytest.raises(ValueError, match=r"README.md"):
        with_results(f"---\n{front}\n---\n", "voice", [], "tool")
