import pytest
import torch
from original_files import ONE_DIFFERENCE, in_original_layout, tiny_model

from hf_vits.conversion.converted import Converted
from hf_vits.conversion.vits_keys import original_name, rename_tensors
from hf_vits.modules.weight_norm import NEW_G, NEW_V, OLD_G, OLD_V


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("overrides", ONE_DIFFERENCE.values(), ids=ONE_DIFFERENCE)
def test_every_tensor_comes_back_under_its_own_name(overrides):
    model = tiny_model(**overrides)

    state_dict, notes = rename_tensors(in_original_layout(model))

    converted = Converted(model.config, state_dict)
    assert notes == ()
    assert converted.state_dict.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(converted.state_dict[name], tensor), name


def test_a_tensor_of_no_known_part_is_an_error_that_names_it():
    tensors = in_original_layout(tiny_model())

    with pytest.raises(ValueError, match="emb_l.weight"):
        rename_tensors(tensors | {"emb_l.weight": torch.zeros(2, 4)})


@pytest.mark.parametrize("overrides", ONE_DIFFERENCE.values(), ids=ONE_DIFFERENCE)
def test_names_come_back_by_the_rules_that_read_the_originals_files(overrides):
    names = [name.replace(NEW_G, OLD_G).replace(NEW_V, OLD_V) for name in tiny_model(**overrides).state_dict()]
    originals = {original_name(name): torch.zeros(1) for name in names}
    assert list(rename_tensors(originals)[0]) == names


@pytest.mark.parametrize(
    ("ours", "original"),
    [  # as they are in the original repository's checkpoints
        ("text_encoder.encoder.layers.5.final_layer_norm.bias", "enc_p.encoder.norm_layers_2.5.beta"),
        ("text_encoder.encoder.layers.0.attention.emb_rel_v", "enc_p.encoder.attn_layers.0.emb_rel_v"),
        ("flow.flows.3.wavenet.in_layers.2.weight_v", "flow.flows.6.enc.in_layers.2.weight_v"),
        ("duration_predictor.flows.4.conv_dds.convs_dilated.0.weight", "dp.flows.7.convs.convs_sep.0.weight"),
        ("duration_predictor.post_conv_dds.norms_1.2.weight", "dp.post_convs.norms_1.2.gamma"),
        ("duration_predictor.norm_1.weight", "dp.norm_1.gamma"),
        ("duration_predictor.proj.bias", "dp.proj.bias"),
        ("decoder.resblocks.11.convs2.1.bias", "dec.resblocks.11.convs2.1.bias"),
        ("posterior_encoder.wavenet.cond_layer.weight_g", "enc_q.enc.cond_layer.weight_g"),
    ],
)
def test_names_are_those_of_the_original_repository(ours, original):
    assert original_name(ours) == original
