import pytest
import torch

from hf_vits.modules.duration_predictor import MIN_HEIGHT, MIN_SLOPE, MIN_WIDTH, Spline, _through


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


def whole_inverse(predictor, pair, mask, condition):
    """All layers backwards; to speak, the predictor leaves out the one whose result is thrown away."""
    for coupling in reversed(predictor.flows[1:]):
        pair = coupling.inverse(pair.flip(1), mask, condition)
    return predictor.flows[0].inverse(pair, mask, condition)


def test_training_runs_the_flow_that_speaking_runs_backwards(make_model):
    """In the original's order, with no swap after the affine layer; transformers has one, and does not invert."""
    predictor = make_model().double().duration_predictor
    mask, condition = torch.ones(2, 1, 9).double(), torch.randn(2, 16, 9).double()
    pair = torch.randn(2, 2, 9).double()
    moved, _ = _through(predictor.flows, pair, mask, condition)
    torch.testing.assert_close(whole_inverse(predictor, moved, mask, condition), pair, rtol=0, atol=1e-8)
    hidden = torch.randn(2, 16, 9).double()
    condition = predictor.condition(hidden, mask)
    spoken = predictor(hidden, mask, moved)
    torch.testing.assert_close(spoken, whole_inverse(predictor, moved, mask, condition)[:, :1], rtol=0, atol=1e-8)


def test_the_likelihood_is_that_of_the_durations_that_are_spoken(make_model):
    """exp(-bound) averages to P(duration); so do the durations that the same flow says, run backwards."""
    predictor, draws = make_model().duration_predictor, 20_000
    hidden = torch.randn(1, 16, 1, generator=torch.Generator().manual_seed(9)).expand(draws, -1, -1)
    mask, noise = torch.ones(draws, 1, 1), torch.randn(draws, 2, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for coupling in [*predictor.flows[1:], *predictor.post_flows[1:]]:
            coupling.conv_proj.weight *= 0.2  # nearer to each other: else few draws decide the average
        spoken = whole_inverse(predictor, noise, mask, predictor.condition(hidden, mask))[:, 0].exp().ceil()
        for duration in (1, 2, 3):
            durations = torch.full((draws, 1, 1), float(duration))
            generator = torch.Generator().manual_seed(duration)
            bound = predictor.negative_log_likelihood(hidden, mask, durations, generator=generator)
            share = (spoken == duration).float().mean()
            assert share > 0.02
            torch.testing.assert_close((-bound).exp().mean(), share, rtol=0.1, atol=0)


def test_padding_changes_no_likelihood(make_model):
    predictor = make_model().double().duration_predictor
    hidden, mask = torch.randn(1, 16, 8).double(), (torch.arange(8) < 5).double().view(1, 1, 8)
    durations = torch.randint(1, 6, (1, 1, 8)).double()
    one, other = (
        predictor.negative_log_likelihood(h, mask, d, generator=torch.Generator().manual_seed(0))
        for h, d in ((hidden, durations), (hidden + 5 * (1 - mask), durations + 3 * (1 - mask)))
    )
    torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_every_parameter_that_speaking_and_training_use_gets_a_gradient(make_model):
    predictor = make_model().duration_predictor
    mask = torch.ones(2, 1, 6)
    predictor.negative_log_likelihood(
        torch.randn(2, 16, 6), mask, torch.randint(1, 6, (2, 1, 6)).float()
    ).sum().backward()
    assert not [name for name, parameter in predictor.named_parameters() if parameter.grad is None]


BOUND = 5.0


@pytest.fixture
def spline():
    noise = torch.Generator().manual_seed(0)
    logits = [torch.randn(1, 10 - (i == 2), generator=noise, dtype=torch.float64) * 2 for i in range(3)]
    return Spline.from_logits(*logits, BOUND)


@pytest.fixture
def points():
    return torch.linspace(-8, 8, 401, dtype=torch.float64)


def spread(spline, points):
    """One spline for every point."""
    fields = (getattr(spline, name).expand(len(points), -1) for name in ("x", "y", "slope"))
    return Spline(*fields, BOUND)


def test_inverse_undoes_forward(spline, points):
    many = spread(spline, points)
    moved, _ = many.forward(points)
    torch.testing.assert_close(many.inverse(moved), points, rtol=0, atol=1e-10)
    assert (moved - points).abs().max() > 0.1


def test_the_log_slope_is_that_of_a_numeric_derivative(spline, points):
    many = spread(spline, points)
    away = ((points[:, None] - many.x).abs().amin(dim=1) > 1e-3) & (points.abs() < BOUND)
    step = 1e-6
    numeric = (many.forward(points + step)[0] - many.forward(points - step)[0]) / (2 * step)
    torch.testing.assert_close(many.forward(points)[1][away], numeric.log()[away], rtol=0, atol=1e-6)


def test_it_rises_passes_its_knots_and_is_the_identity_outside(spline, points):
    many = spread(spline, points)
    moved, log_slope = many.forward(points)
    assert (moved.diff() > 0).all()
    outside = points.abs() > BOUND
    assert torch.equal(moved[outside], points[outside]) and not log_slope[outside].any()
    knots = spread(spline, spline.x[0])
    torch.testing.assert_close(knots.forward(spline.x[0])[0], spline.y[0], rtol=0, atol=1e-12)


def test_no_bin_is_narrower_lower_or_flatter_than_the_least():
    extreme = torch.tensor([[50.0] + [-50.0] * 9], dtype=torch.float64)
    spline = Spline.from_logits(extreme, extreme, torch.full((1, 9), -50.0, dtype=torch.float64), BOUND)
    assert spline.x.diff().min() >= 2 * BOUND * MIN_WIDTH * (1 - 1e-9)
    assert spline.y.diff().min() >= 2 * BOUND * MIN_HEIGHT * (1 - 1e-9)
    assert spline.slope.min() >= MIN_SLOPE
    assert torch.equal(spline.slope[:, [0, -1]], torch.ones(1, 2, dtype=torch.float64))


def test_gradients_flow_through_both_directions(spline):
    logits = torch.randn(4, 29, dtype=torch.float64, requires_grad=True)
    inputs = torch.randn(4, dtype=torch.float64, requires_grad=True)

    def both(logits, inputs):
        spline = Spline.from_logits(logits[:, :10], logits[:, 10:20], logits[:, 20:], BOUND)
        return (*spline.forward(inputs), spline.inverse(inputs))

    assert torch.autograd.gradcheck(both, (logits, inputs))
