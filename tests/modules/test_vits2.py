"""The parts of VITS2 beyond the statement in `vits2_statement`, which `conversion/formats/test_vits2.py` compares."""

import pytest
import torch
from tiny_voices import SPEAKERS

from hf_vits.modules.flow import Flow

TRANSFORMER = {"flow": {"transformer": "pre_conv"}}


@torch.no_grad()
@pytest.mark.parametrize("layer", [0, 1])
def test_the_speaker_is_a_linear_function_added_to_the_input_of_a_layer(make_model, text, layer):
    """VITS2, section 2.4, by the layers of the encoder itself."""
    model = make_model(**SPEAKERS, text_encoder={"speaker_layer": layer}).double()
    encoder, ids, mask = model.text_encoder, text["input_ids"], text["attention_mask"].unsqueeze(1).double()
    speaker = model.speaker_vector([0, 2, 1], 3)
    added = speaker.squeeze(-1) @ encoder.cond.weight.squeeze(-1).T + encoder.cond.bias
    hidden = encoder.embed_tokens(ids) * 4 * mask.mT
    for number, one in enumerate(encoder.encoder.layers):
        hidden, _ = one(hidden + added[:, None] if number == layer else hidden, mask)
    found = encoder(ids, mask, speaker=speaker)
    torch.testing.assert_close(found.hidden, (hidden * mask.mT).mT, rtol=0, atol=1e-12)
    assert (encoder(ids, mask).hidden - found.hidden).abs().max() > 1e-2


def test_a_flow_with_transformers_is_inverted_keeps_volume_and_starts_without_shift(make_model, make_config):
    flow = make_model(**TRANSFORMER).double().flow
    mask = torch.ones(1, 1, 5).double()
    latents = torch.randn(1, 8, 5).double()
    torch.testing.assert_close(flow.inverse(flow(latents, mask), mask), latents, rtol=0, atol=1e-12)
    jacobian = torch.autograd.functional.jacobian(lambda x: flow(x, mask), latents).reshape(40, 40)
    assert abs(torch.linalg.slogdet(jacobian).logabsdet.item()) < 1e-10
    first, last = jacobian[:, 0], jacobian.T[0]
    assert first.abs().max() > 0 and last.abs().max() > 0

    new = Flow(make_config(**TRANSFORMER)).double()  # three reversals
    assert torch.equal(new(latents, mask), latents.flip(1))


def test_every_frame_depends_on_the_farthest_one(make_model):
    """What streaming has to know: there is no context of fewer frames than all."""
    flow, mask = make_model(**TRANSFORMER).double().flow, torch.ones(1, 1, 200).double()
    latents = torch.randn(1, 8, 200).double()
    other = torch.cat([latents[..., :-1], latents[..., -1:] + 1], dim=-1)
    assert (flow(other, mask) - flow(latents, mask))[..., 0].abs().max() > 1e-6


@torch.no_grad()
def test_the_flow_runs_once_in_a_stream_whose_chunks_equal_the_whole(make_model, monkeypatch):
    model = make_model(**TRANSFORMER).double()
    prior, seen = model.prior(torch.arange(1, 9)[None], durations=torch.full((1, 8), 40)), []
    original = model.flow.inverse
    monkeypatch.setattr(model.flow, "inverse", lambda sample, *a: seen.append(sample.shape[2]) or original(sample, *a))
    for chunk_frames in (50, 3, None):
        chunks = torch.cat(list(model.stream(prior, chunk_frames=chunk_frames)), dim=1)
        whole = model.decode(original(prior.sample, torch.ones(1, 1, 320).double())).squeeze(1)
        torch.testing.assert_close(chunks, whole, rtol=0, atol=1e-11)
    assert seen == [320] * 3
