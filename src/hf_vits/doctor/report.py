"""A report in words for people, and as JSON for scripts."""

import json
from collections.abc import Iterator

from hf_vits.doctor.examination import Report
from hf_vits.doctor.finding import SEVERITIES, Finding, printable

FORMAT_VERSION = 1
"""Of the JSON; raised when a field changes its meaning."""


def in_words(report: Report) -> str:
    """Findings grouped by severity, each with how to mend it; the verdict last."""
    return "\n".join(_lines(report))


def as_json(report: Report) -> str:
    """One object; ids of findings stay the same from version to version."""
    findings = [
        {
            "id": found.id,
            "severity": found.severity,
            "text": found.text,
            "mend": found.mend,
            "command": found.command,
            "facts": dict(found.facts),
        }
        for found in report.findings
    ]
    counts = {severity: len(report.of(severity)) for severity in SEVERITIES}
    whole = {
        "format": FORMAT_VERSION,
        "path": report.path,
        "counts": counts,
        "findings": findings,
        "verdict": report.verdict,
    }
    return json.dumps(whole, indent=2, default=str)


def _lines(report: Report) -> Iterator[str]:
    for severity in SEVERITIES:
        found = report.of(severity)
        if found:
            yield f"{severity}{'s' if len(found) > 1 else ''} ({len(found)})"
            for finding in found:
                yield from _finding(finding)
            yield ""
    if not report.findings:
        yield "Nothing is wrong."
    name = printable(report.path)
    said = "; ".join(f"{use}: {answer}" for use, answer in report.verdict.items())
    yield f"{name}: {said}" if said else f"{name}: no folder of a voice"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {finding.id}: {finding.text}"
    if finding.mend:
        yield f"    {finding.mend}"
    if finding.command:
        yield f"    $ {finding.command}"
