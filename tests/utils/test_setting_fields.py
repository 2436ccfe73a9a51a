"""Every field of every settings class has its annotated type and stays within its limits, wherever it comes from."""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, get_args, get_type_hints

import pytest

from hf_vits.synthesis import SynthesisSettings
from hf_vits.training import ModelAndDataArguments, RunOptions, VitsTrainingArguments
from hf_vits.utils.setting_fields import (
    AnyPath,
    Count,
    Decay,
    NameOrNumber,
    OneOf,
    OutputPath,
    Positive,
    check_fields,
    option,
)

KINDS = [VitsTrainingArguments, SynthesisSettings, ModelAndDataArguments, RunOptions]
FIELDS = [(kind, item.name) for kind in KINDS for item in fields(kind)]


@dataclass
class Sample:
    count: Count = option(3, "Of things.")
    rate: Positive = option(1.5, "Of change.")
    decay: Decay = option(0.5, "Of memory.")
    limit: Positive | None = option(None, "Of time.")
    on: bool = option(False, "Whether.")
    names: list[str] = option([], "Of parts.")
    mode: Annotated[str, OneOf(("slow", "fast"))] = option("slow", "Of work.")
    who: NameOrNumber = option("0", "Who.")
    source: AnyPath = option("in", "Where from.")
    output_dir: OutputPath = option("out", "Where to.")

    def __post_init__(self):
        check_fields(self)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"count": 2.0}, 2),
        ({"count": "2"}, 2),
        ({"count": "1e5"}, 100_000),
        ({"rate": 2}, 2.0),
        ({"rate": "2e-4"}, 2e-4),
        ({"limit": None}, None),
        ({"limit": "none"}, None),
        ({"on": "true"}, True),
        ({"names": "text_encoder"}, ["text_encoder"]),
        ({"names": "text_encoder, flow"}, ["text_encoder", "flow"]),
        ({"names": ("a", "b")}, ["a", "b"]),
        ({"who": 7}, "7"),
        ({"output_dir": Path("folder")}, "folder"),
    ],
)
def test_a_value_becomes_one_of_the_annotated_type(given, kept):
    (name,) = given
    value = getattr(Sample(**given), name)
    assert value == kept and type(value) is type(kept)


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({"count": 2.5}, "2.5; it must be a whole number from 1 up"),
        ({"count": 0}, "0; it must be a whole number from 1 up"),
        ({"count": True}, "True; it must be a whole number"),
        ({"count": None}, "null; it must be a whole number from 1 up. If it is left out, it is 3"),
        ({"count": 2**70}, "it must be a whole number"),
        ({"count": math.inf}, "inf; it must be a whole number"),
        ({"count": "three"}, "'three'; it must be a whole number"),
        ({"count": [2]}, r"\[2\]; it must be a whole number"),
        ({"rate": 0.0}, "0.0; it must be a finite number above 0"),
        ({"rate": math.nan}, "nan; it must be a finite number"),
        ({"limit": -1}, "-1; it must be a finite number above 0, or null"),
        ({"decay": 1}, "1; it must be a finite number from 0 up and below 1"),
        ({"on": 2}, "2; it must be true or false"),
        ({"names": [1]}, r"\[1\]; it must be a list of names"),
        ({"names": {"a": 1}}, "it must be a list of names"),
        ({"names": ""}, "it must be a list of names"),
        ({"names": "a,,b"}, "'a,,b'; it must be a list of names, such as .., or names between commas"),
        ({"mode": "fsat"}, "'fsat'; it must be one of slow, fast"),
        ({"source": 3}, "3; it must be a text"),
        ({"source": "a\0b"}, "no null character"),
        ({"output_dir": ""}, "is empty; give the name of a folder"),
    ],
)
def test_a_value_of_another_kind_is_an_error_that_says_what_is_allowed(given, allowed):
    (name,) = given
    with pytest.raises(ValueError, match=f"`{name}` is .*{allowed.removeprefix('is ')}"):
        Sample(**given)


def test_all_problems_are_reported_at_once():
    with pytest.raises(ValueError, match="(?s)`count` is 0.*`rate` is 'x'"):
        Sample(count=0, rate="x")


def test_home_and_environment_variables_in_paths_are_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCRATCH", "/scratch")
    monkeypatch.setenv("SCRATCH_2", "/other")
    assert Sample(source="${SCRATCH}/$SCRATCH_2").source == "/scratch//other"
    assert Sample(output_dir="~/voice").output_dir == f"{tmp_path}/voice"
    assert Sample(source="$SCRATCH/a", output_dir="${SCRATCH}/b").source == "/scratch/a"
    assert Sample(source="owner/name").source == "owner/name"


def test_a_variable_or_home_that_does_not_exist_is_an_error_and_a_path_that_does_stays(monkeypatch, tmp_path):
    monkeypatch.delenv("NOWHERE", raising=False)
    monkeypatch.chdir(tmp_path)
    for path, message in (("$NOWHERE/a", "no environment variable NOWHERE"), ("~nobody-here/a", "no such home folder")):
        with pytest.raises(ValueError, match=f"`source` is '.*a'.*{message}"):
            Sample(source=path)
    (tmp_path / "$NOWHERE").mkdir()
    (tmp_path / "~").mkdir()
    assert Sample(source="$NOWHERE").source == "$NOWHERE" and Sample(source="~").source == str(Path.home())


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda part: getattr(part, "__name__", part))
def test_no_field_of_any_settings_takes_what_it_cannot_hold(kind, name):
    """An object is no value of any field, and null only of those whose annotation says so."""
    with pytest.raises(ValueError, match=f"`{name}` is "):
        kind(**{name: object()})
    if type(None) in get_args(get_type_hints(kind)[name]):
        assert getattr(kind(**{name: None}), name) is None
    else:
        with pytest.raises(ValueError, match=f"`{name}` is null; it must be"):
            kind(**{name: None})


@pytest.mark.parametrize(("kind", "name"), [field for field in FIELDS if field[1].endswith(("_path", "_dir"))])
def test_every_path_is_expanded(kind, name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert getattr(kind(**{name: "~/x"}), name) == f"{tmp_path}/x"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("none", []), (["none"], []), ("wandb", ["wandb"]), ("all", ["all"]), (["TensorBoard"], ["tensorboard"])],
)
def test_trackers_are_named_as_one_as_several_or_as_none(given, kept):
    assert VitsTrainingArguments(report_to=given).report_to == kept


@pytest.mark.parametrize(
    ("given", "message"), [("wandbb", "did you mean `wandb`"), (["none", "wandb"], "'none' cannot be combined")]
)
def test_a_tracker_that_does_not_exist_is_an_error_that_lists_them(given, message):
    with pytest.raises(ValueError, match=f"`report_to` is .*{message}.*There are .*tensorboard"):
        VitsTrainingArguments(report_to=given)
