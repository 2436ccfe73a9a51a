import pytest
import torch
from torch.nn import functional as F

from hf_vits.kernels import conv1d, products, winograd
from hf_vits.modules.convolution import Conv

needs_onednn = pytest.mark.skipif(
    not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")),
    reason="this PyTorch has no product by oneDNN",
)


@needs_onednn
@pytest.mark.parametrize("shape", [(96, 96), (192, 384), (514, 100)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_packed_matrix_gives_the_same_product(shape, has_bias, monkeypatch):
    monkeypatch.setattr(products, "prefers_onednn", lambda: True)
    weight, bias = torch.randn(shape), torch.randn(shape[0]) if has_bias else None
    packed, product = products.prepared(weight)
    assert packed.is_mkldnn
    for rows in (torch.randn(2, 7, shape[1]), torch.randn(1, shape[1], 9).transpose(1, 2), torch.randn(1, 1, shape[1])):
        expected = F.linear(rows.double(), weight.double(), None if bias is None else bias.double())
        torch.testing.assert_close(product(rows, packed, bias).double(), expected, rtol=1e-5, atol=1e-4)


@needs_onednn
@pytest.mark.parametrize("rows", [1, 7, 128])
def test_a_packed_stack_gives_the_products_of_its_matrices(rows, monkeypatch):
    monkeypatch.setattr(products, "prefers_onednn", lambda: True)
    weight, signal, out = torch.randn(3, 128, 192), torch.randn(3, rows, 128), torch.empty(3, rows, 192)
    stack = winograd.Stack(weight)
    assert stack.is_packed and stack.shape == weight.shape
    stack.multiply(signal, out)
    torch.testing.assert_close(out.double(), signal.double() @ weight.double(), rtol=1e-5, atol=1e-4)


@needs_onednn
@pytest.mark.parametrize("kernel", [3, 5, 7, 11])
def test_a_wide_layer_computes_the_same_with_packed_products(kernel, monkeypatch):
    monkeypatch.setattr(products, "prefers_onednn", lambda: True)
    layer, signal = Conv(192, 192, kernel).eval(), torch.randn(1, 192, 1200)
    with torch.inference_mode():
        expected = F.conv1d(signal.double(), layer.weight.double(), layer.bias.double(), padding=kernel // 2)
        torch.testing.assert_close(layer(signal).double(), expected, rtol=1e-4, atol=1e-4)
    assert any(isinstance(value, winograd.Stack) and value.is_packed for value in stacks_of(layer))


def stacks_of(layer):
    """What is cached of a layer, one value after the other."""
    for _, value, _ in conv1d._cache[layer].values():
        yield from value if isinstance(value, tuple) else [value]


@pytest.mark.parametrize("case", ["narrow", "double", "other processor"])
def test_what_onednn_is_not_faster_with_is_left_to_pytorch(case, monkeypatch):
    monkeypatch.setattr(products, "prefers_onednn", lambda: case != "other processor")
    weight = torch.randn(192, 64 if case == "narrow" else 192).to(torch.float64 if case == "double" else torch.float32)
    assert products.prepared(weight) == (weight, F.linear)
    assert not winograd.Stack(weight.unsqueeze(0)).is_packed


@pytest.mark.parametrize(
    ("vendor", "capability", "expected"),
    [("AuthenticAMD", "AVX512", True), ("GenuineIntel", "AVX512", False), ("AuthenticAMD", "AVX2", False)],
)
@needs_onednn
def test_only_processors_whose_avx_512_mkl_leaves_aside_prefer_onednn(
    vendor, capability, expected, monkeypatch, tmp_path
):
    if not torch.backends.mkl.is_available():
        pytest.skip("this PyTorch has no MKL")
    (tmp_path / "cpuinfo").write_text(f"vendor_id\t: {vendor}\n")
    monkeypatch.setattr(products, "Path", lambda _: tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert products.prefers_onednn.__wrapped__() is expected


@needs_onednn
def test_a_layer_of_one_tap_follows_its_weights_after_they_change(monkeypatch):
    monkeypatch.setattr(products, "prefers_onednn", lambda: True)
    layer, signal = Conv(128, 128, 1).eval(), torch.randn(1, 128, 6)
    with torch.inference_mode():
        layer(signal)
    with torch.no_grad():
        layer.weight.mul_(2)
    with torch.inference_mode():
        expected = F.conv1d(signal, layer.weight, layer.bias)
        torch.testing.assert_close(layer(signal), expected, rtol=1e-5, atol=1e-5)
