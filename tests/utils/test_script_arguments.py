"""A command line and a file of settings are checked together, and every mistake is named before anything is read."""

import json

import pytest

from hf_vits.synthesis import SynthesisSettings
from hf_vits.utils.script_arguments import SettingsParser, run_script


@pytest.fixture
def parse(tmp_path, capsys):
    """Arguments, and the content of a file -> settings, or what was printed before the process ended."""

    def go(*arguments, file=None):
        if file is not None:
            (tmp_path / "settings.json").write_text(file if isinstance(file, str) else json.dumps(file))
            arguments = ("--config", str(tmp_path / "settings.json"), *arguments)
        try:
            return SettingsParser([SynthesisSettings]).parse(list(arguments))[0]
        except SystemExit as stop:
            assert stop.code == 2
            return capsys.readouterr().err

    return go


def test_arguments_win_over_the_file_and_the_file_over_defaults(parse):
    settings = parse("--seed", "5", file={"seed": 3, "batch_size": 2.0, "speaker_id": 4})
    assert (settings.seed, settings.batch_size, settings.speaker_id, settings.split) == (5, 2, "4", "train")


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("{", "is no JSON file of settings"),
        ("[1]", "holds a list; it must be a JSON object"),
        ('{"seed": 1, "seed": 2}', "holds `seed` twice"),
        ({"sed": 1}, "`sed` is no setting; did you mean `seed`?"),
        ({"config": "x"}, "`config` is no setting"),
        ({"seed": None}, "`seed` is null; it must be a whole number from 0 up"),
        ('{"pause": NaN}', "`pause` is nan; it must be a finite number from 0 to 60"),
    ],
)
def test_a_mistake_in_the_file_names_the_file_and_the_setting(parse, tmp_path, file, told):
    printed = parse(file=file)
    assert str(tmp_path / "settings.json") in printed and told in printed and "Traceback" not in printed


def test_all_mistakes_of_a_file_are_told_at_once_and_without_the_usage(parse):
    printed = parse(file={"batchsize": 1, "seed": -1, "pause": "long"})
    assert all(part in printed for part in ("`batchsize`", "`seed`", "`pause`")) and "usage" not in printed


def test_a_file_that_is_not_there_is_an_error(parse, tmp_path):
    assert "there is no such file" in parse("--config", str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("argument", "nearest"), [("--batchsize", "--batch_size"), ("--speed", "--seed"), ("--output", "--output_dir")]
)
def test_an_unknown_or_shortened_argument_is_an_error_with_the_nearest_ones(parse, argument, nearest):
    printed = parse(argument, "2")
    assert f"{argument} 2: there is no such argument" in printed and f"`{nearest}`" in printed


def test_both_spellings_of_an_argument_are_known(parse):
    assert parse("--batch-size", "2") == parse("--batch_size", "2") == SynthesisSettings(batch_size=2)


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (None, 0, ""),
        (ValueError("a mistake"), 1, "script.py: a mistake\n"),
        (OSError("a full disk"), 1, "script.py: a full disk\n"),
        (FloatingPointError("no gradient"), 1, "script.py: no gradient\n"),
        (KeyboardInterrupt(), 130, "script.py: stopped\n"),
    ],
)
def test_a_script_ends_with_one_line_and_a_code(monkeypatch, capsys, error, code, printed):
    def main():
        if error is not None:
            raise error

    monkeypatch.setattr("sys.argv", ["/somewhere/script.py"])
    with pytest.raises(SystemExit) as stop:
        run_script(main, "stopped")
    assert stop.value.code == code and capsys.readouterr().err == printed


def test_an_error_that_is_no_mistake_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_script(lambda: 1 / 0)
