"""Perturbed magnitudes: the spectrogram without a change, and tones, formants and onsets where theory says."""

import math
import random

import numpy as np
import pytest
import torch

from hf_vits import VitsConfig
from hf_vits.modules.spectrogram import Spectrogram
from hf_vits.training.speaker_perturbation import Perturbation, perturbed_magnitudes

RATE, FFT, HOP = 22050, 1024, 256
WINDOW = torch.hann_window(FFT)
HERTZ = RATE / FFT


def magnitudes(waveform, **change):
    return perturbed_magnitudes(waveform, Perturbation(**change), RATE, FFT, HOP, WINDOW)


def vowel(pitch=110.0, formant=1500.0, seconds=0.6):
    """Harmonics of a pitch under one broad resonance."""
    time = torch.arange(int(seconds * RATE) // HOP * HOP) / RATE
    harmonics = torch.arange(1, int(8000 / pitch)) * pitch
    weights = torch.exp(-0.5 * ((harmonics - formant) / 400) ** 2) + 1e-3
    return 0.1 * (weights[:, None] * torch.sin(2 * math.pi * harmonics[:, None] * time)).sum(dim=0)


def pitch_of(frame):
    """The distance of the harmonics of a frame's magnitudes, in hertz: the peak of its cepstrum."""
    log = torch.log(frame + 1e-4)
    cepstrum = torch.fft.irfft(log).abs()[: FFT // 2]
    low, high = int(RATE / 400), int(RATE / 60)
    return RATE / (low + int(cepstrum[low:high].argmax()))


def formant_of(frame):
    """The centre of the energy between 300 and 4,000 Hz."""
    hertz = torch.arange(len(frame)) * HERTZ
    energy = torch.where((hertz > 300) & (hertz < 4000), frame.square(), 0.0)
    return float((energy * hertz).sum() / energy.sum())


@pytest.mark.parametrize("window_length", (FFT, 800))
def test_without_a_change_it_is_the_spectrogram(window_length):
    waveform = 0.1 * torch.randn(HOP * 40, generator=torch.Generator().manual_seed(0))
    spectrogram = Spectrogram(VitsConfig(sampling_rate=RATE, fft_size=FFT, hop_length=HOP, win_length=window_length))
    found = perturbed_magnitudes(waveform, Perturbation(), RATE, FFT, HOP, spectrogram.window)
    torch.testing.assert_close(found, spectrogram(waveform[None, None])[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("factor", (0.7, 1.0, 1.5, 2.0))
def test_pitch_moves_and_the_formant_stays(factor):
    frame = magnitudes(vowel(), pitch=factor, formants=1.0)[:, 20]
    assert pitch_of(frame) == pytest.approx(110 * factor, rel=0.03)
    assert formant_of(frame) == pytest.approx(formant_of(magnitudes(vowel())[:, 20]), rel=0.03)


@pytest.mark.parametrize("factor", (0.7, 1.5, 2.2))
def test_pitch_moves_by_overlap_add_of_the_waveform_and_the_formant_stays(factor):
    frame = magnitudes(vowel(), waveform_pitch=factor)[:, 20]
    assert pitch_of(frame) == pytest.approx(110 * factor, rel=0.03)
    assert formant_of(frame) == pytest.approx(formant_of(magnitudes(vowel())[:, 20]), rel=0.06)


@pytest.mark.parametrize("factor", (0.85, 1.2))
def test_the_formant_moves_and_the_pitch_stays(factor):
    frame = magnitudes(vowel(), formants=factor)[:, 20]
    assert pitch_of(frame) == pytest.approx(110, rel=0.03)
    assert formant_of(frame) == pytest.approx(factor * formant_of(magnitudes(vowel())[:, 20]), rel=0.03)


@pytest.mark.parametrize("method", ("pitch", "waveform_pitch"))
@pytest.mark.parametrize("factor", (0.6, 1.0, 2.1))
def test_sounds_stay_in_their_frames(method, factor):
    waveform = torch.zeros(HOP * 60)
    waveform[HOP * 20 : HOP * 40] = vowel()[: HOP * 20]
    found = magnitudes(waveform, **{method: factor}).square().sum(dim=0)
    loud = (found > 0.25 * found[25:35].mean()).nonzero().flatten()
    assert abs(int(loud[0]) - 20) <= 1 and abs(int(loud[-1]) - 39) <= 1


def test_gain_and_equalizer_add_in_nats_and_a_band_limit_attenuates_what_is_above():
    waveform, plain = vowel(), magnitudes(vowel())
    louder = magnitudes(waveform, gain=math.log(2), equalizer=(0.5,))
    curve = 2 * torch.exp(0.5 * torch.cos(math.pi * torch.linspace(0, 1, len(plain))))[:, None]
    torch.testing.assert_close(louder, plain * curve, rtol=1e-4, atol=1e-5)
    limited = magnitudes(waveform, band_limit=0.5, stop_band=0.01)
    torch.testing.assert_close(limited[:256], plain[:256])
    torch.testing.assert_close(limited[256:], plain[256:] * 0.01)


def test_noise_has_the_magnitude_that_is_asked_for_in_silence():
    found = magnitudes(torch.zeros(HOP * 60), noise=0.1, seed=3)
    assert float(found.mean()) == pytest.approx(0.1 * math.sqrt(math.pi / 2), rel=0.03)  # of a Rayleigh distribution


def test_draws_depend_on_their_source_alone_and_are_finite_for_speech_and_silence():
    for number in range(8):
        change = Perturbation.draw(random.Random(number))
        assert change == Perturbation.draw(random.Random(number))
        for waveform in (vowel(), torch.zeros(HOP * 10)):
            found = perturbed_magnitudes(waveform, change, RATE, FFT, HOP, WINDOW)
            assert found.shape == (FFT // 2 + 1, len(waveform) // HOP) and np.isfinite(found.numpy()).all()


@pytest.mark.parametrize("ratio", (0.5, 1.0, 2.2))
def test_speakers_near_a_pitch_are_around_it_and_have_formants_that_go_with_it(ratio):
    drawn = [Perturbation.draw_near(random.Random(number), ratio) for number in range(400)]
    octaves = np.log([change.waveform_pitch / ratio for change in drawn])
    assert abs(octaves.mean()) < 0.02 and octaves.std() == pytest.approx(0.08, rel=0.15)
    formants = np.log([change.formants for change in drawn])
    assert formants.mean() == pytest.approx(0.145 * math.log(ratio), abs=0.02)
    assert {change.pitch for change in drawn} == {1.0} and len({change.noise for change in drawn}) == 400
