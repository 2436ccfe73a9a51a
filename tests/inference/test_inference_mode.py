"""A model records a graph where gradients are asked for, and else speaks in inference mode where nobody notices."""

import pytest
import torch
from tiny_voices import enliven
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from hf_vits import TextToSpeechPipeline, VitsModel


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


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "no_grad"])
def test_it_speaks_in_inference_mode_and_what_it_returns_is_plain(make_model, modes, frozen):
    model, seen = modes(make_model().requires_grad_(not frozen))
    with torch.set_grad_enabled(frozen):
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

    @torch.no_grad()
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
    with torch.no_grad():
        model(IDS)
    assert seen == [False]
    torch.nn.Linear(kept[0].shape[-1], 1)(kept[0]).sum().backward()  # as a probe learns


def test_autocast_does_not_remember_tensors_of_inference_mode(make_model, modes):
    model, seen = modes(make_model())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            model(IDS)
        model.text_encoder.project(torch.randn(1, model.config.hidden_size, 3)).sum().backward()
    assert seen == [False] and model.text_encoder.project.weight.grad is not None


def test_whoever_is_in_inference_mode_stays_in_it(make_model):
    model = make_model()
    with torch.inference_mode():
        assert model(IDS).waveform.is_inference()


@torch.no_grad()
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


DROPOUTS = "hidden_dropout attention_dropout activation_dropout duration_predictor_dropout layerdrop"
WITHOUT_DROPOUT = dict.fromkeys(DROPOUTS.split(), 0.0)
"""Stock drops at other places in training, so gradients are comparable without."""


@pytest.fixture(params=[False, True], ids=["eval", "train"])
def both(request, make_config, make_stock_model):
    """A model of ours that trains wide layers in its own ways, the same of stock, and speakers."""

    def make(**fields):
        sizes = {"hidden_size": 192, "flow_size": 192, "upsample_initial_channel": 256, **fields}
        ours = enliven(VitsModel(make_config(**sizes, **WITHOUT_DROPOUT))).train(request.param)
        return ours, make_stock_model(ours).train(request.param)

    return make


def assert_same_gradients(ours, stock, tolerance):
    expected = {name: parameter.grad for name, parameter in stock.named_parameters()}
    largest = max(gradient.abs().max() for gradient in expected.values() if gradient is not None)
    assert largest > 1e-3, "an oracle without gradients proves nothing"
    for name, parameter in ours.named_parameters():
        assert (parameter.grad is None) == (expected[name] is None), name
        if parameter.grad is not None:
            allowed = {"rtol": tolerance, "atol": tolerance * largest.item()}
            torch.testing.assert_close(parameter.grad, expected[name], **allowed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_upstreams_at_equal_weights_and_seed(both, speakers, dtype):
    ours, stock = both(**speakers)
    texts = torch.randint(0, 20, (1, 40), generator=torch.Generator().manual_seed(1))
    for model in (ours.to(dtype), stock.to(dtype)):
        torch.manual_seed(3)
        out = model(texts, speaker_id=2)
        (out.waveform.square().mean() + out.spectrogram.abs().mean()).backward()
    assert_same_gradients(ours, stock, 1e-4 if dtype == torch.float32 else 1e-10)


def test_gradients_reach_the_text_encoders_states(make_model):
    model = make_model()
    out = model(IDS, output_hidden_states=True, output_attentions=True)
    for state in (*out.hidden_states, *out.attentions):
        state.retain_grad()
    out.waveform.square().sum().backward()
    assert all(state.grad is not None and state.grad.any() for state in (*out.hidden_states, *out.attentions))


def test_an_argument_that_requires_a_gradient_gets_it_from_a_frozen_model(make_model, speakers):
    model = make_model(**speakers).double().requires_grad_(False)
    latents = torch.randn(2, 8, 5, dtype=torch.float64, requires_grad=True)
    speaker = torch.randn(2, 6, 1, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([5, 3])
    assert torch.autograd.gradcheck(lambda *given: model.decode(given[0], lengths, given[1]), (latents, speaker))
    scale = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    mean = torch.tensor([[2] * 5])

    def spoken(scale, speaker):
        noise = torch.Generator().manual_seed(3)
        return model.latents(IDS, speaker=speaker, durations=mean, noise_scale=scale, generator=noise).latents

    assert torch.autograd.gradcheck(spoken, (scale, speaker[:1].detach().requires_grad_()))
    assert not model.decode(latents.detach(), speaker=speaker.detach()).requires_grad


def test_forward_mode_gradients_flow(make_model):
    model = make_model().double().requires_grad_(False)
    latents, direction = torch.randn(2, 1, 8, 5, dtype=torch.float64)
    _, tangent = torch.func.jvp(model.decode, (latents,), (direction,))
    step = 1e-6
    moved = (model.decode(latents + step * direction) - model.decode(latents - step * direction)) / (2 * step)
    torch.testing.assert_close(tangent, moved, rtol=0, atol=1e-6)


def test_training_a_spoken_voice_moves_it_as_it_moves_upstreams(both):
    ours, stock = both(hidden_size=16, flow_size=8, upsample_initial_channel=16)
    for model in (ours.double(), stock.double()):
        optimizer = torch.optim.SGD(model.parameters(), 1e-2)
        for step in range(2):
            torch.manual_seed(step)
            optimizer.zero_grad()
            model(IDS).waveform.square().mean().backward()
            optimizer.step()
    for name, parameter in ours.state_dict().items():
        torch.testing.assert_close(parameter, stock.state_dict()[name], rtol=0, atol=1e-9)


def test_nothing_of_ours_that_speaks_records_a_graph(make_model, make_tokenizer, monkeypatch):
    from hf_vits.synthesis.run import speak

    model, recorded = make_model(), []
    convolve = type(model.decoder.conv_pre).forward

    def watched(layer, signal):
        recorded.append(torch.is_grad_enabled())
        return convolve(layer, signal)

    monkeypatch.setattr(type(model.decoder.conv_pre), "forward", watched)
    pipe = TextToSpeechPipeline(model, make_tokenizer())
    pipe("a hope")
    list(pipe.stream("a hope"))
    speak(pipe, ["a hope"], [None], [torch.Generator()], {})
    list(model.stream(torch.randn(1, 8, 10)))
    prior = model.prior(IDS)
    assert prior.sample.requires_grad
    recorded.clear()
    list(model.stream(prior))
    assert recorded and not any(recorded)


def test_a_method_compiles_to_one_graph(make_model):
    model = make_model().double()
    latents = torch.randn(1, 8, 10, dtype=torch.float64)
    compiled = torch.compile(model.decode, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(latents), model.decode(latents), rtol=0, atol=1e-12)
