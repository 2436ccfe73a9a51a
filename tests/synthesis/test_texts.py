"""Texts come from files, folders and the Hub, and what is beside them goes along."""

import json

import datasets
import pytest

from hf_vits.synthesis.texts import load_texts, names_in_output

FILES = {
    "texts.csv": "text,n\na cab,1\nhi,2\n",
    "texts.tsv": "text\tn\na cab\t1\nhi\t2\n",
    "texts.json": '[{"text": "a cab", "n": 1}, {"text": "hi", "n": 2}]',
    "texts.jsonl": '{"text": "a cab", "n": 1}\n{"text": "hi", "n": 2}\n',
    "texts.txt": "a cab\nhi\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_by_its_ending_and_any_part_of_it_is_a_split(name, tmp_path):
    (tmp_path / name).write_text(FILES[name])
    data = load_texts(str(tmp_path / name))
    assert data["text"][:] == ["a cab", "hi"] and data.column_names == (
        ["text", "n"] if "txt" not in name else ["text"]
    )
    assert load_texts(str(tmp_path / name), split="train[1:]")["text"][:] == ["hi"]


def test_a_folder_of_files_has_splits(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{split}.csv").write_text(f"text\n{split}\n")
    assert load_texts(str(tmp_path / "data"), split="test")["text"][:] == ["test"]


def test_what_is_not_there_or_cannot_be_read_is_an_error_that_says_what_can(tmp_path):
    (tmp_path / "texts.docx").touch()
    with pytest.raises(ValueError, match="ends with '.docx'; files of texts end with one of .csv, .tsv"):
        load_texts(str(tmp_path / "texts.docx"))
    with pytest.raises(ValueError, match="There are no texts: give a file"):
        load_texts("")
    with pytest.raises(FileNotFoundError, match="no file or folder .*texts.csv. Give one, or a data set of the Hub as"):
        load_texts(str(tmp_path / "nowhere" / "texts.csv"))
    with pytest.raises(FileNotFoundError, match="no such data set could be loaded from the Hub"):
        load_texts("nobody/nothing")


def test_columns_with_a_meaning_in_the_output_are_called_otherwise():
    given = ["text", "audio", "seconds", "file_name", "cover_file_name", "file_names", "speaker"]
    renamed = {name for name, new in names_in_output(given).items() if new != name}
    assert renamed == {"audio", "seconds", "file_name", "cover_file_name", "file_names"}
    assert names_in_output(given)["cover_file_name"] == "cover_file_name_original"


def test_no_two_columns_are_called_the_same_in_the_output():
    names = {"seconds": "seconds_original_original", "seconds_original": "seconds_original"}
    assert names_in_output(["seconds", "seconds_original"]) == names
    assert names_in_output(["seconds_original", "seconds"]) == names


TEXTS = ["null", "NA", "nan", "N/A", "None", "1984", "2020-01-01", '"Hello, he said', "true", "007"]


def as_json(texts):
    return [json.dumps({"text": text}) for text in texts]


WRITTEN = {
    "texts.tsv": lambda: "\n".join(["text", *TEXTS]),
    "texts.csv": lambda: "\n".join(["text", *(text.replace('"Hello,', '"""Hello,') for text in TEXTS)]).replace(
        "he said", 'he said"'
    ),
    "texts.jsonl": lambda: "\n".join(as_json(TEXTS)),
    "texts.json": lambda: f"[{','.join(as_json(TEXTS))}]",
    "texts.txt": lambda: "\n".join(TEXTS),
}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("in_folder", [False, True])
@pytest.mark.parametrize("name", WRITTEN)
def test_texts_are_what_is_written(name, in_folder, mark, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_text(mark + WRITTEN[name]() + "\n", encoding="utf-8")
    assert load_texts(str(tmp_path / "data" / ("" if in_folder else name)))["text"][:] == TEXTS


def test_files_that_datasets_must_read_keep_their_texts(tmp_path, monkeypatch):
    """As of a folder whose card says how, and of the Hub."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    card = "---\nconfigs:\n- config_name: default\n  data_files: '*.csv'\n  skiprows: 1\n---\n"
    (tmp_path / "README.md").write_text(card)
    (tmp_path / "data.csv").write_text("made today\nsaid,n\nnull,1\nNA,\n007,2\n")
    data = load_texts(str(tmp_path), columns=["said"])
    assert data["said"][:] == ["null", "NA", "007"] and data["n"][:] == [
        1,
        None,
        2,
    ]


def test_files_of_other_columns_are_an_error_and_columns_may_be_of_several_types(tmp_path):
    (tmp_path / "train.csv").write_text("text\nhi\n")
    (tmp_path / "train2.csv").write_text("said\nhi\n")
    with pytest.raises(ValueError, match=r"columns of .*train2.csv are \['said'\], and not \['text'\]"):
        load_texts(str(tmp_path))
    (tmp_path / "mixed.jsonl").write_text('{"text": "hi", "x": 1}\n{"text": "ho", "x": [2]}\n{"text": null}\n')
    data = load_texts(str(tmp_path / "mixed.jsonl"))
    assert data["text"][:] == ["hi", "ho", None] and data["x"][:] == ["1", "[2]", None]
    (tmp_path / "bad.jsonl").write_text('{"text": "hi"}\nho\n')
    with pytest.raises(ValueError, match="bad.jsonl, line 2, is not JSON"):
        load_texts(str(tmp_path / "bad.jsonl"))
