import re

import pytest
import torch
from original_files import ONE_DIFFERENCE, in_original_layout, tiny_model

from hf_vits.configuration_vits import VitsConfig
from hf_vits.conversion.converted import Converted
from hf_vits.conversion.shape_inference import infer_config
from hf_vits.conversion.vits_keys import rename_tensors
from hf_vits.modeling_vits import VitsModel


def inferred(model: VitsModel, tensors=None) -> VitsConfig:
    config = model.config
    renamed, _ = rename_tensors(in_original_layout(model) if tensors is None else tensors)
    return infer_config(
        {name: tensor.shape for name, tensor in renamed.items()},
        upsample_rates=config.upsample_rates,
        resblock_dilation_sizes=config.resblock_dilation_sizes,
    )


@pytest.mark.parametrize("overrides", ONE_DIFFERENCE.values(), ids=ONE_DIFFERENCE)
def test_the_architecture_is_read_from_the_shapes(overrides):
    model = tiny_model(**overrides)

    config = inferred(model)

    unused = {"duration_predictor_filter_channels"}  # by the stochastic predictor
    if model.config.inference_only:
        unused |= {"spectrogram_bins", "posterior_encoder_num_wavenet_layers"}
    if not model.config.use_stochastic_duration_prediction:
        unused = unused - {"duration_predictor_filter_channels"}
    expected = {name: value for name, value in model.config.to_dict().items() if name not in unused}
    expected["layerdrop"] = 0.0  # a name of transformers for what the original does not do
    assert {name: value for name, value in config.to_dict().items() if name not in unused} == expected


def test_a_decoder_in_weight_format_gives_the_same_sound():
    model = tiny_model()
    tensors = in_original_layout(model)
    for name in [
        name for name in tensors if name.startswith("dec.") and name.endswith("weight") and "_post" not in name
    ]:
        weight = tensors.pop(name)
        tensors[name + "_g"] = 2 * torch.linalg.vector_norm(weight, dim=(1, 2), keepdim=True)
        tensors[name + "_v"] = 3 * weight

    converted = Converted(inferred(model, tensors), rename_tensors(tensors)[0])

    for name in ("decoder.conv_pre.weight", "decoder.upsampler.0.weight", "decoder.resblocks.0.convs1.0.weight"):
        torch.testing.assert_close(converted.state_dict[name], 2 * model.state_dict()[name])


@pytest.mark.parametrize("name", ["enc_p.emb.weight", "dec.conv_pre.weight", "flow.flows.0.enc.in_layers.0.weight_v"])
def test_a_generator_that_lacks_a_part_is_refused_by_its_name(name):
    model = tiny_model()
    tensors = in_original_layout(model)
    del tensors[name]

    with pytest.raises(ValueError, match=re.escape(re.sub("_v$", "", name))):
        inferred(model, tensors)


def test_residual_blocks_that_do_not_share_out_among_the_stages_are_refused():
    model = tiny_model()
    tensors = {name: t for name, t in in_original_layout(model).items() if not name.startswith("dec.resblocks.3.")}

    with pytest.raises(ValueError, match="2 upsamplings and 3 residual blocks"):
        inferred(model, tensors)


def test_what_a_format_knows_wins_over_the_shapes():
    model = tiny_model(window_size=None)
    config = infer_config(
        {name: tensor.shape for name, tensor in rename_tensors(in_original_layout(model))[0].items()},
        upsample_rates=[4, 2],
        resblock_dilation_sizes=[[1, 3], [1, 2]],
        num_attention_heads=4,
        sampling_rate=22_050,
    )

    assert (config.num_attention_heads, config.sampling_rate) == (4, 22_050)
