"""The page of a report, in Markdown and in HTML: figures with intervals, pictures, and sentences, the worst first."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hf_vits.evaluation.base import METRICS

LABELS = {"voice": "this voice", "recordings": "recordings", "copy_synthesis": "copy-synthesis"}
"""Headings of the columns of figures."""

EXPLANATIONS = {
    "copy_synthesis": "Copy-synthesis is recordings through posterior encoder and decoder, the most that the decoder "
    "lets the voice reach.",
    "difference": "A difference is that of pairs of sentences, and significant if zero is outside of its interval, as "
    "one of twenty is by chance.",
}

STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 0 1rem; }
body { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 30%, transparent); padding: .4rem; }
th, td { text-align: start; vertical-align: top; }
img { background: white; height: auto; max-width: 100%; }
audio { max-width: 100%; width: 16rem; }
@media (max-width: 60rem) {
  thead { display: none; }
  tr, td { display: block; }
  tr { border-bottom: 2px solid; padding: .5rem 0; }
  td { border: 0; padding: .1rem 0; }
  td:empty { display: none; }
  td[data-label]:not([data-label=""])::before { content: attr(data-label) ": "; font-weight: bold; }
}
"""
"""Of the HTML page: on a narrow screen each row is a block of lines with headings, and colors are the reader's."""


@dataclass(frozen=True)
class Table:
    """Headings and cells, in HTML."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return it in Markdown."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)

    def html(self) -> str:
        """Return it in HTML; each cell has its heading, for narrow screens."""
        head = "".join(f"<th>{cell}</th>" for cell in self.head)
        rows = (
            "".join(
                f'<td data-label="{html.escape(title)}">{cell}</td>' for title, cell in zip(self.head, row, strict=True)
            )
            for row in self.rows
        )
        body = "\n".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def markdown_page(report: Mapping[str, Any]) -> str:
    """Return the page of a report that [`evaluate_voice`] made, for viewers of Markdown."""
    parts = [
        f"# {_title(report)}",
        figures_table(report).markdown(),
        notes(report),
        *(f"![{_alternative(file)}]({file})" for file in report["pictures"]),
        "## Sentences, the worst first",
        sentences_table(report).markdown(),
    ]
    return "\n\n".join(parts) + "\n"


def html_page(report: Mapping[str, Any]) -> str:
    """Return the same page for browsers: readable on a telephone, and in the colors that the reader prefers."""
    pictures = "\n".join(f'<img src="{file}" alt="{_alternative(file)}">' for file in report["pictures"])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_title(report)}</title>
<style>
{STYLE}</style>
</head>
<body>
<h1>{_title(report)}</h1>
{figures_table(report).html()}
<p>{notes(report)}</p>
<h2>Sentences, the worst first</h2>
{sentences_table(report).html()}
<h2>Pictures</h2>
{pictures}
</body>
</html>
"""


def figures_table(report: Mapping[str, Any]) -> Table:
    """Return the figures: a row for each metric, a column for each part of the report."""
    parts = {label: report[part] for part, label in LABELS.items() if (report[part] or {}).get("estimates")}
    if report["compared"]:
        parts[html.escape(report["compared_name"])] = report["compared"]
    differences = report["difference"] or {}
    rows = [
        [
            html.escape(METRICS[name].heading(), quote=False),
            *(_cell(name, part["estimates"].get(name)) for part in parts.values()),
            *([_difference(name, differences.get(name))] if differences else []),
        ]
        for name in report["instruments"]
    ]
    return Table(["metric", *parts, *(["difference"] if differences else [])], rows)


def notes(report: Mapping[str, Any]) -> str:
    """Return sentences that explain the figures."""
    instruments = "; ".join(f"{name}: {instrument}" for name, instrument in report["instruments"].items())
    count, name = len(report["voice"]["rows"]), html.escape(report["data"])
    explained = [text for part, text in EXPLANATIONS.items() if report[part]]
    return " ".join(
        [
            f"{count} sentences of <code>{name}</code>, seed {report['seed']}, decoded in {report['dtype']}, with 95 % "
            "confidence intervals by bootstrap over the sentences. Measured by "
            f"{html.escape(instruments, quote=False)}.",
            *explained,
            *filter(None, [report["no_copy_synthesis"]]),
        ]
    )


def sentences_table(report: Mapping[str, Any]) -> Table:
    """Return the sentences: the worst by the first metric first, equal ones by the next metric, and so on."""
    names, rows = list(report["instruments"]), report["voice"]["rows"]
    beside = {"recording": report["recordings"] if report["is_parallel"] else None, "other voice": report["compared"]}
    beside = {label: part["rows"] for label, part in beside.items() if part}
    has_transcripts = any("transcript" in row for row in rows)
    order = sorted(range(len(rows)), key=lambda i: [_badness(name, rows[i]) for name in names], reverse=True)
    head = ["no.", "text", *(["transcript"] if has_transcripts else []), *names, "audio", *beside]
    cells = [
        [
            str(number + 1),
            html.escape(row["text"], quote=False),
            *([html.escape(row.get("transcript", ""), quote=False)] if has_transcripts else []),
            *(_score(name, row) for name in names),
            *(_audio(one) for one in (row, *(others[number] for others in beside.values()))),
        ]
        for number, row in ((number, rows[number]) for number in order)
    ]
    return Table(head, cells)


def _title(report: Mapping[str, Any]) -> str:
    return f"Evaluation of {html.escape(report['name'])}"


def _alternative(file: str) -> str:
    if "durations" in file:
        return "Spread of durations: lengths of each sentence in several readings"
    return f"Mels and F0 of sentence {int(file.rsplit('/', 1)[-1].removesuffix('.png'))}"


def _audio(row: Mapping[str, Any]) -> str:
    return f'<audio controls preload="none" src="{row["audio"]}"></audio>' if "audio" in row else "not spoken"


def _cell(name: str, estimate: Mapping[str, float] | None) -> str:
    if estimate is None:
        return ""
    shown = METRICS[name].shown
    return f"{shown(estimate['value'])} ({shown(estimate['low'])} to {shown(estimate['high'])})"


def _difference(name: str, difference: Mapping[str, Any] | None) -> str:
    return "" if difference is None else f"{_cell(name, difference)}, {difference['verdict']}"


def _score(name: str, row: Mapping[str, Any]) -> str:
    if name not in row:
        return ""
    value, weight = row[name]
    if METRICS[name].percent and value == int(value) and weight == int(weight):
        return f"{value:g} of {weight:g}"
    return METRICS[name].shown(value / weight) if weight else ""


def _badness(name: str, row: Mapping[str, Any]) -> float:
    value, weight = row.get(name, (0.0, 0.0))
    return METRICS[name].badness(value / weight) if weight else 0.0
