"""Choose the best checkpoint of a run, and when to stop early, from the lines of its history."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hf_vits.training.checkpoints import list_checkpoints, step_of
from hf_vits.training.speech_figures import history_values
from hf_vits.training.training_arguments import VitsTrainingArguments
from hf_vits.utils.distributed import run_on_all_processes

History = Sequence[Mapping[str, float]]
"""Lines with `"step"`, and values of metrics as `"eval/wer"` and `"recordings/wer"`."""


class BestModel:
    """
    Order evaluated checkpoints by one metric, or by two.

    By two metrics A and B, a model whose A is within `best_model_tolerance` of the limit is better than one whose A is
    not; of two that are within it the one with the better B, of two that are not the one with the better A. The limit
    is the better one of A of the base, which is the model before the first step, and A of the recordings. So the order
    of two models never changes, and only the best one must be kept. Of equal models the earlier is better.

    Args:
        args ([`VitsTrainingArguments`]):
            The metrics, and the tolerance.
        output_dir (`Path`):
            Folder of the run, with its checkpoints.
    """

    def __init__(self, args: VitsTrainingArguments, output_dir: Path):
        self.args, self.output_dir = args, output_dir
        self.step: int | None = None
        self.is_patience_exhausted = False

    def check(self, has_evaluation_set: bool) -> None:
        """Raise `ValueError` if the best model is chosen by a loss, and there is nothing to evaluate it on."""
        names = [name for name in self.args.best_metrics if name not in self.args.eval_metrics]
        if self.args.load_best_model_at_end and names and not has_evaluation_set:
            raise ValueError(
                f"`load_best_model_at_end` chooses by {names[0]}, which needs an evaluation set: name recordings in "
                "the folder's eval.txt, or give `eval_split`; or choose by one of `eval_metrics`, with `eval_texts`."
            )

    def choose(self, history: History) -> None:
        """Set `step` to that of the best checkpoint, and `is_patience_exhausted`, the same in every process."""
        if self.args.load_best_model_at_end:
            self.step, self.is_patience_exhausted = run_on_all_processes(self._chosen, history)[0]

    def _chosen(self, history: History) -> tuple[int | None, bool]:
        best = self.best_of(history, map(step_of, list_checkpoints(self.output_dir)))
        return best, self.has_waited(history, best)

    def best_of(self, history: History, steps: Iterable[int]) -> int | None:
        """Return the step of the best evaluated model among those of `steps`, or `None` if there is none."""
        candidates, limit = self._candidates(history, steps), self._limit(history)
        return max(candidates, key=lambda step: self._key(candidates[step], limit), default=None)

    def has_waited(self, history: History, best: int | None) -> bool:
        """Return True if `early_stopping_patience` checkpoints after the best one were evaluated."""
        patience, name = self.args.early_stopping_patience, f"eval/{self.args.best_metrics[0]}"
        if patience is None or best is None:
            return False
        later = {line["step"] for line in history if name in line and line["step"] > best}
        return len([step for step in later if step % self.args.save_steps == 0]) >= patience

    def describe(self) -> str:
        """Return the rule in words, after "the best by"."""
        first, *rest = self.args.best_metrics
        if not rest:
            return f"{self.args.best_value(first)} {first}"
        return (
            f"{self.args.best_value(rest[0])} {rest[0]} where {first} is within {self.args.best_model_tolerance:g} of "
            f"the better one of base and recordings, else best {first}"
        )

    def _candidates(self, history: History, steps: Iterable[int]) -> dict[int, list[float]]:
        """Return the values of the metrics, greater for better, of each evaluated model with a checkpoint."""
        found = {}
        for step in sorted(set(steps)):
            values = history_values(history, "eval", step)
            if step and all(name in values for name in self.args.best_metrics):
                found[step] = [self.args.goodness(name, values[name]) for name in self.args.best_metrics]
        return found

    def _limit(self, history: History) -> float | None:
        name = self.args.best_metrics[0]
        known = [history_values(history, "eval", 0).get(name), history_values(history, "recordings").get(name)]
        return max((self.args.goodness(name, value) for value in known if value is not None), default=None)

    def _key(self, values: Sequence[float], limit: float | None) -> tuple[float, ...]:
        if len(values) == 1:
            return (values[0],)
        first, second = values
        if limit is not None and first >= limit - self.args.best_model_tolerance - 1e-9:
            return (1.0, second)
        return (0.0, first)
