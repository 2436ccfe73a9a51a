"""The card of a voice gets figures, pictures and speech whole, again and again, and keeps what a person wrote."""

import numpy as np
import pytest
from huggingface_hub import ModelCard

from hf_vits.data.audio import write_audio
from hf_vits.evaluation.voice_card import check_card, write_card


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "README.md").write_text("---\nlicense: mit\n---\n\n# Mine\n\nA line of mine.\n")
    return tmp_path / "voice"


@pytest.fixture
def make_report(tmp_path, script):
    def make(value, loudness=0.1):
        source = tmp_path / f"report-{value}"
        (source / "audio").mkdir(parents=True)
        (source / "pictures").mkdir()
        rows = []
        for number in (1, 2):
            write_audio(source / f"audio/{number:04}.wav", np.full(100, loudness * number, np.float32), 16000)
            (source / f"pictures/{number:04}.png").write_bytes(b"picture %d" % number)
            rows.append({"text": f"text <{number}>", "script": [value, 1.0], "audio": f"audio/{number:04}.wav"})
        estimate = {"value": value, "low": value - 1, "high": value + 1, "sentences": 2}
        report = {
            "voice": {"estimates": {"script": estimate}, "rows": rows},
            **dict.fromkeys(["recordings", "copy_synthesis", "compared", "difference", "no_copy_synthesis"]),
            **{
                "instruments": {"script": "a list"},
                "seed": 0,
                "dtype": "float32",
                "name": "voice",
                "data": "sentences.txt",
            },
            "pictures": ["pictures/0001.png", "pictures/0002.png"],
        }
        return report, source

    return make


def shown(folder):
    """The card, and the names and contents of the files that it shows."""
    text = (folder / "README.md").read_text()
    files = [file for file in (folder / "evaluation").iterdir() if f"evaluation/{file.name}" in text]
    return text, {file.name: file.read_bytes() for file in files}


def test_the_card_is_valid_and_shows_figures_pictures_and_speech(folder, make_report):
    report, source = make_report(2.5)
    write_card(folder, report, source)
    text, media = shown(folder)
    (result,) = ModelCard.load(folder / "README.md").data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_name) == ("script", 2.5, "sentences.txt")
    assert result.metric_args["interval_95"] == [1.5, 3.5] and result.metric_args["measured_by"] == "a list"
    assert "2.5 (1.5 to 3.5)" in text and "A line of mine." in text and "text &lt;1&gt;" in text
    assert len(media) == 4 == len(list((folder / "evaluation").iterdir()))
    for name, content in media.items():
        kind = "pictures" if name.endswith("png") else "audio"
        original = source / kind / f"{name[:4]}{name[-4:]}"
        assert content == original.read_bytes()


def test_another_report_replaces_the_first_and_its_files(folder, make_report):
    write_card(folder, *make_report(2.5))
    (folder / "README.md").write_text((folder / "README.md").read_text() + "\nWritten later.\n")
    write_card(folder, *make_report(3.5, loudness=0.2))
    text, media = shown(folder)
    assert "3.5 (2.5 to 4.5)" in text and "(1.5 to 3.5)" not in text and text.endswith("Written later.\n")
    assert text.count("## Evaluation") == 1 and len(ModelCard(text).data.eval_results) == 1
    assert len(media) == 4 and {*media} == {file.name for file in (folder / "evaluation").iterdir()}


def test_an_error_on_the_way_leaves_the_card_with_all_that_it_shows(folder, make_report, monkeypatch):
    write_card(folder, *make_report(2.5))
    before = shown(folder)
    monkeypatch.setattr("hf_vits.evaluation.voice_card.new_file", lambda file: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_card(folder, *make_report(3.5, loudness=0.2))
    assert shown(folder) == before


def test_a_voice_that_is_no_folder_and_a_card_that_cannot_be_read_are_errors_before_any_work(folder):
    check_card(str(folder))
    with pytest.raises(ValueError, match=r"default is none.*into a folder"):
        check_card("default")
    (folder / "README.md").write_text("---\na: [\n---\n")
    with pytest.raises(ValueError, match="correct README.md"):
        check_card(str(folder))
