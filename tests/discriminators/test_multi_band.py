"""A multi-band discriminator sees the bands of complex short-time Fourier transforms."""

import torch
from spectra import convolved, transform
from torch.nn import functional as F

from hf_vits.discriminators.multi_band import MultiBandConfig, MultiBandDiscriminator


def test_a_multi_band_discriminator_convolves_each_band_of_the_complex_transform_separately(waveform):
    one = MultiBandDiscriminator(MultiBandConfig(64, 4))
    features, values = one(waveform), transform(waveform, 64, 16, 64).mT
    parts, expected, ends = torch.stack([values.real, values.imag], dim=1).float(), [], []
    for convs, low, high in zip(one.bands, (0, 3, 8, 16, 24), (3, 8, 16, 24, 33), strict=True):
        expected += convolved(parts[..., low:high], convs)
        ends.append(expected[-1])
    expected.append(F.conv2d(torch.cat(ends, dim=-1), one.conv_post.weight, one.conv_post.bias, padding=1))
    assert len(features) == 26
    for ours, theirs in zip(features, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
