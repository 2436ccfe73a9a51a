"""A tiny voice in a folder, texts in a file, and runs over them in this process."""

import json

import datasets
import pytest
import soundfile
import torch

from hf_vits.synthesis import SynthesisSettings, synthesize
from hf_vits.synthesis.run import load_voice

RATE = 2000
TEXTS = ["A hope. Feed me. No", "cab", "feed a big dog", "hi", "A man had a map. He came home", "oak", "a pad", "i"]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Neither Accelerate's state, nor the cache of data sets, nor threads of other tests."""
    from accelerate.state import AcceleratorState, PartialState

    def forget():
        AcceleratorState._reset_state()
        PartialState._reset_state()

    threads = torch.get_num_threads()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    yield forget
    forget()
    torch.set_num_threads(threads)


@pytest.fixture
def make_voice(saved_voice, tmp_path):
    """The folder of a voice."""

    def make(name="voice", **fields):
        saved_voice(tmp_path / name, sampling_rate=RATE, **fields)
        return tmp_path / name

    return make


@pytest.fixture
def make_texts(tmp_path):
    """A file of rows: texts, or dictionaries."""

    def make(rows=TEXTS, name="texts.jsonl"):
        rows = [row if isinstance(row, dict) else {"text": row} for row in rows]
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / name

    return make


@pytest.fixture
def settings(tmp_path, make_voice, make_texts):
    """Of the default texts and voice, with changes."""

    def make(**changes):
        names = {"dataset_name": make_texts, "voice": make_voice}
        made = {name: str(changes.get(name) or make()) for name, make in names.items()}
        output = str(tmp_path / changes.pop("output_dir", "spoken"))
        return {"per_device_eval_batch_size": 4, "cpu_threads": 1, **changes, **made, "output_dir": output}

    return make


@pytest.fixture
def spoken(settings, alone):
    """The folder of a run in this process."""

    def run(**changes):
        alone()
        return synthesize(SynthesisSettings(**settings(**changes))).path

    return run


@pytest.fixture
def pipe(make_voice):
    return load_voice(str(make_voice()))


@pytest.fixture
def table():
    """Lines of the metadata, each with the samples of its file."""

    def read(folder):
        rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
        for row in rows:
            row["samples"], row["rate"] = soundfile.read(folder / row["file_name"], dtype="int16")
        return rows

    return read
