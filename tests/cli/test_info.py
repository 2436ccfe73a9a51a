"""`hf-vits info` prints what a bug report needs."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import torch

import hf_vits
from hf_vits import VitsModel
from hf_vits.cli import info, main
from hf_vits.cli.computation import computation, kernels_off
from hf_vits.modules.convolution import Conv, Upsample


def test_versions_threads_and_folders_are_those_of_this_process(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_VITS_CACHE", str(tmp_path))
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert main(["info", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["hf_vits"] == hf_vits.__version__ and table["packages"]["torch"] == torch.__version__
    assert table["threads"] == torch.get_num_threads() and table["environment"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert table["folder of converted voices"] == str(tmp_path) and table["default voice"] == "not converted yet"
    assert len(table["gpu"]) == torch.cuda.device_count()


def test_without_json_there_is_a_line_for_each_entry_and_no_home_folder(capsys, monkeypatch):
    monkeypatch.setenv("HF_VITS_CACHE", str(Path.home() / "voices"))
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == len(info.information())
    assert "folder of converted voices: ~/voices\n" in printed


def test_an_extra_is_missing_with_the_packages_that_it_lacks(monkeypatch):
    class About:
        def get_all(self, name, default):
            required = ["torch>=2", "lacking-package>1; extra == 'one'", "torch; extra == 'two'"]
            required += ["hf_vits[one,two]; extra == 'both'"]
            return {"Provides-Extra": ["one", "two", "both"], "Requires-Dist": required}[name]

    monkeypatch.setattr(info, "metadata", lambda name: About())
    table = info.information()
    assert table["extras installed"] == ["two"]
    assert table["extras missing"] == {"one": ["lacking-package"], "both": ["lacking-package"]}


def test_every_convolution_of_a_voice_that_speaks_has_one_form(make_config, tmp_path, capsys):
    config = make_config(resblock_kernel_sizes=[3, 11], upsample_initial_channel=256)
    config.save_pretrained(tmp_path)
    assert main(["info", str(tmp_path), "--json"]) == 0
    counted = json.loads(capsys.readouterr().out)[f"convolutions of {tmp_path}"]
    config.inference_only = True
    layers = Counter(
        name.split(".")[0].replace("_", " ")
        for name, layer in VitsModel(config).named_modules()
        if isinstance(layer, Conv | Upsample)
    )
    assert {part: sum(map(int, re.findall(r"\d+", text))) for part, text in counted.items()} == layers
    assert "in the frequency domain" in counted["decoder"] or kernels_off()


def test_without_kernels_every_convolution_is_direct(monkeypatch):
    monkeypatch.setattr("hf_vits.cli.computation.kernels_off", lambda: "nothing is faster")
    assert computation()["convolutions"] == "direct, because nothing is faster"


@pytest.mark.parametrize(("units", "expected"), [({"amx_bf16": True}, "by amx_bf16"), ({}, "no units")])
def test_bfloat16_is_said_to_be_faster_where_the_processor_has_units(units, expected, monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: units, raising=False)
    assert expected in computation()["bfloat16"]
