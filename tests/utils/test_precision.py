"""bfloat16 where the processor has units for it, and float32 elsewhere."""

import pytest
import torch

from hf_vits.cli.parser import Parser
from hf_vits.utils.precision import add_dtype, usable_dtype

HAS_UNITS = {"avx512_bf16": True}


@pytest.fixture(params=[{}, HAS_UNITS, {"amx_bf16": True}])
def units(request, monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: request.param, raising=False)
    return bool(request.param)


def test_a_command_gets_bfloat16_only_where_it_is_faster_and_is_warned_if_it_asked_for_it(units, caplog):
    fast = torch.bfloat16 if units else torch.float32
    assert (usable_dtype("float32"), usable_dtype("auto")) == (torch.float32, fast)
    assert not caplog.messages
    assert usable_dtype("bfloat16") is fast
    assert ("no units for bfloat16" in caplog.text) is not units


def test_an_older_pytorch_that_cannot_say_gets_float32(monkeypatch):
    monkeypatch.delattr("torch.cpu.get_capabilities", raising=False)
    assert usable_dtype("auto") is torch.float32


@pytest.mark.parametrize("supported", [True, False])
def test_a_gpu_says_itself(monkeypatch, supported):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: supported)
    assert usable_dtype("auto", "cuda:0") is (torch.bfloat16 if supported else torch.float32)


def test_another_dtype_is_refused():
    with pytest.raises(ValueError, match="`dtype` is 'float8'; choose from float32, bfloat16, auto"):
        usable_dtype("float8")
    parser = Parser()
    add_dtype(parser)
    assert parser.parse_args([]).dtype == "float32"
