"""A decoder's configuration is named by its type, and recognized by the shapes of its weights."""

import pytest

from hf_vits import VitsConfig, VitsModel
from hf_vits.configuration_decoders import DECODERS, UPSTREAM_DECODER, decoder_config, fields_from_shapes
from hf_vits.utils.meta_device import skeleton

WIDTHS = {
    "vocos": "channels",
    **dict.fromkeys(("istft", "multiband_istft", "multistream_istft"), "upsample_initial_channel"),
}


def shapes_of(config):
    tensors = skeleton(VitsModel, config).decoder.state_dict()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


@pytest.mark.parametrize("kind", WIDTHS)
def test_a_decoder_is_recognized_by_its_tensors_with_the_fields_that_they_determine(make_config, kind):
    config = make_config(decoder={"type": kind, WIDTHS[kind]: 32})
    fields, missing = fields_from_shapes(shapes_of(config))
    assert missing == [] and fields["decoder"]["type"] == kind
    found = {name: value for name, value in fields["decoder"].items() if name != "type"}
    assert found[WIDTHS[kind]] == 32
    assert found == {name: getattr(config.decoder_config, name) for name in found}


def test_upstreams_decoder_is_recognized_without_strides_and_dilations(make_config):
    fields, missing = fields_from_shapes(shapes_of(make_config()))
    assert set(missing) == {"upsample_rates", "resblock_dilation_sizes"}
    assert (fields["upsample_initial_channel"], fields["upsample_kernel_sizes"]) == (16, [8, 4])


def test_tensors_of_no_decoder_are_recognized_by_none():
    assert fields_from_shapes({"project.weight": (4, 4)}) is None


@pytest.mark.parametrize("decoder", [{}, {"channels": 8}, {"type": UPSTREAM_DECODER}])
def test_a_decoder_without_a_type_of_its_own_is_an_error_that_lists_them(decoder):
    with pytest.raises(ValueError, match="vocos, istft, multiband_istft, multistream_istft"):
        VitsConfig(decoder=decoder)


def test_a_configuration_without_a_decoder_has_upstreams(make_config):
    config = make_config()
    assert type(decoder_config(config)) is DECODERS[UPSTREAM_DECODER].config_class
    assert decoder_config(config).hop_length == 8
