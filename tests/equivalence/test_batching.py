"""Item i of a padded batch is what it is alone, and silent past its end."""

import pytest
import torch

pytestmark = pytest.mark.usefixtures("without_gradients")

LENGTHS = [3, 17, 1, 9, 30, 2, 12, 5]
SPEAKERS = {"num_speakers": 3, "speaker_embedding_size": 6}
KINDS = {
    "blocks of type 1": {},
    "blocks of type 2": {"resblock_type": "2"},
    "plain durations": {"use_stochastic_duration_prediction": False},
    "speakers": SPEAKERS,
    "VITS2": {**SPEAKERS, "text_encoder": {"speaker_layer": 1}, "flow": {"transformer": "pre_conv"}},
}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def model(request, make_model):
    return make_model(**request.param).double()


@pytest.fixture
def batch():
    ids = torch.randint(0, 20, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(4))
    return ids, (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()


def controls(model, item=slice(None)):
    """Other values for every item, so that a mix-up shows."""
    values = {
        "noise_scale": [0.1 * i for i in range(8)],
        "noise_scale_duration": [0.2 * i for i in range(8)],
        "speaking_rate": [0.5 + 0.2 * i for i in range(8)],
        "generator": [torch.Generator().manual_seed(i) for i in range(8)],
    }
    if model.config.num_speakers > 1:
        values["speaker_id"] = [0, 2, 1, 1, 0, 2, 2, 0]
    return {name: value[item] for name, value in values.items()}


def test_each_item_equals_its_single_run(model, batch):
    ids, mask = batch
    together = model(ids, mask, **controls(model))
    lengths = together.sequence_lengths.tolist()
    assert len(set(lengths)) > 4, "items must be ragged"
    for i, length in enumerate(LENGTHS):
        alone = model(ids[i : i + 1, :length], **controls(model, slice(i, i + 1)))
        assert alone.sequence_lengths.item() == lengths[i]
        samples = together.waveform[i]
        torch.testing.assert_close(samples[: lengths[i]], alone.waveform[0], rtol=0, atol=1e-11)
        assert torch.count_nonzero(samples[lengths[i] :]) == 0
        assert torch.equal(together.durations[i, :length], alone.durations[0])
        assert torch.count_nonzero(together.durations[i, length:]) == 0


def test_tokens_in_the_padding_change_nothing(model, batch):
    ids, mask = batch
    first = model(ids, mask, **controls(model)).waveform
    second = model(torch.where(mask.bool(), ids, 19 - ids), mask, **controls(model)).waveform
    assert torch.equal(first, second)


def test_a_batch_of_equal_lengths_equals_single_items(make_model):
    model = make_model().double()
    latents = torch.randn(3, model.config.flow_size, 11, dtype=torch.float64)
    whole = model.decode(latents)
    for i in range(3):
        torch.testing.assert_close(whole[i : i + 1], model.decode(latents[i : i + 1]), rtol=0, atol=1e-11)


def test_upstreams_batch_continues_past_the_end_where_ours_is_zero(make_model, make_upstream_model, batch):
    """The reason for these tests: shows that they would notice."""
    model = make_model().double()
    ids, mask = batch
    upstream = make_upstream_model(model)
    upstream.noise_scale = upstream.noise_scale_duration = 0.0
    theirs = upstream(ids, mask)
    length = theirs.sequence_lengths[2].item()
    assert theirs.waveform[2, length:].abs().max() > 1e-3
    ours = model(ids, mask, noise_scale=0.0, noise_scale_duration=0.0)
    assert torch.equal(ours.sequence_lengths, theirs.sequence_lengths)
    longest = theirs.sequence_lengths.argmax()
    torch.testing.assert_close(ours.waveform[longest], theirs.waveform[longest], rtol=0, atol=1e-11)
