import shutil
import warnings

import numpy as np
import onnx
import pytest
from export_voices import KINDS

from hf_vits.conversion import convert
from hf_vits.doctor import examine
from hf_vits.export import export, onnx_graph

pytestmark = pytest.mark.usefixtures("without_gradients")


@pytest.fixture
def small_counts(monkeypatch):
    """The layers of these voices are small; these thresholds treat them as those of real ones."""
    monkeypatch.setattr(onnx_graph, "MIN_SIZE", 16)
    monkeypatch.setattr(onnx_graph, "MIN_INT8_SIZE", 200)


@pytest.fixture
def weights(small_counts, make_model, piper_tokenizer, tmp_path, request):
    """-> a function from a precision to the model and the stored tensors of its file, by name."""
    model = make_model(**KINDS["speakers"])

    def weights(kind):
        export(model, piper_tokenizer, tmp_path / kind, precision=kind)
        graph = onnx.load(tmp_path / kind / "voice.onnx").graph
        return model, {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}

    return weights


@pytest.mark.thorough
def test_float16_keeps_every_large_weight_in_half_its_bytes_and_its_name(weights, tmp_path):
    model, stored = weights("float16")
    large = {name: values for name, values in stored.items() if values.ndim > 1 and values.size >= 16}
    assert {values.dtype for values in large.values()} == {np.dtype(np.float16)}
    expected = model.decoder.upsampler[0].weight.detach().half().numpy()
    np.testing.assert_array_equal(stored["dec.ups.0.weight"], expected)
    found = convert(tmp_path / "float16").state_dict["decoder.upsampler.0.weight"]
    np.testing.assert_array_equal(found.numpy(), expected.astype(np.float32))


def test_int8_keeps_weights_within_half_a_step_of_their_channel(weights):
    model, stored = weights("int8")
    for ours, name, axis in (
        (model.decoder.conv_pre.weight, "dec.conv_pre.weight", 0),
        (model.decoder.upsampler[0].weight, "dec.ups.0.weight", 1),  # a transposed one has its channels there
    ):
        values, step = stored[name], stored[f"{name}/step"]
        assert values.dtype == np.int8 and np.abs(values).max() == 127
        assert step.shape == tuple(size if place == axis else 1 for place, size in enumerate(values.shape))
        np.testing.assert_array_less(np.abs(values * step - ours.detach().numpy()), 0.5001 * step + 0 * values)
    assert stored["emb_g.weight"].dtype == np.float16


@pytest.mark.thorough
def test_a_channel_of_zeros_stays_one_and_is_divided_by_nothing(small_counts, make_model, piper_tokenizer, tmp_path):
    model = make_model()
    model.decoder.conv_pre.weight.data[3] = 0
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "invalid value encountered")
        export(model, piper_tokenizer, tmp_path / "out", precision="int8")
    graph = onnx.load(tmp_path / "out" / "voice.onnx").graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    name = "dec.conv_pre.weight"
    assert stored[name][:3].any() and not stored[name][3].any() and (stored[f"{name}/step"] > 0).all()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_a_smaller_file_says_nearly_the_same(small_counts, make_model, piper_tokenizer, tmp_path, run, silent, kind):
    model, ids = make_model(), np.arange(1, 16)[None]
    export(model, piper_tokenizer, tmp_path / "out", precision=kind)
    waveform, durations = run(tmp_path / "out" / "voice.onnx", ids)
    import torch

    expected = model(torch.tensor(ids), noise_scale=0, durations=torch.tensor(durations)).waveform[0].numpy()
    error = np.sqrt(np.mean((waveform.ravel() - expected) ** 2) / np.mean(expected**2))
    assert 0 < error < {"float16": 0.01, "int8": 0.2}[kind]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [None, "MatMul", "Gather"])  # that onnxruntime quantizes; None is our own way
def test_eight_bits_are_refused_by_our_reader_and_doctor_knows_before(weights, tmp_path, kind):
    if kind is None:
        weights("int8")
    else:
        quantization = pytest.importorskip("onnxruntime.quantization")
        weights("float32")
        shutil.copytree(tmp_path / "float32", tmp_path / "int8")
        files = [tmp_path / folder / "voice.onnx" for folder in ("float32", "int8")]
        quantization.quantize_dynamic(*files, op_types_to_quantize=[kind])
    with pytest.raises(ValueError, match="8 bits"):
        convert(tmp_path / "int8")
    for path in (tmp_path / "int8", tmp_path / "int8" / "voice.onnx"):
        (found,) = examine(path).diagnostics
        assert found.id == "path.quantized" and found.command is None and "float32" in found.advice


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_doctor_takes_no_other_file_for_one_of_eight_bits(weights, tmp_path, kind):
    weights(kind)
    for path in (tmp_path / kind, tmp_path / kind / "voice.onnx"):
        (found,) = examine(path).diagnostics
        assert found.command.startswith("hf-vits convert ")
