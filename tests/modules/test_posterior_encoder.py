import torch

from hf_vits.modules.posterior_encoder import PosteriorEncoder
from hf_vits.modules.sampling import prior_noise


def test_latents_are_mean_plus_noise_times_deviation_and_zero_at_padding(make_model):
    encoder = make_model().double().posterior_encoder
    mask = torch.ones(2, 1, 10).double()
    mask[1, :, 6:] = 0
    latents, mean, log_std = encoder(torch.rand(2, 9, 10).double(), mask, generator=torch.Generator().manual_seed(3))
    noise = prior_noise(mean, torch.tensor([10, 6]), torch.Generator().manual_seed(3))
    torch.testing.assert_close(latents, (mean + noise * log_std.exp()) * mask, rtol=0, atol=0)
    assert not latents[1, :, 6:].any() and not mean[1, :, 6:].any()


def test_it_sees_as_many_bands_as_its_input_has(make_config):
    for fields, bands in (({}, 9), ({"posterior_input": "linear"}, 9), ({"posterior_input": "mel"}, 4)):
        assert PosteriorEncoder(make_config(**fields)).conv_pre.in_channels == bands


def test_it_is_upstreams(make_model, make_upstream_model):
    model = make_model().double()
    spectrogram, mask = torch.rand(2, 9, 10).double(), torch.ones(2, 1, 10).double()
    _, mean, log_std = model.posterior_encoder(spectrogram, mask)
    _, their_mean, their_log_std = make_upstream_model(model).posterior_encoder(spectrogram, mask)
    torch.testing.assert_close(mean, their_mean, rtol=0, atol=1e-12)
    torch.testing.assert_close(log_std, their_log_std, rtol=0, atol=1e-12)


def test_the_context_is_the_reach_of_a_gradient(make_config):
    config = make_config(posterior_encoder_num_wavenet_layers=3, wavenet_dilation_rate=2)
    encoder = PosteriorEncoder(config)
    features = torch.randn(1, config.spectrogram_bins, 81, requires_grad=True)
    encoder(features, torch.ones(1, 1, 81))[1][..., 40].sum().backward()
    reached = features.grad.abs().sum(dim=1)[0].nonzero().flatten()
    assert 40 - int(reached.min()) == int(reached.max()) - 40 == encoder.context
