"""How a metric says which values are better, and when it applies."""

import numpy as np
import pytest

from hf_vits.evaluation.base import EvaluationOptions, Instruments, Metric, Utterance


def metric(**fields):
    return type("Toy", (Metric,), {"title": "toy", **fields})


@pytest.mark.parametrize(
    ("fields", "better", "worse", "heading"),
    [
        ({}, 2.0, 1.0, "toy ↑"),
        ({"greater_is_better": False}, 1.0, 2.0, "toy ↓"),
        ({"target": 1.0}, 0.9, 1.2, "toy → 1"),
        ({"target": 1.0}, 1.1, 0.8, "toy → 1"),
    ],
)
def test_worse_values_are_worse_and_the_heading_points_to_better_ones(fields, better, worse, heading):
    toy = metric(**fields)
    assert toy.badness(worse) > toy.badness(better) and toy.heading() == heading


def test_a_value_that_is_neither_better_nor_worse_has_no_arrow():
    toy = metric(greater_is_better=None)
    assert toy.badness(3.0) == toy.badness(5.0) == 0 and toy.heading() == "toy"


@pytest.mark.parametrize(
    ("percent", "value", "shown"),
    [(True, 0.0314, "3.1 %"), (False, 123.4, "123"), (False, 1.2345, "1.23"), (False, 2e6, "2e+06")],
)
def test_values_are_shown_with_the_digits_that_count(percent, value, shown):
    assert metric(percent=percent).shown(value) == shown


def test_a_metric_applies_to_utterances_that_have_what_it_takes():
    plain = Utterance("a", np.zeros(2, np.float32), 16000)
    beside = Utterance("a", np.zeros(2, np.float32), 16000, recording=plain)
    spoken = Utterance("a", np.zeros(2, np.float32), 16000, synthesis=object())
    for fields, applies in (
        ({}, [True, True, True]),
        ({"needs_recording": True}, [False, True, False]),
        ({"needs_synthesis": True}, [False, False, True]),
    ):
        toy = metric(**fields)(None)
        assert [toy.applies_to(one) for one in (plain, beside, spoken)] == applies


def test_instruments_are_loaded_once_by_the_names_of_the_options(script):
    instruments = Instruments(EvaluationOptions("script:small", "numbers", "de"))
    assert instruments.recognizer is instruments.recognizer
    assert (instruments.recognizer.name, instruments.recognizer.language) == ("script small", "de")
    assert instruments.speaker_encoder.name == "two numbers"
