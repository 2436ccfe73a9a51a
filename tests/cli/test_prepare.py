"""`hf-vits prepare` makes the settings of its options, prints the report, and says how to train on the result."""

import json
import logging
import shlex

import pytest
import torch

from hf_vits.alignment.settings import PreparationSettings
from hf_vits.cli import main

pytest.importorskip("datasets")
pytest.importorskip("accelerate")


@pytest.fixture
def prepared(monkeypatch):
    """The recordings and settings of each preparation, and its threads, in place of one."""
    calls, threads = [], torch.get_num_threads()

    def prepare(recordings, settings):
        calls.append((recordings, settings, torch.get_num_threads()))
        return "3 recordings, 1 dropped"

    monkeypatch.setattr("hf_vits.alignment.preparation.prepare_folder", prepare)
    monkeypatch.setattr("hf_vits.utils.threads.number_is_set", False)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    yield calls
    torch.set_num_threads(threads)


def test_options_and_a_file_of_them_become_the_settings_and_options_count_more(prepared, tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"level": -23, "min_seconds": 1, "text_column": "said"}))
    options = ["--config", str(tmp_path / "settings.json"), "--min-seconds", "2", "--voice", "owner/voice"]
    assert main(["prepare", "org/data", "--output", "out", *options, "--adapt", "false", "--overwrite"]) == 0
    expected = PreparationSettings(
        "out", "owner/voice", overwrite=True, adapt=False, level=-23, min_seconds=2, text_column="said"
    )
    assert [call[:2] for call in prepared] == [("org/data", expected)]


def test_threads_are_set_before_the_recordings_are_read(prepared):
    threads = torch.get_num_threads() + 1
    assert main(["prepare", "data", "--output", "out", "--cpu_threads", str(threads)]) == 0
    assert prepared[0][2] == threads


@pytest.mark.parametrize("folder", ["prepared", "my voice", "ben's"])
def test_the_report_is_followed_by_the_command_that_trains_on_the_folder(prepared, capsys, folder):
    assert main(["prepare", "data", "--output", folder]) == 0
    report, advice = capsys.readouterr().out.splitlines()
    assert report == "3 recordings, 1 dropped" and advice.startswith(f"{folder}: ")
    assert shlex.split(advice.split("`")[1]) == ["hf-vits", "train", "--dataset_name", folder]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ([], "`output`"),
        (["--output", "out", "--level", "3"], "`level`"),
        (["--output", "out", "--min_secnods", "2"], "min_seconds"),
    ],
)
def test_wrong_settings_are_wrong_usage_and_nothing_is_prepared(prepared, capsys, options, named):
    try:
        status = main(["prepare", "data", *options])
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2 and named in capsys.readouterr().err and prepared == []


def test_a_missing_package_is_named_with_its_extra_before_settings_are_read(prepared, monkeypatch, capsys):
    monkeypatch.setattr("hf_vits.cli.settings.find_spec", lambda name: None if name == "filelock" else name)
    assert main(["prepare", "data", "--output", "out"]) == 1
    printed = capsys.readouterr().err
    assert "filelock is not installed" in printed and "hf_vits[train]" in printed and prepared == []


def test_the_short_help_shows_usual_settings_and_the_long_help_all_of_them(capsys):
    shown = {}
    for flag in ("--help", "--help-all"):
        with pytest.raises(SystemExit) as stopped:
            main(["prepare", flag])
        assert stopped.value.code == 0
        shown[flag] = capsys.readouterr().out
    names = list(PreparationSettings.__dataclass_fields__)
    assert all(f"--{name} " in shown["--help-all"] for name in names)
    usual = [name for name in names if f"--{name} " in shown["--help"]]
    assert "output" in usual and "recordings" in shown["--help"] and set(usual) < set(names)
