"""The page of a report in Markdown: figures with intervals, and all sentences, the worst first, with their audio."""

import html
from collections.abc import Mapping
from typing import Any

from hf_vits.evaluation.base import METRICS


def report_page(report: Mapping[str, Any]) -> str:
    """Return the page of a report that [`evaluate_voice`] made."""
    names = list(report["instruments"])
    parts = {"**this voice**": report["voice"], "recordings": report["recordings"]}
    if report["compared"]:
        parts |= {html.escape(report["compared_name"]): report["compared"]}
    rows = [
        [label, *(_cell(name, part["estimates"].get(name)) for name in names)] for label, part in parts.items() if part
    ]
    if report["difference"]:
        rows.append(["difference", *(_difference(name, report["difference"][name]) for name in names)])
    worst = sorted(report["voice"]["rows"], key=lambda row: [_badness(name, row[name]) for name in names], reverse=True)
    sentences = [
        [
            html.escape(row["text"], quote=False),
            html.escape(row.get("transcript", ""), quote=False),
            *(_score(name, row[name]) for name in names),
            f'<audio controls src="{row["audio"]}"></audio>' if "audio" in row else "not spoken",
        ]
        for row in worst
    ]
    measured_by = "; ".join(f"{name}: {instrument}" for name, instrument in report["instruments"].items())
    count = len(report["voice"]["rows"])
    return "\n".join(
        [
            f"# Evaluation of {html.escape(report['name'])}",
            "",
            *_table(["", *(METRICS[name].title for name in names)], rows),
            "",
            f"With 95 % confidence intervals by bootstrap over {count} sentences, seed {report['seed']}. Measured by "
            f"{measured_by}.",
            "",
            "## Sentences, the worst first",
            "",
            *_table(["text", "transcript", *names, "audio"], sentences),
            "",
        ]
    )


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(name: str, estimate: Mapping[str, float] | None) -> str:
    if estimate is None:
        return ""
    shown = METRICS[name].shown
    return f"{shown(estimate['value'])} ({shown(estimate['low'])} to {shown(estimate['high'])})"


def _difference(name: str, estimate: Mapping[str, float]) -> str:
    """Return a difference with its interval and what it means for this voice."""
    if estimate["low"] <= 0 <= estimate["high"]:
        return f"{_cell(name, estimate)}, not significant"
    return f"{_cell(name, estimate)}, {'better' if _badness(name, [estimate['value'], 1]) < 0 else 'worse'}"


def _score(name: str, pair: list[float]) -> str:
    value, weight = pair
    return f"{value:g} of {weight:g}" if METRICS[name].percent else METRICS[name].shown(value / weight)


def _badness(name: str, pair: list[float]) -> float:
    value = pair[0] / pair[1] if pair[1] else 0.0
    return -value if METRICS[name].greater_is_better else value
