"""A whole model in a graph, made once (`torch.compile`, `torch.export`, ONNX) and right for other texts."""

import warnings

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.usefixtures("without_gradients")

SMALL = {
    "num_hidden_layers": 1,
    "duration_predictor_num_flows": 2,
    "prior_encoder_num_flows": 1,
    "depth_separable_num_layers": 1,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1]],
}
SILENT = {"noise_scale": 0.0, "noise_scale_duration": 0.0}


def texts(length, items=1):
    return torch.randint(0, 20, (items, length), generator=torch.Generator().manual_seed(length))


def assert_equals_model(model, other, length, items=1, tolerance=1e-5, **controls):
    torch.manual_seed(length)
    expected = model(texts(length, items), **controls)
    torch.manual_seed(length)
    actual = other(texts(length, items), **controls)
    assert torch.equal(actual.durations, expected.durations)
    assert expected.waveform.abs().max() > 0.05
    torch.testing.assert_close(actual.waveform, expected.waveform, rtol=0, atol=tolerance)


@pytest.fixture
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [{}, {"use_stochastic_duration_prediction": False}], ids=["stochastic", "plain"])
def test_a_compiled_model_equals_the_model_at_other_lengths(make_model, speakers, fresh_compiler, kind):
    model = make_model(**SMALL, **speakers, **kind)
    compiled = torch.compile(model, backend="eager")
    for length in (12, 20, 31):
        assert_equals_model(model, compiled, length, speaker_id=2)


@pytest.mark.slow
def test_a_compiled_model_ends_each_item_of_a_batch_at_its_length(make_model, text, fresh_compiler):
    model = make_model(**SMALL, **SILENT)
    compiled = torch.compile(model, backend="eager")
    expected, actual = model(**text), compiled(**text)
    assert len(set(expected.sequence_lengths.tolist())) > 1
    torch.testing.assert_close(actual.waveform, expected.waveform, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_compiled_model_has_the_models_gradients(make_model, fresh_compiler):
    gradients = []
    for prepare in (lambda model: model, lambda model: torch.compile(model, backend="eager")):
        model = make_model(**SMALL).double()
        with torch.enable_grad():
            torch.manual_seed(3)
            prepare(model)(texts(12)).waveform.square().sum().backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_a_model_compiled_to_machine_code_equals_the_model_at_other_lengths(make_model, fresh_compiler):
    model = make_model(**SMALL, **SILENT)
    compiled = torch.compile(model, backend="inductor")
    for length in (12, 20, 31):
        assert_equals_model(model, compiled, length)


@pytest.mark.thorough
@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_exported_model_equals_the_model_at_other_lengths_and_batch_sizes(make_model, strict):
    model = make_model(**SMALL)
    sizes = {0: torch.export.Dim("items", min=2, max=50), 1: torch.export.Dim("tokens", min=2, max=500)}
    exported = torch.export.export(
        model, (texts(12, items=2),), dynamic_shapes={"input_ids": sizes}, strict=strict
    ).module()
    for length, items in ((12, 2), (20, 3), (31, 4)):
        assert_equals_model(model, exported, length, items)


def test_a_model_exported_to_onnx_equals_the_model_at_other_lengths(make_model, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model, file = make_model(**SMALL, **SILENT), tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (texts(12),),
            file,
            dynamo=False,
            input_names=["input_ids"],
            dynamic_axes={"input_ids": {1: "tokens"}},
        )
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for length in (12, 20, 31):
        actual = session.run(None, {"input_ids": texts(length).numpy()})[0]
        np.testing.assert_allclose(actual, model(texts(length)).waveform.numpy(), rtol=0, atol=1e-5)
