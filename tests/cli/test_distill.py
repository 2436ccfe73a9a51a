"""`hf-vits distill` trains another decoder for a voice, and can be resumed."""

import json
import logging
import re
from dataclasses import fields

import pytest
from training_runs import BASE_TEXTS, SMALL_DISCRIMINATOR

from hf_vits.cli import distill, main
from hf_vits.cli.parser import Parser, parse
from hf_vits.cli.settings import preset_names
from hf_vits.training.distillation_arguments import DistillationArguments

pytest.importorskip("datasets")

DECODER = json.dumps({"type": "vocos", "channels": 8, "intermediate_channels": 8, "layers": 1, "kernel_size": 3})


def options(*arguments):
    parser = Parser(prog="hf-vits distill")
    distill.add_arguments(parser)
    return parse(parser, arguments, parser)


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


@pytest.mark.thorough
def test_it_makes_a_voice_with_the_decoder_and_goes_on_from_a_checkpoint(launch, make_base, tmp_path, capsys):
    base, out = make_base(), tmp_path / "out"
    assert launch(base, out, "--decoder", DECODER, "--max_steps", 1) == 0
    config = json.loads((out / "config.json").read_text())
    assert config["decoder"] == {**json.loads(DECODER), "fft_size": 32} and config["model_type"] == "hf_vits"
    assert launch(base, out, "--decoder", DECODER, "--max_steps", 2) == 1
    assert 'Resume it from "latest"' in capsys.readouterr().err
    assert launch(base, out, "--decoder", DECODER, "--max_steps", 2, "--resume_from_checkpoint", "latest") == 0
    assert "`texts.txt`" in (out / "README.md").read_text()


def test_all_settings_that_are_listed_have_an_effect_and_the_preset_keeps_its_values(launch, capsys):
    with pytest.raises(SystemExit):
        main(["distill", "--help-all"])
    listed = set(re.findall(r"^  --(\w+)", capsys.readouterr().out, re.MULTILINE))
    known = {item.name for item in fields(DistillationArguments)}
    assert listed & known == known - {*DistillationArguments.unused, "output_dir"}
    with pytest.raises(SystemExit):
        launch("voice", "out", "--output_dir", "elsewhere")
    assert "unknown argument '--output_dir'" in capsys.readouterr().err
    for name in preset_names(distill.PRESETS):
        given = json.loads((distill.PRESETS / f"{name}.json").read_text())
        args = distill.settings(options("voice", "out", "--config", name))[1]
        assert {field: getattr(args, field) for field in given} == given


def test_an_unknown_decoder_is_refused_before_the_voice_is_read(launch, tmp_path, capsys):
    assert launch(tmp_path / "nowhere", tmp_path / "out", "--decoder", "vocoss") == 2
    error = capsys.readouterr().err
    assert "`decoder`" in error and "hifigan, vocos" in error and not (tmp_path / "out").exists()
