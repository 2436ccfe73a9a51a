import pytest
import torch
from torch import nn

from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V, add_weight_norm, fold, fold_weight_norm, unfold

LAYERS = [nn.Conv1d(3, 4, 5), nn.ConvTranspose1d(3, 4, 4, stride=2), nn.Conv2d(2, 3, (3, 1))]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_fold_is_g_times_v_over_its_norm(layer):
    layer = add_weight_norm(nn.Sequential(layer)).double()
    state = layer.state_dict()
    g, v = state["0" + NEW_G], state["0" + NEW_V]
    norm = v.flatten(1).norm(dim=1).view(g.shape)
    torch.testing.assert_close(fold(g, v), g * v / norm, rtol=0, atol=1e-14)
    torch.testing.assert_close(layer[0].weight.detach(), g * v / norm, rtol=0, atol=1e-14)
    fold_weight_norm(layer)


def test_unfolding_and_folding_gives_the_weight_back():
    weight = torch.randn(5, 3, 7, dtype=torch.float64)
    g, v = unfold(weight)
    assert g.shape == (5, 1, 1)
    torch.testing.assert_close(fold(g, v), weight, rtol=0, atol=1e-14)


def test_a_folded_tree_computes_the_same_and_can_be_saved_and_loaded(make_model):
    flow = make_model().double().flow
    latents, mask = torch.randn(1, 8, 6).double(), torch.ones(1, 1, 6).double()
    expected = flow(latents, mask)
    fold_weight_norm(flow)
    torch.testing.assert_close(flow(latents, mask), expected, rtol=0, atol=1e-12)
    state = flow.state_dict()
    assert not any(part in key for key in state for part in (NEW_G, NEW_V, OLD_G, OLD_V))
    flow.load_state_dict(state, strict=True)


def test_adding_twice_adds_once():
    layer = add_weight_norm(add_weight_norm(nn.Sequential(nn.Conv1d(2, 2, 3))))
    assert sorted(layer.state_dict()) == ["0.bias", "0" + NEW_G, "0" + NEW_V]
