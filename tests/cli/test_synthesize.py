"""`hf-vits synthesize` speaks a file of texts with the settings of its command line."""

import logging

import pytest

from hf_vits.cli import main
from hf_vits.synthesis import SynthesisSettings

datasets = pytest.importorskip("datasets")


def test_a_file_of_texts_becomes_a_data_set_of_speech(saved_voice, tmp_path, monkeypatch, no_encoder):
    from accelerate.state import AcceleratorState, PartialState

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    saved_voice(tmp_path / "voice", sampling_rate=2000)
    (tmp_path / "texts.csv").write_text("said,n\na cab,1\nhi,2\n")
    options = {"dataset_name": "texts.csv", "text_column": "said", "voice": "voice", "output_dir": "out", "seed": 3}
    monkeypatch.chdir(tmp_path)
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    assert main(["synthesize", *arguments, "--cpu_threads", "1"]) == 0
    AcceleratorState._reset_state()
    PartialState._reset_state()
    spoken = datasets.load_dataset("audiofolder", data_dir=str(tmp_path / "out"), split="train")
    assert spoken.cast_column("audio", datasets.Audio(decode=False))["said"][:] == ["a cab", "hi"]
    assert spoken.column_names == ["audio", "said", "n", "seconds"]


def test_the_options_become_the_settings(monkeypatch):
    given = []
    monkeypatch.setattr("hf_vits.synthesis.run.synthesize", given.append)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    main(["synthesize", "--dataset_name", "org/texts", "--speaker-id", "7", "--speaking_rate", "1.25"])
    assert given == [SynthesisSettings(dataset_name="org/texts", speaker_id="7", speaking_rate=1.25)]
