"""Settings of metrics and of the best checkpoint: defaults, and contradictions that are errors at once."""

import pytest

from hf_vits.training import VitsTrainingArguments
from hf_vits.training.evaluation_arguments import shown_settings

BEST = {"load_best_model_at_end": True, "eval_steps": 500, "save_steps": 500}


def test_metrics_are_a_list_or_names_with_commas():
    assert VitsTrainingArguments(eval_metrics="wer, similarity,wer").eval_metrics == ["wer", "similarity"]
    assert VitsTrainingArguments(eval_metrics=["cer"]).eval_metrics == ["cer"]
    assert VitsTrainingArguments().eval_metrics == VitsTrainingArguments(eval_metrics="none").eval_metrics == []


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ([], ["mel"]),
        (["naturalness"], ["naturalness"]),
        (["similarity", "wer", "cer"], ["wer", "similarity"]),
        (["cer", "similarity"], ["cer", "similarity"]),
        (["naturalness", "wer"], ["wer"]),
    ],
)
def test_without_a_choice_words_come_first_and_then_similarity(metrics, expected):
    assert VitsTrainingArguments(eval_metrics=metrics, **BEST).best_metrics == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eval_metrics": "wre"}, "no metric 'wre'"),
        ({"eval_recognizer": "ears"}, "begins with one of faster-whisper, transformers"),
        ({"metric_for_best_model": "wer"}, "belongs to `load_best_model_at_end`"),
        ({"early_stopping_patience": 2}, "belongs to `load_best_model_at_end`"),
        ({**BEST, "metric_for_best_model": "wer"}, r"needs wer: add it to `eval_metrics`, \[\]"),
        ({**BEST, "metric_for_best_model": "beauty"}, "is 'beauty'; it is one of wer, cer"),
        (
            {**BEST, "eval_metrics": "wer,cer", "metric_for_best_model": "wer_then_cer_then_mel"},
            "or two different ones",
        ),
        ({**BEST, "eval_metrics": "wer", "metric_for_best_model": "wer_then_wer"}, "or two different ones"),
        ({**BEST, "eval_metrics": "wer,similarity", "greater_is_better": True}, "is for one metric"),
        ({**BEST, "eval_metrics": "rhythm"}, "is rhythm, of which no value is better"),
        ({**BEST, "save_steps": 300}, "`eval_steps` is 500 and `save_steps` 300.*such as `save_steps` 500"),
    ],
)
def test_contradictions_are_errors_that_say_what_to_do(settings, message):
    with pytest.raises(ValueError, match=message):
        VitsTrainingArguments(**settings)


@pytest.mark.parametrize("save_steps", [250, 500, 1000])
def test_every_evaluation_or_every_checkpoint_must_be_both(save_steps):
    VitsTrainingArguments(**{**BEST, "save_steps": save_steps})


def test_a_model_card_has_no_paths_of_this_machine(tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "plain.txt").write_text("a")
    args = VitsTrainingArguments(
        eval_recognizer=f"faster-whisper:{tmp_path / 'tiny'}", eval_texts=str(tmp_path / "plain.txt")
    )
    shown = shown_settings(args.to_dict())
    assert (shown["eval_recognizer"], shown["eval_texts"]) == ("faster-whisper:tiny", "plain.txt")
    assert str(tmp_path) not in str(shown)
