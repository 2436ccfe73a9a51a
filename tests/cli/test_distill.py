"""`hf-vits distill` teaches a voice another decoder, and can be resumed."""

import json
import logging

import pytest
from training_runs import BASE_TEXTS, SMALL_DISCRIMINATOR

from hf_vits.cli import main

pytest.importorskip("datasets")

DECODER = json.dumps({"type": "vocos", "channels": 8, "intermediate_channels": 8, "layers": 1, "kernel_size": 3})


@pytest.fixture
def launch(monkeypatch, tmp_path):
    (tmp_path / "texts.txt").write_text("\n".join(BASE_TEXTS))
    small = ["--cpu_threads", "1", "--segment_frames", "16", "--per_device_train_batch_size", "1"]
    small += ["--discriminator_config", json.dumps(SMALL_DISCRIMINATOR), "--report_to", "none"]

    def go(*arguments):
        with monkeypatch.context() as quiet:
            quiet.setattr(logging, "basicConfig", lambda **_: None)
            return main(["distill", *map(str, arguments), "--texts", str(tmp_path / "texts.txt"), *small])

    return go


def test_it_makes_a_voice_with_the_decoder_and_goes_on_from_a_checkpoint(launch, make_base, tmp_path, capsys):
    base, out = make_base(), tmp_path / "out"
    assert launch(base, out, "--decoder", DECODER, "--max_steps", 1) == 0
    config = json.loads((out / "config.json").read_text())
    assert config["decoder"] == {**json.loads(DECODER), "fft_size": 32} and config["model_type"] == "hf_vits"
    assert launch(base, out, "--decoder", DECODER, "--max_steps", 2) == 1
    assert 'Resume it from "latest"' in capsys.readouterr().err
    assert launch(base, out, "--decoder", DECODER, "--max_steps", 2, "--resume_from_checkpoint", "latest") == 0
    assert "`texts.txt`" in (out / "README.md").read_text()


def test_an_unknown_decoder_is_refused_before_the_voice_is_read(launch, tmp_path, capsys):
    assert launch(tmp_path / "nowhere", tmp_path / "out", "--decoder", "vocoss") == 2
    error = capsys.readouterr().err
    assert "`decoder`" in error and "hifigan, vocos" in error and not (tmp_path / "out").exists()
