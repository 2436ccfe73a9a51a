"""Spectral envelopes are moved by filters that a network of recordings chooses."""

import math

import pytest
import torch

from hf_vits.modules.spectrogram import Spectrogram
from hf_vits.training import envelope_conversion
from hf_vits.training.envelope_conversion import (
    EnvelopeConverter,
    EnvelopeExample,
    Envelopes,
    speech_share,
    train_converter,
)

RATE = 22050


@pytest.fixture
def envelopes(make_config):
    config = make_config(
        sampling_rate=RATE, spectrogram_bins=513, upsample_rates=[16, 16], upsample_kernel_sizes=[32, 32]
    )
    return Envelopes(Spectrogram(config), RATE)


def noise(frames, seed=0):
    return 0.1 * torch.randn(256 * frames, generator=torch.Generator().manual_seed(seed))


def test_a_filter_of_no_change_returns_the_waveform_to_its_ends(envelopes):
    waveform = noise(12)
    cepstra = envelopes.cepstrum(waveform)
    assert cepstra.shape == (envelopes.coefficients, 12)
    torch.testing.assert_close(envelopes.filtered(waveform, torch.zeros_like(cepstra)), waveform, rtol=0, atol=1e-6)


def test_the_first_coefficient_is_the_level_in_nats(envelopes):
    waveform = noise(12)
    change = torch.zeros(envelopes.coefficients, 12)
    change[0] = math.log(0.5)
    torch.testing.assert_close(envelopes.filtered(waveform, change), waveform / 2, rtol=0, atol=1e-6)
    louder = envelopes.cepstrum(2 * waveform) - envelopes.cepstrum(waveform)
    torch.testing.assert_close(louder[0], torch.full((12,), math.log(2)), rtol=0, atol=1e-3)
    assert louder[1:].abs().max() < 1e-3


def test_a_filter_changes_the_cepstra_by_what_was_asked_for(envelopes):
    waveform = noise(20)
    change = torch.zeros(envelopes.coefficients, 20)
    change[3], change[7] = 0.2, -0.1
    found = envelopes.cepstrum(envelopes.filtered(waveform, change)) - envelopes.cepstrum(waveform)
    torch.testing.assert_close(found[:8, 3:-3], change[:8, 3:-3], rtol=0, atol=0.01)


def test_frames_lie_where_those_of_latents_do(envelopes):
    """A click in frame 7 raises the level of the frames whose windows hold it, and of 7 and its neighbour the most."""
    waveform = torch.zeros(256 * 16)
    waveform[256 * 7 + 128] = 1.0
    levels = envelopes.cepstrum(waveform)[0]
    assert levels.argmax() == 7 and torch.allclose(levels[6], levels[8], atol=1e-3)


def test_gains_are_limited(envelopes):
    waveform = noise(12)
    change = torch.zeros(envelopes.coefficients, 12)
    change[0] = 10.0
    limit = math.exp(envelope_conversion.MAX_GAIN)
    torch.testing.assert_close(envelopes.filtered(waveform, change), limit * waveform, rtol=1e-5, atol=1e-5)


def test_what_is_far_below_the_loudest_frame_is_no_speech():
    cepstra = torch.zeros(2, 4)
    cepstra[0] = torch.tensor([0.0, -1.0, -4.25, -9.0])
    torch.testing.assert_close(speech_share(cepstra), torch.tensor([1.0, 1.0, 0.5, 0.0]))


@pytest.mark.thorough
def test_a_linear_relation_is_learned_for_each_speaker(monkeypatch):
    monkeypatch.setattr(envelope_conversion, "STEPS", 150)
    source = torch.Generator().manual_seed(0)
    examples = []
    for number in range(24):
        cepstra = torch.randn(5, 60, generator=source) * 0.5
        target = cepstra.flip(0) * 0.5 + (2.0 if number % 2 else -1.0)
        examples.append(EnvelopeExample(cepstra, target, number % 2))
    converter, error = train_converter(examples, seed=3)
    assert error < 0.3
    assert not converter.training and not any(parameter.requires_grad for parameter in converter.parameters())
    for example in examples[:2]:
        changed = example.source + converter.change(example.source, example.speaker)
        assert (changed[1:] - example.target[1:]).abs().mean() < 0.5 * (example.source - example.target)[
            1:
        ].abs().mean()
        level = changed[0] - example.source[0]
        torch.testing.assert_close(level, level[:1].expand(60), rtol=0, atol=1e-5)
    again, _ = train_converter(examples, seed=3)
    assert all(
        torch.equal(a, b) for a, b in zip(again.state_dict().values(), converter.state_dict().values(), strict=True)
    )


def test_quiet_frames_have_the_mean_gain_of_their_speaker():
    converter = EnvelopeConverter(4, 2).eval()
    converter.target_mean[1] = 0.7
    cepstra = torch.randn(4, 9)
    cepstra[0, 5:] = -20.0
    change = converter.change(cepstra, 1)
    torch.testing.assert_close(change[:, 5:], torch.full((4, 4), 0.7))
    assert (change[1:, :5] - 0.7).abs().max() > 0.01
