"""Fields of VITS2's parts are inferred from shapes, and refused where they have no effect."""

from types import SimpleNamespace

import pytest

from hf_vits.configuration_vits2 import PRE_TRANSFORMER, FlowConfig


@pytest.mark.parametrize(
    ("filters", "kernel", "layers", "expected"),
    [
        (96, 3, 2, {}),
        (50, 5, 3, {"transformer_layers": 3, "transformer_ffn_dim": 50, "transformer_kernel_size": 5}),
    ],
)
def test_fields_that_differ_from_the_usual_are_read_from_shapes(filters, kernel, layers, expected):
    shapes = {f"{PRE_TRANSFORMER}.0.feed_forward.conv_1.weight": (filters, 96, kernel)}
    assert FlowConfig.from_shapes(shapes, layers, 192) == {"transformer": "pre_conv", **expected}
    assert FlowConfig.from_shapes({}, layers, 192) is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"transformer_layers": 3}, "no effect without `transformer`"),
        ({"transformer": "other"}, "`transformer` 'other'; it must be 'pre_conv'"),
        ({"transformer": "pre_conv", "transformer_heads": 5}, "must divide half of `flow_size`, 96"),
        ({"transformer": "pre_conv", "transformer_dropout": 2.0}, "between 0 and 1"),
    ],
)
def test_an_impossible_field_is_an_error(fields, message):
    with pytest.raises(ValueError, match=message):
        FlowConfig(**fields).check(SimpleNamespace(flow=fields, flow_size=192))
