"""A model on the meta device has the tensors of one in memory, and nothing computes their values."""

import pytest
import torch
from tiny_voices import SMALLEST, enliven
from torch import nn
from torch.nn.utils import parametrizations
from torch.utils._python_dispatch import TorchDispatchMode

from hf_vits import VitsModel
from hf_vits.utils.meta_device import WithoutValues, meta_device, skeleton


def described(module):
    return {
        name: (tensor.shape, tensor.dtype, type(tensor)) for name, tensor in module.state_dict(keep_vars=True).items()
    }


@pytest.mark.parametrize("fields", [{}, {"use_stochastic_duration_prediction": False, "resblock_type": "2"}])
def test_its_tensors_are_described_as_those_in_memory_and_have_no_memory(make_config, fields):
    config = make_config(**SMALLEST, **fields)
    model = skeleton(VitsModel, config)
    assert described(model) == described(VitsModel(config))
    assert all(tensor.is_meta for tensor in model.state_dict().values())


class Operations(TorchDispatchMode):
    """Keeps the names of all operations."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.name())
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("layer", [nn.Conv1d(3, 4, 5), nn.ConvTranspose1d(4, 2, 4), nn.Conv2d(2, 3, (5, 1))])
def test_a_convolution_with_weight_norm_has_its_shapes_without_a_random_value_or_a_norm(layer):
    with Operations() as operations, meta_device():
        light = type(layer)(layer.in_channels, layer.out_channels, layer.kernel_size)
        nn.init.normal_(light.weight)
        parametrizations.weight_norm(light)
    assert described(light) == described(parametrizations.weight_norm(layer))
    assert operations.names and not [name for name in operations.names if "norm" in name or "uniform" in name]


def test_values_on_other_devices_and_after_it_are_computed_as_always(make_config):
    def value():
        torch.manual_seed(1)
        return VitsModel(make_config(**SMALLEST)).state_dict()

    before = value()
    with WithoutValues():
        inside = value()
    for values in (inside, value()):
        assert all(torch.equal(tensor, values[name]) for name, tensor in before.items())


def test_a_model_is_loaded_with_all_its_values(make_config, tmp_path):
    model = enliven(VitsModel(make_config(**SMALLEST)))
    model.save_pretrained(tmp_path)
    loaded = VitsModel.from_pretrained(tmp_path)
    assert described(loaded) == described(model)
    weights = loaded.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert all(torch.equal(*pair) for pair in zip(loaded.buffers(), model.buffers(), strict=True))
