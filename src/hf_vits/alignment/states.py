"""The states that a recording of a text passes through: its tokens, and silences that may be between words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hf_vits.modeling_vits import VitsModel
from hf_vits.text import sentence_splitter, writing_systems
from hf_vits.text.errors import NoTokensError
from hf_vits.timestamps.timeline import sentence_tokens
from hf_vits.timestamps.tokens import BLANK, END, SentenceTokens
from hf_vits.timestamps.units import is_read
from hf_vits.tokenization_vits import VitsTokenizer

SILENCE = -1
"""In place of the number of a token."""


@dataclass
class SpokenSentence:
    """A sentence that has tokens, with sentences beside it that have none, in order; and the ids of its tokens."""

    sentences: list[SentenceTokens]
    input_ids: list[int]

    @property
    def symbols(self) -> list[str | None]:
        """The symbol of each token."""
        return next(sentence.symbols for sentence in self.sentences if sentence.symbols)


@dataclass(frozen=True)
class States:
    """
    The states of a text.

    Args:
        sentences (`list[SpokenSentence]`):
            The sentences.
        tokens (`np.ndarray` of shape `(states,)`, int64):
            Token of each state, counted through all sentences; `SILENCE` for optional silences.
        mean, log_std (`Tensor` of shape `(C, T_text)`):
            Prior of all tokens.
    """

    sentences: list[SpokenSentence]
    tokens: np.ndarray
    mean: Tensor = field(repr=False)
    log_std: Tensor = field(repr=False)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each sentence."""
        return [len(sentence.input_ids) for sentence in self.sentences]


def spoken_sentences(tokenizer: VitsTokenizer, text: str) -> list[SpokenSentence]:
    """
    Return the sentences of a text as the pipeline speaks them.

    Raises:
        NoTokensError: a `ValueError`, if there is nothing to say.
    """
    found: list[SpokenSentence] = []
    skipped: list[SentenceTokens] = []
    for sentence in sentence_splitter.split(text, language=tokenizer.text_language):
        try:
            with writing_systems.without_warnings():
                encoding = tokenizer(sentence, return_offsets_mapping=True)
        except NoTokensError:
            skipped.append(SentenceTokens(sentence))
            continue
        tokens = sentence_tokens(tokenizer, sentence, encoding["input_ids"], encoding["offset_mapping"])
        found.append(SpokenSentence([*skipped, tokens], list(encoding["input_ids"])))
        skipped = []
    if not found:
        tokenizer(text)  # raises the error that says why
        raise NoTokensError(f"The text {text[:100]!r} has nothing to say.")
    found[-1].sentences += skipped
    return found


def states_of(
    model: VitsModel, sentences: Sequence[SpokenSentence], language: Tensor | None, speaker: Tensor | None = None
) -> States:
    """Return the states of sentences; language (1, L, 1) and speaker (1, S, 1) are vectors of a voice of several."""
    priors = [prior_of(model, sentence.input_ids, language, speaker) for sentence in sentences]
    mean, log_std = (torch.cat(parts, dim=1) for parts in zip(*priors, strict=True))
    tokens, number = [SILENCE], 0
    for sentence in sentences:
        symbols = sentence.symbols
        pauses = {place for place in range(1, len(symbols)) if _begins_pause(symbols, place)}
        for place in range(len(symbols)):
            tokens += [SILENCE] * (place in pauses) + [number]
            number += 1
        tokens.append(SILENCE)
    return States(list(sentences), np.array(tokens, dtype=np.int64), mean, log_std)


@torch.no_grad()
def prior_of(
    model: VitsModel, input_ids: Sequence[int], language: Tensor | None, speaker: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Token ids -> mean and log standard deviation of the prior (C, T_text), on the CPU; by default, of the mean of all
    speakers where the text encoder knows the speaker."""
    if speaker is None and model.config.num_speakers > 1:
        speaker = model.embed_speaker.weight.mean(dim=0)[None, :, None]
    ids = torch.tensor([list(input_ids)], device=model.device)
    mask = torch.ones_like(ids).unsqueeze(1).to(model.dtype)
    encoded = model.text_encoder(ids, mask, language=language, speaker=speaker)
    return encoded.prior_mean[0].float().cpu(), encoded.prior_log_std[0].float().cpu()


def _begins_pause(symbols: Sequence[str | None], place: int) -> bool:
    """Return True for the first mark or space after a sound, before which there may be a silence."""
    if not _is_mark(symbols[place]):
        return False
    before = next((symbol for symbol in reversed(symbols[:place]) if symbol != BLANK), END)
    return before is not END and not _is_mark(before)


def _is_mark(symbol: str | None) -> bool:
    return symbol not in (BLANK, END) and not is_read(symbol)
