"""Figures of base, voice and recordings side by side, from a run's history: for the log, and for the model card."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from huggingface_hub import EvalResult

from hf_vits.evaluation.base import METRICS
from hf_vits.evaluation.eval_results import eval_result
from hf_vits.evaluation.report import Estimate

Values = Mapping[str, float]
"""Values by the name of a metric, with `wer/low` and `wer/high` for the interval of `wer`."""


def history_values(history: Iterable[Mapping[str, float]], kind: str, step: int | None = None) -> dict[str, float]:
    """Return what lines of a history have as `kind/…`, by the rest of the name: those of a step, or the newest."""
    values = {}
    for line in history:
        if step is None or line["step"] == step:
            values |= {name.removeprefix(f"{kind}/"): v for name, v in line.items() if name.startswith(f"{kind}/")}
    return values


@dataclass(frozen=True)
class SpeechSetup:
    """The models that a run's metrics use, by name, and the numbers of sentences and of recordings."""

    instruments: Mapping[str, str]
    sentences: int
    recordings: int


@dataclass(frozen=True)
class SpeechFigures:
    """
    Figures of a run at one step.

    Args:
        metrics (`Sequence[str]`):
            Names of metrics.
        step (`int`):
            The last evaluation that is not after the wanted step.
        base, voice, recordings (`Mapping[str, float]`):
            Values; empty if they are not known.
    """

    metrics: Sequence[str]
    step: int
    base: Values
    voice: Values
    recordings: Values

    @classmethod
    def of(cls, history: Sequence[Mapping[str, float]], step: int, metrics: Sequence[str]) -> "SpeechFigures":
        """Collect the figures of a step."""
        steps = [line["step"] for line in history if line["step"] <= step and f"eval/{metrics[0]}" in line]
        newest = max(steps, default=0)
        base, voice = (history_values(history, "eval", one) for one in (0, newest))
        return cls(metrics, newest, base, voice, history_values(history, "recordings"))

    def line(self) -> str:
        """Return the figures in one line: `wer 3.1 % (1.2 to 5.4; base 1.6 %, recordings 4.3 %), …`."""
        return ", ".join(self._in_line(name) for name in self.metrics if name in self.voice)

    def table(self, base: str | None) -> str:
        """Return a Markdown table with a row each for base, voice and recordings; `base` is the name of its row."""
        rows = [(base, self.base)] if base and self.step else []
        rows += [(f"**this voice**, step {self.step:,}", self.voice), ("recordings", self.recordings)]
        cells = [[label, *(self._cell(values, name) for name in self.metrics)] for label, values in rows if values]
        head = ["", *(METRICS[name].title for name in self.metrics)]
        return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells))

    def eval_results(self, setup: SpeechSetup, dataset: str) -> list[EvalResult]:
        """Return the voice's figures for the metadata of a model card; error rates in percent."""
        return [
            eval_result(name, estimate, setup.instruments[name], dataset)
            for name in self.metrics
            if (estimate := self._estimate(name, setup.sentences)) is not None
        ]

    def _estimate(self, name: str, sentences: int) -> Estimate | None:
        if name not in self.voice:
            return None
        return Estimate(self.voice[name], *(self.voice[f"{name}/{end}"] for end in ("low", "high")), sentences)

    def _in_line(self, name: str) -> str:
        shown = METRICS[name].shown
        beside = [(label, values) for label, values in self._compared() if name in values]
        others = "".join(f"{', ' if i else '; '}{label} {shown(v[name])}" for i, (label, v) in enumerate(beside))
        interval = f"{shown(self.voice[f'{name}/low'])} to {shown(self.voice[f'{name}/high'])}"
        return f"{name} {shown(self.voice[name])} ({interval}{others})"

    def _compared(self) -> list[tuple[str, Values]]:
        return [*([("step 0", self.base)] if self.step else []), ("recordings", self.recordings)]

    def _cell(self, values: Values, name: str) -> str:
        if name not in values:
            return ""
        shown = METRICS[name].shown
        return f"{shown(values[name])} ({shown(values[f'{name}/low'])} to {shown(values[f'{name}/high'])})"
