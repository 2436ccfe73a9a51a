"""Every form that a convolution can have is explained."""

import pytest

from hf_vits.cli.computation import FORMS, computation, kernels_off


def test_all_forms_of_the_kernels_have_words():
    conv1d = pytest.importorskip("hf_vits.kernels.conv1d")
    from hf_vits.modules.convolution import Conv

    layers = [Conv(channels, channels, taps) for channels in (4, 64, 256) for taps in (1, 3, 7, 11)]
    assert {conv1d.form(layer).name for layer in layers} <= FORMS.keys()


def test_kernels_that_are_off_are_named_with_the_variable(monkeypatch):
    kernels = pytest.importorskip("hf_vits.kernels")
    monkeypatch.setattr(kernels, "enabled", False)
    assert kernels_off() == f"{kernels.VARIABLE} is 0"
    assert computation()["convolutions"] == f"direct, because {kernels_off()}"
