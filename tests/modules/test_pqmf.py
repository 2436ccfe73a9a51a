import math

import numpy as np
import torch
from scipy.signal import firwin, lfilter

from hf_vits.modules import pqmf


def filters(sign):
    """The bank from its closed form; the prototype is SciPy's low-pass by a Kaiser window, of another gain."""
    low_pass = firwin(63, 0.15, window=("kaiser", 9.0), scale=False)
    return np.array(
        [
            [
                2 * low_pass[n] * math.cos((2 * k + 1) * math.pi / 8 * (n - 30.5) + sign * (-1) ** k * math.pi / 4)
                for n in range(63)
            ]
            for k in range(4)
        ]
    )


def test_the_filters_are_those_of_the_closed_form():
    for sign in (1, -1):
        np.testing.assert_allclose(pqmf.band_filters(sign).numpy(), filters(sign), rtol=0, atol=1e-14)


def correlated(signal, taps):
    """signal (T,) -> Σ taps[n] · signal[t + n − 31]; zeros outside."""
    return lfilter(taps[::-1], 1, np.concatenate([signal, np.zeros(31)]))[31:]


def test_splitting_is_filtering_and_keeping_each_fourth_sample():
    wave = np.random.default_rng(0).standard_normal((2, 80))
    bands = pqmf.split(torch.from_numpy(wave)[:, None]).numpy()
    expected = [[correlated(item, taps)[::4] for taps in filters(1)] for item in wave]
    np.testing.assert_allclose(bands, expected, rtol=0, atol=1e-13)


def test_merging_is_filtering_samples_with_three_zeros_between_and_adding_up():
    bands, own = np.random.default_rng(0).standard_normal((2, 4, 20)), np.random.default_rng(1).standard_normal((4, 63))
    zeros = np.zeros((2, 4, 80))
    zeros[:, :, ::4] = 4 * bands
    for given, bank in ((None, filters(-1)), (torch.from_numpy(own)[None], own)):
        expected = [sum(correlated(band, taps) for band, taps in zip(item, bank, strict=True)) for item in zeros]
        waveform = pqmf.merge(torch.from_numpy(bands), given)[:, 0].numpy()
        np.testing.assert_allclose(waveform, expected, rtol=0, atol=1e-13)


def test_dividing_and_merging_delays_a_waveform_by_a_sample():
    wave = torch.randn(1, 1, 4000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    again = pqmf.merge(pqmf.split(wave))
    error = (again[..., 101:-99] - wave[..., 100:-100]).square().mean()
    assert -18 < 10 * math.log10(error) < -15


def test_both_directions_stay_in_float32_under_autocast():
    wave = torch.randn(1, 1, 80)
    with torch.autocast("cpu", torch.bfloat16):
        bands = pqmf.split(wave)
        assert bands.dtype == pqmf.merge(bands).dtype == torch.float32
        assert torch.equal(bands, pqmf.split(wave))
