"""The command line as a whole: its verbs, its help and its version."""

import sys
from dataclasses import fields

import pytest

import hf_vits
from hf_vits.cli import VERBS, main, synthesize, train
from hf_vits.cli.parser import Parser

TOY = """
HELP = "Count words."


def add_arguments(parser):
    parser.add_argument("words", nargs="+")
    parser.add_argument("--times", type=int, default=1)


def run(options):
    print(options.times * len(options.words))
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A verb of another package: one file, and one line."""
    (tmp_path / "toy_verb.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(VERBS, "count", "toy_verb")
    yield
    sys.modules.pop("toy_verb")


def test_another_package_adds_a_verb(toy, capsys):
    assert main(["count", "a", "b", "--times", "3"]) == 0
    assert capsys.readouterr().out == "6\n"
    assert main([]) == 0
    assert "  count       Count words.\n" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["count", "a", "--tims", "3"])
    assert "did you mean `--times`?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_help_fits_on_a_screen_of_24_lines(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        main([*([verb] if verb else []), "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert stop.value.code == 0 and lines[0].startswith("usage: hf-vits") and len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("verb", "module"), [("train", train), ("synthesize", synthesize)])
def test_the_help_of_a_setting_is_one_line_and_not_cut(verb, module, capsys, monkeypatch):
    """It is the description, or its part before a semicolon."""
    described = {}
    monkeypatch.setattr(module, "add_settings", lambda parser, groups, common: described.update(groups))
    module.add_arguments(Parser())
    monkeypatch.undo()
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines() if line.startswith("  --")]
    shown = {flag.removeprefix("--"): text for flag, _, text in lines}
    descriptions = {item.name: item.metadata["help"] for kind in described.values() for item in fields(kind)}
    assert shown.keys() >= set(module.COMMON)
    for name in module.COMMON:
        assert descriptions[name].startswith(shown[name]) and descriptions[name][len(shown[name])] in ".;", name


def test_without_a_verb_the_help_lists_all_of_them(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("usage: hf-vits") and all(f"\n  {verb} " in printed for verb in VERBS)


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"hf_vits {hf_vits.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speek", "a hope"], "invalid choice: 'speek'"),
        (["speak", "a hope", "--sped", "2"], "unknown argument '--sped'; did you mean `--speed`"),
        (["speak", "a hope", "--bogus"], "unknown argument '--bogus'"),
        (["speak", "a hope", "--speed", "fast"], "--speed: invalid float value: 'fast'"),
        (["speak", "a hope", "--seed", "1.5"], "--seed: invalid int value: '1.5'"),
        (["speak", "a hope", "--output"], "--output: expected one argument"),
        (["doctor", "a", "b", "c"], "unknown arguments 'b', 'c'."),
        (["synthesize", "--speed", "3"], "unknown argument '--speed'; did you mean `--seed`"),
    ],
)
def test_wrong_usage_is_one_sentence(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    errors = capsys.readouterr().err
    assert caught.value.code == 2 and message in errors and len(errors.strip().splitlines()) == 1, errors


def test_every_unknown_argument_is_named_at_once(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--langage", "de", "--batch_size=4", "--max_steps", "5", "--xyz"])
    lines = capsys.readouterr().err.splitlines()
    assert "unknown argument '--langage'; did you mean `--language`" in lines[0]
    assert lines[1] == "unknown argument '--batch_size=4'; it is now `--per_device_train_batch_size`"
    assert "unknown argument '--xyz'" in lines[2] and len(lines) == 3


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch, capsys):
    monkeypatch.setattr("hf_vits.cli.settings.find_spec", lambda name: None)
    assert main(["train"]) == 1
    assert 'accelerate is not installed. Run `pip install "hf_vits[train]"`' in capsys.readouterr().err


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_verb_of_an_installed_package_is_found_by_its_entry_point(tmp_path, monkeypatch, capsys, is_broken):
    code = "HELP = 'greet'\nadd_arguments = lambda parser: None\nrun = lambda options: print('hello')\n"
    code += "from hf_vits.cli import VERBS\nVERBS['greet'] = __name__\n"
    (tmp_path / "greeting_verb.py").write_text("raise RuntimeError('broken')" if is_broken else code)
    (tmp_path / "greeting-1.dist-info").mkdir()
    (tmp_path / "greeting-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1\n")
    entry = "[hf_vits.extensions]\ngreet = greeting_verb\n"
    (tmp_path / "greeting-1.dist-info" / "entry_points.txt").write_text(entry)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        if is_broken:
            main([])
            assert "greeting_verb was not loaded: RuntimeError('broken')" in capsys.readouterr().err
        else:
            assert main(["greet"]) == 0 and capsys.readouterr().out == "hello\n"
    finally:
        VERBS.pop("greet", None)
        sys.modules.pop("greeting_verb", None)
