import pytest
import torch


@pytest.fixture
def predictor(make_model):
    return make_model().double().duration_predictor


@pytest.mark.parametrize("part", [0, 1, 2])
def test_every_layer_of_the_duration_flow_has_an_inverse_and_its_true_determinant(predictor, part):
    layer = predictor.flows[part]
    pair, condition = torch.randn(1, 2, 3).double() * 2, torch.randn(1, 16, 3).double()
    mask = torch.ones(1, 1, 3).double()
    moved, log_determinant = layer(pair, mask, condition)
    torch.testing.assert_close(layer.inverse(moved, mask, condition), pair, rtol=0, atol=1e-9)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x, mask, condition)[0], pair).reshape(6, 6)
    expected = torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(log_determinant.squeeze(), expected, rtol=0, atol=1e-9)
    assert abs(expected) > 1e-3


def test_padding_adds_nothing_to_the_determinant(predictor):
    mask = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]]).double()
    pair, condition = torch.randn(1, 2, 4).double() * mask, torch.randn(1, 16, 4).double() * mask
    for layer in predictor.flows:
        long = layer(pair, mask, condition)[1]
        short = layer(pair[..., :2], mask[..., :2], condition[..., :2])[1]
        torch.testing.assert_close(long, short, rtol=0, atol=1e-12)


def test_half_precision_durations_have_float_splines(make_model):
    predictor = make_model().bfloat16().duration_predictor
    hidden, mask = torch.randn(1, 16, 6).bfloat16(), torch.ones(1, 1, 6).bfloat16()
    out = predictor(hidden, mask, torch.randn(1, 2, 6).bfloat16())
    exact = predictor.float()(hidden.float(), mask.float(), torch.zeros(1, 2, 6))
    assert out.dtype == torch.bfloat16 and out.shape == exact.shape and torch.isfinite(out).all()
