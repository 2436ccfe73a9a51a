import json
import os
import shutil
import sys

import pytest

from hf_vits.cli import main
from hf_vits.doctor.findings import SEVERITIES


@pytest.fixture
def voice(make_model, make_tokenizer, tmp_path):
    make_model().save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    return tmp_path / "voice"


def set_field(voice, name, value):
    table = json.loads((voice / "config.json").read_text())
    (voice / "config.json").write_text(json.dumps(table | {name: value}))


def test_exit_codes_tell_errors_and_if_wanted_warnings(voice, capsys):
    assert main(["doctor", str(voice)]) == 0 and main(["doctor", str(voice), "--strict"]) == 0
    set_field(voice, "sampling_rate", 23000)
    assert main(["doctor", str(voice)]) == 0 and main(["doctor", str(voice), "--strict"]) == 1
    shutil.rmtree(voice)
    assert main(["doctor", str(voice)]) == 1
    with pytest.raises(SystemExit) as caught:
        main(["doctor"])
    assert caught.value.code == 2


def test_words_and_json_say_the_same(voice, capsys):
    set_field(voice, "sampling_rate", 23000)
    set_field(voice, "hop_length", 999)
    assert main(["doctor", str(voice)]) == 1
    words = capsys.readouterr().out
    assert main(["doctor", str(voice), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"format", "path", "counts", "findings", "verdict"}
    severities = [found["severity"] for found in told["findings"]]
    assert severities == sorted(severities, key=SEVERITIES.index)  # the gravest first
    assert told["counts"] == {severity: severities.count(severity) for severity in SEVERITIES}
    places = []
    for found in told["findings"]:
        assert set(found) == {"id", "severity", "text", "mend", "command", "facts"}
        places.append(words.index(f"  {found['id']}: {found['text']}"))
        assert found["mend"] in words and (found["command"] or "") in words
    assert places == sorted(places)
    last = words[words.index(f"{voice}:") :]
    assert all(f"{use}: {answer}" in last for use, answer in told["verdict"].items()) and len(told["verdict"]) == 3


def test_a_verb_without_a_code_of_its_own_ends_with_0(voice, tmp_path):
    assert main(["speak", "a hope", "--voice", str(voice), "--output", str(tmp_path / "out.wav")]) == 0


@pytest.mark.parametrize("style", [[], ["--json"]])
def test_a_reader_that_has_read_enough_changes_neither_code_nor_words(voice, style, monkeypatch, capsys):
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
    assert "speaks here: yes" in capsys.readouterr().out
