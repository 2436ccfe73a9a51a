"""In inference, convolutions with fewer products equal direct ones."""

from itertools import product
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from hf_vits.kernels import winograd


def values_of(weight):
    return winograd.values(SimpleNamespace(weight=weight))


def random(*shape):
    return torch.randn(shape, dtype=torch.float64)


SHAPES = list(product([3, 5], [1, 2, 5], [1, 4, 21, 160]))


# Each shape in one size of groups: every pair of a value of one parameter and a value of another occurs.
@pytest.mark.parametrize(
    ("taps", "dilation", "length", "tiles"),
    [(*shape, (1, 7, 128)[(number + number // 4) % 3]) for number, shape in enumerate(SHAPES)],
)
def test_it_is_the_direct_convolution_in_any_groups_of_tiles(monkeypatch, taps, dilation, length, tiles):
    monkeypatch.setattr(winograd, "TILES", tiles)
    signal, weight, bias = random(2, 3, length), random(7, 3, taps), random(7)
    for given in (bias, None):
        output = winograd.convolve(signal.transpose(1, 2), values_of(weight), dilation, given)
        expected = F.conv1d(signal, weight, given, padding=taps // 2 * dilation, dilation=dilation)
        torch.testing.assert_close(output.transpose(1, 2), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("taps", "inputs", "outputs"), [(3, 768, 192), (5, 192, 384)])
def test_in_single_precision_it_loses_a_digit(taps, inputs, outputs):
    torch.manual_seed(0)
    signal, weight = torch.randn(1, 200, inputs), torch.randn(outputs, inputs, taps) / (inputs * taps) ** 0.5
    output = winograd.convolve(signal, values_of(weight), 1, None).transpose(1, 2)
    exact = F.conv1d(signal.double().transpose(1, 2), weight.double(), padding=taps // 2)
    assert (output - exact).square().mean().sqrt() < 2e-6 * exact.square().mean().sqrt()
    assert (output - exact).abs().max() < 4e-6 * exact.abs().max()
