"""`hf-vits merge` reads weights as numbers or JSON, and hands them on with both voices."""

from pathlib import Path

import pytest

from hf_vits.cli import main


@pytest.fixture
def merged(monkeypatch):
    """The arguments of each merge, in place of one."""
    calls = []

    def merge(*arguments):
        calls.append(arguments)
        return Path("/voices") / arguments[2]

    monkeypatch.setattr("hf_vits.conversion.merging.merge_voices", merge)
    return calls


def test_both_voices_are_handed_on_in_their_order_with_half_the_weight_each(merged, capsys):
    assert main(["merge", "owner/base", "tuned", "out"]) == 0
    assert merged == [("owner/base", "tuned", "out", 0.5, False)]
    assert capsys.readouterr().out == "The voice is in /voices/out.\n"


@pytest.mark.parametrize(
    ("text", "weights"),
    [("0", 0), ("1", 1), ("2.5e-1", 0.25), ('{"decoder": 0.8, "flow": 0}', {"decoder": 0.8, "flow": 0}), ("{}", {})],
)
def test_weights_are_a_number_or_an_object_of_numbers(merged, text, weights):
    assert main(["merge", "base", "tuned", "out", "--weights", text, "--overwrite"]) == 0
    assert merged == [("base", "tuned", "out", weights, True)]


@pytest.mark.parametrize("text", ["half", "0,5", "", "[0.5]", '"0.5"', "null", '{"decoder": 0.8'])
def test_what_is_neither_is_wrong_usage_before_anything_is_merged(merged, capsys, text):
    with pytest.raises(SystemExit) as stopped:
        main(["merge", "base", "tuned", "out", "--weights", text])
    assert stopped.value.code == 2 and merged == []
    assert f"{text!r} is neither a number nor a JSON object" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["true", "NaN", "-0.1", '{"flow": 2}', '{"flow": "all"}', '{"flow": false}'])
def test_a_weight_outside_of_0_to_1_is_an_error_before_a_voice_is_read(tmp_path, capsys, text):
    assert (
        main(
            ["merge", str(tmp_path / "no base"), str(tmp_path / "no voice"), str(tmp_path / "out"), f"--weights={text}"]
        )
        == 1
    )
    assert "must be a number from 0 (base) to 1 (tuned)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_each_missing_name_is_wrong_usage(merged, capsys):
    for count, missing in ((0, "base"), (1, "tuned"), (2, "output")):
        with pytest.raises(SystemExit) as stopped:
            main(["merge", *["voice"] * count])
        assert stopped.value.code == 2 and missing in capsys.readouterr().err.split("required: ")[1]
    assert merged == []
