"""A multi-resolution discriminator sees the magnitudes of short-time Fourier transforms."""

import pytest
import torch
from spectra import convolved, transform
from torch.nn import functional as F

from hf_vits.discriminators.multi_resolution import MultiResolutionConfig, MultiResolutionDiscriminator


def test_a_multi_resolution_discriminator_convolves_the_magnitudes_of_the_transform(waveform):
    one = MultiResolutionDiscriminator(MultiResolutionConfig(32, 6, 20, 4))
    features = one(waveform)
    expected = list(convolved(transform(waveform, 32, 6, 20).abs().float().unsqueeze(1), one.convs))
    expected.append(F.conv2d(expected[-1], one.conv_post.weight, one.conv_post.bias, padding=1))
    assert len(features) == 6 and features[-1].shape == (2, 1, 17, 7)
    for ours, theirs in zip(features, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_transform_is_computed_in_float32_in_half_precision(waveform):
    one = MultiResolutionDiscriminator(MultiResolutionConfig(32, 6, 20, 4))
    with torch.autocast("cpu", torch.bfloat16):
        features = one(waveform.bfloat16())
    assert features[0].dtype == torch.bfloat16
    torch.testing.assert_close(features[0].float(), one(waveform)[0], rtol=0.1, atol=0.1)


def test_a_segment_that_is_too_short_is_an_error_that_says_what_to_change():
    one = MultiResolutionDiscriminator(MultiResolutionConfig())
    with pytest.raises(ValueError, match="has 452 samples, .* FFT of 1024 needs more than 452.*`segment_frames`"):
        one(torch.zeros(1, 1, 452))
    assert len(one(torch.zeros(1, 1, 453))) == 6
