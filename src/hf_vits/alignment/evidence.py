"""The likelihood of tokens in the frames of a recording, relative to that of all sounds, and where it is silent."""

import math
import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hf_vits.alignment.adaptation import Adaptation
from hf_vits.alignment.search import Scores
from hf_vits.alignment.states import SILENCE, States, prior_of, spoken_sentences
from hf_vits.modeling_vits import VitsModel
from hf_vits.modules.alignment import log_likelihood
from hf_vits.text.sentences import plain_sentences
from hf_vits.tokenization_vits import VitsTokenizer
from hf_vits.utils.logging import silence_logging

INVENTORY_TOKENS = 2000
"""Tokens that stand for all sounds of a language, in different contexts."""

AT_ONCE = 1024
"""Frames that are compared with the inventory at once."""

MIN_RANGE_DB, SILENCE_PART, MAX_BELOW_DB = 15.0, 0.3, 40.0
"""Range of levels below which a recording has no silence; part of the range that is silence; and how far below the
speech it begins at most."""

QUIET_SCORE, LOUD_SCORE = 0.2, 5.0
"""What a frame of silence costs, relative to a random token: as much as one of a text that fits; and much if it is
loud."""

SILENCE_ENTRY = 2.0
"""What a silence costs besides, in frames of random tokens, so that the closure of a plosive is none."""


@dataclass(frozen=True)
class Inventory:
    """
    Tokens of sentences in which all sounds of a language are.

    Args:
        mean, log_std (`Tensor` of shape `(C, tokens)`):
            Their prior.
    """

    mean: Tensor
    log_std: Tensor

    @classmethod
    def of(cls, model: VitsModel, tokenizer: VitsTokenizer, language: Tensor | None) -> "Inventory":
        """Take built-in sentences of the voice's language, or random letters of its vocabulary if there are none."""
        try:
            with silence_logging():
                texts = plain_sentences(tokenizer.text_language)
                ids = [sentence.input_ids for text in texts for sentence in spoken_sentences(tokenizer, text)]
        except ValueError:
            ids = _random_texts(tokenizer)
        parts, count = [], 0
        for one in ids:
            parts.append(prior_of(model, one, language))
            count += len(one)
            if count >= INVENTORY_TOKENS:
                break
        return cls(*(torch.cat(part, dim=1) for part in zip(*parts, strict=True)))


def _random_texts(tokenizer: VitsTokenizer, length: int = 50) -> list[list[int]]:
    symbols = [
        i for token, i in tokenizer.get_vocab().items() if len(token) == 1 and i not in tokenizer.all_special_ids
    ]
    draw, texts = random.Random(0), []
    for _ in range(INVENTORY_TOKENS // length):
        ids = draw.choices(symbols, k=length // 2)
        texts.append([tokenizer.blank_id, *(i for one in ids for i in (one, tokenizer.blank_id))])
    return texts if tokenizer.add_blank else [text[1::2] for text in texts]


@dataclass(frozen=True)
class Evidence:
    """
    The frames of a recording.

    Args:
        latents (`Tensor` of shape `(C, T_spec)`):
            Latents, adapted if there is an adaptation.
        best, usual (`np.ndarray` of shape `(T_spec,)`):
            Log-likelihood of the best token of the inventory, and by how much the mean token is below it (negative).
        is_loud (`np.ndarray` of shape `(T_spec,)`, bool):
            Frames that are not silent.
        adaptation ([`Adaptation`], *optional*):
            What maps the prior of a text, too.
    """

    latents: Tensor
    best: np.ndarray
    usual: np.ndarray
    is_loud: np.ndarray
    adaptation: Adaptation | None = None

    @classmethod
    def of(
        cls, latents: Tensor, waveform: np.ndarray, inventory: Inventory, adaptation: Adaptation | None
    ) -> "Evidence":
        """Compare the latents (C, T_spec) of a waveform (T_wav,) with an inventory."""
        mean, log_std = inventory.mean, inventory.log_std
        if adaptation is not None:
            latents, (mean, log_std) = adaptation.of_latents(latents), adaptation.of_prior(mean)
        best, usual = [], []
        for part in latents.split(AT_ONCE, dim=1):
            scores = log_likelihood(part[None], mean[None], log_std[None])[0]
            best.append(scores.amax(dim=1))
            usual.append(scores.mean(dim=1) - best[-1])
        is_loud = loud_frames(waveform, latents.shape[1])
        return cls(latents, torch.cat(best).numpy(), torch.cat(usual).numpy(), is_loud, adaptation)

    def prior(self, states: States) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation (C, T_text) of the tokens of states, adapted if the latents are."""
        return (states.mean, states.log_std) if self.adaptation is None else self.adaptation.of_prior(states.mean)

    @property
    def scale(self) -> float:
        """Nats by which a random token is less likely than the best one, in half of the loud frames."""
        return float(-np.median(self.usual[self.is_loud]))

    def scores(self, states: States) -> Scores:
        """Return the scores of states in blocks of frames: log-likelihoods relative to the best token of all."""
        mean, log_std = self.prior(states)
        silence = np.where(self.is_loud, LOUD_SCORE, QUIET_SCORE) * -self.scale

        def block(first: int, last: int, left: int, right: int) -> np.ndarray:
            tokens = states.tokens[left:right]
            found = np.repeat(silence[first:last, None], len(tokens), axis=1).astype(np.float32)
            real = np.flatnonzero(tokens != SILENCE)
            if len(real):
                span = slice(tokens[real[0]], tokens[real[-1]] + 1)
                likely = log_likelihood(self.latents[None, :, first:last], mean[None, :, span], log_std[None, :, span])
                found[:, real] = likely[0].numpy() - self.best[first:last, None]
            return found

        return block

    def of_path(self, states: States, path: np.ndarray) -> np.ndarray:
        """Return the score of each frame, (T_spec,), at its state of a path; 0 where a silence is one."""
        tokens, (mean, log_std) = torch.from_numpy(states.tokens[path]), self.prior(states)
        own, spread = mean[:, tokens.clamp(min=0)], log_std[:, tokens.clamp(min=0)]
        squares = ((self.latents - own) * torch.exp(-spread)).square()
        likely = -(0.5 * math.log(2 * math.pi) + spread + 0.5 * squares).sum(dim=0).numpy()
        silence = np.where(self.is_loud, -LOUD_SCORE * self.scale, 0.0)
        return np.where(states.tokens[path] == SILENCE, silence, np.minimum(likely - self.best, 0.0))

    def likelihood(self, states: States, path: np.ndarray) -> float:
        """Return the mean log-likelihood of the frames of a path that are not in a silence, in nats."""
        is_token = states.tokens[path] != SILENCE
        return float((self.of_path(states, path) + self.best)[is_token].mean())


def loud_frames(waveform: np.ndarray, frames: int) -> np.ndarray:
    """waveform (T_wav,) -> bool (frames,): true but in silence, whose level is near the lowest one of the recording."""
    size = len(waveform) // frames
    power = np.square(waveform[: frames * size].reshape(frames, size), dtype=np.float64).mean(axis=1)
    level = 10 * np.log10(power + 1e-10)
    low, high = np.quantile(level, [0.05, 0.95])
    if high - low < MIN_RANGE_DB:
        return np.ones(frames, dtype=bool)
    return level > max(low + SILENCE_PART * (high - low), high - MAX_BELOW_DB)
