"""Texts to complete a voice with come from a file or from data, without those for evaluation."""

import numpy as np
import pytest
import soundfile

from hf_vits.training.completion_texts import CompletionTexts

pytest.importorskip("datasets")


def test_a_file_has_a_text_on_each_line_or_a_column(tmp_path):
    (tmp_path / "lines.txt").write_text("a hope\nno, me.\n")
    (tmp_path / "table.csv").write_text('id,said\n1,a hope\n2,"no, me."\n')
    lines = CompletionTexts(texts=str(tmp_path / "lines.txt"))
    assert list(lines.load()) == ["a hope", "no, me."] and lines.name == "`lines.txt`"
    assert list(CompletionTexts(texts=str(tmp_path / "table.csv"), text_column="said").load()) == ["a hope", "no, me."]


def test_data_has_texts_without_those_for_evaluation(tmp_path):
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", np.zeros(100), 2000)
    (tmp_path / "metadata.csv").write_text("file_name,text\n0.wav,a hope\n1.wav,secret\n2.wav,no.\n")
    (tmp_path / "eval.txt").write_text("1.wav\n")
    assert list(CompletionTexts(dataset_name=str(tmp_path)).load()) == ["a hope", "no."]


def test_without_names_there_are_no_texts():
    assert CompletionTexts().load() is None


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ({"texts": "a.txt", "dataset_name": "b"}, ValueError, "give one of them"),
        ({"texts": "nowhere.txt"}, FileNotFoundError, "no file nowhere.txt"),
        ({"texts": __file__}, ValueError, "files of texts end with"),
        ({"dataset_name": "nowhere"}, FileNotFoundError, "no folder"),
    ],
)
def test_what_cannot_be_read_is_an_error(names, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        CompletionTexts(**names).load()


def test_an_unknown_column_is_an_error_that_lists_the_columns(tmp_path):
    (tmp_path / "table.csv").write_text("id,said\n1,a hope\n")
    with pytest.raises(ValueError, match=r"no column 'text'; there are \['id', 'said'\]"):
        CompletionTexts(texts=str(tmp_path / "table.csv")).load()
