"""Chunks equal the whole."""

import numpy as np
import pytest
import torch

from hf_vits.inference.streaming import flow_context

pytestmark = pytest.mark.usefixtures("without_gradients")

KINDS = {
    "type 1": {},
    "type 2": {"resblock_type": "2"},
    "speakers": {"num_speakers": 2, "speaker_embedding_size": 6},
    "long flow": {"wavenet_dilation_rate": 2, "prior_encoder_num_wavenet_layers": 3},
}
IDS = torch.arange(1, 19).unsqueeze(0)


def prior_and_waveform(model, seed=3):
    """A prior of some hundred frames, its speaker, and the whole waveform (1, T_wav)."""
    speaker = model.speaker_vector(1, 1) if model.config.num_speakers > 1 else None
    durations = torch.arange(1, 19).remainder(9).add(4).unsqueeze(0)
    noise = torch.Generator().manual_seed(seed)
    prior = model.prior(IDS, None, speaker, durations=durations, generator=noise)
    mask = torch.ones(1, 1, prior.sample.shape[2], dtype=prior.sample.dtype)
    latents = model.flow.inverse(prior.sample, mask, speaker)
    return prior, latents.detach(), speaker, model.decode(latents, None, speaker).squeeze(1)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("chunk_frames", [1, 7, 50, 1000, None])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_streamed_chunks_equal_the_whole(make_model, kind, chunk_frames):
    model = make_model(**kind).double()
    prior, latents, speaker, whole = prior_and_waveform(model)
    assert latents.shape[2] > 120 and whole.abs().max() > 0.05
    for source in (latents, prior):
        chunks = list(model.stream(source, speaker, chunk_frames))
        torch.testing.assert_close(torch.cat(chunks, dim=1), whole, rtol=0, atol=1e-11)
        if chunk_frames is not None:
            hop = model.config.hop_length
            assert {chunk.shape[1] for chunk in chunks[:-1]} <= {chunk_frames * hop}


@pytest.mark.parametrize("frames", [1, 23, 25, 63, 127, 700])
def test_growing_chunks_of_sentences_of_any_length_equal_the_whole(make_model, frames):
    model = make_model().double()
    prior = model.prior(IDS[:, :1], durations=torch.tensor([[frames]]), generator=torch.Generator().manual_seed(1))
    latents = model.flow.inverse(prior.sample, torch.ones(1, 1, frames, dtype=torch.float64))
    whole = model.decode(latents).squeeze(1)
    for source in (latents, prior):
        torch.testing.assert_close(torch.cat(list(model.stream(source)), dim=1), whole, rtol=0, atol=1e-11)


def test_the_first_chunk_takes_as_many_frames_in_a_long_sentence_as_in_a_short_one(make_model, monkeypatch):
    model = make_model().double()
    seen = []
    for part in (model.flow, model.decoder):
        name = "inverse" if part is model.flow else "forward"
        original = getattr(part, name)

        def counted(latents, *args, original=original, **kwargs):
            seen.append(latents.shape[-1])
            return original(latents, *args, **kwargs)

        monkeypatch.setattr(part, name, counted)
    counts = []
    for repeats in (20, 200):
        seen.clear()
        prior = model.prior(IDS, durations=torch.full_like(IDS, repeats))
        next(model.stream(prior))
        counts.append(list(seen))
    assert counts[0] == counts[1] and len(counts[0]) == 2


@pytest.mark.parametrize("chunk_frames", [10, None])
def test_each_latent_frame_is_computed_once(make_model, monkeypatch, chunk_frames):
    model = make_model().double()
    prior, *_ = prior_and_waveform(model)
    original, windows = model.flow.inverse, []
    monkeypatch.setattr(
        model.flow, "inverse", lambda sample, *a: windows.append(sample.shape[2]) or original(sample, *a)
    )
    list(model.stream(prior, chunk_frames=chunk_frames))
    frames, chunks = prior.sample.shape[2], len(windows)
    assert sum(windows) <= frames + 2 * flow_context(model.config) * (chunks - 1)  # none beyond the ends


@pytest.mark.thorough
def test_a_streamed_text_equals_the_text_synthesized_at_once():
    from hf_vits import TextToSpeechPipeline, VitsModel, VitsTokenizer, default_voice

    voice = default_voice()
    model = VitsModel.from_pretrained(voice, dtype=torch.float64)
    pipe = TextToSpeechPipeline(model, VitsTokenizer.from_pretrained(voice))
    text = "Dr. Smith paid 3.50. Why? Nobody knows."
    whole = pipe(text, pause=0.25, generator=torch.Generator().manual_seed(5))
    chunks = list(pipe.stream(text, pause=0.25, generator=torch.Generator().manual_seed(5)))
    audio = np.concatenate([chunk["audio"] for chunk in chunks])
    assert audio.dtype == np.float32 and {chunk["sampling_rate"] for chunk in chunks} == {whole["sampling_rate"]}
    np.testing.assert_allclose(audio, whole["audio"], rtol=0, atol=1e-7)
    assert [chunk["sentence"] for chunk in chunks if chunk["is_pause"]] == [1, 2]
    numbers = [chunk["sentence"] for chunk in chunks if not chunk["is_pause"]]
    assert numbers[:2] == [0, 0] and numbers.count(1) == numbers.count(2) == 1  # only the first one begins small
