import pytest
import torch
from torch.nn import functional as F

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


@pytest.mark.thorough
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
