"""`hf-vits info` prints what a bug report needs."""

import json
from pathlib import Path

import torch

import hf_vits
from hf_vits.cli import info, main


def test_versions_threads_and_folders_are_those_of_this_process(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_VITS_CACHE", str(tmp_path))
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert main(["info", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["hf_vits"] == hf_vits.__version__ and table["packages"]["torch"] == torch.__version__
    assert table["threads"] == torch.get_num_threads() and table["environment"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert table["folder of converted voices"] == str(tmp_path) and table["default voice"] == "not converted yet"
    assert len(table["gpu"]) == torch.cuda.device_count()


def test_without_json_there_is_a_line_for_each_entry_and_no_home_folder(capsys, monkeypatch):
    monkeypatch.setenv("HF_VITS_CACHE", str(Path.home() / "voices"))
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == len(info.information())
    assert "folder of converted voices: ~/voices\n" in printed


def test_an_extra_is_missing_with_the_packages_that_it_lacks(monkeypatch):
    class About:
        def get_all(self, name, default):
            required = ["torch>=2", "lacking-package>1; extra == 'one'", "torch; extra == 'two'"]
            required += ["hf_vits[one,two]; extra == 'both'"]
            return {"Provides-Extra": ["one", "two", "both"], "Requires-Dist": required}[name]

    monkeypatch.setattr(info, "metadata", lambda name: About())
    table = info.information()
    assert table["extras installed"] == ["two"]
    assert table["extras missing"] == {"one": ["lacking-package"], "both": ["lacking-package"]}
