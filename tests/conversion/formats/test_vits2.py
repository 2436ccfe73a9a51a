"""VITS2's `G_*.pth` of the flow `pre_conv` becomes a voice with bitwise its weights, and its sound by the paper."""

import json

import pytest
import torch
from original_files import in_original_layout, original_config, tiny_model, write_original
from vits2_statement import inverse_flow, prior

from hf_vits import VitsModel, convert
from hf_vits.configuration_vits2 import FlowConfig
from hf_vits.doctor import examine

VITS2 = {
    "num_speakers": 3,
    "speaker_embedding_size": 6,
    "text_encoder": {"speaker_layer": 2},
    "flow": {"transformer": "pre_conv"},
    "num_hidden_layers": 3,
    "posterior_input": "mel",
    "num_mel_bins": 7,
    "use_stochastic_duration_prediction": False,
}


def vits2_layout(model):
    """Tensors as VITS2's training stores them: a linear layer for the speaker, and transformers that never run."""
    tensors = in_original_layout(model)
    size, count = model.config.hidden_size, model.config.prior_encoder_num_flows
    for number in range(0, 2 * count, 2):
        for part in ("attn_layers.0.conv_q", "ffn_layers.0.conv_1"):
            tensors[f"flow.flows.{number}.post_transformer.{part}.weight"] = torch.randn(size, size, 1)
    if "enc_p.encoder.spk_emb_linear.weight" in tensors:
        tensors["enc_p.encoder.spk_emb_linear.weight"] = tensors["enc_p.encoder.spk_emb_linear.weight"].squeeze(-1)
    return tensors


def vits2_config(model, **data):
    config = original_config(model, n_mel_channels=7, add_blank=False, use_mel_posterior_encoder=True, **data)
    config["model"] |= {
        "use_mel_posterior_encoder": True,
        "use_transformer_flows": True,
        "transformer_flow_type": "pre_conv",
        "use_spk_conditioned_encoder": True,
        "use_noise_scaled_mas": True,
        "use_sdp": False,
    }
    return config


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A model, the tensors of its VITS2 checkpoint, the notes of its conversion, and the folder that it became."""
    model, folder = tiny_model(**VITS2), tmp_path_factory.mktemp("vits2")
    tensors = vits2_layout(model)
    found = convert(write_original(folder / "run", model, tensors, vits2_config(model)))
    found.save(folder / "voice")
    return model, tensors, found.notes, folder / "voice"


def test_a_voice_comes_back_with_equal_tensors(converted, tmp_path):
    model, tensors, notes, folder = converted
    assert tensors["enc_p.encoder.spk_emb_linear.weight"].shape == (12, 6)
    assert any("post_transformer" in note and "never runs" in note for note in notes)

    back = VitsModel.from_pretrained(folder)
    weights, expected = back.state_dict(), model.state_dict()
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(weights[name], tensor), name
    for name in ("flow", "text_encoder", "posterior_input", "spectrogram_bins", "num_mel_bins"):
        assert getattr(back.config, name) == getattr(model.config, name), name
    assert json.loads((folder / "config.json").read_text())["model_type"] == "hf_vits"
    assert examine(folder).exit_code() == 0
    back.save_pretrained(tmp_path)
    reloaded = VitsModel.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(reloaded[name], tensor) for name, tensor in back.state_dict().items())


@torch.no_grad()
def test_it_speaks_what_the_paper_says(converted):
    """Text encoder with the speaker at the third layer, durations given, inverse flow with transformers."""
    _, tensors, _, folder = converted
    voice = VitsModel.from_pretrained(folder).double()
    ids, durations = torch.tensor([4, 7, 1, 12, 3, 3, 9]), torch.tensor([2, 1, 4, 3, 1, 2, 5])
    tensors = {name: tensor.double() for name, tensor in tensors.items()}
    speaker = tensors["emb_g.weight"][1]

    mean, _ = prior(tensors, ids, speaker)
    expected = inverse_flow(tensors, mean.repeat_interleave(durations, dim=1), speaker)

    given = {"speaker": voice.speaker_vector(1, 1), "durations": durations[None]}
    latents = voice.latents(ids[None], **given, noise_scale=0.0).latents[0]
    assert (expected - mean.repeat_interleave(durations, dim=1)).abs().max() > 1e-2
    torch.testing.assert_close(latents, expected, rtol=0, atol=1e-10)


def test_fields_that_the_shapes_show_are_read_and_the_usual_ones_left_out():
    for fields in ({}, {"transformer_layers": 1}, {"transformer_ffn_dim": 10}, {"transformer_kernel_size": 5}):
        model = tiny_model(flow={"transformer": "pre_conv", **fields})
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        layers = model.config.flow_config.transformer_layers
        assert FlowConfig.from_shapes(shapes, layers, 12) == {"transformer": "pre_conv", **fields}
