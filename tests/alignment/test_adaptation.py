import torch

from hf_vits.alignment.adaptation import Adaptation


def test_a_linear_map_and_the_covariance_of_errors_are_found():
    """Latents made by a known map with known errors: after adaptation the errors are white, as computed directly."""
    draw = torch.Generator().manual_seed(0)
    means = torch.randn(6, 60_000, generator=draw)
    linear, mixing = (torch.eye(6) + 0.3 * torch.randn(6, 6, generator=draw) for _ in range(2))
    latents = linear @ means + 2 + mixing @ torch.randn(6, 60_000, generator=draw)
    found = Adaptation.fit(latents, means)
    mapped, log_std = found.of_prior(means)
    errors = found.of_latents(latents) - mapped
    assert torch.equal(log_std, torch.zeros_like(means))
    assert torch.allclose(errors @ errors.T / 60_000, torch.eye(6), atol=0.1)
    assert torch.allclose(torch.linalg.solve(found.latents, found.means), linear, atol=0.05)
    assert torch.allclose(torch.linalg.solve(found.latents, found.bias), torch.full((6, 1), 2.0), atol=0.05)


def test_few_frames_change_little():
    """Errors of a few frames would have a singular covariance."""
    means = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    found = Adaptation.fit(means + 0.1, means)
    assert all(torch.isfinite(tensor).all() for tensor in vars(found).values())
    assert torch.allclose(torch.linalg.solve(found.latents, found.means), torch.eye(8), atol=0.1)
