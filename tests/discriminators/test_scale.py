"""A scale discriminator sees the waveform at a reduced rate."""

import pytest
import torch
from torch.nn import functional as F

from hf_vits.discriminators.scale import ScaleDiscriminator, ScaleDiscriminatorConfig

CHANNELS = [4, 4, 8, 8, 8, 8]


def test_one_that_halves_the_rate_is_one_of_the_full_rate_on_the_averaged_waveform():
    full, half = (ScaleDiscriminator(ScaleDiscriminatorConfig(n, CHANNELS)) for n in (0, 1))
    half.load_state_dict(full.state_dict())
    waveform = torch.randn(2, 1, 600)
    averaged = F.avg_pool1d(waveform, 4, 2, 2)
    assert all(map(torch.equal, half(waveform), full(averaged)))


def test_as_many_channels_as_layers_are_needed():
    with pytest.raises(ValueError, match="a scale discriminator has 6 layers"):
        ScaleDiscriminatorConfig(0, [4]).check()
