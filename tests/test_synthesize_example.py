"""examples/synthesize_dataset.py speaks a file of texts with the arguments of its command line."""

import importlib.util
import logging
import sys
from pathlib import Path

import pytest

from hf_vits.synthesis import SynthesisSettings

datasets = pytest.importorskip("datasets")
EXAMPLE = Path(__file__).parents[1] / "examples" / "synthesize_dataset.py"


@pytest.fixture
def example(monkeypatch):
    spec = importlib.util.spec_from_file_location("synthesize_example", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    return module


def test_a_file_of_texts_becomes_a_data_set_of_speech(
    example, make_model, make_tokenizer, tmp_path, monkeypatch, no_encoder
):
    from accelerate.state import AcceleratorState, PartialState

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    make_model(sampling_rate=2000).save_pretrained(tmp_path / "voice")
    make_tokenizer().save_pretrained(tmp_path / "voice")
    (tmp_path / "texts.csv").write_text("said,n\na cab,1\nhi,2\n")
    options = {"dataset_name": "texts.csv", "text_column": "said", "voice": "voice", "output_dir": "out", "seed": 3}
    monkeypatch.chdir(tmp_path)
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *arguments, "--cpu_threads", "1"])
    example.main()
    AcceleratorState._reset_state()
    PartialState._reset_state()
    spoken = datasets.load_dataset("audiofolder", data_dir=str(tmp_path / "out"), split="train")
    assert spoken.cast_column("audio", datasets.Audio(decode=False))["said"][:] == ["a cab", "hi"]
    assert spoken.column_names == ["audio", "said", "n", "seconds"]


def test_every_setting_is_an_argument_and_nothing_else_is_one(example, monkeypatch, capsys):
    given = []
    monkeypatch.setattr(example, "synthesize", given.append)
    example.main(["--dataset_name", "org/texts", "--speaker_id", "7", "--speaking_rate", "1.25"])
    assert given == [SynthesisSettings(dataset_name="org/texts", speaker_id="7", speaking_rate=1.25)]
    with pytest.raises(SystemExit):
        example.main(["--batchsize", "3"])
    assert "did you mean `--batch_size`?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        example.main(["--help"])
    assert all(f"--{name}" in capsys.readouterr().out for name in ["push_to_hub"])
