"""Settings of speech metrics in the training loop, and of the choice of the best checkpoint."""

from dataclasses import dataclass
from typing import Any

from hf_vits.evaluation.base import METRICS, EvaluationOptions
from hf_vits.evaluation.recognizers.base import RECOGNIZERS
from hf_vits.evaluation.requirements import check_name
from hf_vits.evaluation.speaker_encoders.base import SPEAKER_ENCODERS
from hf_vits.training.losses import LOSSES, MEASURED
from hf_vits.utils.setting_fields import AnyPath, Count, NotNegative, option

THEN = "_then_"
"""Joins two metrics: the second chooses among models that the first finds good enough."""

LOSS_MEASURES = {**{name: False for name, loss in LOSSES.items() if loss.stage in MEASURED}, "focus": True}


@dataclass(kw_only=True)
class EvaluationArguments:
    """
    Metrics of what the voice says during training, and which of its checkpoints becomes the model.

    [`VitsTrainingArguments`] has them too; names are those of `transformers.TrainingArguments` where it has any.
    """

    eval_metrics: list[str] = option(
        [], f"Metrics of speech from texts at each evaluation, as wer,similarity; there are {', '.join(METRICS)}."
    )
    eval_texts: AnyPath | None = option(
        None, "File of sentences to speak for them, one per line; by default the texts of the evaluation set."
    )
    max_eval_texts: Count = option(32, "Sentences that are spoken at most.")
    eval_recognizer: str | None = option(
        None, "Recognizer of wer and cer, as faster-whisper:base.en or transformers:FOLDER; by default one installed."
    )
    eval_speaker_encoder: str | None = option(
        None, "Encoder of similarity: resemblyzer or transformers:NAME; by default one that is installed."
    )
    eval_language: str | None = option(None, "Language that is recognized, as en; by default the tokenizer's.")
    load_best_model_at_end: bool = option(
        False, "Make the best checkpoint the finished model, and never delete it; needs an evaluation."
    )
    metric_for_best_model: str | None = option(
        None,
        "What the best checkpoint is best in: a metric, a loss such as mel, or two metrics as wer_then_similarity, the "
        "highest similarity among those whose wer is at most best_model_tolerance above that of base and recordings. "
        "By default wer_then_similarity, or what there is of them, or mel.",
    )
    best_model_tolerance: NotNegative = option(
        0.02, "How much worse than the better of base and recordings the first of two metrics may be."
    )
    greater_is_better: bool | None = option(
        None, "Whether metric_for_best_model is better if it is greater; by default as it is known."
    )
    early_stopping_patience: Count | None = option(
        None, "Evaluated checkpoints without a better one after which the run ends."
    )

    def check_evaluation(self, eval_steps: int, save_steps: int) -> None:
        """Raise `ValueError` for unknown metrics, and settings of the best checkpoint that contradict each other."""
        self.eval_metrics = [] if self.eval_metrics == ["none"] else list(dict.fromkeys(self.eval_metrics))
        for name in self.eval_metrics:
            METRICS[name]  # raises for an unknown one
        check_name(RECOGNIZERS, self.eval_recognizer, "eval_recognizer")
        check_name(SPEAKER_ENCODERS, self.eval_speaker_encoder, "eval_speaker_encoder")
        if self.metric_for_best_model is not None:
            self.metric_for_best_model = self.metric_for_best_model.removeprefix("eval_")
        if not self.load_best_model_at_end:
            return self._refuse_without_best_model()
        for name in self.best_metrics:
            self._check_measured(name)
        if len(self.best_metrics) > 2 or len({*self.best_metrics}) < len(self.best_metrics):
            raise ValueError(
                f"`metric_for_best_model` is {self.metric_for_best_model!r}; give one metric, or two different ones as "
                f"wer{THEN}similarity."
            )
        if self.greater_is_better is not None and len(self.best_metrics) > 1:
            raise ValueError("`greater_is_better` is for one metric; of two it is known which way is better.")
        if eval_steps % save_steps and save_steps % eval_steps:
            raise ValueError(
                f"`eval_steps` is {eval_steps} and `save_steps` {save_steps}: few evaluated models would be saved, and "
                "`load_best_model_at_end` chooses among those that are both. Make one a multiple of the other, such as "
                f"`save_steps` {eval_steps}."
            )

    @property
    def best_metrics(self) -> list[str]:
        """The one or two names of the metrics that choose the best checkpoint."""
        if self.metric_for_best_model:
            return self.metric_for_best_model.split(THEN)
        pair = [name for name in ("wer", "cer", "similarity") if name in self.eval_metrics]
        pair = [name for name in pair if name != "cer" or "wer" not in pair]
        return pair or self.eval_metrics[:1] or ["mel"]

    def goodness(self, name: str, value: float) -> float:
        """Return a number that is greater for a better value of a metric or loss; -inf for one that is not a number."""
        if value != value:
            return -float("inf")
        is_greater_better = self._is_greater_better(name)
        if is_greater_better is None:
            return -METRICS[name].badness(value)
        return value if is_greater_better else -value

    def best_value(self, name: str) -> str:
        """Return in words which value of a metric or loss is the best."""
        is_greater_better = self._is_greater_better(name)
        if is_greater_better is None:
            return f"nearest to {METRICS[name].target:g}"
        return "highest" if is_greater_better else "lowest"

    def _is_greater_better(self, name: str) -> bool | None:
        """Return whether greater values are better, `None` if those nearest to a target are."""
        if self.greater_is_better is not None:
            return self.greater_is_better
        if name in LOSS_MEASURES:
            return LOSS_MEASURES[name]
        return METRICS[name].greater_is_better if METRICS[name].target is None else None

    def evaluation_options(self, language: str | None, device: str) -> EvaluationOptions:
        """Return what metrics measure with; `language` is that of the tokenizer."""
        return EvaluationOptions(
            self.eval_recognizer, self.eval_speaker_encoder, self.eval_language or language, device
        )

    def _refuse_without_best_model(self) -> None:
        for name in ("metric_for_best_model", "greater_is_better", "early_stopping_patience"):
            if getattr(self, name) is not None:
                raise ValueError(f"`{name}` belongs to `load_best_model_at_end`; set that to true, or leave it out.")

    def _check_measured(self, name: str) -> None:
        kinds = [METRICS[name]] if name in METRICS else []
        if any(kind.greater_is_better is kind.target is self.greater_is_better is None for kind in kinds):
            raise ValueError(f"`metric_for_best_model` is {name}, of which no value is better; take another.")
        if name in LOSS_MEASURES or name in self.eval_metrics:
            return
        if name in METRICS:
            raise ValueError(f"`metric_for_best_model` needs {name}: add it to `eval_metrics`, {self.eval_metrics}.")
        known = ", ".join([*METRICS, *LOSS_MEASURES])
        raise ValueError(
            f"`metric_for_best_model` is {self.metric_for_best_model!r}; it is one of {known}, or two of them as "
            f"wer{THEN}similarity."
        )


def shown_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings for a model card, with the names of files and folders of this machine without their paths."""
    from hf_vits.evaluation.model_names import shown_model

    shown = dict(settings)
    for name in ("eval_recognizer", "eval_speaker_encoder"):
        if settings.get(name) and ":" in settings[name]:
            kind, model = settings[name].split(":", 1)
            shown[name] = f"{kind}:{shown_model(model)}"
    if settings.get("eval_texts"):
        shown["eval_texts"] = shown_model(settings["eval_texts"])
    return shown
