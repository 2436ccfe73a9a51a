"""Confidence intervals: closed forms, all resamples of few sentences, and properties."""

import itertools
import json

import numpy as np
import pytest

from hf_vits.evaluation import METRICS, Estimate, SpeechReport
from hf_vits.evaluation.report import Difference


def all_resamples(values, weights):
    """The figure of every possible resample, sorted."""
    choices = itertools.product(range(len(values)), repeat=len(values))
    return sorted(sum(values[i] for i in one) / sum(weights[i] for i in one) for one in choices)


def test_the_interval_is_that_of_all_resamples():
    values, weights = [0, 1, 3, 0, 2], [5, 9, 6, 4, 8]
    ratios = all_resamples(values, weights)  # 3,125 of them
    estimate = Estimate.of(values, weights)
    assert estimate.value == pytest.approx(6 / 32)
    for end, part in ((estimate.low, 0.025), (estimate.high, 0.975)):
        rank = np.searchsorted(ratios, [end - 1e-9, end + 1e-9]) / len(ratios)
        assert rank[0] - 0.02 <= part <= rank[1] + 0.02


def test_of_many_sentences_it_is_that_of_the_normal_distribution():
    values = np.random.default_rng(3).normal(0.5, 0.1, 400)
    estimate = Estimate.of(values, np.ones(400))
    half = 1.96 * values.std() / np.sqrt(400)
    assert [estimate.low, estimate.high] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.001)


def test_equal_sentences_leave_nothing_uncertain_and_the_estimate_lies_within():
    assert Estimate.of([2, 2, 2], [4, 4, 4]) == Estimate(0.5, 0.5, 0.5, 3)
    estimate = Estimate.of([0, 1, 0, 4], [8, 8, 8, 8])
    assert estimate.low < estimate.value < estimate.high


def test_more_sentences_of_the_same_kind_narrow_the_interval():
    few, many = (Estimate.of([0, 1] * count, [1, 1] * count) for count in (5, 50))
    assert few.value == many.value and few.high - few.low > 2 * (many.high - many.low)


def test_a_sentence_without_words_changes_nothing_but_its_errors():
    assert Estimate.of([1, 0], [4, 0]).value == 0.25
    assert np.isnan(Estimate.of([], []).value) and np.isnan(Estimate.of([0], [0]).low)


def test_a_report_is_the_same_every_time():
    rows = [{"text": "a", "wer": [i % 3, 5]} for i in range(20)]
    assert SpeechReport.of(rows, ["wer"]) == SpeechReport.of(rows, ["wer"])
    assert SpeechReport.of(rows, ["wer"]).to_dict()["estimates"]["wer"]["sentences"] == 20


def test_a_difference_is_that_of_pairs_and_its_interval_narrower_than_those_of_both():
    hard = np.random.default_rng(0).integers(0, 9, 60)  # some sentences are hard for both voices
    one, other = (np.stack([hard + extra, np.full(60, 10)], axis=1) for extra in (np.arange(60) % 2, 0))
    difference = Estimate.of_difference(one, other)
    assert difference.value == pytest.approx(0.05)
    assert 0 < difference.low < 0.05 < difference.high < 0.07  # significant
    alone = [Estimate.of(*scores.T) for scores in (one, other)]
    assert alone[0].low < alone[1].high  # which their own intervals do not show
    swapped = Estimate.of_difference(other, one)
    assert [swapped.value, swapped.low] == pytest.approx([-difference.value, -difference.high])
    assert Estimate.of_difference(one, one) == Estimate(0.0, 0.0, 0.0, 60)


@pytest.mark.parametrize(
    ("metric", "shift", "verdict"),
    [
        ("similarity", 0.2, "better"),
        ("similarity", -0.2, "worse"),
        ("wer", -0.2, "better"),
        ("rhythm", 0.2, "greater"),
        ("rhythm", -0.2, "less"),
        ("wer", 0.0, "not significant"),
    ],
)
def test_the_verdict_on_a_difference_follows_from_what_is_better(metric, shift, verdict):
    noise = np.random.default_rng(0)
    one, other = (np.stack([noise.normal(0.5 + extra, 0.05, 40), np.ones(40)], axis=1) for extra in (shift, 0))
    difference = Difference.between(METRICS[metric], one, other)
    assert difference.verdict == verdict and difference.value == pytest.approx(shift, abs=0.05)


def test_of_a_metric_with_a_target_the_nearer_voice_is_better_and_equally_far_ones_do_not_differ():
    """Durations 10 % too long against 30 % too short, and against 10 % too short."""
    noise = np.random.default_rng(0)
    long, short, shorter = (np.stack([noise.normal(mean, 0.02, 60), np.ones(60)], axis=1) for mean in (1.1, 0.9, 0.7))
    duration = METRICS["duration_ratio"]
    assert Difference.between(duration, long, shorter).verdict == "better"
    assert Difference.between(duration, shorter, long).verdict == "worse"
    alike = Difference.between(duration, long, short)
    assert alike.verdict == "not significant" and alike.low > 0.15  # though the durations themselves differ


def test_a_metric_of_texts_without_a_word_has_no_figure_so_that_the_file_stays_json():
    report = SpeechReport.of([{"text": "…", "wer": [1, 0], "cer": [0, 3]}], ["wer", "cer"])
    assert list(report.estimates) == ["cer"] and report.rows[0]["wer"] == [1, 0]
    json.dumps(report.to_dict(), allow_nan=False)
