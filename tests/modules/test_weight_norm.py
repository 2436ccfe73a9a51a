import pytest
import torch
from torch import nn

from hf_vits.modules.weight_norm import NEW_G, NEW_V, add_weight_norm, fold, match_weight_norm, unfold

LAYERS = {
    "Conv1d": lambda: nn.Conv1d(3, 4, 5),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(3, 4, 4, stride=2),
    "Conv2d": lambda: nn.Conv2d(2, 3, (3, 1)),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
def test_fold_is_g_times_v_over_its_norm(make):
    layer = add_weight_norm(nn.Sequential(make())).double()
    state = layer.state_dict()
    g, v = state["0" + NEW_G], state["0" + NEW_V]
    norm = v.flatten(1).norm(dim=1).view(g.shape)
    torch.testing.assert_close(fold(g, v), g * v / norm, rtol=0, atol=1e-14)
    torch.testing.assert_close(layer[0].weight.detach(), g * v / norm, rtol=0, atol=1e-14)


def test_unfolding_and_folding_gives_the_weight_back():
    weight = torch.randn(5, 3, 7, dtype=torch.float64)
    g, v = unfold(weight)
    assert g.shape == (5, 1, 1)
    torch.testing.assert_close(fold(g, v), weight, rtol=0, atol=1e-14)


def test_a_filter_of_zeros_stays_one_and_can_learn():
    weight = torch.randn(3, 2, 5)
    weight[1] = 0
    g, v = (tensor.requires_grad_() for tensor in unfold(weight))
    again = fold(g, v)
    torch.testing.assert_close(again, weight, rtol=0, atol=1e-6)
    again.sum().backward()
    assert torch.isfinite(g.grad).all() and torch.isfinite(v.grad).all() and g.grad[1].any()


def test_adding_twice_adds_once():
    layer = add_weight_norm(add_weight_norm(nn.Sequential(nn.Conv1d(2, 2, 3))))
    assert sorted(layer.state_dict()) == ["0.bias", "0" + NEW_G, "0" + NEW_V]


def test_a_layer_stored_in_both_formats_is_an_error():
    g, v = unfold(torch.randn(5, 3, 7))
    state_dict = {"a.weight_g": g, "a.weight_v": v, "a" + NEW_G: g, "a" + NEW_V: v}
    for order in (list(state_dict), list(reversed(state_dict))):
        with pytest.raises(ValueError, match="of a is stored in both formats"):
            match_weight_norm({key: state_dict[key] for key in order}, ["a" + NEW_G, "a" + NEW_V])
