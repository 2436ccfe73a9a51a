"""In training, convolutions with fewer products equal direct ones, and so do their gradients."""

from itertools import product

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.nn.utils import parametrize

from hf_vits import VitsConfig
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.kernels import autograd, products, winograd
from hf_vits.kernels.autograd import convolve
from hf_vits.kernels.conv1d import form
from hf_vits.modules.convolution import Conv
from hf_vits.modules.flow import WaveNet


@pytest.fixture(autouse=True)
def fast_mkl(monkeypatch):
    """Products of MKL as fast as convolutions; where they are not, no layer is filtered in training."""
    monkeypatch.setattr(products, "prefers_onednn", lambda: False)


def random(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype)


def with_gradients(function, *leaves):
    """Return the output of a function of leaves, and the gradients of a weighted sum of it."""
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]
    output = function(*leaves)
    weights = torch.arange(1.0, output.numel() + 1, dtype=output.dtype).cos().view(output.shape)
    return output.detach(), *torch.autograd.grad((output * weights).sum(), leaves)


def assert_same(output, expected, **tolerance):
    for one, other in zip(output, expected, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


@pytest.fixture
def calls(monkeypatch):
    """The arguments of each call, with layers of any width and length."""
    seen = []
    monkeypatch.setattr(winograd, "FEWEST_CHANNELS", {3: 1, 5: 1})
    monkeypatch.setattr(autograd, "FEWEST_SAMPLES", 1)
    real = autograd.convolve
    monkeypatch.setattr(autograd, "convolve", lambda *given: seen.append(given) or real(*given))
    return seen


GROUPINGS = {
    "at once": (2**20, 2**21),
    "some channels at a time": (100, 2**21),
    "some items at a time": (2**20, 100),
    "some of both at a time": (400, 100),
}
SHAPES = list(product([3, 5, 7, 11], [1, 2, 3], [1, 3, 4, 5, 21, 48]))


# Each shape in one grouping: every pair of a value of one parameter and a value of another occurs.
@pytest.mark.parametrize(
    ("taps", "dilation", "length", "grouping"),
    [(*shape, list(GROUPINGS)[(number + number // 6) % 4]) for number, shape in enumerate(SHAPES)],
)
def test_it_and_its_gradients_are_the_direct_convolutions(monkeypatch, taps, dilation, length, grouping):
    values, seen = GROUPINGS[grouping]
    monkeypatch.setattr(autograd, "WEIGHT_VALUES", values)
    monkeypatch.setattr(autograd, "ITEM_VALUES", seen)
    leaves = random(3, 3, 1, length), random(7, 3, taps), random(7)

    def direct(signal, weight, bias):
        context = taps // 2 * dilation
        return F.conv2d(signal, weight.unsqueeze(2), bias, padding=(0, context), dilation=(1, dilation))

    output = with_gradients(lambda *given: convolve(*given, dilation), *leaves)
    assert_same(output, with_gradients(direct, *leaves), rtol=0, atol=1e-11)


@pytest.mark.parametrize("length", [1, 4, 10, 51])
@pytest.mark.parametrize("columns", [2, 11])
@pytest.mark.parametrize("taps", [5, 7])
def test_columns_are_convolved_alone(length, columns, taps):
    leaves = random(2, 3, length, columns), random(4, 3, taps, 1), random(4)
    output = with_gradients(lambda *given: convolve(*given, columns), *leaves)
    expected = with_gradients(lambda *given: F.conv2d(*given, padding=(taps // 2, 0)), *leaves)
    assert_same(output, expected, rtol=0, atol=1e-11)


def test_without_bias_and_with_frozen_weights_the_rest_is_the_same():
    signal, weight = random(1, 3, 1, 30), random(4, 3, 5)
    output = with_gradients(lambda signal: convolve(signal, weight), signal)
    expected = with_gradients(lambda signal: F.conv2d(signal, weight.unsqueeze(2), padding=(0, 2)), signal)
    assert_same(output, expected, rtol=0, atol=1e-11)
    weight.requires_grad_()
    convolve(signal, weight).sum().backward()  # of a signal that takes no gradient
    total = torch.stack([F.pad(signal, (2, 2))[0, :, 0, tap : tap + 30].sum(dim=1) for tap in range(5)], dim=1)
    torch.testing.assert_close(weight.grad, total.expand(4, 3, 5))


@pytest.mark.parametrize("taps", [5, 7])
def test_many_gradients_at_once_are_the_direct_convolutions(taps):
    signal, weight = random(2, 3, 1, 30).requires_grad_(), random(4, 3, taps).requires_grad_()
    expected = F.conv2d(signal, weight.unsqueeze(2), padding=(0, taps // 2))
    many = random(3, *expected.shape)
    output = [
        torch.autograd.grad(out, (signal, weight), many, is_grads_batched=True)
        for out in (convolve(signal, weight), expected)
    ]
    assert_same(*output, rtol=0, atol=1e-11)


def test_items_are_worked_on_in_groups_of_bounded_size(monkeypatch):
    """Seven taps see 47 rows for 26 samples; here two tiles of each of three phases, for eight channels."""
    groups, real = [], autograd._filter
    monkeypatch.setattr(autograd, "_filter", lambda signal, *rest: groups.append(len(signal)) or real(signal, *rest))
    item = 47 * 2 * 3 * 8
    for limit, expected in ((1, [1] * 5), (2 * item, [2, 2, 1]), (4 * item, [3, 2]), (5 * item, [5])):
        monkeypatch.setattr(autograd, "ITEM_VALUES", limit)
        groups.clear()
        convolve(random(5, 3, 1, 100), random(8, 3, 7), None, 3)
        assert groups == expected


def test_its_output_can_be_written_to():
    signal, weight = random(1, 3, 1, 30), random(4, 3, 5)

    def direct(signal, weight):
        return F.leaky_relu(F.conv2d(signal, weight.unsqueeze(2), padding=(0, 2)), 0.1)

    output = with_gradients(lambda *given: F.leaky_relu(convolve(*given), 0.1, inplace=True), signal, weight)
    assert_same(output, with_gradients(direct, signal, weight), rtol=0, atol=1e-11)


def test_gradients_have_the_gradients_of_the_direct_convolution(calls):
    torch.manual_seed(0)
    sizes = {"period_channels": [4, 6], "scale_channels": [4, 8, 8, 8, 8, 8], "periods": [2], "scales": 1}
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(**sizes))

    def penalty():
        waveform = torch.linspace(-1, 1, 400).sin().repeat(2, 1, 1).requires_grad_()
        total = sum(logits.square().sum() for logits in discriminator(waveform).logits)
        (slope,) = torch.autograd.grad(total, waveform, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), list(discriminator.parameters()), materialize_grads=True)

    output = penalty()
    assert len(calls) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autograd, "FEWEST_SAMPLES", 10**9)
        expected = penalty()
    assert len(calls) == 2
    assert_same(output, expected, rtol=1e-3, atol=1e-6)


def test_gradients_are_in_single_precision_when_autocast_is_on_around_them():
    signal, weight = torch.randn(1, 8, 1, 40, requires_grad=True), torch.randn(8, 8, 5)
    output = convolve(signal, weight)
    with torch.autocast("cpu", torch.bfloat16):
        output.sum().backward()
    expected = torch.autograd.grad(F.conv2d(signal, weight.unsqueeze(2), padding=(0, 2)).sum(), signal)[0]
    torch.testing.assert_close(signal.grad, expected, rtol=1e-5, atol=1e-5)


def test_its_output_is_channels_last():
    assert convolve(random(2, 3, 1, 30), random(4, 3, 5)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("taps", "inputs", "outputs"), [(5, 192, 384), (7, 128, 128), (11, 64, 64)])
def test_in_single_precision_it_loses_a_digit(taps, inputs, outputs):
    torch.manual_seed(0)
    signal, weight = random(2, inputs, 1, 400), random(outputs, inputs, taps) / (inputs * taps) ** 0.5

    def direct(signal, weight):
        return F.conv2d(signal, weight.unsqueeze(2), padding=(0, taps // 2))

    exact = with_gradients(direct, signal, weight)
    output = with_gradients(convolve, signal.float(), weight.float())
    for one, other in zip(output, exact, strict=True):
        assert (one - other).abs().max() < 4e-6 * other.abs().max()


@pytest.mark.parametrize("rate", [1, 2])
def test_wavenets_use_it_in_single_precision_only(calls, rate):
    torch.manual_seed(0)
    config = VitsConfig(vocab_size=5, hidden_size=8, wavenet_dilation_rate=rate)
    net = WaveNet(config, 3)
    hidden, mask = torch.randn(2, 8, 40), torch.ones(2, 1, 40)
    output = with_gradients(lambda hidden: net(hidden, mask), hidden)
    assert len(calls) == 3
    exact = with_gradients(lambda hidden: net.double()(hidden, mask.double()), hidden.double())
    assert len(calls) == 3
    assert_same(output, [value.float() for value in exact], rtol=0, atol=1e-4)


def test_discriminators_get_the_gradients_of_direct_convolutions(calls, monkeypatch):
    torch.manual_seed(0)
    small = {"period_channels": [4, 6, 6], "scale_channels": [4, 8, 8, 8, 8, 8], "periods": [2, 3]}
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(**small))
    waveform, given = torch.randn(2, 1, 2048), dict(discriminator.named_parameters())

    def gradients():
        discriminator.zero_grad()
        (loss := sum(logits.square().mean() for logits in discriminator(waveform).logits)).backward()
        return loss, *(parameter.grad.clone() for parameter in given.values())

    output = gradients()
    assert len(calls) == 3  # the last layer of each sub-discriminator
    monkeypatch.setattr(autograd, "FEWEST_SAMPLES", 10**9)
    expected = gradients()
    assert len(calls) == 3
    assert_same(output, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("spoken", "learned", "shape"),
    [
        (True, True, {}),
        (True, True, {"dilation": 3}),
        (True, True, {"kernel": 3}),
        (False, False, {"kernel": 4}),
        (False, True, {"kernel": 7}),
        (False, False, {"kernel": 8}),
        (False, False, {"kernel": 8, "dilation": 2}),
        (False, True, {"kernel": 11}),
        (False, False, {"kernel": 17}),
        (False, False, {"groups": 2}),
        (False, False, {"groups": 2, "kernel": 7}),
    ],
)
def test_only_layers_that_keep_the_length_are_filtered(monkeypatch, spoken, learned, shape):
    monkeypatch.setattr(autograd, "FEWEST_CHANNELS", ((7, 1),))
    found = form(Conv(**{"in_channels": 4, "out_channels": 4, "kernel": 5, **shape}))
    assert (found.name == "filtered", found.trains_faster) == (spoken, learned)


def test_decoders_get_the_gradients_of_direct_convolutions(calls, make_model, monkeypatch):
    """Layers of seven taps and more; gradients are those in double precision, which are direct."""
    monkeypatch.setattr(autograd, "FEWEST_CHANNELS", ((7, 1),))
    decoder = make_model(resblock_kernel_sizes=[3, 7]).decoder.train()
    latents = torch.randn(2, 8, 40)

    def gradients(decoder, latents):
        return torch.autograd.grad(decoder(latents).square().sum(), [*decoder.parameters()])

    output = gradients(decoder, latents)
    assert {weight.shape[2] for _, weight, *_ in calls} == {3, 7}
    count = len(calls)
    exact = gradients(decoder.double(), latents.double())
    assert len(calls) == count
    for one, other in zip(output, exact, strict=True):
        assert (one - other).abs().max() < 1e-4 * other.abs().max() + 1e-7


def test_layers_of_the_papers_size_are_filtered_and_narrow_ones_are_not():
    with torch.device("meta"):
        discriminator = VitsDiscriminator(VitsDiscriminatorConfig())
        assert form(WaveNet(VitsConfig(vocab_size=5), 1).in_layers[0]).name == "filtered"
    for part in discriminator.discriminators:
        assert [autograd.is_faster(conv) for conv in part.convs] == [False] * (len(part.convs) - 1) + [True]
    assert form(Conv(64, 64, 5)).name == form(Conv(128, 128, 3)).name == "direct"
    learned = {
        shape: form(Conv(*shape)).trains_faster for shape in ((64, 64, 11), (128, 128, 7), (32, 32, 11), (64, 64, 7))
    }
    assert list(learned.values()) == [True, True, False, False]


def test_layers_train_directly_where_convolutions_are_faster_than_products(monkeypatch):
    monkeypatch.setattr(products, "prefers_onednn", lambda: True)
    assert not any(autograd.is_faster(Conv(192, 192, kernel)) for kernel in (3, 5, 7, 11))
    assert form(Conv(192, 192, 5)).name == "filtered"  # in inference, where weights are packed


def test_all_but_long_plain_signals_in_single_precision_are_convolved_directly():
    signal = torch.randn(1, 2, 1, autograd.FEWEST_SAMPLES)

    def is_long_enough(signal, taps=5, dilation=1):
        return autograd.is_long_enough(signal, taps, dilation)

    assert is_long_enough(signal)
    assert not is_long_enough(signal[..., 1:])
    assert not is_long_enough(signal.double())
    assert not is_long_enough(signal.to("meta"))
    assert not is_long_enough(signal[0])
    with FakeTensorMode():
        assert not is_long_enough(torch.randn(signal.shape))
    mapped = []
    torch.func.vmap(lambda item: mapped.append(is_long_enough(item.unsqueeze(0))) or item)(signal)
    assert mapped == [False]
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_long_enough(signal)
    longer = torch.randn(1, 2, 1, 220)
    assert is_long_enough(longer, 11, 5) and not is_long_enough(longer, 11, 6)  # two tiles of 22 outputs in each phase
    assert is_long_enough(longer, 5, 55) and not is_long_enough(longer, 5, 56)  # one tile of four


@pytest.mark.parametrize("taps", [1, 5, 7])
def test_an_exported_graph_has_plain_convolutions(taps):
    layer = Conv(192, 192, taps)
    signal = torch.randn(1, 192, 400)
    operations = {str(node.target) for node in torch.export.export(layer, (signal,)).graph.nodes}
    assert any("conv" in name for name in operations) and not any("mm" in name for name in operations)


def test_a_weight_is_made_once_for_both_passes_of_a_frozen_discriminator(calls):
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(period_channels=[4, 4], periods=[2], scales=0))
    with parametrize.cached():
        discriminator(torch.randn(1, 1, 512)), discriminator(torch.randn(1, 1, 512))
    first, second = (weight for _, weight, *_ in calls)
    assert first is second
