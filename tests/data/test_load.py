"""Data by name: a folder, or a data set on disk, as a split or as a stream; and its evaluation set."""

import pytest

from hf_vits.data.load import load_data

datasets = pytest.importorskip("datasets")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "metadata.csv").write_text("".join(f"{n}|text {n}\n" for n in range(40)))
    return tmp_path


@pytest.fixture
def files(tmp_path):
    """Two splits, as the Hub would hold them."""
    data = datasets.Dataset.from_dict({"text": [f"text {n}" for n in range(40)]})
    data.to_parquet(tmp_path / "train-0.parquet")
    data.select(range(3)).to_parquet(tmp_path / "test-0.parquet")
    return tmp_path


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def texts(data):
    return [row["text"] for row in data]


ALL = [f"text {n}" for n in range(40)]


def test_a_folder_without_an_evaluation_list_has_no_evaluation_set(folder):
    train, evaluation = load_data(str(folder))
    assert texts(train) == ALL and evaluation is None


SETTINGS = {"config_name": "x", "train_split": "nonsense", "eval_split": "nonsense", "streaming": True}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_a_folder_does_not_have_are_an_error_that_names_them(folder, setting):
    name = {"config_name": "dataset_config_name"}.get(setting, setting)
    with pytest.raises(ValueError, match=rf"folder of recordings.*{{'{name}': .*}} do not apply.*eval.txt"):
        load_data(str(folder), **{setting: SETTINGS[setting]})


def test_recordings_in_the_evaluation_list_are_for_evaluation_and_no_others(folder):
    (folder / "eval.txt").write_text("wavs/7.wav\nwavs/8.wav\n")
    train, evaluation = load_data(str(folder))
    assert texts(evaluation) == ["text 7", "text 8"] and len(train) == 38


def test_a_split_of_its_own_is_for_evaluation_if_it_is_named(files):
    train, evaluation = load_data(str(files), eval_split="test")
    assert texts(train) == ALL and texts(evaluation) == ALL[:3]


def test_a_stream_gives_its_first_rows_to_evaluation_and_the_others_to_training(files):
    train, evaluation = load_data(str(files), streaming=True, max_eval_samples=5)
    assert not hasattr(train, "__len__")
    assert texts(evaluation) == ALL[:5] and texts(train) == ALL[5:]


def test_no_name_is_an_error_that_says_what_to_give():
    with pytest.raises(ValueError, match="metadata.csv, or a data set, as `dataset_name`"):
        load_data("")


@pytest.mark.parametrize("name", ["recordings", "./recordings", "~/recordings", "a/b/recordings", "/no/recordings"])
def test_a_folder_that_is_not_there_is_an_error_that_says_what_should_be_in_it_and_not_asked_of_the_hub(
    name, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", None)
    with pytest.raises(FileNotFoundError, match=r"no folder /.*recordings\. Give one with a metadata\.csv.*owner/name"):
        load_data(name)


def test_a_name_that_is_neither_a_folder_nor_on_the_hub_is_an_error_that_says_both(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match=r"no folder /.*some/recordings\..*Nor can it be had from the Hub: "):
        load_data("some/recordings")
