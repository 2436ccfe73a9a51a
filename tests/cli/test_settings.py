"""A command line and a file of settings are checked together, and every mistake is named before anything is read."""

import json
from dataclasses import fields

import pytest

from hf_vits.cli.parser import Parser, UsageError, parse
from hf_vits.cli.settings import add_settings, read_settings
from hf_vits.synthesis import SynthesisSettings


@pytest.fixture
def settings(tmp_path, capsys):
    """Arguments, and the content of a file -> settings, or what was printed before the process ended."""

    def go(*arguments, file=None):
        if file is not None:
            (tmp_path / "settings.json").write_text(file if isinstance(file, str) else json.dumps(file))
            arguments = ("--config", str(tmp_path / "settings.json"), *arguments)
        parser = Parser(prog="verb")
        add_settings(parser, {"settings": SynthesisSettings}, ["seed", "per_device_eval_batch_size"])
        try:
            return read_settings(parse(parser, arguments, parser), [SynthesisSettings])[0]
        except UsageError as error:
            return str(error)
        except SystemExit as stop:
            printed = capsys.readouterr()
            return printed.err if stop.code else printed.out

    return go


def test_arguments_win_over_the_file_and_the_file_over_defaults(settings):
    read = settings("--seed", "5", file={"seed": 3, "per_device_eval_batch_size": 2.0, "speaker_id": 4})
    assert (read.seed, read.per_device_eval_batch_size, read.speaker_id, read.split) == (5, 2, "4", "train")


def test_what_a_file_expects_is_logged_and_is_no_setting(settings, caplog):
    with caplog.at_level("INFO"):
        read = settings(file={"seed": 3, "expectation": "One word in ten is lost."})
    assert read.seed == 3 and "One word in ten is lost." in caplog.text
    assert "`expectation` is not a setting" in settings(file={"expectation": 5})


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("{", "is not a JSON file of settings"),
        ("[1]", "holds a list; it must be a JSON object"),
        ('{"seed": 1, "seed": 2}', "holds `seed` twice"),
        ({"sed": 1}, "`sed` is not a setting; did you mean `seed`?"),
        ({"config": "x"}, "`config` is not a setting"),
        ({"seed": None}, "`seed` is null; it must be a whole number from 0 up"),
        ('{"pause": NaN}', "`pause` is nan; it must be a finite number from 0 to 60"),
    ],
)
def test_a_mistake_in_the_file_names_the_file_and_the_setting(settings, tmp_path, file, expected):
    printed = settings(file=file)
    assert str(tmp_path / "settings.json") in printed and expected in printed and "Traceback" not in printed


def test_all_mistakes_of_a_file_are_reported_at_once_and_without_the_usage(settings):
    printed = settings(file={"batchsize": 1, "seed": -1, "pause": "long"})
    assert all(part in printed for part in ("`batchsize`", "`seed`", "`pause`")) and "usage" not in printed


def test_a_wrong_argument_says_what_the_file_has_in_its_place(settings):
    assert settings("--seed", "abc").splitlines()[0].endswith("from 0 up. If it is left out, it is 0.")
    printed = settings("--seed", "abc", "--pause", "long", file={"seed": 3})
    assert "from 0 up. If it is left out, it is 3." in printed and "`pause` is 'long'" in printed


def test_a_file_that_is_not_there_is_an_error(settings, tmp_path):
    assert "there is no such file" in settings("--config", str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("argument", "nearest"), [("--text_colum", "--text_column"), ("--speed", "--seed"), ("--output", "--output_dir")]
)
def test_an_unknown_or_shortened_argument_is_an_error_with_the_nearest_ones(settings, argument, nearest):
    printed = settings(argument, "2")
    assert f"unknown argument '{argument}'" in printed and f"`{nearest}`" in printed


def test_both_spellings_of_an_argument_are_known(settings):
    assert settings("--cpu-threads", "2") == settings("--cpu_threads", "2") == SynthesisSettings(cpu_threads=2)


def test_help_shows_the_common_settings_and_help_all_every_one_with_its_default(settings):
    short, full = settings("--help"), settings("--help-all")
    assert "--seed" in short and "--pause" not in short
    for item in fields(SynthesisSettings):
        assert f"--{item.name} " in full
    assert "(default: spoken)" in full


def test_a_setting_that_is_a_switch_needs_no_value(settings):
    assert settings("--strict").strict and not settings("--strict", "false").strict
