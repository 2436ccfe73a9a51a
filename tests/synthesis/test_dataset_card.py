"""The card of a data set is valid for the Hub, its command makes the data set again, and it tells no place."""

import ast
import json
import re
import shlex
from types import SimpleNamespace

import pytest
from huggingface_hub import DatasetCard

from hf_vits.cli import synthesize
from hf_vits.cli.parser import Parser
from hf_vits.hub.license import Provenance
from hf_vits.synthesis.config import SynthesisSettings
from hf_vits.synthesis.dataset_card import MARK, dataset_card
from hf_vits.synthesis.plan import SkippedRow, SynthesisPlan

UNKNOWN = Provenance("joe")


@pytest.fixture
def card(make_config, make_tokenizer):
    """Makes the card of two rows, an hour and a half together, as the Hub reads it."""

    def make(origin=UNKNOWN, plan=None, seconds=None, language="eng", **fields):
        settings = SynthesisSettings(**{"dataset_name": "org/texts", "output_dir": "speech", **fields})
        pipe = SimpleNamespace(
            tokenizer=make_tokenizer(language=language),
            model=SimpleNamespace(config=make_config(sampling_rate=22050)),
        )
        seconds = {0: 1800.0, 3: 3600.0} if seconds is None else seconds
        return DatasetCard(dataset_card(settings, pipe, origin, plan or SynthesisPlan(), seconds))

    return make


def block(card, section, language=""):
    """The first block of code of a section."""
    return re.search(rf"^```{language}\n(.*?)\n```$", card.text.split(f"## {section}")[1], re.DOTALL | re.MULTILINE)[1]


@pytest.mark.parametrize(("language", "code"), [("eng", "eng"), ("en-us", "en"), (None, None)])
def test_metadata_are_those_that_the_hub_searches_by(card, language, code):
    data = card(language=language).data.to_dict()
    assert data.pop("language", None) == code
    assert data["task_categories"] == ["text-to-speech"] and "synthetic" in data["tags"]
    assert data["source_datasets"] == ["org/texts"] and "license" not in data


def test_texts_of_a_file_are_named_without_their_place_and_are_no_data_set_of_the_hub(card, tmp_path, monkeypatch):
    (tmp_path / "my texts").mkdir()
    (tmp_path / "my texts" / "said.csv").touch()
    (tmp_path / "speech").mkdir()
    monkeypatch.chdir(tmp_path)
    for place in (str(tmp_path / "my texts" / "said.csv"), "my texts/said.csv"):
        made = card(dataset_name=place, voice=str(tmp_path / "voice"), output_dir=str(tmp_path / "speech"))
        assert made.data.source_datasets is None and "texts of `said.csv`, spoken" in made.text
        assert str(tmp_path) not in made.content and "my texts" not in made.content
        assert json.loads(block(made, "How it was made", "json")) == {
            "dataset_name": "said.csv",
            "output_dir": "speech",
            "voice": "voice",
        }
    assert made.text.strip().startswith(f"# speech\n\n{MARK}\n")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"split": "train[:100]", "text_column": "what is said", "speaker_column": "it's", "seed": 7},
        {"speaker_id": "ada", "noise_scale": 0.0, "pause": 0.25, "strict": True, "hub_private_repo": False},
        {"push_to_hub": True, "hub_dataset_id": "org/speech", "text_column": '"$HOME" `x`', "dtype": "auto"},
    ],
)
def test_the_command_and_the_json_of_a_card_are_the_settings(card, fields):
    made = card(**fields)
    expected = SynthesisSettings(**{"dataset_name": "org/texts", "output_dir": "speech", **fields})
    name, verb, *arguments = shlex.split(block(made, "How it was made"))
    parser = Parser()
    synthesize.add_arguments(parser)
    assert (name, verb) == ("hf-vits", "synthesize")
    assert synthesize.settings(parser.parse_args(arguments)) == (expected,)
    assert SynthesisSettings(**json.loads(block(made, "How it was made", "json"))) == expected


@pytest.mark.parametrize("folder", ["speech", "my speech", 'the "best"', "back\\new", "голос"])
def test_the_program_of_a_card_loads_the_folder_or_the_data_set_of_the_hub(card, tmp_path, folder):
    for fields, positional, keywords in (
        ({"output_dir": str(tmp_path / folder)}, ["audiofolder"], {"data_dir": folder, "split": "train"}),
        ({"push_to_hub": True, "hub_dataset_id": "org/speech"}, ["org/speech"], {"split": "train"}),
    ):
        program = ast.parse(block(card(**fields), "Use", "python"))
        (call,) = [node for node in ast.walk(program) if isinstance(node, ast.Call)]
        assert [ast.literal_eval(value) for value in call.args] == positional
        assert {word.arg: ast.literal_eval(word.value) for word in call.keywords} == keywords


@pytest.mark.parametrize(
    ("origin", "named", "license", "forbids"),
    [
        (UNKNOWN, "`joe`", "**unknown; find out before sharing this**", False),
        (Provenance(), "`(without a name)`", "**unknown; find out before sharing this**", False),
        (Provenance("a", ["org/base"], "mit"), "`a`", "**mit**", False),
        (
            Provenance("org/a", ["org/a"], "cc-by-nc-4.0"),
            "[org/a](https://huggingface.co/org/a)",
            "**cc-by-nc-4.0**",
            True,
        ),
        (Provenance("a", [], "other", "mine", terms="ask me"), "`a`", "**other (mine): ask me**", False),
    ],
)
def test_the_voice_and_its_license_are_named_and_a_link_leads_to_the_hub_only(card, origin, named, license, forbids):
    text = card(origin).text
    assert f"spoken by the voice {named} with hf_vits" in text and f"License of the voice: {license}." in text
    assert ("Not for commercial use" in text) == forbids


def test_rows_and_hours_are_counted(card):
    assert "| 2 | 1.50 | 22,050 Hz |" in card().text
    assert "| 1,200 | 0.33 | 22,050 Hz |" in card(seconds=dict.fromkeys(range(1200), 1.0)).text
    assert "| 0 | 0.00 | 22,050 Hz |" in card(seconds={}).text


def test_skipped_rows_have_a_section_only_if_there_are_any(card):
    assert "Skipped" not in card().text
    plan = SynthesisPlan([], [SkippedRow(4, "no text", "")])
    assert block(card(plan=plan), "Skipped rows and characters") == plan.table()
