import pytest
import torch
from torch.distributions import Normal

from hf_vits.training import losses


def test_kl_is_the_log_ratio_of_the_densities_with_the_posteriors_square_in_expectation():
    noise = torch.Generator().manual_seed(0)
    latents, mean, log_std, posterior = (torch.randn(2, 3, 5, generator=noise).double() for _ in range(4))
    mask = torch.ones(2, 1, 5)
    prior = -Normal(mean, log_std.exp()).log_prob(latents)
    entropy = Normal(torch.zeros(()).double(), posterior.exp()).entropy()
    expected = (prior - entropy).sum() / 10
    torch.testing.assert_close(
        losses.kl_loss(latents, posterior, mean, log_std, mask).double(), expected, rtol=1e-5, atol=0
    )


def test_kl_averages_to_the_closed_form_between_two_normals():
    noise = torch.Generator().manual_seed(0)
    size = 400_000
    mean, log_std, prior_mean, prior_log_std = 0.3, -0.4, -0.2, 0.5
    latents = mean + torch.randn(1, 1, size, generator=noise) * torch.tensor(log_std).exp()
    fields = (torch.full((1, 1, size), value) for value in (log_std, prior_mean, prior_log_std))
    expected = torch.distributions.kl_divergence(
        Normal(torch.tensor(mean), torch.tensor(log_std).exp()),
        Normal(torch.tensor(prior_mean), torch.tensor(prior_log_std).exp()),
    )
    torch.testing.assert_close(losses.kl_loss(latents, *fields, torch.ones(1, 1, size)), expected, rtol=0, atol=2e-3)


def test_padding_adds_nothing_to_any_masked_term():
    values = [torch.randn(1, 3, 6) for _ in range(4)]
    mask = torch.tensor([[[1.0, 1, 1, 1, 0, 0]]])
    short = losses.kl_loss(*(v[..., :4] for v in values), mask[..., :4])
    torch.testing.assert_close(losses.kl_loss(*values, mask), short)
    logs, durations = torch.randn(1, 1, 6), torch.randint(1, 5, (1, 6))
    short = losses.plain_duration_loss(logs[..., :4], durations[:, :4], mask[..., :4])
    torch.testing.assert_close(losses.plain_duration_loss(logs, durations, mask), short)


def test_exact_log_durations_cost_nothing_and_others_their_square():
    durations, mask = torch.tensor([[1, 3, 7]]), torch.ones(1, 1, 3)
    exact = durations.float().log().unsqueeze(1)
    assert losses.plain_duration_loss(exact, durations, mask) < 1e-10
    assert losses.plain_duration_loss(exact + 2, durations, mask).item() == pytest.approx(4, rel=1e-4)


def test_least_squares_in_closed_form():
    real, fake = (
        [torch.tensor([[0.5, 1.0]]), torch.tensor([[2.0]])],
        [torch.tensor([[0.5, -1.0]]), torch.tensor([[0.0]])],
    )
    assert losses.discriminator_loss(real, fake).item() == pytest.approx(0.125 + 1 + 0.625 + 0)
    assert losses.adversarial_loss(fake).item() == pytest.approx((0.25 + 4) / 2 + 1)
    assert losses.feature_loss([[real[0]], [real[1]]], [[fake[0]], [fake[1]]]).item() == pytest.approx(2 * (1 + 2))


def test_features_of_the_real_are_targets_only():
    real, fake = torch.randn(1, 4, requires_grad=True), torch.randn(1, 4, requires_grad=True)
    losses.feature_loss([[real]], [[fake]]).backward()
    assert real.grad is None and fake.grad.abs().sum() > 0


def test_half_precision_terms_are_counted_in_float():
    wide = torch.full((1, 80, 50), 300.0, dtype=torch.float16)
    assert losses.mel_loss(wide, -wide).item() == 600.0
    assert losses.adversarial_loss([torch.full((1, 4), 400.0, dtype=torch.float16)]).dtype == torch.float32
