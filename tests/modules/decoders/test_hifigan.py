import pytest
import torch
from torch.nn import functional as F

from hf_vits.kernels import chunked, fft_conv
from hf_vits.kernels.weight_cache import prepared_length
from hf_vits.modules.decoders.hifigan import HifiGan

KINDS = {"1": {}, "2": {"resblock_type": "2"}, "speakers": {"num_speakers": 3, "speaker_embedding_size": 6}}


def written_out(decoder, config, latents, speaker):
    """HiFi-GAN in one-dimensional convolutions, from the checkpoint's tensors alone (Kong et al. 2020, section 2)."""
    w = decoder.state_dict()
    x = F.conv1d(latents, w["conv_pre.weight"], w["conv_pre.bias"], padding=3)
    if speaker is not None:
        x = x + F.conv1d(speaker, w["cond.weight"], w["cond.bias"])
    kernels, dilations = config.resblock_kernel_sizes, config.resblock_dilation_sizes
    for i, (rate, kernel) in enumerate(zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True)):
        name = f"upsampler.{i}."
        x = F.leaky_relu(x, 0.1)
        x = F.conv_transpose1d(x, w[name + "weight"], w[name + "bias"], stride=rate, padding=(kernel - rate) // 2)
        outputs = []
        for j, (size, steps) in enumerate(zip(kernels, dilations, strict=True)):
            y, block = x, f"resblocks.{i * len(kernels) + j}."
            for n, step in enumerate(steps):
                first = "convs" if config.resblock_type == "2" else "convs1"
                z = F.leaky_relu(y, 0.1)
                names = block + f"{first}.{n}."
                z = F.conv1d(z, w[names + "weight"], w[names + "bias"], dilation=step, padding=step * (size - 1) // 2)
                if config.resblock_type == "1":
                    names = block + f"convs2.{n}."
                    z = F.conv1d(F.leaky_relu(z, 0.1), w[names + "weight"], w[names + "bias"], padding=(size - 1) // 2)
                y = y + z
            outputs.append(y)
        x = torch.stack(outputs).mean(0)
    return F.conv1d(F.leaky_relu(x, 0.01), w["conv_post.weight"], padding=3).tanh()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_it_is_hifigan_written_out(make_model, kind):
    model = make_model(**kind).double()
    latents = torch.randn(2, 8, 9).double()
    speaker = model.speaker_vector([1, 2], 2) if "num_speakers" in kind else None
    expected = written_out(model.decoder, model.config, latents, speaker)
    assert expected.abs().max() > 0.05
    torch.testing.assert_close(model.decoder(latents, speaker), expected, rtol=0, atol=1e-12)


def test_gradients_are_those_of_the_same_written_out(make_model):
    model = make_model(resblock_type="2").double()
    latents = torch.randn(1, 8, 5).double().requires_grad_()
    ours, theirs = (
        torch.autograd.grad(f.square().sum(), latents)[0]
        for f in (model.decoder(latents), written_out(model.decoder, model.config, latents, None))
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_blocks_of_the_two_types_have_the_keys_of_their_checkpoints(make_config):
    keys = {kind: set(HifiGan(make_config(resblock_type=kind)).state_dict()) for kind in ("1", "2")}
    assert {"resblocks.0.convs1.0.weight", "resblocks.0.convs2.1.bias"} <= keys["1"]
    assert "resblocks.0.convs.1.weight" in keys["2"] and not any("convs1" in key for key in keys["2"])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_it_compiles_to_one_graph_that_follows_the_weights(make_model, kind):
    model = make_model(**kind).double()
    latents, speaker = torch.randn(2, 8, 9).double(), None
    if "num_speakers" in kind:
        speaker = model.speaker_vector([1, 2], 2).detach()
    with torch.no_grad():
        compiled = torch.compile(model.decoder, backend="eager", fullgraph=True)
        for _ in range(2):
            expected = model.decoder(latents, speaker)
            torch.testing.assert_close(compiled(latents, speaker), expected, rtol=0, atol=1e-12)
            model.decoder.conv_pre.weight.mul_(1.5)


def test_long_kernels_on_wide_stages_run_in_the_frequency_domain_to_speak_only(make_model, monkeypatch):
    monkeypatch.setattr(fft_conv, "is_faster", lambda channels, kernel, fewest: kernel == 5)
    monkeypatch.setattr(fft_conv, "FEWEST_TILES", 1)
    model, used = make_model().double(), []
    original = fft_conv.convolve
    monkeypatch.setattr(fft_conv, "convolve", lambda *a: used.append(1) or original(*a))
    latents = torch.randn(2, 8, 40).double()
    with torch.no_grad():
        spoken = model.decoder(latents)
    spoken_by = len(used)
    assert spoken_by and spoken_by % (2 * 2) == 0  # dilations, convolutions of a pair, for each piece
    trained = model.decoder(latents)
    assert len(used) == spoken_by
    torch.testing.assert_close(spoken, trained.detach(), rtol=0, atol=1e-12)
    with torch.no_grad():
        model.decoder.train()(latents)
    assert len(used) == spoken_by


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("size", [16, 50, 1000])
def test_stages_in_pieces_are_stages_at_once(make_model, monkeypatch, kind, size):
    """Forty frames are forty; thirty-three are padded to forty."""
    monkeypatch.setattr(chunked, "SAMPLES", max(1, size // torch.get_num_threads()))
    model = make_model(**kind).double()
    speaker = model.speaker_vector([1, 2], 2).detach() if "num_speakers" in kind else None
    block = type(model.decoder.resblocks[0])
    counted, original = [], block.forward
    monkeypatch.setattr(block, "forward", lambda *a: counted.append(1) or original(*a))
    for frames in (40, 33, 7):
        latents = torch.randn(2, 8, frames).double()
        counted.clear()
        with torch.no_grad():
            made = model.decoder(latents, speaker)
        assert len(counted) > len(model.decoder.resblocks) or size == 1000 or frames == 7
        torch.testing.assert_close(made, model.decoder(latents, speaker).detach(), rtol=0, atol=1e-12)


def test_few_lengths_are_computed_with_and_none_is_much_longer_than_what_is_asked_for(make_model, monkeypatch):
    layer = make_model().decoder
    with torch.no_grad():
        lengths = {n: prepared_length(layer, torch.empty(1, 1, n)) for n in range(1, 2049)}
        assert all(n <= made <= max(n + 7, 1.07 * n) for n, made in lengths.items())
        assert len(set(lengths.values())) < 100
        assert lengths[128] == 128 and lengths[129] == 136 and lengths[2048] == 2048
        assert prepared_length(layer, torch.empty(1, 1, 129, device="meta")) == 129
    assert prepared_length(layer, torch.empty(1, 1, 129)) == 129  # where gradients may be asked for


def test_the_flow_pads_to_few_lengths_without_a_trace(make_model):
    model = make_model().double()
    for frames in (5, 8, 33, 130):
        sample = torch.randn(2, 8, frames).double()
        mask = torch.ones(2, 1, frames).double()
        mask[1, :, 3:] = 0
        with torch.no_grad():
            made = model.flow.inverse(sample * mask, mask)
        expected = model.flow.inverse(sample * mask, mask).detach()
        torch.testing.assert_close(made, expected, rtol=0, atol=1e-12)
