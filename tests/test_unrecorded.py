"""A model speaks in inference mode where nobody notices."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


class Watching(TorchDispatchMode):
    """Sees every operation."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


IDS = torch.tensor([[0, 3, 0, 5, 0]])


@pytest.fixture
def modes(monkeypatch):
    """A model, and in which modes its flow ran, noted without a hook."""
    seen = []

    def watch(model):
        inverse = model.flow.inverse
        monkeypatch.setattr(
            model.flow, "inverse", lambda *given: seen.append(torch.is_inference_mode_enabled()) or inverse(*given)
        )
        return model, seen

    return watch


def tensors(made):
    values = made if isinstance(made, tuple) else vars(made).values()
    for value in values:
        yield from tensors(value) if isinstance(value, tuple) else [value]


def test_it_speaks_in_inference_mode_and_what_it_returns_is_plain(make_model, modes):
    model, seen = modes(make_model())
    out = model(IDS, output_hidden_states=True, output_attentions=True)
    latents, prior = model.latents(IDS), model.prior(IDS)
    waveform = model.decode(latents.latents)
    assert seen == [True, True] and not torch.is_inference_mode_enabled()
    made = [*tensors(out.to_tuple()), *tensors(latents), *tensors(prior), waveform]
    assert len(made) > 10 and not any(tensor.is_inference() for tensor in made)
    learnt = torch.ones(1, requires_grad=True)
    (learnt * out.waveform * out.hidden_states[0].mean()).sum().backward()
    waveform.mul_(2)
    assert learnt.grad is not None


@pytest.mark.parametrize("flowed", [True, False], ids=["prior", "latents"])
def test_streams_run_in_inference_mode_and_their_pieces_are_plain(make_model, monkeypatch, flowed):
    model = make_model()
    prior, seen = model.prior(IDS, generator=torch.Generator().manual_seed(3)), []
    latents = model.latents(IDS, generator=torch.Generator().manual_seed(3)).latents
    layer = model.decoder.conv_post
    monkeypatch.setattr(
        layer,
        "_single",
        lambda *given: seen.append(torch.is_inference_mode_enabled()) or type(layer)._single(layer, *given),
    )
    pieces = []
    for piece in model.stream(prior if flowed else latents, chunk_frames=2):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()  # meanwhile, one may learn
        pieces.append(piece)
    assert len(pieces) > 1 and all(seen) and len(seen) == len(pieces)
    assert not any(piece.is_inference() or piece.requires_grad for piece in pieces)
    torch.testing.assert_close(torch.cat(pieces, dim=1), model.decode(latents)[0], rtol=0, atol=1e-6)
    kept = []
    handle = model.decoder.register_forward_hook(lambda layer, given, made: kept.append(given[0]))
    list(model.stream(prior if flowed else latents, chunk_frames=2))
    handle.remove()
    assert kept and not any(given.is_inference() for given in kept)


def test_sound_is_the_same_in_all_modes(make_model):
    model = make_model()

    def speak():
        return model(IDS, generator=torch.Generator().manual_seed(3)).waveform

    plain = speak()
    with torch.inference_mode():
        torch.testing.assert_close(speak(), plain, rtol=0, atol=0)
    handle = model.flow.register_forward_hook(lambda *given: None)
    torch.testing.assert_close(speak(), plain, rtol=0, atol=0)
    handle.remove()


def test_hooks_are_given_plain_tensors(make_model, modes):
    model, seen = modes(make_model())
    kept = []
    model.text_encoder.encoder.layers[0].register_forward_hook(lambda module, given, made: kept.append(made[0]))
    model(IDS)
    assert seen == [False]
    torch.nn.Linear(kept[0].shape[-1], 1)(kept[0]).sum().backward()  # as a probe learns


def test_autocast_does_not_remember_tensors_of_inference_mode(make_model, modes):
    model, seen = modes(make_model())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(IDS)
        model.text_encoder.project(torch.randn(1, model.config.hidden_size, 3)).sum().backward()
    assert seen == [False] and model.text_encoder.project.weight.grad is not None


def test_whoever_is_in_inference_mode_stays_in_it(make_model):
    model = make_model()
    with torch.inference_mode():
        assert model(IDS).waveform.is_inference()


def test_nobody_who_watches_layers_is_given_tensors_of_inference_mode(make_model, modes):
    model, seen = modes(make_model())
    with torch.nn.utils.parametrize.cached():
        model(IDS)
    handle = torch.nn.modules.module.register_module_forward_hook(lambda *given: None)
    model(IDS)
    handle.remove()
    handle = model.decoder.conv_pre.register_forward_pre_hook(lambda *given: None)
    model(IDS)
    handle.remove()
    with FlopCounterMode(display=False) as counter:
        model(IDS)
    assert counter.get_total_flops() > 0
    with Watching():
        model(IDS)
    layer, kept = model.text_encoder.encoder.layers[0], []
    replaced = layer.forward
    layer.forward = lambda *given: kept.append(replaced(*given)) or kept[0]
    model(IDS)
    assert not kept[0][0].is_inference() and not any(seen)


def test_a_method_compiles_to_one_graph(make_model):
    model = make_model().double()
    latents = torch.randn(1, 8, 10, dtype=torch.float64)
    compiled = torch.compile(model.decode, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(latents), model.decode(latents), rtol=0, atol=1e-12)
