"""Pitch of frames is that of a waveform where the frames are, and a trained reader finds it in latents that hold it."""

import math

import pytest
import torch

from hf_vits.training import latent_pitch
from hf_vits.training.latent_pitch import Example, PitchReader, median_pitches, pitch_of_frames, train_reader


def glide(rate, seconds=1.0, low=120.0, high=240.0):
    """Five harmonics whose pitch rises by an octave between silences of 0.2 seconds; and their pitch at a time."""
    time = torch.arange(int(seconds * rate), dtype=torch.float64) / rate
    phase = low * seconds / math.log(high / low) * ((high / low) ** (time / seconds) - 1)
    voiced = sum(torch.sin(2 * math.pi * number * phase) for number in range(1, 6)) * 0.1
    silence = torch.zeros(int(0.2 * rate))
    waveform = torch.cat([silence, voiced.float(), silence])
    return waveform, lambda moment: low * (high / low) ** ((moment - 0.2) / seconds)


@pytest.mark.parametrize(("rate", "hop"), [(22050, 256), (16000, 200), (4000, 50)])
def test_a_frame_has_the_pitch_at_its_centre_and_none_in_silence(rate, hop):
    waveform, pitch_at = glide(rate)
    f0 = pitch_of_frames(waveform, rate, hop)
    centres = (torch.arange(len(waveform) // hop) + 0.5) * hop / rate
    assert len(f0) == len(centres)
    inside = (centres > 0.25) & (centres < 1.15)
    torch.testing.assert_close(f0[inside], pitch_at(centres[inside]).float(), rtol=0.015, atol=0)
    assert not f0[(centres < 0.17) | (centres > 1.23)].any()


def test_medians_are_those_of_voiced_frames_of_each_speaker_and_of_all():
    spoken = [(0, torch.tensor([0.0, 100, 110])), (1, torch.tensor([200.0, 0])), (0, torch.tensor([120.0]))]
    assert median_pitches(iter(spoken)) == {0: 110, 1: 200, None: 115}
    assert median_pitches([(None, torch.zeros(3)), (None, torch.tensor([90.0]))]) == {None: 90}
    assert median_pitches([(2, torch.zeros(3))]) == {}


def test_what_is_read_is_compared_in_octaves_above_the_median_where_there_is_a_pitch():
    reader, latents = PitchReader(3), torch.randn(2, 3, 4, requires_grad=True)
    f0 = torch.tensor([[200.0, 100, 0, 400], [150.0, 0, 0, 0]])
    mask = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0]])
    reader.requires_grad_(False)
    output = reader.read(latents, f0, torch.tensor([100.0, 300.0]), mask)
    assert output.target.tolist() == [[1, 0, 0, 2], [-1, 0, 0, 0]]
    assert output.voiced.tolist() == [[1, 1, 0, 1], [1, 0, 0, 0]]
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = reader(latents.bfloat16().float())
        assert under_autocast[0].dtype == torch.float32
    torch.testing.assert_close(output.octaves, reader(latents)[0])
    output.octaves.sum().backward()
    assert latents.grad.any() and all(parameter.grad is None for parameter in reader.parameters())


@pytest.fixture
def examples():
    """Latents of which one direction is the pitch of a speaker above his median, and another one the voicing."""
    noise = torch.Generator().manual_seed(0)
    directions, found = torch.randn(2, 6, generator=noise), []
    for number in range(20):
        size, speaker_id = 60 + number, number % 2
        octaves = 0.4 * torch.randn(size, generator=noise)
        voiced = torch.rand(size, generator=noise) < 0.7
        latents = directions[0][:, None] * octaves + directions[1][:, None] * voiced
        latents = latents + 0.05 * torch.randn(6, size, generator=noise)
        found.append(Example(latents, torch.where(voiced, (100, 200)[speaker_id] * 2**octaves, 0.0), speaker_id))
    return found


def test_a_trained_reader_is_better_than_a_constant(examples, monkeypatch):
    monkeypatch.setattr(latent_pitch, "READER_STEPS", 150)
    monkeypatch.setattr(latent_pitch, "CROP_FRAMES", 40)
    medians = {0: 100.0, 1: 200.0, None: 150.0}
    reader, error = train_reader(examples, medians, seed=3)
    constant = []
    for example in examples[9::10]:
        constant.append(12 * torch.log2(example.f0[example.f0 > 0] / medians[example.speaker_id]).abs())
        octaves, voicing = reader(example.latents[None])
        assert ((voicing[0] > 0) == (example.f0 > 0)).float().mean() > 0.95
    assert error < float(torch.cat(constant).median()) / 3
    assert not any(parameter.requires_grad for parameter in reader.parameters())


def test_a_reader_follows_from_its_seed_whatever_was_drawn_before(examples, monkeypatch):
    monkeypatch.setattr(latent_pitch, "READER_STEPS", 2)
    weights = []
    for seed in (1, 1, 2):
        torch.rand(seed)
        state = torch.random.get_rng_state()
        reader, _ = train_reader(examples, {None: 100.0}, seed)
        assert torch.equal(torch.random.get_rng_state(), state)
        weights.append(reader.layers[0].weight)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_without_a_voiced_frame_a_reader_is_still_finite(monkeypatch):
    monkeypatch.setattr(latent_pitch, "READER_STEPS", 2)
    reader, error = train_reader([Example(torch.randn(4, 9), torch.zeros(9))], {None: 100.0}, 0)
    assert math.isnan(error) and all(bool(value.isfinite().all()) for value in reader.parameters())
