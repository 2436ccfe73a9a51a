"""An aligner whose recordings show their tokens: each has a place of its own in the latents, and the sound is loud."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hf_vits import ForcedAligner

CHANNELS, HOP = 8, 8


@pytest.fixture
def aligner(make_model, make_tokenizer):
    """A tiny voice with a posterior encoder."""
    return ForcedAligner(make_model(), make_tokenizer())


class Recordings:
    """Latents and waveforms of texts with chosen frames of each token, in place of those of an encoder."""

    def __init__(self, aligner):
        self.aligner, self.known = aligner, {}
        self.places = 4 * torch.randn(32, CHANNELS, generator=torch.Generator().manual_seed(1))
        aligner.model.text_encoder.forward = self.encode_text
        aligner.encoder = self.encode
        aligner.waveform = lambda source: self.known[source][1]

    def encode_text(self, input_ids, mask, keep_states=False, language=None, speaker=None):
        before = torch.cat([input_ids[:, :1], input_ids[:, :-1]], dim=1)
        mean = (self.places[input_ids] + 2 * self.places[before]).mT  # as tokens of a voice depend on their context
        return SimpleNamespace(prior_mean=mean, prior_log_std=torch.zeros_like(mean))

    def encode(self, waveforms, speaker, batch_size):
        return [self.encode_one(waveform) for waveform in waveforms]

    encode.shortest = 0

    def encode_one(self, waveform):
        """The frames of what is left of a waveform, which are mixtures of the known ones if they begin elsewhere: these
        begin after the samples that the known waveform has in excess of them."""
        latents = next(latents for latents, one in self.known.values() if np.shares_memory(one, waveform))
        later = latents.shape[1] - len(waveform) / HOP
        before = torch.cat([latents[:, :1], latents], dim=1) if later < 0 else latents
        share = later % 1
        mixed = (1 - share) * before[:, :-1] + share * before[:, 1:] if share else latents
        return mixed[:, : len(waveform) // HOP]

    def record(self, name, text, frames=None, before=0, after=0, seed=0, noise=0.3):
        """Say a text with frames of each token, and frames of silence around it; return the frames."""
        ids = torch.tensor(self.aligner.tokenizer(text).input_ids)
        generator = torch.Generator().manual_seed(seed)
        frames = torch.randint(1, 5, ids.shape, generator=generator) if frames is None else torch.tensor(frames)
        said = self.encode_text(ids[None], None).prior_mean[0].repeat_interleave(frames, dim=1)
        silence = 20 * torch.randn(CHANNELS, before + after, generator=generator)
        latents = torch.cat([silence[:, :before], said, silence[:, before:]], dim=1)
        latents = latents + noise * torch.randn(latents.shape, generator=generator)
        loud = np.repeat(np.r_[np.zeros(before), np.ones(int(frames.sum())), np.zeros(after)], HOP)
        wave = np.random.default_rng(seed).choice([-0.1, 0.1], len(loud)) * np.maximum(loud, 1e-4)
        self.known[name] = (latents, wave.astype(np.float32))
        return frames.tolist()


@pytest.fixture
def recordings(aligner):
    return Recordings(aligner)
