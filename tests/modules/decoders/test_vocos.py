import numpy as np
import pytest
import torch
from exported_graphs import assert_graphs_equal_model, graph_files
from tiny_voices import SPEAKERS, TINY, enliven
from torch.nn import functional as F

from hf_vits import VitsConfig, VitsModel
from hf_vits.conversion.shape_inference import config_fields, infer_config
from hf_vits.export import export

DECODER = {
    "type": "vocos",
    "channels": 12,
    "intermediate_channels": 20,
    "layers": 2,
    "kernel_size": 5,
    "fft_size": 32,
}
FIELDS = {name: value for name, value in TINY.items() if not name.startswith(("upsample_", "resblock_"))}


@pytest.fixture
def make_vocos():
    def make(decoder=DECODER, **fields):
        return enliven(VitsModel(VitsConfig(**FIELDS, **fields, decoder=decoder)))

    return make


def written_out(weights, latents, speaker):
    """Vocos from the checkpoint's tensors alone (Siuzdak 2023, sections 3.2 and 3.3), one item."""
    w = weights

    def norm(x, name):
        x = (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + 1e-6)
        return x * w[f"{name}.weight"][:, None] + w[f"{name}.bias"][:, None]

    x = F.conv1d(latents, w["embed.weight"], w["embed.bias"], padding=2)
    if speaker is not None:
        x = x + w["cond.weight"][:, :, 0] @ speaker + w["cond.bias"][:, None]
    x = norm(x, "first_norm")
    for block in ("blocks.0", "blocks.1"):
        y = F.conv1d(x, w[f"{block}.depthwise.weight"], w[f"{block}.depthwise.bias"], padding=2, groups=12)
        y = w[f"{block}.expand.weight"][..., 0] @ norm(y, f"{block}.norm") + w[f"{block}.expand.bias"][:, None]
        y = y * 0.5 * (1 + torch.erf(y / 2**0.5))
        y = w[f"{block}.project.weight"][..., 0] @ y + w[f"{block}.project.bias"][:, None]
        x = x + w[f"{block}.scale"] * y
    spectrum = (w["head.weight"][..., 0] @ norm(x, "last_norm") + w["head.bias"][:, None]).numpy()
    spectrum = np.minimum(np.exp(spectrum[:17]), 100) * np.exp(1j * spectrum[17:])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(32) / 32)
    total, weight = np.zeros((2, (spectrum.shape[1] - 1) * 8 + 32))
    for frame in range(spectrum.shape[1]):
        total[frame * 8 : frame * 8 + 32] += np.fft.irfft(spectrum[:, frame], 32) * window
        weight[frame * 8 : frame * 8 + 32] += window**2
    return (total[12:-12] / weight[12:-12]).clip(-1, 1)


@pytest.mark.parametrize("fields", [{}, SPEAKERS], ids=["one speaker", "speakers"])
def test_it_is_vocos_written_out(make_vocos, fields):
    model = make_vocos(**fields).double()
    latents = torch.randn(1, 8, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    speaker = model.speaker_vector(2, 1) if fields else None
    with torch.no_grad():
        waveform = model.decoder(latents, speaker)[0, 0].numpy()
        expected = written_out(model.decoder.state_dict(), latents[0], None if speaker is None else speaker[0])
    assert np.abs(expected).max() > 0.1 and waveform.shape == (15 * 8,)
    np.testing.assert_allclose(waveform, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"fft_size": 16, "samples_per_frame": 8},
        {"kernel_size": 3, "layers": 1},
        {"fft_size": 24, "samples_per_frame": 8},
    ],
)
def test_the_receptive_field_is_the_reach_of_a_frame(make_vocos, sizes):
    model = make_vocos({**DECODER, **sizes}).double()
    latents, reach = torch.randn(1, 8, 61, dtype=torch.float64), model.config.decoder_config.receptive_field
    changed = latents.clone()
    changed[..., 30] += 1
    with torch.no_grad():
        samples = (model.decoder(changed) - model.decoder(latents))[0, 0].abs() > 1e-12
    frames = samples.nonzero().flatten() // 8
    assert max(30 - int(frames.min()), int(frames.max()) - 30) == reach


@pytest.mark.parametrize("chunk_frames", [1, 7, 50, None])
def test_streamed_chunks_equal_the_whole_waveform(make_vocos, chunk_frames):
    model = make_vocos().double()
    latents = torch.randn(1, 8, 120, dtype=torch.float64)
    chunks = torch.cat(list(model.stream(latents, chunk_frames=chunk_frames)), dim=-1)
    torch.testing.assert_close(chunks, model.decode(latents)[0], rtol=0, atol=1e-12)


def test_an_item_of_a_batch_equals_its_single_run_and_is_silent_past_its_end(make_vocos):
    model = make_vocos(**SPEAKERS).double()
    latents, lengths = torch.randn(3, 8, 40, dtype=torch.float64), torch.tensor([40, 9, 1])
    speaker = model.speaker_vector([0, 1, 2], 3)
    with torch.no_grad():
        together = model.decoder(latents, speaker, lengths)
        for item, frames in enumerate(lengths.tolist()):
            alone = model.decoder(latents[item : item + 1, :, :frames], speaker[item : item + 1])[0]
            torch.testing.assert_close(together[item, :, : frames * 8], alone, rtol=0, atol=1e-12)
            assert not together[item, :, frames * 8 :].any()


def test_every_weight_is_trained_and_half_precision_keeps_the_spectrum_in_float32(make_vocos):
    model = make_vocos(**SPEAKERS).train()
    latents = torch.randn(2, 8, 30)
    model.decoder(latents, model.speaker_vector([0, 1], 2)).square().sum().backward()
    assert not [name for name, p in model.decoder.named_parameters() if p.grad is None or not p.grad.any()]
    model.eval()
    with torch.no_grad():
        exact = model.decoder(latents, model.speaker_vector([0, 1], 2))
        half = model.bfloat16()
        rough = half.decoder(latents.bfloat16(), half.speaker_vector([0, 1], 2))
    assert rough.dtype == torch.bfloat16
    error = (rough.float() - exact).square().mean() / exact.square().mean()
    assert error < 0.01


def test_it_is_saved_loaded_and_known_by_its_shapes(make_vocos, tmp_path):
    model = make_vocos()
    model.save_pretrained(tmp_path)
    loaded = VitsModel.from_pretrained(tmp_path)
    assert loaded.config.decoder == DECODER and loaded.config.hop_length == 8
    latents = torch.randn(1, 8, 12)
    torch.testing.assert_close(loaded.decode(latents), model.decode(latents), rtol=0, atol=0)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert config_fields(shapes)["decoder"] == DECODER
    assert infer_config(shapes).decoder["type"] == "vocos"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("kernel_size", 4, "`kernel_size` 4; it must be odd"),
        ("fft_size", 30, "`fft_size` 30 and 7 samples per frame"),
        ("samples_per_frame", 32, "at least twice it"),
        ("samples_per_frame", 0, "`samples_per_frame` 0; it must be above 0"),
        ("channels", 0, "`channels` 0; it must be above 0"),
    ],
)
def test_fields_that_cannot_be_are_refused(field, value, message):
    with pytest.raises(ValueError, match=message):
        VitsConfig(**FIELDS, decoder={**DECODER, field: value})


def test_the_default_size_is_that_of_its_description():
    model = VitsModel(VitsConfig(decoder={"type": "vocos"}))
    weights = sum(parameter.numel() for parameter in model.decoder.parameters())
    own = model.config.decoder_config
    assert own.count_parameters(192, 0) == pytest.approx(weights, rel=0.01) and weights == pytest.approx(
        5.1e6, rel=0.02
    )
    assert own.receptive_field == 26 and model.config.hop_length == 256


@pytest.mark.thorough
@pytest.mark.parametrize(
    "target", ["piper", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sherpa", "split"))]
)
def test_onnxruntime_says_what_pytorch_says(target, make_vocos, make_tokenizer, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    model = make_vocos(**SPEAKERS)
    export(model, make_tokenizer(), tmp_path / "out", target)
    files = graph_files(tmp_path / "out", target)
    assert_graphs_equal_model(files, model, lengths=(1, 9, 40), tolerance=2e-5)
