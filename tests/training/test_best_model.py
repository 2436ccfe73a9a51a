"""The best checkpoint is chosen by one metric or two, from the history alone."""

import itertools
from pathlib import Path

import pytest

from hf_vits.training.best_model import BestModel


@pytest.fixture
def best(make_settings):
    def make(**settings):
        settings = {"eval_steps": 10, "save_steps": 10, "load_best_model_at_end": True, **settings}
        return BestModel(make_settings(**settings), Path("out"))

    return make


def lines(wer=(), similarity=(), recordings=None, every=10):
    """A history in which the first values are those of the base."""
    history = [{"step": every * i, "eval/wer": value} for i, value in enumerate(wer)]
    history += [{"step": every * i, "eval/similarity": value} for i, value in enumerate(similarity)]
    return [*history, *([] if recordings is None else [{"step": 0, "recordings/wer": recordings}])]


def test_of_two_metrics_the_first_sets_a_limit_and_the_second_decides_within_it(best):
    rule = best(eval_metrics=["wer", "similarity"], best_model_tolerance=0.02)
    history = lines([0.02, 0.30, 0.04, 0.03, 0.05], [0.4, 0.9, 0.7, 0.6, 0.8], recordings=0.05)
    assert rule.best_of(history, range(0, 50, 10)) == 20  # 40 is more than two points above the base
    assert rule.best_of(history, [10, 40]) == 40  # none is within: the fewest word errors
    assert best(eval_metrics=["wer", "similarity"], best_model_tolerance=0.3).best_of(history, [10, 20, 40]) == 10


def test_the_limit_is_the_better_one_of_base_and_recordings(best):
    rule = best(eval_metrics=["wer", "similarity"], best_model_tolerance=0.02)
    new_language = lines([0.9, 0.08, 0.03], [0.4, 0.8, 0.7])
    assert rule.best_of(new_language, [10, 20]) == 10  # of a base that cannot speak the language all are good enough
    assert rule.best_of([*new_language, {"step": 0, "recordings/wer": 0.02}], [10, 20]) == 20


def test_the_base_itself_and_models_without_a_checkpoint_or_an_evaluation_are_not_chosen(best):
    rule = best(eval_metrics=["similarity"])
    history = lines(similarity=[0.9, 0.1, 0.8, 0.2])
    assert rule.best_of(history, [0, 10, 30, 35]) == 30
    assert rule.best_of(history, [0]) is None and rule.best_of([], [10]) is None


def test_less_is_better_for_errors_and_losses_and_more_for_similarity_and_focus(best):
    history = [{"step": s, "eval/mel": s, "eval/focus": s, "eval/wer": s, "eval/similarity": s} for s in (10, 20, 30)]
    chosen = {}
    for name in ("mel", "focus", "wer", "similarity"):
        rule = best(eval_metrics=["wer", "similarity"], metric_for_best_model=name)
        chosen[name] = rule.best_of(history, [10, 20, 30])
    assert chosen == {"mel": 10, "focus": 30, "wer": 10, "similarity": 30}
    assert best(metric_for_best_model="eval_mel", greater_is_better=True).best_of(history, [10, 20]) == 20


def test_of_a_metric_with_a_target_the_nearest_value_is_best(best):
    rule = best(eval_metrics=["duration_ratio"])
    history = [{"step": 10 * i, "eval/duration_ratio": value} for i, value in enumerate([1.0, 0.8, 1.1, 1.3])]
    assert rule.best_of(history, [10, 20, 30]) == 20 and rule.describe() == "nearest to 1 duration_ratio"
    greatest = best(eval_metrics=["duration_ratio"], greater_is_better=True)
    assert greatest.best_of(history, [10, 20, 30]) == 30 and greatest.describe() == "highest duration_ratio"


def test_of_equal_models_the_earlier_is_better_and_a_value_that_is_no_number_is_the_worst(best):
    rule = best(eval_metrics=["similarity"])
    assert rule.best_of(lines(similarity=[0, 0.5, 0.5]), [10, 20]) == 10
    assert rule.best_of(lines(similarity=[0, float("nan"), 0.5]), [10, 20]) == 20


def test_the_best_so_far_is_all_that_must_be_kept(best):
    """Deleting all but the best and the newest never changes the choice, whatever the values are."""
    rule = best(eval_metrics=["wer", "similarity"], best_model_tolerance=0.02)
    values = [(0.01, 0.3), (0.04, 0.5), (0.2, 0.9), (0.03, 0.4)]
    for order in itertools.permutations(values):
        history = lines([0.02, *(wer for wer, _ in order)], [0, *(likeness for _, likeness in order)])
        kept = []
        for step in (10, 20, 30, 40):
            done = [line for line in history if line["step"] <= step]
            chosen = rule.best_of(done, [*kept, step])
            assert chosen == rule.best_of(done, range(10, step + 1, 10))
            kept = [chosen]


def test_patience_counts_evaluated_checkpoints_after_the_best(best):
    rule = best(eval_metrics=["similarity"], early_stopping_patience=2, save_steps=20)
    history = lines(similarity=[0, 0.1, 0.5, 0.4, 0.3, 0.2])  # steps 30 and 50 are not saved
    assert not rule.has_waited(history, 20)
    assert rule.has_waited([*history, {"step": 60, "eval/similarity": 0.1}], 20)
    assert not best(eval_metrics=["similarity"]).has_waited(history, 20)


def test_a_loss_needs_an_evaluation_set_and_a_metric_of_speech_does_not(best):
    with pytest.raises(ValueError, match="chooses by mel, which needs an evaluation set"):
        best().check(False)
    best().check(True)
    best(eval_metrics=["similarity"]).check(False)
