import pytest
import torch

from hf_vits.modules.spline import MIN_HEIGHT, MIN_SLOPE, MIN_WIDTH, Spline

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
