"""Speech whose words can be seen in the waveform, and the timestamps of some sentences."""

from types import SimpleNamespace

import pytest
from torch import nn

from hf_vits import TextToSpeechPipeline

LETTERS = 17
"""Ids of the tiny vocabulary below this one are the blank and letters."""


class VisibleText(nn.Module):
    """Give a prior of 1 to letters, and to blanks after them, and of 0 to everything else."""

    def forward(self, input_ids, mask, keep_states=False, language=None, speaker=None):
        is_letter = (input_ids > 0) & (input_ids < LETTERS)
        sounds = is_letter.clone()
        sounds[:, 1:] |= is_letter[:, :-1] & (input_ids[:, 1:] == 0)
        mean = sounds.unsqueeze(1).to(mask.dtype).expand(-1, 8, -1) * mask
        hidden = input_ids.unsqueeze(1).expand(-1, 16, -1) / 20 * mask
        return SimpleNamespace(hidden=hidden, prior_mean=mean, prior_log_std=mean * 0, hidden_states=(), attentions=())


class SameLatents(nn.Module):
    def inverse(self, latents, mask, speaker=None):
        return latents


class RepeatedLatents(nn.Module):
    def __init__(self, hop_length):
        super().__init__()
        self.hop_length = hop_length

    def forward(self, latents, speaker=None, frame_lengths=None):
        return latents[:, :1].repeat_interleave(self.hop_length, dim=2)


@pytest.fixture
def visible(make_model, make_tokenizer):
    """A pipeline whose samples are 1 where a letter is spoken, and 0 elsewhere; durations are those of the model."""
    model = make_model()
    model.text_encoder, model.flow = VisibleText(), SameLatents()
    model.decoder = RepeatedLatents(model.hop_length)
    return TextToSpeechPipeline(model, make_tokenizer(), noise_scale=0.0)
