import copy
import pickle
import weakref

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.nn import functional as F

from hf_vits.kernels import conv1d, fft_conv, winograd
from hf_vits.modules.convolution import Conv, Upsample
from hf_vits.modules.weight_norm import add_weight_norm

LENGTH = 800

NOTHING_PREPARED = "depthwise", "one", "upsampling, kernel no multiple of the rate"
"""Kinds of layers that use their weights as they are."""


@pytest.fixture
def narrow_layers_in_fast_forms(monkeypatch):
    monkeypatch.setattr(fft_conv, "FEWEST_CHANNELS", ((7, 1),))
    monkeypatch.setattr(winograd, "FEWEST_CHANNELS", {3: 6, 5: 1})


def kinds():
    return {
        "direct": Conv(6, 4, 3, 2),
        "without bias": Conv(6, 4, 3, bias=False),
        "frequency": Conv(6, 4, 7, 3),
        "filtered, three taps": Conv(6, 8, 3),
        "filtered, five taps": Conv(6, 4, 5, 3, bias=False),
        "depthwise": Conv(6, 6, 3, 3, groups=6),
        "depthwise without bias": Conv(6, 6, 5, groups=6, bias=False),
        "groups": Conv(6, 6, 3, groups=3),
        "one channel out": Conv(6, 1, 3, 2),
        "one channel out without bias": Conv(6, 1, 3, bias=False),
        "one tap": Conv(6, 4, 1),
        "even": Conv(6, 4, 4),
        "upsampling": Upsample(6, 4, 8, 4),
        "upsampling by three phases": Upsample(6, 4, 9, 3),
        "upsampling, kernel no multiple of the rate": Upsample(6, 4, 10, 4),
    }


def plain(layer, signal):
    """signal (B, C, T) -> the same by PyTorch's convolution."""
    if isinstance(layer, Upsample):
        return F.conv_transpose1d(signal, layer.weight, layer.bias, layer.stride, layer.padding)
    return F.conv1d(signal, layer.weight, layer.bias, 1, layer.padding, layer.dilation, layer.groups)


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
def test_prepared_weights_give_the_plain_convolution(kind, batch):
    layer = kinds()[kind].double().eval()
    signal = torch.randn(batch, 6, LENGTH, dtype=torch.float64)
    with torch.no_grad():
        output = layer(signal)
    assert kind == "even" or output.shape[-1] == LENGTH * getattr(layer, "stride", (1,))[0]
    torch.testing.assert_close(output, plain(layer, signal), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
def test_prepared_weights_follow_the_weights(kind):
    layer = kinds()[kind].double().eval()
    signal = torch.randn(1, 6, LENGTH, dtype=torch.float64)
    with torch.no_grad():
        layer(signal)
        layer.weight.mul_(2)
        torch.testing.assert_close(layer(signal), plain(layer, signal), rtol=0, atol=1e-12)
        layer.weight.data.mul_(0.5)  # which PyTorch does not count
        torch.testing.assert_close(layer.eval()(signal), plain(layer, signal), rtol=0, atol=1e-12)
        layer.weight = torch.nn.Parameter(layer.weight + 1)
        torch.testing.assert_close(layer(signal), plain(layer, signal), rtol=0, atol=1e-12)
        layer.load_state_dict({name: 3 * tensor for name, tensor in layer.state_dict().items()})
        torch.testing.assert_close(layer(signal), plain(layer, signal), rtol=0, atol=1e-12)
        output = layer.float()(signal.float())
        torch.testing.assert_close(output, plain(layer, signal.float()), rtol=0, atol=1e-3)
        assert output.dtype == torch.float32


def test_memory_of_prepared_weights_is_not_given_to_others_at_the_same_address():
    layer, signal = Conv(6, 4, 3).eval(), torch.ones(1, 6, 50)

    def swap(scale):
        array = np.full((4, 6, 3), scale, dtype=np.float32)
        layer.load_state_dict({"weight": torch.from_numpy(array), "bias": torch.zeros(4)}, assign=True)
        return weakref.ref(array)

    with torch.no_grad():
        first = swap(1)
        layer(signal)
        swap(2)
        assert first() is not None
        swap(3)
        assert layer(signal).max() == 3 * 6 * 3
        assert first() is None


def test_replicas_compute_with_their_own_weights():
    layer, signal = Conv(6, 4, 3).eval(), torch.randn(1, 6, 50)
    with torch.no_grad():
        for scale in (1.0, 2.0):
            replica = layer._replicate_for_data_parallel()
            replica.weight, replica.bias = layer.weight * scale, layer.bias * scale
            torch.testing.assert_close(replica(signal), plain(replica, signal), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
def test_prepared_weights_are_dropped_when_dtype_or_mode_changes(kind):
    layer, signal = kinds()[kind].eval(), torch.randn(1, 6, LENGTH)
    for change in (layer.double, layer.float, layer.train, layer.eval):
        with torch.no_grad():
            layer.eval()(signal.to(layer.weight.dtype))
        assert conv1d.has_cache(layer) == (not kind.startswith(NOTHING_PREPARED))
        change()
        assert not conv1d.has_cache(layer)


def test_constants_are_made_on_the_processor_whatever_the_default_device():
    fft_conv._halves.cache_clear()
    with torch.device("meta"):
        forward, taps, inverse = fft_conv._halves(9)
        assert all(matrix.device.type == "cpu" for matrix in (*forward, taps, *inverse))


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
def test_it_works_under_inference_mode_and_outside_of_it_afterwards(kind):
    layer, signal = kinds()[kind].eval(), torch.randn(1, 6, LENGTH)
    with torch.inference_mode():
        first = layer(signal)
    torch.testing.assert_close(first.clone(), layer(signal).detach(), rtol=0, atol=1e-4)
    with torch.inference_mode():
        made_there = copy.deepcopy(layer)
        made_there(signal)
        made_there.weight.mul_(2)
        twice = made_there(signal)
        torch.testing.assert_close(twice, plain(made_there, signal), rtol=0, atol=1e-4)


@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
def test_a_weight_with_weight_norm_is_prepared_from_its_parametrization():
    layer, signal = add_weight_norm(Conv(6, 4, 7)).double().eval(), torch.randn(1, 6, LENGTH, dtype=torch.float64)
    with torch.no_grad():
        layer(signal)
        layer.parametrizations.weight.original0.mul_(3)
        torch.testing.assert_close(layer(signal), plain(layer, signal), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
def test_gradients_are_those_of_the_plain_convolution(kind):
    layer = kinds()[kind].double().eval()
    signal = torch.randn(2, 6, 30, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        layer(signal)
    ours, theirs = (
        torch.autograd.grad(output.square().sum(), [signal, *layer.parameters()])
        for output in (layer(signal), plain(layer, signal))
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
def test_prepared_weights_are_neither_saved_nor_copied(kind):
    layer, signal = kinds()[kind].eval(), torch.randn(1, 6, LENGTH)
    keys, size = set(layer.state_dict()), len(pickle.dumps(layer))
    with torch.no_grad():
        output = layer(signal)
        assert set(layer.state_dict()) == keys
        assert len(pickle.dumps(layer)) == size
        torch.testing.assert_close(copy.deepcopy(layer)(signal), output, rtol=0, atol=0)


@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
def test_half_precision_takes_the_direct_form():
    layer, signal = Conv(6, 4, 7).to(torch.bfloat16).eval(), torch.randn(1, 6, LENGTH).to(torch.bfloat16)
    with torch.no_grad():
        torch.testing.assert_close(layer(signal), plain(layer, signal), rtol=0, atol=0.05)


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind != "even"])
@pytest.mark.parametrize("length", [1, 2, 31, 33])
@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
def test_short_signals_are_convolved_as_well(kind, length):
    layer, signal = kinds()[kind].double().eval(), torch.randn(2, 6, length, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(layer(signal), plain(layer, signal), rtol=0, atol=1e-12)


def test_layers_have_the_forms_that_are_faster_for_their_shape():
    forms = {(192, 384, 5): "filtered", (192, 768, 3): "filtered", (128, 128, 11): "spectrum", (32, 1, 7): "single"}
    forms |= {(64, 384, 1): "product"} | dict.fromkeys(((128, 128, 3), (32, 32, 7), (6, 4, 4)), "direct")
    for shape, expected in forms.items():
        with torch.device("meta"):
            assert conv1d.form(Conv(*shape)).name == expected


@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
@pytest.mark.parametrize("kind", ["filtered, five taps", "frequency", "depthwise", "one channel out", "one tap"])
def test_signals_that_only_look_like_tensors_take_the_direct_form(kind):
    layer, signal = kinds()[kind].eval(), torch.randn(2, 6, LENGTH)
    expected = plain(layer, signal).detach()
    with torch.no_grad():
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            assert layer(mode.from_tensor(signal)).shape == expected.shape
        mapped = torch.func.vmap(lambda item: layer(item.unsqueeze(0)).squeeze(0))(signal)
        torch.testing.assert_close(mapped, expected, rtol=0, atol=1e-5)
        with forward_ad.dual_level():
            output = forward_ad.unpack_dual(layer(forward_ad.make_dual(signal, torch.ones_like(signal))))
        torch.testing.assert_close(output.primal, expected, rtol=0, atol=1e-5)
        assert output.tangent is not None
        torch.testing.assert_close(layer(signal), expected, rtol=0, atol=1e-4)  # nothing of theirs is kept


@pytest.mark.usefixtures("narrow_layers_in_fast_forms")
@pytest.mark.parametrize("kind", ["filtered, five taps", "depthwise", "one channel out", "one tap"])
def test_an_empty_batch_stays_empty(kind):
    with torch.no_grad():
        assert kinds()[kind].eval()(torch.randn(0, 6, LENGTH)).shape[0] == 0


def test_a_product_of_normalised_weights_is_prepared_too():
    layer = add_weight_norm(Conv(6, 4, 1)).eval()
    with torch.no_grad():
        layer(torch.randn(1, 6, 50))
        assert conv1d.has_cache(layer)
        layer.parametrizations.weight.original0.mul_(3)
        signal = torch.randn(1, 6, 50)
        torch.testing.assert_close(layer(signal), plain(layer, signal), rtol=0, atol=1e-5)
