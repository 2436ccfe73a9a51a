"""A configuration that asks for more than any voice has is refused at once, and those of all known voices are not."""

import json
import time

import pytest
import torch
from tiny_voices import SPEAKERS, TINY

from hf_vits import VitsConfig, VitsModel
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.utils.model_size import MOST_PARAMETERS, count_layers, count_parameters

ENDLESS = {
    "num_hidden_layers": 1_000_000,
    "prior_encoder_num_flows": 1_000_000,
    "prior_encoder_num_wavenet_layers": 1_000_000,
    "posterior_encoder_num_wavenet_layers": 10_000,
    "duration_predictor_num_flows": 100_000,
    "depth_separable_num_layers": 100_000,
    "upsample_rates": [1] * 100_000,
    "resblock_kernel_sizes": [3] * 100_000,
    "resblock_dilation_sizes": [[1] * 100_000] * 2,
    "hidden_size": 2**20,
    "ffn_dim": 2**24,
    "vocab_size": 10**30,
    "num_speakers": 2**39,
    "window_size": 2**40,
    "spectrogram_bins": 2**30 + 1,
    "sampling_rate": 10**400,
    "wavenet_dilation_rate": 2**20,
    "wavenet_kernel_size": 2**24 + 1,
    "duration_predictor_kernel_size": 999_999,
    "speaker_embedding_size": 2**31,
    "pad_token_id": 10**20,
}


@pytest.mark.parametrize("field", ENDLESS)
def test_a_file_that_asks_for_a_model_without_an_end_is_refused_at_once_and_named(field, tmp_path):
    fields = {**TINY, field: ENDLESS[field]}
    if field == "upsample_rates":
        fields["upsample_kernel_sizes"] = [1] * 100_000
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vits", **fields}))
    start = time.process_time()
    with pytest.raises(ValueError, match=r"config\.json") as raised:
        VitsModel.from_pretrained(tmp_path)
    assert time.process_time() - start < 2 and len(str(raised.value)) < 1000


def test_large_numbers_that_multiply_are_refused(tmp_path):
    grown = {"upsample_rates": [256, 256, 8], "upsample_kernel_sizes": [256, 256, 8]}
    with pytest.raises(ValueError, match="samples per frame"):
        VitsConfig(**grown)
    with pytest.raises(ValueError, match=r"asks for 1.*e\+09 weights"):
        VitsConfig(vocab_size=10_000_000)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        TINY,
        {**TINY, **SPEAKERS},
        {"use_stochastic_duration_prediction": False, "num_speakers": 109, "speaker_embedding_size": 256},
        {"posterior_input": "mel", "inference_only": True, "window_size": 0},
        {"resblock_type": "2", "upsample_initial_channel": 256, "hidden_size": 96, "ffn_dim": 768},
    ],
    ids=str,
)
def test_the_count_of_weights_is_near_that_of_the_model(fields):
    config = VitsConfig(**fields)
    with torch.device("meta"):
        model = VitsModel(config)
    weights = sum(parameter.numel() for parameter in model.parameters())
    assert 0.6 * weights < count_parameters(config) < 2.5 * weights  # type 2 and what a file lacks are counted too
    layers = sum("Conv" in type(module).__name__ for module in model.modules())
    assert 0.5 * layers < count_layers(config) < 2.5 * layers
    assert count_parameters(VitsConfig()) < MOST_PARAMETERS / 10


@pytest.mark.parametrize(
    "fields",
    [
        {"periods": [2] * 100_000},
        {"scales": 10_000},
        {"period_channels": [32] * 5000},
        {"period_channels": [2**20, 2**20]},
        {"scale_channels": [2**16] * 6},
        {"period_kernel_size": 10**30 + 1},
        {"period_kernel_size": 0},
        {"period_stride": -1},
        {"periods": [2.5]},
        {"scales": True},
    ],
    ids=lambda fields: str(fields)[:40],
)
def test_discriminators_without_an_end_are_refused_at_once(fields, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "hf_vits_discriminator", **fields}))
    start = time.process_time()
    with pytest.raises(ValueError, match=r"config\.json"):
        VitsDiscriminator.from_pretrained(tmp_path)
    assert time.process_time() - start < 2


def test_discriminators_of_the_paper_are_not():
    VitsDiscriminatorConfig(scales=3, periods=[2, 3, 5, 7, 11, 17, 23, 37])
