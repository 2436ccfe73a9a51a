"""Sizes of a voice that is small enough to test with, and values that make every layer leave its mark."""

import torch

TINY = {
    "vocab_size": 20,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "ffn_dim": 24,
    "flow_size": 8,
    "spectrogram_bins": 9,
    "upsample_initial_channel": 16,
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 2]],
    "duration_predictor_filter_channels": 12,
    "duration_predictor_num_flows": 3,
    "posterior_encoder_num_wavenet_layers": 2,
    "prior_encoder_num_wavenet_layers": 2,
    "prior_encoder_num_flows": 3,
    "num_mel_bins": 4,
}
SPEAKERS = {"num_speakers": 3, "speaker_embedding_size": 6, "speaker_names": ["ada", "bea", "cem"]}


def enliven(model, seed=0):
    """Gives every parameter a random value of sensible size; a fresh VITS has zeros that would hide mistakes."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = torch.randn(parameter.shape, generator=noise, dtype=torch.float64)
            if name.endswith("original0") or "norm" in name.split(".")[-2] and name.endswith("weight"):
                values = 1 + 0.1 * values
            elif parameter.dim() >= 2 and "log_scale" not in name and "translate" not in name:
                values = values * parameter[0].numel() ** -0.5
            else:
                values = 0.1 * values
            parameter.copy_(values)
    return model.eval()


SMALLEST = {
    "num_hidden_layers": 1,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1]],
    "prior_encoder_num_flows": 1,
    "prior_encoder_num_wavenet_layers": 1,
    "posterior_encoder_num_wavenet_layers": 1,
    "duration_predictor_num_flows": 2,
    "depth_separable_num_layers": 1,
}
"""Fields of the smallest configuration that has every part, for files that are damaged many times."""
