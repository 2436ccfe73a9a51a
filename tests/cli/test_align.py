import csv

import numpy as np
import pytest
import soundfile

from hf_vits.cli import main
from hf_vits.data.metadata_folder import read_folder


@pytest.fixture
def folder(saved_voice, tmp_path):
    saved_voice(tmp_path / "voice")
    (tmp_path / "recordings").mkdir()
    for number, name in enumerate(("one", "two")):
        noise = np.random.default_rng(number).normal(0, 0.1, 8000 * (number + 1))
        soundfile.write(tmp_path / f"recordings/{name}.wav", noise, 16000)
    (tmp_path / "recordings/metadata.csv").write_text("file_name,text\none.wav,a bad cab\ntwo.wav,dig a hole\n")
    return tmp_path


def test_the_table_and_the_files_are_written(folder, capsys):
    arguments = ["--voice", str(folder / "voice"), "--output", str(folder / "out"), "--formats", "ctm,TextGrid"]
    assert main(["align", str(folder / "recordings"), *arguments, "--min-confidence", "1"]) == 0
    printed = capsys.readouterr().out
    assert "2 recordings, 100.0% aligned; 2 do not fit their text" in printed and "the text does not fit" in printed
    assert (folder / "out/one.ctm").read_text().startswith("one 1 ")
    with (folder / "out/report.csv").open(newline="") as file:
        assert {row["file_name"]: row["text"] for row in csv.DictReader(file)} == {
            "one": "a bad cab",
            "two": "dig a hole",
        }


def test_a_voice_without_a_posterior_encoder_is_an_error_that_says_what_to_do(folder, make_model, capsys):
    make_model(inference_only=True).save_pretrained(folder / "voice")
    arguments = ["--voice", str(folder / "voice"), "--output", str(folder / "out")]
    assert main(["align", str(folder / "recordings"), *arguments]) == 1
    assert "hf-vits complete" in capsys.readouterr().err


def test_missing_settings_are_wrong_usage(folder, capsys):
    assert main(["align", str(folder / "recordings"), "--output", str(folder / "out")]) == 2
    assert main(["prepare", str(folder / "recordings")]) == 2
    printed = capsys.readouterr().err
    assert "`voice` is missing" in printed and "`output` is empty" in printed


def test_a_prepared_folder_can_be_trained_on(folder, capsys):
    arguments = ["--output", str(folder / "out"), "--min_seconds", "0.6"]
    assert main(["prepare", str(folder / "recordings"), *arguments]) == 0
    assert read_folder(folder / "out")[0]["text"] == ["dig a hole"]
    printed = capsys.readouterr().out
    assert "dropped       1  shorter than 0.6 s" in printed and "hf-vits train --dataset_name" in printed
