import json
import os
import shutil
import sys

import pytest

from hf_vits.cli import main
from hf_vits.doctor import SEVERITIES


@pytest.fixture
def voice(saved_voice, tmp_path):
    saved_voice(tmp_path / "voice")
    return tmp_path / "voice"


def set_field(voice, name, value):
    table = json.loads((voice / "config.json").read_text())
    (voice / "config.json").write_text(json.dumps(table | {name: value}))


def test_exit_codes_report_errors_and_with_strict_warnings(voice, capsys):
    assert main(["doctor", str(voice)]) == 0 and main(["doctor", str(voice), "--strict"]) == 0
    set_field(voice, "sampling_rate", 23000)
    assert main(["doctor", str(voice)]) == 0 and main(["doctor", str(voice), "--strict"]) == 1
    shutil.rmtree(voice)
    assert main(["doctor", str(voice)]) == 1
    with pytest.raises(SystemExit) as caught:
        main(["doctor"])
    assert caught.value.code == 2


def test_text_and_json_hold_the_same(voice, capsys):
    set_field(voice, "sampling_rate", 23000)
    set_field(voice, "hop_length", 999)
    assert main(["doctor", str(voice)]) == 1
    text = capsys.readouterr().out
    assert main(["doctor", str(voice), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"format", "path", "counts", "diagnostics", "uses"}
    severities = [found["severity"] for found in report["diagnostics"]]
    assert severities == sorted(severities, key=SEVERITIES.index)  # the most severe first
    assert report["counts"] == {severity: severities.count(severity) for severity in SEVERITIES}
    places = []
    for found in report["diagnostics"]:
        assert set(found) == {"id", "severity", "message", "advice", "fix", "command", "details"}
        places.append(text.index(f"  {found['id']}: {found['message']}"))
        assert found["advice"] in text and (found["command"] or "") in text
        if found["fix"]:
            option = "--fix" if found["fix"]["automatic"] else f"--fix --only {found['id']}"
            assert f"{option}: {found['fix']['description']}" in text
    assert places == sorted(places)
    last = text[text.index(f"{voice}:") :]
    assert all(f"{use}: {answer}" in last for use, answer in report["uses"].items()) and len(report["uses"]) == 3


def test_a_verb_without_an_exit_code_of_its_own_exits_with_0(voice, tmp_path):
    assert main(["speak", "a hope", "--voice", str(voice), "--output", str(tmp_path / "out.wav")]) == 0


@pytest.mark.parametrize("style", [[], ["--json"]])
def test_a_closed_pipe_changes_neither_exit_code_nor_output(voice, style, monkeypatch, capsys):
    set_field(voice, "sampling_rate", 23000)
    reading, writing = os.pipe()
    os.close(reading)
    with monkeypatch.context() as patch, os.fdopen(writing, "w") as stream:
        patch.setattr(sys, "stdout", stream)
        assert main(["doctor", str(voice), "--strict", *style]) == 1
    assert capsys.readouterr().err == ""


def test_the_default_voice_is_examined_by_the_name_that_other_verbs_take(voice, monkeypatch, capsys):
    monkeypatch.setattr("hf_vits.conversion.resolve.cached_voice", lambda known: voice)
    assert main(["doctor", "en_US-joe-medium"]) == 0
    assert "synthesis: yes" in capsys.readouterr().out
