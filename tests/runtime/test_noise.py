"""Noise without PyTorch is PyTorch's."""

import numpy as np
import pytest
import torch

from hf_vits.runtime.noise import TorchGenerator

SEEDS = (0, 42, -3, 2**33 + 5, 2**64 - 1)
SIZES = ((1, 2, 3), (1, 2, 7), (5,), (1, 2, 8), (1, 2, 9), (1, 2, 40), (3,))
TRANSPOSED = ((8, 1), (1, 20), (192, 33), (3, 5), (2, 3), (192, 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_values_of_any_number_and_order_are_those_of_torch(seed):
    ours, theirs = TorchGenerator(seed), torch.Generator()
    theirs.manual_seed(seed)
    for shape, (rows, columns) in zip(SIZES * 2, TRANSPOSED * 2 + TRANSPOSED[:2], strict=True):
        expected = torch.randn(*shape, generator=theirs)
        np.testing.assert_allclose(ours.normal(*shape), expected, rtol=0, atol=2e-6)
        expected = torch.empty(1, columns, rows).transpose(1, 2).normal_(generator=theirs)[0]
        np.testing.assert_allclose(ours.normal_transposed(rows, columns), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("drawn", [1, 3, 40, 624 * 3])
def test_a_generator_of_torch_goes_on_from_a_state(drawn):
    ours, theirs = TorchGenerator(7), torch.Generator()
    ours.normal(drawn)
    theirs.set_state(torch.from_numpy(ours.get_state().copy()))
    for count in (3, 40):
        np.testing.assert_allclose(ours.normal(count), torch.randn(count, generator=theirs), rtol=0, atol=2e-6)
    assert theirs.initial_seed() == 7


def test_without_a_seed_every_generator_is_another():
    assert TorchGenerator().normal(4).tolist() != TorchGenerator().normal(4).tolist()
