"""What every reader's voice must pass before it is one: weights that speak, in one precision."""

import pytest
import torch
from original_files import in_original_layout, tiny_model, with_weight_norm, write_original

from hf_vits import convert
from hf_vits.conversion.converted import Converted
from hf_vits.modules.weight_norm import has_zero_filter

NORMED = {"folded here": "dec.ups.0.weight_v", "kept here": "flow.flows.0.enc.in_layers.0.weight_v"}


@pytest.mark.parametrize("name", NORMED.values(), ids=NORMED)
def test_weight_norm_without_a_direction_is_refused_and_not_read_as_nan(name, tmp_path):
    tensors = with_weight_norm(in_original_layout(tiny_model()))
    tensors[name] = tensors[name].clone()
    tensors[name][1] = 0
    file = write_original(tmp_path, tiny_model(), tensors)

    with pytest.raises(ValueError, match=r"in_layers.0|ups.0|upsampler.0") as error:
        convert(file)

    assert "no weights but zeros" in str(error.value)


@pytest.mark.parametrize("smallest", [0.0, 1e-30, 1e-10, 1.0])
def test_a_filter_counts_as_zeros_if_weight_norm_makes_nan_of_it(smallest):
    v = torch.randn(3, 4, 5)
    v[2] = smallest
    folded = torch._weight_norm(v, torch.ones(3, 1, 1), 0)

    assert has_zero_filter(v) == (not folded.isfinite().all())


def test_half_precision_is_made_single_before_weight_norm_is_folded():
    model = tiny_model()
    norm = ".parametrizations.weight.original"
    halves = {}
    for name, tensor in model.state_dict().items():
        if name == "decoder.upsampler.0.weight":
            g, v = torch.linalg.vector_norm(tensor, dim=(1, 2), keepdim=True).half(), (3 * tensor).half()
            halves[f"decoder.upsampler.0{norm}0"], halves[f"decoder.upsampler.0{norm}1"] = g, v
        else:
            halves[name] = tensor
    v, g = v.double(), g.double()

    converted = Converted(model.config, halves)

    expected = g * v / torch.linalg.vector_norm(v, dim=(1, 2), keepdim=True)
    torch.testing.assert_close(
        converted.state_dict["decoder.upsampler.0.weight"], expected.float(), rtol=1e-6, atol=1e-7
    )
    assert "Stored as float32: weights of the type float16." in converted.notes
