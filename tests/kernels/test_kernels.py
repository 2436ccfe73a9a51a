"""Kernels as a whole: on or off, or deleted, modules compute the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hf_vits
from hf_vits import kernels
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.kernels import autograd, conv1d, fft_conv, winograd
from hf_vits.modules.convolution import Conv

TESTS = Path(__file__).parents[1]
IDS = torch.arange(1, 19)[None]


@pytest.fixture
def any_size(monkeypatch):
    """Layers of every width and signals of every length count as large enough for kernels."""
    monkeypatch.setattr(fft_conv, "FEWEST_CHANNELS", ((5, 1),))
    monkeypatch.setattr(fft_conv, "FEWEST_TILES", 1)
    monkeypatch.setattr(winograd, "FEWEST_CHANNELS", {3: 1, 5: 1})
    monkeypatch.setattr(autograd, "FEWEST_SAMPLES", 1)


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("stochastic", [True, False])
@pytest.mark.parametrize("block", ["1", "2"])
def test_a_model_computes_the_same_without_kernels(make_model, speakers, block, stochastic):
    fields = {"resblock_type": block, "use_stochastic_duration_prediction": stochastic, **speakers}
    model = make_model(**fields).double()
    call = {"speaker_id": 1, "noise_scale": 0.5, "output_hidden_states": True, "output_attentions": True}
    outputs = []
    for on in (True, False):
        with torch.no_grad(), kernels.use(on):
            outputs.append(model(IDS, **call, generator=torch.Generator().manual_seed(1)).to_tuple())
    for one, other in zip(*outputs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


@pytest.mark.usefixtures("any_size")
def test_gradients_are_the_same_without_kernels(make_model):
    torch.manual_seed(0)
    model = make_model().train()
    sizes = {"period_channels": [4, 6], "scale_channels": [4, 8, 8, 8, 8, 8], "periods": [2]}
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(**sizes))
    spectrogram, latents, mask = torch.rand(2, 9, 60), torch.randn(2, 8, 60), torch.ones(2, 1, 60)
    parameters = [*model.posterior_encoder.parameters(), *model.decoder.parameters(), *discriminator.parameters()]

    def gradients():
        mean = model.posterior_encoder(spectrogram, mask, generator=torch.Generator().manual_seed(1))[1]
        total = sum(logits.square().sum() for logits in discriminator(model.decoder(latents + mean)).logits)
        return torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)

    fast = gradients()
    with kernels.use(False):
        plain = gradients()
    for one, other in zip(fast, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * max(1.0, other.abs().max().item()))


def test_kernels_are_switched_for_a_block_or_for_good():
    assert kernels.enabled
    with kernels.use(False):
        assert not kernels.enabled
        with kernels.use(True):
            assert kernels.enabled
        assert not kernels.enabled
    assert kernels.enabled
    switch = kernels.use(False)
    assert not kernels.enabled
    switch.__exit__()
    assert kernels.enabled


def test_switching_kernels_off_drops_the_weights_that_they_transformed():
    layer = Conv(6, 4, 3).eval()
    with torch.no_grad():
        layer(torch.zeros(1, 6, 20))
    assert conv1d.has_cache(layer)
    with kernels.use(False):
        assert not conv1d.has_cache(layer)


def test_the_environment_variable_switches_kernels(monkeypatch):
    for value, expected in (("0", False), ("1", True)):
        monkeypatch.setenv(kernels.VARIABLE, value)
        assert kernels.enabled_by_environment() == expected
    monkeypatch.setenv(kernels.VARIABLE, "maybe")
    with pytest.raises(ValueError, match="HF_VITS_KERNELS is 'maybe'; 0 switches the kernels off, 1 on"):
        kernels.enabled_by_environment()


@pytest.fixture
def without_kernels(tmp_path):
    """-> a function that runs a command of Python on a copy of the package without its folder `kernels`."""
    package = Path(hf_vits.__file__).parent
    shutil.copytree(package, tmp_path / "src" / "hf_vits", ignore=shutil.ignore_patterns("kernels", "__pycache__"))

    def run(*command):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
        return subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, cwd=TESTS.parent
        )

    return run


@pytest.mark.slow
def test_without_the_folder_a_model_computes_the_same(make_model, without_kernels, tmp_path):
    model, file = make_model(), tmp_path / "waveform.pt"
    model.save_pretrained(tmp_path / "model")
    code = f"""
import torch, hf_vits
model = hf_vits.VitsModel.from_pretrained({str(tmp_path / "model")!r})
assert not hf_vits.utils.torch_state.HAS_KERNELS
with torch.no_grad():
    out = model(torch.arange(1, 19)[None], noise_scale=0, noise_scale_duration=0)
torch.save(out.waveform, {str(file)!r})
"""
    result = without_kernels("-c", code)
    assert result.returncode == 0, result.stderr
    with torch.no_grad():
        expected = model(IDS, noise_scale=0, noise_scale_duration=0).waveform
    torch.testing.assert_close(torch.load(file), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_without_the_folder_the_tests_of_correctness_pass(without_kernels):
    selection = ("modules", "parity", "equivalence", "test_modeling_vits.py", "test_graphs.py")
    selection += ("training/test_train_step.py", "export/test_graph.py")
    files = [str(TESTS / name) for name in selection]
    result = without_kernels("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow and not hub", *files)
    assert result.returncode == 0, result.stdout[-4000:]
