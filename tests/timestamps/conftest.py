"""Speech whose words can be seen in the waveform, and the timestamps of some sentences and their cues."""

from types import SimpleNamespace

import pytest
from torch import nn

from hf_vits import TextToSpeechPipeline
from hf_vits.timestamps import write_timestamps
from hf_vits.timestamps.formats import SpeechTimes

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


TEXTS = ["Dr. “Smith” — & <b> paid {3}\\n, --> ok?", "я", 'No;  "a" \\N b…', "[[hə lˈoʊ]] 你好。", "Yes."]
PLACES = [
    [("Dr.", 1), ("“Smith”", 1), ("&", 0), ("<b>", 1), ("paid", 1), ("{3}\\n,", 1), ("-->", 0), ("ok?", 1)],
    [("я", 0)],
    [("No;", 1), ('"a"', 1), ("\\N", 1), ("b…", 1)],
    [("[[hə lˈoʊ]]", 1), ("你", 1), ("好。", 1)],
    [("Yes.", 1)],
]


@pytest.fixture
def timestamps():
    """Five sentences, one of which is not spoken; words take a third of a second each, or no time."""
    at, found = 0.0, {"sentence": [], "word": [], "phoneme": []}
    for text, words in zip(TEXTS, PLACES, strict=True):
        begin = at
        for word, length in words:
            end = at + length / 3
            found["word"].append({"text": word, "start": at, "end": end})
            found["phoneme"] += [{"text": "ˈə", "start": at, "end": end}] * length
            at = end + 0.25 * length
        found["sentence"].append({"text": text, "start": begin, "end": at})
    return found


@pytest.fixture
def write(timestamps, tmp_path):
    def write(name):
        write_timestamps(tmp_path / name, timestamps)
        return tmp_path / name

    return write


@pytest.fixture
def cues(timestamps):
    return SpeechTimes("a", timestamps["sentence"], timestamps["word"]).cues
