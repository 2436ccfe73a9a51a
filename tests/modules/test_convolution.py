"""Layers have the lengths that their names promise."""

import pytest
import torch

from hf_vits.modules import convolution
from hf_vits.modules.convolution import Conv, KernelLayer, Upsample


@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_a_convolution_of_an_odd_kernel_keeps_the_length_and_centres_it(kernel, dilation):
    conv = Conv(1, 1, kernel, dilation, bias=False)
    impulse = torch.zeros(1, 1, 41)
    impulse[..., 20] = 1
    out = conv(impulse)[0, 0]
    places = [20 + dilation * (i - kernel // 2) for i in range(kernel)]
    assert len(out) == 41
    torch.testing.assert_close(out[places], conv.weight[0, 0].flip(0))
    assert out.count_nonzero() <= kernel


@pytest.mark.parametrize(("kernel", "rate"), [(16, 8), (4, 2), (11, 5)])
def test_upsampling_gives_rate_samples_for_each_input(kernel, rate):
    assert Upsample(3, 2, kernel, rate)(torch.randn(2, 3, 9)).shape == (2, 2, 9 * rate)


def test_a_layer_drops_what_kernels_keep_when_mode_or_dtype_changes(monkeypatch):
    dropped = []
    monkeypatch.setattr(convolution, "forget_weights", dropped.append)
    layer = KernelLayer()
    for change in (layer.eval, layer.double, layer.train):
        change()
    assert dropped == [layer] * 3
