import pytest

from hf_vits.cli.parser import Parser, parse


def test_a_question_about_a_misspelt_option_ends_with_its_own_mark(capsys):
    parser = Parser(prog="speak")
    parser.add_argument("text", nargs="*")
    parser.add_argument("--speed")
    with pytest.raises(SystemExit):
        parse(parser, ["--sped", "2"], parser)
    assert "did you mean `--speed`? See: speak --help" in capsys.readouterr().err
