"""A report counts what it holds, and is safe to print."""

import json

import pytest

from hf_vits.doctor.diagnostics import Report, counted, error, note, printable, warning


def test_control_characters_are_escaped_and_text_is_not():
    assert printable("é語 \x1b[31m\n") == "é語 \\x1b[31m\\n"
    assert error("id", "a\x07").message == "a\\x07"


@pytest.mark.parametrize(
    ("kinds", "code", "strict"), [((), 0, 0), ((note,), 0, 0), ((warning,), 0, 1), ((error,), 1, 1)]
)
def test_the_exit_code_is_that_of_errors_and_if_asked_of_warnings(kinds, code, strict):
    report = Report("folder", [kind("id", "text") for kind in kinds])
    assert (report.exit_code(), report.exit_code(strict=True)) == (code, strict)


def test_json_and_text_hold_every_diagnostic():
    report = Report("folder", [error("one", "first", "do it", number=3), note("two", "second")], {"speak": "yes"})
    table = json.loads(json.dumps(report.as_dict()))
    assert sum(table["counts"].values()) == len(table["diagnostics"]) == 2
    assert table["diagnostics"][0]["details"] == {"number": 3}
    shown = report.as_text()
    assert all(part in shown for part in ("one: first", "do it", "two: second", "folder: speak: yes"))


def test_names_are_counted():
    assert counted("Left over", ["a", "b"]) == "Left over (2): a, b."
