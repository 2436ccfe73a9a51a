import torch

from hf_vits.kernels.padding import padded_length


def test_few_lengths_are_computed_with_and_none_is_much_longer_than_what_is_asked_for(make_model, monkeypatch):
    layer = make_model().decoder
    with torch.no_grad():
        lengths = {n: padded_length(layer, torch.empty(1, 1, n)) for n in range(1, 2049)}
        assert all(n <= made <= max(n + 7, 1.07 * n) for n, made in lengths.items())
        assert len(set(lengths.values())) < 100
        assert lengths[128] == 128 and lengths[129] == 136 and lengths[2048] == 2048
        assert padded_length(layer, torch.empty(1, 1, 129, device="meta")) == 129
    assert padded_length(layer, torch.empty(1, 1, 129)) == 129  # where gradients may be asked for


def test_the_flow_pads_to_few_lengths_without_a_trace(make_model):
    model = make_model().double()
    for frames in (5, 8, 33, 130):
        sample = torch.randn(2, 8, frames).double()
        mask = torch.ones(2, 1, frames).double()
        mask[1, :, 3:] = 0
        with torch.no_grad():
            made = model.flow.inverse(sample * mask, mask)
        expected = model.flow.inverse(sample * mask, mask).detach()
        torch.testing.assert_close(made, expected, rtol=0, atol=1e-12)
