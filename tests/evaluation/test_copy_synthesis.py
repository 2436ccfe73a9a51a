"""Copy-synthesis is what training reconstructs, and the recording itself if the decoder inverts the encoder."""

import numpy as np
import pytest
import torch

pytest.importorskip("librosa")
from hf_vits.data.batch import VitsBatch
from hf_vits.evaluation import Utterance
from hf_vits.evaluation.copy_synthesis import CopySynthesis
from hf_vits.modules.sampling import seed_of
from hf_vits.training.generator import VitsGenerator


def test_it_is_what_training_reconstructs_of_the_whole_clip_with_the_same_noise(make_model):
    model = make_model()
    waveform = torch.randn(400, generator=torch.Generator().manual_seed(1)) * 0.1
    copied = CopySynthesis(model, seed=7)(Utterance("a", waveform.numpy(), model.config.sampling_rate), 3)
    ids = torch.tensor([[1, 2, 3]])
    batch = VitsBatch(ids, torch.tensor([3]), waveform[None, None], torch.tensor([400]), torch.tensor([0]))
    generator = VitsGenerator(model).eval()
    with torch.no_grad():
        posterior = generator.posterior(batch, torch.Generator().manual_seed(seed_of(7, 3)))
        expected = model.decode(posterior.latents)[0, 0]
    assert copied.waveform == pytest.approx(expected.numpy(), abs=1e-6)
    assert copied.recording.waveform is not None and copied.text == "a"


def test_a_speaker_of_several_is_reconstructed_as_that_speaker(make_model, speakers):
    model = make_model(**speakers)
    waveform = np.random.default_rng(0).normal(0, 0.1, 400).astype(np.float32)
    one, other = (CopySynthesis(model, 0)(Utterance("a", waveform, 16000, speaker=i), 0).waveform for i in (0, 2))
    assert not np.allclose(one, other)


def test_a_recording_too_short_for_a_spectrogram_has_no_samples(make_model):
    model = make_model()
    assert CopySynthesis(model, 0)(Utterance("a", np.ones(4, np.float32), 16000), 0).waveform.size == 0


def test_a_voice_without_posterior_encoder_says_so(make_model):
    assert CopySynthesis.reason_against(make_model()) is None
    assert "no posterior encoder" in CopySynthesis.reason_against(make_model(inference_only=True))
