"""The three iSTFT decoders, which share all but how sub-bands become a waveform."""

import numpy as np
import pytest
import torch
from exported_graphs import assert_graphs_equal_model, graph_files
from scipy.signal import get_window
from tiny_voices import SMALLEST, SPEAKERS, TINY, enliven
from torch.nn import functional as F

from hf_vits import VitsConfig, VitsModel
from hf_vits.conversion.shape_inference import config_fields, infer_config
from hf_vits.export import export
from hf_vits.modules.decoders.base import DECODERS
from hf_vits.modules.filter_banks import band_filters
from hf_vits.training.checkpoints import add_decoder_weight_norm

STAGES = {
    "upsample_initial_channel": 12,
    "upsample_rates": [2, 3],
    "upsample_kernel_sizes": [8, 7],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 2]],
    "fft_size": 8,
}
BANDS = {"istft": 1, "multiband_istft": 4, "multistream_istft": 4}
HOPS = {kind: 2 * 3 * 2 * bands for kind, bands in BANDS.items()}
FIELDS = {
    name: value for name, value in (TINY | SMALLEST).items() if name.split("_")[0] not in ("upsample", "resblock")
}
each_decoder = pytest.mark.parametrize("kind", BANDS)


@pytest.fixture
def make_model():
    def make(kind, sizes=STAGES, **fields):
        return enliven(VitsModel(VitsConfig(**FIELDS, **fields, decoder={"type": kind, **sizes})))

    return make


def written_out(kind, weights, latents, speaker):
    """A decoder from the checkpoint's tensors alone (Kawamura et al. 2022, section 3), one item, blocks of type 1.

    The stages are those of HiFi-GAN; PyTorch convolves, SciPy and NumPy do the rest.
    """

    def conv(signal, name, dilation=1):
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.conv1d(signal, weight, bias, padding=dilation * (weight.shape[-1] - 1) // 2, dilation=dilation)

    signal = conv(latents, "conv_pre")
    if speaker is not None:
        signal = signal + conv(speaker, "cond")
    for stage, (rate, kernel) in enumerate(((2, 8), (3, 7))):
        weight, bias = weights[f"upsampler.{stage}.weight"], weights[f"upsampler.{stage}.bias"]
        padding = (kernel - rate) // 2
        signal = F.conv_transpose1d(F.leaky_relu(signal, 0.1), weight, bias, stride=rate, padding=padding)
        outputs = []
        for block, dilations in ((2 * stage, (1, 3)), (2 * stage + 1, (1, 2))):
            inner = signal
            for layer, dilation in enumerate(dilations):
                hidden = conv(F.leaky_relu(inner, 0.1), f"resblocks.{block}.convs1.{layer}", dilation)
                inner = inner + conv(F.leaky_relu(hidden, 0.1), f"resblocks.{block}.convs2.{layer}")
            outputs.append(inner)
        signal = sum(outputs) / 2
    signal = F.pad(F.leaky_relu(signal, 0.01), (1, 0), mode="reflect")
    spectra = conv(signal, "conv_post" if kind == "istft" else "subband_conv_post")[0]
    spectra = spectra.reshape(BANDS[kind], 10, -1).numpy()
    bands = [inverse(np.exp(band[:5]) * np.exp(1j * np.pi * np.sin(band[5:]))) for band in spectra]
    return (bands[0] if kind == "istft" else merged(bands, weights.get("multistream_conv_post.weight"))).clip(-1, 1)


def inverse(spectrum):
    """Windowed inverse transforms, added up and divided by the squared windows; half a frame is cut at each end."""
    window = get_window("hann", 8, fftbins=True)
    total, weight = np.zeros((2, (spectrum.shape[1] - 1) * 2 + 8))
    for frame, values in enumerate(spectrum.T):
        total[frame * 2 : frame * 2 + 8] += np.fft.irfft(values, 8) * window
        weight[frame * 2 : frame * 2 + 8] += window**2
    return total[4:-4] / weight[4:-4]


def merged(bands, filters):
    """Three zeros after each sample, whose level is made up for by four, and a filter for each band."""
    filters = band_filters(-1).numpy() if filters is None else filters[0].numpy()
    spread = np.zeros((4, 4 * len(bands[0]) + 62))
    spread[:, 31:-31:4] = 4 * np.array(bands)
    return sum(np.correlate(band, taps, "valid") for band, taps in zip(spread, filters, strict=True))


@each_decoder
@pytest.mark.parametrize("fields", [{}, SPEAKERS], ids=["one speaker", "speakers"])
def test_it_is_the_published_decoder_written_out(kind, fields, make_model):
    model = make_model(kind, **fields).double()
    latents = torch.randn(1, 8, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    speaker = model.speaker_vector(2, 1) if fields else None
    with torch.no_grad():
        waveform = model.decoder(latents, speaker)[0, 0].numpy()
        expected = written_out(kind, model.decoder.state_dict(), latents, speaker)
    assert np.abs(expected).max() > 0.1 and waveform.shape == (15 * HOPS[kind],)
    np.testing.assert_allclose(waveform, expected, rtol=0, atol=1e-10)


ONE_BLOCK = {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1]], "resblock_type": "2", "fft_size": 4}


@each_decoder
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"fft_size": 16, "upsample_rates": [4], "upsample_kernel_sizes": [16]},
        {**ONE_BLOCK, "upsample_initial_channel": 16, "upsample_rates": [2, 1, 2], "upsample_kernel_sizes": [2, 3, 6]},
        # One tap, sample or frame more or less in any layer changes what these reach.
        {**ONE_BLOCK, "upsample_rates": [2], "upsample_kernel_sizes": [2]},
        {**ONE_BLOCK, "upsample_rates": [3, 3], "upsample_kernel_sizes": [5, 3]},
        {**ONE_BLOCK, "upsample_rates": [3, 3], "upsample_kernel_sizes": [3, 7]},
    ],
)
def test_the_reach_is_that_of_a_changed_frame(kind, sizes, make_model):
    model = make_model(kind, {**STAGES, **sizes}).double().train()  # in evaluation, a limit might hide changes
    own = model.config.decoder_config
    latents = torch.randn(1, 8, 81, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    changed = latents.clone()
    changed[..., 40] += 10  # the ends of filters are small
    with torch.no_grad():
        samples = (model.decoder(changed) - model.decoder(latents))[0, 0].abs() > 1e-13
    frames = samples.nonzero().flatten() // own.hop_length
    assert (int(frames.max()) - 40, 40 - int(frames.min())) == own.sides_of_receptive_field
    assert own.receptive_field == max(own.sides_of_receptive_field)


@each_decoder
@pytest.mark.parametrize("chunk_frames", [1, 7, None])
def test_streamed_chunks_equal_the_whole_waveform(kind, chunk_frames, make_model):
    model = make_model(kind).double()
    latents = torch.randn(1, 8, 60, dtype=torch.float64)
    chunks = torch.cat(list(model.stream(latents, chunk_frames=chunk_frames)), dim=-1)
    torch.testing.assert_close(chunks, model.decode(latents)[0], rtol=0, atol=1e-11)


@each_decoder
def test_stages_that_kernels_decode_in_chunks_give_the_same_waveform(kind, make_model, monkeypatch):
    kernels, inference = (pytest.importorskip(f"hf_vits.kernels{name}") for name in ("", ".inference"))
    monkeypatch.setattr(inference, "SAMPLES", 64)
    model, latents = make_model(kind).double(), torch.randn(2, 8, 90, dtype=torch.float64)
    with torch.no_grad():
        chunked = model.decoder(latents)
        with kernels.use(False):
            plain = model.decoder(latents)
    torch.testing.assert_close(chunked, plain, rtol=0, atol=1e-11)


@each_decoder
def test_an_item_of_a_batch_equals_its_single_run_and_is_silent_past_its_end(kind, make_model):
    model, hop = make_model(kind, **SPEAKERS).double(), HOPS[kind]
    latents, lengths = torch.randn(3, 8, 30, dtype=torch.float64), torch.tensor([30, 9, 1])
    speaker = model.speaker_vector([0, 1, 2], 3)
    with torch.no_grad():
        together = model.decoder(latents, speaker, lengths)
        for item, frames in enumerate(lengths.tolist()):
            alone = model.decoder(latents[item : item + 1, :, :frames], speaker[item : item + 1])[0]
            torch.testing.assert_close(together[item, :, : frames * hop], alone, rtol=0, atol=1e-11)
            assert not together[item, :, frames * hop :].any()


@each_decoder
def test_every_weight_is_trained_and_half_precision_keeps_the_spectrum_in_float32(kind, make_model):
    model = make_model(kind, **SPEAKERS).train()
    latents = torch.randn(2, 8, 20)
    with torch.autocast("cpu", torch.bfloat16):
        waveform = model.decoder(latents, model.speaker_vector([0, 1], 2))
    waveform.square().sum().backward()
    assert waveform.dtype == torch.float32
    assert not [name for name, p in model.decoder.named_parameters() if p.grad is None or not p.grad.any()]
    loud = model.decoder(latents, 20 * model.speaker_vector([0, 1], 2)).detach()
    model.eval()
    with torch.no_grad():
        limited = model.decoder(latents, 20 * model.speaker_vector([0, 1], 2))
        assert loud.abs().max() > 1  # training sees what is beyond the limit
        torch.testing.assert_close(limited, loud.clamp(-1, 1), rtol=0, atol=1e-3)
        exact = model.decoder(latents, model.speaker_vector([0, 1], 2))
        half = model.bfloat16()
        rough = half.decoder(latents.bfloat16(), half.speaker_vector([0, 1], 2))
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).square().mean() / exact.square().mean() < 0.02


@each_decoder
def test_the_layers_with_weight_norm_are_those_of_the_published_checkpoints(kind, make_model):
    model = add_decoder_weight_norm(make_model(kind, **SPEAKERS))
    plain = [name for name in model.decoder.state_dict() if name.endswith(".weight")]
    assert plain == ["cond.weight"]  # which is not published, and as in HiFi-GAN


@each_decoder
def test_it_is_saved_loaded_and_known_by_its_shapes(kind, make_model, tmp_path):
    sizes = {**STAGES, "upsample_rates": [2, 4], "upsample_kernel_sizes": [4, 8] if kind == "istft" else [8, 16]}
    model = make_model(kind, sizes)
    model.save_pretrained(tmp_path)
    loaded = VitsModel.from_pretrained(tmp_path)
    latents = torch.randn(1, 8, 12)
    torch.testing.assert_close(loaded.decode(latents), model.decode(latents), rtol=0, atol=0)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    dilations = sizes.pop("resblock_dilation_sizes")
    assert config_fields(shapes)["decoder"] == {"type": kind, **sizes, "resblock_type": "1"}
    given = infer_config(shapes, resblock_dilation_sizes=dilations, upsample_rates=[4, 2])
    assert given.decoder["resblock_dilation_sizes"] == dilations and given.decoder["upsample_rates"] == [4, 2]


@pytest.mark.thorough
@each_decoder
def test_the_defaults_are_those_of_the_published_checkpoints(kind):
    model = VitsModel(VitsConfig(decoder={"type": kind}))
    own, shapes = model.config.decoder_config, {name: tuple(p.shape) for name, p in model.decoder.named_parameters()}
    rates = [8, 8] if kind == "istft" else [4, 4]
    assert (own.upsample_rates, own.upsample_kernel_sizes, own.stft_hop) == (rates, [16, 16], 4)
    assert own.hop_length == 256 and own.fields_for_hop(256)["upsample_rates"] == rates
    assert shapes["upsampler.0.weight"] == (512, 256, 16) and shapes["resblocks.5.convs2.2.weight"] == (128, 128, 11)
    name, channels = ("conv_post", 18) if kind == "istft" else ("subband_conv_post", 72)
    assert shapes[f"{name}.weight"] == (channels, 128, 7) and shapes[f"{name}.bias"] == (channels,)
    assert shapes.get("multistream_conv_post.weight") == ((1, 4, 63) if kind == "multistream_istft" else None)
    weights = sum(parameter.numel() for parameter in model.decoder.parameters())
    assert own.count_parameters(192, 0) == pytest.approx(weights, rel=0.01)
    assert own.title in own.describe() and "256 samples per frame" in own.describe()


@each_decoder
@pytest.mark.parametrize("hop", [8, 28, 80, 256, 300, 512])
def test_fields_for_a_hop_give_that_hop(kind, hop):
    own = DECODERS[kind].config_class.fields_for_hop(hop)
    assert VitsConfig(**FIELDS, decoder={"type": kind, **own}).hop_length == hop


def test_a_hop_that_no_fields_give_has_none():
    assert DECODERS["multiband_istft"].config_class.fields_for_hop(6) == {}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"fft_size": 9}, "`fft_size` 9 and 2 samples per frame; the first must be even"),
        ({"samples_per_frame": 8}, "at least twice it"),
        ({"samples_per_frame": 0}, "`fft_size` 8 and 0 samples"),
        ({"upsample_rates": [1, 1], "upsample_kernel_sizes": [3, 3]}, "their product must be 2 at least"),
        ({"upsample_rates": [2]}, "`upsample_rates` has 1 stages"),
        ({"upsample_rates": ["a", 1]}, "impossible field.*upsample_rates"),
        ({"bands": 2}, "'bands', which is no field of 'multiband_istft'"),
    ],
)
def test_fields_that_cannot_be_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        VitsConfig(**FIELDS, decoder={"type": "multiband_istft", **STAGES, **sizes})


SLOW = [
    pytest.param(kind, target, marks=pytest.mark.slow)
    for kind, targets in (
        ("istft", ("piper", "sherpa", "split")),
        ("multiband_istft", ("sherpa", "split")),
        ("multistream_istft", ("piper", "sherpa", "split")),
    )
    for target in targets
]


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "target"), [("multiband_istft", "piper"), *SLOW])
def test_onnxruntime_says_what_pytorch_says(kind, target, make_model, make_tokenizer, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    model = make_model(kind, **SPEAKERS)
    export(model, make_tokenizer(), tmp_path / "out", target)
    files = graph_files(tmp_path / "out", target)
    operators = {node.op_type for file in files for node in onnx.load(file).graph.node}
    assert not operators & {"STFT", "DFT", "If", "Loop"}
    assert_graphs_equal_model(files, model, lengths=(1, 9, 30), tolerance=1e-4)
