"""Tiles of a signal: what makes them apart, and what puts them together again."""

import pytest
import torch

from hf_vits.kernels import fft_conv, winograd
from hf_vits.kernels.winograd import Tiles


@pytest.fixture(params=[3, 5, 7, 11])
def constant(request):
    module = winograd if request.param < 7 else fft_conv
    return module.matrices(request.param, torch.float64)


def random(*shape):
    return torch.randn(shape, dtype=torch.float64)


@pytest.fixture(params=[(1, 1), (1, 5), (4, 1), (21, 2), (66, 3), (110, 1), (160, 5)], ids=str)
def signal(request, constant):
    length, dilation = request.param
    samples = random(2, length, 3)
    return samples, Tiles(samples, constant, dilation), dilation


def test_an_algorithms_matrices_make_the_outputs_of_one_tile(constant):
    taps, inputs = random(constant.taps.shape[1]), random(constant.inputs.shape[1])
    output = constant.outputs @ ((constant.taps @ taps) * (constant.inputs @ inputs))
    torch.testing.assert_close(output, inputs.unfold(0, len(taps), 1) @ taps, rtol=0, atol=1e-12)


def test_each_tile_sees_its_samples_and_those_around_them(signal, constant):
    samples, tiles, dilation = signal
    outputs, taps = len(constant.outputs), constant.taps.shape[1]
    inputs = tiles.inputs(tiles.extended(samples)).unflatten(3, (dilation, 3))
    for tile in range(tiles.count):
        for phase in range(dilation):
            for place in range(outputs + taps - 1):
                at = (tile * outputs + place - taps // 2) * dilation + phase
                expected = samples[:, at] if 0 <= at < samples.shape[1] else torch.zeros(2, 3).double()
                assert torch.equal(inputs[place, :, tile, phase], expected)


@pytest.mark.parametrize("bias", [None, torch.tensor([1.0, -2.0, 4.0]).double()], ids=["without a bias", "with one"])
def test_outputs_that_are_split_into_tiles_join_to_the_same(signal, bias):
    samples, tiles, _ = signal
    whole = torch.full((2, samples.shape[1], 5), 7.0).double()
    tiles.join(tiles.split_outputs(samples), bias, whole[..., 1:4])
    assert torch.equal(whole[..., 1:4], samples if bias is None else samples + bias)
    assert (whole[..., [0, 4]] == 7).all()


def test_tiles_are_zero_past_the_end_of_the_signal(signal):
    samples, tiles, _ = signal
    assert tiles.split_outputs(samples).square().sum().item() == pytest.approx(samples.square().sum().item())


def test_adding_inputs_is_the_transpose_of_taking_them(signal):
    """<inputs(x), y> = <x, add_inputs(y)>."""
    samples, tiles, _ = signal
    inputs = tiles.inputs(tiles.extended(samples)).flatten(1)
    other = torch.randn_like(inputs)
    torch.testing.assert_close(
        (inputs * other).sum(), (samples * tiles.add_inputs(other)).sum(), rtol=1e-12, atol=1e-12
    )
