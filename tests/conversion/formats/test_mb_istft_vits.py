"""`G_*.pth` of MB-iSTFT-VITS and of its descendant with VITS2's flow become voices that sound the same."""

import pytest
import torch
from original_files import (
    in_original_layout,
    original_config,
    original_name,
    tiny_model,
    with_weight_norm,
    write_original,
)

from hf_vits import VitsModel, convert

LATENTS = torch.randn(1, 12, 9, generator=torch.Generator().manual_seed(0))
ISTFT = {
    "istft_vits": {"type": "istft", "upsample_rates": [2, 2], "fft_size": 8},
    "mb_istft_vits": {"type": "multiband_istft", "upsample_rates": [2], "fft_size": 4},
    "ms_istft_vits": {"type": "multistream_istft", "upsample_rates": [2], "fft_size": 4},
}
VITS2 = {"flow": {"transformer": "pre_conv"}, "posterior_input": "mel", "num_mel_bins": 7}
BLOCKS = {"resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 2], [1, 3]], "resblock_type": "1"}


def istft_voice(folder, kind, is_vits2=False, **model_fields):
    """A run of MB-iSTFT-VITS: weight norm in all of the decoder, a buffer, and flags in config.json."""
    decoder = {**ISTFT[kind], **BLOCKS, "upsample_initial_channel": 12}
    decoder["upsample_kernel_sizes"] = [2 * rate + 2 for rate in decoder["upsample_rates"]]
    decoder["samples_per_frame"] = 1 if kind != "istft_vits" else 2
    model = tiny_model(decoder=decoder, use_stochastic_duration_prediction=False, **(VITS2 if is_vits2 else {}))
    tensors = with_weight_norm(in_original_layout(model), r"dec\..*")
    if kind == "ms_istft_vits":
        tensors["dec.updown_filter"] = torch.eye(4)[..., None] * torch.eye(4)[0]
    config = original_config(model)
    if is_vits2:
        config["data"] |= {"use_mel_posterior_encoder": True, "n_mel_channels": 7}
        config["model"] |= {"use_mel_posterior_encoder": True, "transformer_flow_type": "pre_conv"}
    fields = {name: value for name, value in decoder.items() if name in config["model"]}
    fields |= {name: name == kind for name in ISTFT} | {"subbands": kind != "istft_vits" and 4, "n_layers_q": 3}
    fields |= {"gen_istft_n_fft": decoder["fft_size"], "gen_istft_hop_size": decoder["samples_per_frame"]}
    config["model"] |= {"resblock": "1", **fields, **model_fields}
    return model, write_original(folder, model, tensors, config)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(("kind", "is_vits2"), [*((kind, False) for kind in ISTFT), ("mb_istft_vits", True)])
def test_a_checkpoint_is_known_by_content_and_comes_back(kind, is_vits2, tmp_path):
    model, file = istft_voice(tmp_path / "run", kind, is_vits2)
    contents = torch.load(file)["model"]
    assert "dec.conv_pre.weight_g" in contents and ("dec.multistream_conv_post.weight_v" in contents) == ("ms" in kind)

    converted = convert(file)
    assert converted.config.flow == model.config.flow
    converted.save(tmp_path / "voice")

    back = VitsModel.from_pretrained(tmp_path / "voice")
    assert back.config.decoder == {"type": ISTFT[kind]["type"], **model.config.decoder} and back.config.hop_length == 8
    weights = back.state_dict()
    for name, tensor in model.state_dict().items():
        expected = tensor
        original = original_name(name).removesuffix(".weight")
        if f"{original}.weight_g" in contents and not name.startswith("flow"):
            expected = torch._weight_norm(contents[f"{original}.weight_v"], contents[f"{original}.weight_g"], 0)
        assert torch.equal(weights[name], expected), name
    torch.testing.assert_close(*(one.decoder(LATENTS) for one in (back, model)), rtol=0, atol=1e-5)
    assert any("dec.updown_filter" in note for note in converted.notes) == (kind == "ms_istft_vits")


@pytest.mark.parametrize(
    ("field", "value"),
    [("subbands", 2), ("gen_istft_n_fft", 8), ("gen_istft_hop_size", 2), ("upsample_rates", [4]), ("resblock", "2")],
)
def test_a_configuration_that_contradicts_its_weights_is_refused(field, value, tmp_path):
    _, file = istft_voice(tmp_path, "mb_istft_vits", **{field: value})
    with pytest.raises(ValueError, match=f"{field}|hop_length"):
        convert(file)


def test_a_decoder_with_a_layer_that_is_missing_is_refused(tmp_path):
    _, file = istft_voice(tmp_path, "mb_istft_vits")
    contents = torch.load(file)
    del contents["model"]["dec.subband_conv_post.bias"]
    torch.save(contents, file)
    with pytest.raises(ValueError, match="subband_conv_post.bias"):
        convert(file)
