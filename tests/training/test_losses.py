import numpy as np
import pytest
import torch
from scipy.signal import get_window
from torch.distributions import Normal

from hf_vits.training import losses
from hf_vits.training.training_arguments import VitsTrainingArguments


def test_kl_is_the_log_ratio_of_the_densities_with_the_expected_square_of_the_posterior():
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


def test_padding_changes_no_masked_loss():
    values = [torch.randn(1, 3, 6) for _ in range(4)]
    mask = torch.tensor([[[1.0, 1, 1, 1, 0, 0]]])
    short = losses.kl_loss(*(v[..., :4] for v in values), mask[..., :4])
    torch.testing.assert_close(losses.kl_loss(*values, mask), short)
    logs, durations = torch.randn(1, 1, 6), torch.randint(1, 5, (1, 6))
    short = losses.deterministic_duration_loss(logs[..., :4], durations[:, :4], mask[..., :4])
    torch.testing.assert_close(losses.deterministic_duration_loss(logs, durations, mask), short)


def test_the_deterministic_duration_loss_is_the_squared_error_of_log_durations():
    durations, mask = torch.tensor([[1, 3, 7]]), torch.ones(1, 1, 3)
    exact = durations.float().log().unsqueeze(1)
    assert losses.deterministic_duration_loss(exact, durations, mask) < 1e-10
    assert losses.deterministic_duration_loss(exact + 2, durations, mask).item() == pytest.approx(4, rel=1e-4)


def test_the_likelihood_of_latents_is_that_of_normals_at_frames_of_weight_1():
    noise = torch.Generator().manual_seed(0)
    values, mean, log_std = (torch.randn(2, 3, 5, generator=noise) for _ in range(3))
    weight = torch.tensor([[[1.0, 1, 0, 0, 1]], [[0, 1, 1, 1, 0]]])
    expected = -Normal(mean, log_std.exp()).log_prob(values)[weight.expand(2, 3, 5) > 0].mean()
    torch.testing.assert_close(losses.negative_log_likelihood(values, mean, log_std, weight), expected)


def test_pitch_and_voicing_are_compared_at_frames_and_weighed_by_them():
    octaves, target = torch.tensor([[0.5, 9.0, 1.0], [1.0, 9.0, 9.0]]), torch.tensor([[0.0, 0, 1.5], [3.0, 0, 0]])
    voiced, mask = torch.tensor([[1.0, 0, 1], [1, 0, 0]]), torch.tensor([[1.0, 1, 1], [1, 0, 0]])
    assert losses.pitch_loss(octaves, target, voiced, mask).item() == pytest.approx((0.5 + 0.5 + 2) / 4)
    logits = torch.tensor([[2.0, -1, 0], [1, 7, 7]])
    chances = [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1)), 0.5, 1 / (1 + np.exp(-1))]
    expected = -np.log(chances).mean()
    assert losses.voicing_loss(logits, voiced, mask).item() == pytest.approx(expected)
    assert losses.pitch_loss(octaves, target, 0 * voiced, mask) == 0
    for loss, given in ((losses.pitch_loss, (octaves, target)), (losses.voicing_loss, (logits,))):
        parts = [loss(*(v[i : i + 1] for v in (*given, voiced, mask))) * mask[i].sum() / mask.sum() for i in (0, 1)]
        torch.testing.assert_close(sum(parts), loss(*given, voiced, mask))


def test_adversarial_losses_equal_their_closed_form():
    real, fake = (
        [torch.tensor([[0.5, 1.0]]), torch.tensor([[2.0]])],
        [torch.tensor([[0.5, -1.0]]), torch.tensor([[0.0]])],
    )
    assert losses.discriminator_loss(real, fake).item() == pytest.approx(0.125 + 1 + 0.625 + 0)
    assert losses.adversarial_loss(fake).item() == pytest.approx((0.25 + 4) / 2 + 1)
    assert losses.feature_loss([[real[0]], [real[1]]], [[fake[0]], [fake[1]]]).item() == pytest.approx(2 * (1 + 2))


def test_features_of_the_recording_get_no_gradient():
    real, fake = torch.randn(1, 4, requires_grad=True), torch.randn(1, 4, requires_grad=True)
    losses.feature_loss([[real]], [[fake]]).backward()
    assert real.grad is None and fake.grad.abs().sum() > 0


def spectra(signal, fft_size, hop, window_size):
    """signal (T,) -> magnitudes by NumPy: frames about every hop, mirrored ends, a window in the middle of a frame."""
    padded = np.pad(signal, fft_size // 2, mode="reflect")
    window, left = np.zeros(fft_size), (fft_size - window_size) // 2
    window[left : left + window_size] = get_window("hann", window_size)
    frames = [padded[start : start + fft_size] * window for start in range(0, len(padded) - fft_size + 1, hop)]
    return np.sqrt(np.maximum(np.abs(np.fft.rfft(frames)) ** 2, 1e-7))


def test_the_sub_band_loss_is_that_of_its_equations_at_the_published_resolutions():
    real, fake = np.random.default_rng(0).standard_normal((2, 2, 4, 500))
    real[0, 1] = 0  # its magnitudes are the floor
    expected = 0
    for settings in ((384, 30, 150), (683, 60, 300), (171, 10, 60)):
        y, x = (np.array([spectra(band, *settings) for band in bands.reshape(8, -1)]) for bands in (real, fake))
        expected += (np.linalg.norm(y - x) / np.linalg.norm(y) + np.abs(np.log(y) - np.log(x)).mean()) / 3
    real, fake = torch.from_numpy(real), torch.from_numpy(fake)
    assert losses.subband_stft_loss(real, fake).item() == pytest.approx(expected, rel=1e-4)
    assert losses.subband_stft_loss(real, real).item() == 0
    assert losses.subband_stft_loss(real.bfloat16(), fake.bfloat16()).dtype == torch.float32


def test_the_sub_band_loss_of_a_short_segment_is_finite_and_has_a_gradient_at_silence():
    real, fake = torch.randn(1, 4, 16), torch.zeros(1, 4, 16, requires_grad=True)
    losses.subband_stft_loss(real, fake).backward()
    assert fake.grad.isfinite().all()


def test_a_loss_on_request_is_computed_for_decoders_that_name_it():
    assert "subband_stft" not in losses.names_of_losses(())
    assert losses.names_of_losses(["subband_stft"])[:3] == losses.names_of_losses(())[:3]
    assert "subband_stft" in losses.names_of_losses(["subband_stft"])


def test_losses_of_half_precision_inputs_are_float32():
    wide = torch.full((1, 80, 50), 300.0, dtype=torch.float16)
    assert losses.mel_loss(wide, -wide).item() == 600.0
    assert losses.adversarial_loss([torch.full((1, 4), 400.0, dtype=torch.float16)]).dtype == torch.float32


def test_the_weights_of_the_settings_are_those_of_the_registered_losses_unless_set():
    assert VitsTrainingArguments().weights == losses.default_weights()
    changed = VitsTrainingArguments(loss_weights={"mel": 3.0, "kl": 2.0})
    assert changed.weights == {**losses.default_weights(), "mel": 3.0, "kl": 2.0}


@pytest.mark.parametrize(
    "given, message",
    [
        ({"loudnes": 1}, r"no loss 'loudnes'.*Registered: adversarial, feature_matching, mel, kl, duration"),
        ({"mel": float("nan")}, "`loss_weights` has 'mel' with nan; a weight is a finite number from 0 up"),
        ({"kl": "2"}, "`loss_weights` has 'kl' with '2'"),
    ],
)
def test_a_weight_that_is_none_and_one_of_an_unknown_loss_are_errors_that_say_what_there_is(given, message):
    with pytest.raises(ValueError, match=message):
        VitsTrainingArguments(loss_weights=given)
