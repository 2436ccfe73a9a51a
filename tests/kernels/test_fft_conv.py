from itertools import product
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from hf_vits.kernels import fft_conv


def convolved(signal, weight, dilation, bias=None):
    """Convolve (B, C, T) by `fft_conv`."""
    spectrum = fft_conv.spectrum(SimpleNamespace(weight=weight))
    output = fft_conv.convolve(signal.transpose(1, 2), spectrum, weight.shape[2], dilation, bias)
    return output.transpose(1, 2)


PAIRS = list(product([1, 3, 5, 7, 11, 15], [1, 21, 22, 23, 700, 3001]))


# Each kernel and length with one dilation: every pair of a value of one parameter and a value of another occurs.
@pytest.mark.parametrize(
    ("kernel", "length", "dilation"),
    [(*pair, (1, 3, 5)[(number + number // 6) % 3]) for number, pair in enumerate(PAIRS)],
)
def test_it_is_the_direct_convolution(kernel, dilation, length):
    signal = torch.randn(2, 5, length, dtype=torch.float64)
    weight, bias = torch.randn(3, 5, kernel, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    expected = F.conv1d(signal, weight, bias, padding=dilation * (kernel - 1) // 2, dilation=dilation)
    torch.testing.assert_close(convolved(signal, weight, dilation, bias), expected, rtol=0, atol=1e-12)


def test_in_single_precision_it_is_as_exact_as_the_direct_one():
    signal, weight = torch.randn(1, 64, 2000), torch.randn(64, 64, 11) / (64 * 11) ** 0.5
    exact = F.conv1d(signal.double(), weight.double(), padding=5)
    direct = (F.conv1d(signal, weight, padding=5) - exact).abs().max()
    assert (convolved(signal, weight, 1) - exact).abs().max() < max(2 * direct, 4e-6)


def test_work_that_is_done_in_groups_of_tiles_is_the_same_in_one(monkeypatch):
    signal, weight = torch.randn(1, 4, 5000, dtype=torch.float64), torch.randn(4, 4, 11, dtype=torch.float64)
    grouped = convolved(signal, weight, 3)
    monkeypatch.setattr(fft_conv, "ROWS", 10**7)
    torch.testing.assert_close(convolved(signal, weight, 3), grouped, rtol=0, atol=1e-12)
