import pytest

from hf_vits.cli.parser import Parser, parse


def test_a_question_about_a_misspelt_option_ends_with_its_own_mark(capsys):
    parser = Parser(prog="speak")
    parser.add_argument("text", nargs="*")
    parser.add_argument("--speed")
    with pytest.raises(SystemExit):
        parse(parser, ["--sped", "2"], parser)
    assert "did you mean `--speed`? See: speak --help" in capsys.readouterr().err


def test_a_short_option_is_not_suggested_for_a_long_one(capsys):
    from hf_vits.cli import main

    with pytest.raises(SystemExit) as stopped:
        main(["train", "--epochs", "3"])
    assert stopped.value.code == 2 and "`-h`" not in capsys.readouterr().err


def test_rare_options_are_in_the_long_help_only_and_taken_either_way(capsys):
    def help_of(flag):
        parser = Parser(prog="speak")
        parser.add_argument("--speed", help="usual")
        parser.add_rare("--colour", help="unusual")
        parser.add_rare("--taste", help="strange")
        assert parse(parser, ["--taste", "sweet"], parser).taste == "sweet"
        with pytest.raises(SystemExit) as stopped:
            parse(parser, [flag], parser)
        assert stopped.value.code == 0
        return capsys.readouterr().out

    short, long = help_of("--help"), help_of("--help-all")
    assert "--help-all" in short and "usual" in short and "colour" not in short and "taste" not in short
    assert all(text in long for text in ("--speed", "usual", "--colour", "unusual", "--taste", "strange"))
