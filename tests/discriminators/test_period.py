"""A period discriminator sees every p-th sample."""

import pytest
import torch

from hf_vits.discriminators.period import PeriodDiscriminator, PeriodDiscriminatorConfig


def test_columns_do_not_see_each_other():
    one = PeriodDiscriminator(PeriodDiscriminatorConfig(3, [4, 4], 5, 3)).double()
    waveform = torch.randn(1, 1, 60, dtype=torch.float64)
    changed = waveform.clone()
    changed[..., 1::3] += 1
    for before, after in zip(one(waveform), one(changed), strict=True):
        assert torch.equal(before[..., [0, 2]], after[..., [0, 2]]) and not torch.equal(before[..., 1], after[..., 1])


def test_its_fields_are_read_from_its_shapes():
    config = PeriodDiscriminatorConfig(2, [4, 6], 7, 2)
    state = PeriodDiscriminator(config).state_dict()
    ending = ".parametrizations.weight.original1"
    shapes = {name.replace(ending, ".weight"): tuple(tensor.shape) for name, tensor in state.items()}
    assert PeriodDiscriminatorConfig.from_shapes(shapes) == {"channels": [4, 6], "kernel_size": 7}
    with pytest.raises(ValueError, match="`period_kernel_size` is 4"):
        PeriodDiscriminatorConfig(2, kernel_size=4).check()
