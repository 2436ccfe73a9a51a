"""A function runs in its plain form wherever a kernel may not."""

import sys
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("hf_vits.kernels")

from hf_vits.modules import kernel_lookup
from hf_vits.modules.kernel_lookup import KernelLayer, has_kernel


@pytest.fixture
def kernels(monkeypatch):
    """Kernels that double what the plain function returns."""
    package = SimpleNamespace(enabled=True)
    module = SimpleNamespace(double=lambda plain, value: 2 * plain(value))
    names = {"hf_vits.kernels": package, "hf_vits.kernels.toy": module}
    monkeypatch.setattr(kernel_lookup, "find", lambda name: names.get(name) or sys.modules[name])
    return package


@pytest.mark.parametrize("for_gradients", [False, True])
def test_a_kernel_gets_the_plain_function_and_is_left_out_where_it_is_useless(kernels, for_gradients):
    run = has_kernel("toy", "double", for_gradients)(lambda value: value + 1)
    assert run(1) == 4
    with torch.no_grad():
        assert run(1) == (2 if for_gradients else 4)
    kernels.enabled = False
    assert run(1) == 2


def test_a_layer_drops_what_kernels_keep_when_mode_or_dtype_changes(monkeypatch):
    dropped = []
    monkeypatch.setattr(kernel_lookup, "forget_weights", dropped.append)
    layer = KernelLayer()
    for change in (layer.eval, layer.double, layer.train):
        change()
    assert dropped == [layer] * 3
