"""The states of a text are its tokens in order, with a silence at either end and at the first mark of each pause."""

import numpy as np
import pytest
import torch

from hf_vits.alignment.states import SILENCE, SpokenSentence, prior_of, spoken_sentences, states_of
from hf_vits.text.errors import NoTokensError
from hf_vits.timestamps.tokens import BLANK, END, SentenceTokens


def sentence(*symbols):
    tokens = SentenceTokens("", list(symbols), [(0, 0)] * len(symbols))
    return SpokenSentence([SentenceTokens("***"), tokens], list(range(1, len(symbols) + 1)))


def test_a_silence_may_be_between_sentences_and_before_the_first_mark_after_a_sound(make_model):
    """Of ", " only the comma begins a pause, and neither a mark at the beginning nor BOS does."""
    two = [sentence(END, "'", "a", BLANK, ",", " ", "b", END), sentence("a", BLANK, " ", BLANK, "b")]
    states = states_of(make_model(), two, None)
    first = [SILENCE, 0, 1, 2, 3, SILENCE, 4, 5, 6, 7, SILENCE]
    assert states.tokens.tolist() == [*first, 8, 9, SILENCE, 10, 11, 12, SILENCE]
    assert states.lengths == [8, 5] and states.tokens.dtype == np.int64


def test_the_prior_is_that_of_each_sentence_alone(make_model):
    model, two = make_model(), [sentence("a", "b", "c"), sentence("d", "e")]
    states = states_of(model, two, None)
    for column, one in ((slice(0, 3), two[0]), (slice(3, 5), two[1])):
        encoded = model.text_encoder(torch.tensor([one.input_ids]), torch.ones(1, 1, len(one.input_ids)))
        torch.testing.assert_close(states.mean[:, column], encoded.prior_mean[0].detach(), rtol=0, atol=1e-6)
        torch.testing.assert_close(states.log_std[:, column], encoded.prior_log_std[0].detach(), rtol=0, atol=1e-6)


def test_without_a_speaker_a_text_encoder_that_knows_speakers_gets_their_mean(make_model, speakers):
    model = make_model(**speakers, text_encoder={"speaker_layer": 1})
    mean = model.embed_speaker.weight.detach().mean(dim=0)[None, :, None]
    default, given, other = (
        prior_of(model, [1, 2, 3], None, speaker) for speaker in (None, mean, model.speaker_vector(0, 1))
    )
    assert torch.equal(default[0], given[0]) and not torch.allclose(default[0], other[0])


def test_sentences_without_tokens_are_kept_beside_those_that_are_spoken(make_tokenizer):
    tokenizer = make_tokenizer()
    spoken = spoken_sentences(tokenizer, "123! A hope. 456! A map. 789!")
    texts = [[one.text for one in sentences.sentences] for sentences in spoken]
    assert texts == [["123!", "A hope."], ["456!", "A map.", "789!"]]
    assert all(not one.symbols for one in (spoken[0].sentences[0], *spoken[1].sentences[::2]))
    assert [one.input_ids for one in spoken] == [tokenizer(text).input_ids for text in ("A hope.", "A map.")]


def test_a_text_without_tokens_is_an_error(make_tokenizer):
    with pytest.raises(NoTokensError):
        spoken_sentences(make_tokenizer(), "123")
