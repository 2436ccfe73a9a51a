import numpy as np
import pytest
import torch

from hf_vits.alignment import latents
from hf_vits.alignment.latents import LatentEncoder


def waveforms(*lengths):
    return [np.random.default_rng(i).normal(0, 0.1, n).astype(np.float32) for i, n in enumerate(lengths)]


@pytest.mark.parametrize("fields", [{}, {"posterior_input": "mel"}])
def test_latents_are_the_mean_of_the_posterior_after_the_flow(make_model, fields):
    encoder = LatentEncoder(model := make_model(**fields))
    (waveform,) = waveforms(803)
    features = encoder.spectrogram(torch.from_numpy(waveform)[None, None])
    if fields:
        features = encoder.spectrogram.mel(features)
    mask = torch.ones(1, 1, 100)
    with torch.no_grad():
        expected = model.flow(model.posterior_encoder.distribution(features, mask)[0], mask)
    assert torch.allclose(encoder([waveform], None, 1)[0], expected[0], atol=1e-5)


def test_latents_depend_neither_on_windows_nor_on_the_batch(make_model, speakers, monkeypatch):
    encoder = LatentEncoder(model := make_model(**speakers))
    given = waveforms(900, 2003, 40, 1304)
    speaker = model.speaker_vector(["ada", "cem", "bea", "ada"], 4).detach()
    whole = [encoder([one], speaker[i : i + 1], 1)[0] for i, one in enumerate(given)]
    monkeypatch.setattr(latents, "WINDOW_FRAMES", 50)
    for found, expected in zip(encoder(given, speaker, 3), whole, strict=True):
        assert torch.allclose(found, expected, atol=1e-5)
    assert [one.shape[1] for one in whole] == [len(one) // 8 for one in given]


def test_a_voice_without_a_posterior_encoder_says_what_makes_one(make_model):
    with pytest.raises(ValueError, match="posterior_encoder.*hf-vits complete"):
        LatentEncoder(make_model(inference_only=True))


def test_a_recording_without_a_frame_is_named(make_model):
    with pytest.raises(ValueError, match="Recording 1 has 3 samples"):
        LatentEncoder(make_model())(waveforms(100, 3), None, 2)
