"""Models are pickled, copied and reinitialized as any `PreTrainedModel`, and record graphs as any module."""

import copy
import io
import pickle
import threading

import pytest
import torch
from tiny_voices import SMALLEST, enliven

from hf_vits import TextToSpeechPipeline, VitsModel
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.export.graph import inference_copy

IDS = torch.arange(1, 13)[None]


@torch.no_grad()
def waveform_of(model, seed=3):
    return model(IDS, generator=torch.Generator().manual_seed(seed)).waveform


def saved_and_loaded(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("again", [lambda model: pickle.loads(pickle.dumps(model)), saved_and_loaded, copy.deepcopy])
def test_a_pickled_or_copied_model_is_the_same(make_model, again):
    model = make_model().train()
    model.decoder.eval()
    model.flow.requires_grad_(False)
    model.name_or_path = "voices/one"
    back = again(model)
    assert type(back) is VitsModel and back.name_or_path == "voices/one"
    assert back.config.to_dict() == model.config.to_dict()
    for (name, one), (other_name, other) in zip(model.named_parameters(), back.named_parameters(), strict=True):
        assert name == other_name and torch.equal(one, other) and one.requires_grad == other.requires_grad
    assert [part.training for part in model.modules()] == [part.training for part in back.modules()]
    assert torch.equal(waveform_of(model.eval()), waveform_of(back.eval()))


def test_a_model_without_weight_norm_is_pickled(make_model):
    folded = inference_copy(make_model())
    for part in folded.modules():
        if torch.nn.utils.parametrize.is_parametrized(part, "weight"):
            torch.nn.utils.parametrize.remove_parametrizations(part, "weight")
    assert torch.equal(waveform_of(pickle.loads(pickle.dumps(folded))), waveform_of(folded))


def test_pickling_a_model_with_other_layers_is_an_error_that_says_what_to_save(make_model):
    model = make_model()
    model.flow.flows.append(torch.nn.Linear(2, 2))
    with pytest.raises(TypeError, match="other layers than its configuration says.*save_pretrained"):
        pickle.dumps(model)


@pytest.mark.thorough
def test_discriminators_are_pickled():
    discriminator = VitsDiscriminator(VitsDiscriminatorConfig(periods=[2]))
    back = pickle.loads(pickle.dumps(discriminator))
    weights = back.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in discriminator.state_dict().items())


def test_a_model_on_the_meta_device_is_initialized_completely(make_config):
    config = make_config(hidden_size=64, vocab_size=2000)
    with torch.device("meta"):
        model = VitsModel(config)
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        parameter.data.fill_(torch.nan)
    model.init_weights()
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
    assert model.text_encoder.embed_tokens.weight.std().item() == pytest.approx(64**-0.5, rel=0.02)
    assert not any(coupling.conv_post.weight.any() for coupling in model.flow.flows)


def test_building_a_model_initializes_its_weights_once(make_config, monkeypatch):
    called = []
    monkeypatch.setattr("hf_vits.modeling_utils.reinitialize", lambda model: called.append(model))
    VitsModel(make_config())
    assert called == []


def test_loading_prints_nothing(make_model, tmp_path, capfd):
    from transformers.utils import logging

    make_model().save_pretrained(tmp_path)
    shown = logging.is_progress_bar_enabled()
    logging.enable_progress_bar()
    capfd.readouterr()
    try:
        VitsModel.from_pretrained(tmp_path)
        assert logging.is_progress_bar_enabled() and capfd.readouterr().err == ""
    finally:
        if not shown:
            logging.disable_progress_bar()


@pytest.mark.thorough
def test_threads_that_share_a_loaded_model_return_what_one_thread_returns(make_model, tmp_path):
    make_model().save_pretrained(tmp_path)
    alone = VitsModel.from_pretrained(tmp_path)
    expected = [waveform_of(alone, seed) for seed in range(8)]
    for _ in range(3):
        model, waveforms, start = VitsModel.from_pretrained(tmp_path), [None] * 8, threading.Barrier(8)

        def synthesize(seed, model=model, waveforms=waveforms, start=start):
            start.wait()
            waveforms[seed] = waveform_of(model, seed)

        threads = [threading.Thread(target=synthesize, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(torch.equal(one, other) for one, other in zip(waveforms, expected, strict=True))


def in_place(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.01)


def by_optimizer(model):
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    model(IDS, generator=torch.Generator().manual_seed(1)).waveform.square().sum().backward()
    optimizer.step()


def by_loading(model):
    model.load_state_dict(enliven(VitsModel(model.config), seed=5).state_dict())


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("change", [in_place, by_optimizer, by_loading])
@pytest.mark.parametrize("wide", [False, True])
def test_a_model_whose_weights_change_after_a_call_returns_what_its_copy_returns(make_model, change, wide):
    model = make_model(**({"upsample_initial_channel": 256, "resblock_kernel_sizes": [3, 11]} if wide else {}))
    before = waveform_of(model)
    change(model)
    after = waveform_of(model)
    assert after.shape != before.shape or not torch.equal(after, before)
    assert torch.equal(after, waveform_of(copy.deepcopy(model)))


@pytest.mark.parametrize("source", ["prior", "latents"])
def test_a_stream_records_no_graph_and_leaves_the_callers_grad_mode_on(make_model, source):
    model = make_model()
    prior = model.prior(IDS, generator=torch.Generator().manual_seed(3))
    latents = model.latents(IDS, generator=torch.Generator().manual_seed(3)).latents
    assert prior.sample.requires_grad and latents.requires_grad
    modes, chunks = [], []
    handle = model.decoder.register_forward_hook(lambda *given: modes.append(torch.is_grad_enabled()))
    for chunk in model.stream(prior if source == "prior" else latents, chunk_frames=2):
        assert torch.is_grad_enabled()
        chunks.append(chunk)
    handle.remove()
    assert len(chunks) > 1 and modes == [False] * len(chunks) and not any(chunk.requires_grad for chunk in chunks)
    torch.testing.assert_close(torch.cat(chunks, dim=1), model.decode(latents)[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "no_grad"])
def test_a_graph_is_recorded_only_if_a_gradient_is_asked_for(make_model, frozen):
    model = make_model().requires_grad_(not frozen)
    modes = []
    model.decoder.register_forward_hook(lambda *given: modes.append(torch.is_grad_enabled()))
    with torch.set_grad_enabled(frozen):
        model(IDS)
        model.decode(torch.zeros(1, 8, 4))
    assert modes == [False, False]
    model.requires_grad_(True)(IDS)
    model.requires_grad_(False).decode(torch.zeros(1, 8, 4, requires_grad=True))
    assert modes[2:] == [True, True]


def test_synthesis_under_autocast_leaves_no_cached_weights_without_gradients(make_model):
    model = make_model()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            model(IDS)
        model.text_encoder.project(torch.randn(1, model.config.hidden_size, 3)).sum().backward()
    assert model.text_encoder.project.weight.grad is not None


def test_a_call_in_inference_mode_returns_inference_tensors(make_model):
    model = make_model()
    with torch.inference_mode():
        assert model(IDS).waveform.is_inference()


DROPOUTS = "hidden_dropout attention_dropout activation_dropout duration_predictor_dropout layerdrop"
WITHOUT_DROPOUT = dict.fromkeys(DROPOUTS.split(), 0.0)
"""Upstream applies dropout at other places in training, so gradients are compared without."""


@pytest.fixture(params=[False, True], ids=["eval", "train"])
def both(request, make_config, make_upstream_model):
    """A wide model of ours, whose layers have kernels for training, and the same of transformers."""

    def make(**fields):
        sizes = {"hidden_size": 192, "flow_size": 192, "upsample_initial_channel": 256, **fields}
        ours = enliven(VitsModel(make_config(**sizes, **WITHOUT_DROPOUT))).train(request.param)
        return ours, make_upstream_model(ours).train(request.param)

    return make


def assert_same_gradients(ours, theirs, tolerance):
    expected = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    largest = max(gradient.abs().max() for gradient in expected.values() if gradient is not None)
    assert largest > 1e-3, "an oracle without gradients proves nothing"
    for name, parameter in ours.named_parameters():
        assert (parameter.grad is None) == (expected[name] is None), name
        if parameter.grad is not None:
            allowed = {"rtol": tolerance, "atol": tolerance * largest.item()}
            torch.testing.assert_close(parameter.grad, expected[name], **allowed)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_equal_upstreams_at_equal_weights_and_seed(both, speakers, dtype):
    ours, theirs = both(**speakers)
    texts = torch.randint(0, 20, (1, 40), generator=torch.Generator().manual_seed(1))
    for model in (ours.to(dtype), theirs.to(dtype)):
        torch.manual_seed(3)
        out = model(texts, speaker_id=2)
        (out.waveform.square().mean() + out.spectrogram.abs().mean()).backward()
    assert_same_gradients(ours, theirs, 1e-4 if dtype == torch.float32 else 1e-10)


def test_gradients_reach_the_text_encoders_states(make_model):
    model = make_model()
    out = model(IDS, output_hidden_states=True, output_attentions=True)
    for state in (*out.hidden_states, *out.attentions):
        state.retain_grad()
    out.waveform.square().sum().backward()
    assert all(state.grad is not None and state.grad.any() for state in (*out.hidden_states, *out.attentions))


@pytest.mark.thorough
def test_an_argument_that_requires_a_gradient_gets_it_from_a_frozen_model(make_model, speakers):
    model = make_model(**speakers).double().requires_grad_(False)
    latents = torch.randn(2, 8, 5, dtype=torch.float64, requires_grad=True)
    speaker = torch.randn(2, 6, 1, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([5, 3])
    assert torch.autograd.gradcheck(lambda *given: model.decode(given[0], lengths, given[1]), (latents, speaker))
    scale = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    mean = torch.tensor([[2] * IDS.shape[1]])

    def latents_of(scale, speaker):
        noise = torch.Generator().manual_seed(3)
        return model.latents(IDS, speaker=speaker, durations=mean, noise_scale=scale, generator=noise).latents

    assert torch.autograd.gradcheck(latents_of, (scale, speaker[:1].detach().requires_grad_()))
    assert not model.decode(latents.detach(), speaker=speaker.detach()).requires_grad


def test_forward_mode_gradients_flow(make_model):
    model = make_model().double().requires_grad_(False)
    latents, direction = torch.randn(2, 1, 8, 5, dtype=torch.float64)
    _, tangent = torch.func.jvp(model.decode, (latents,), (direction,))
    step = 1e-6
    moved = (model.decode(latents + step * direction) - model.decode(latents - step * direction)) / (2 * step)
    torch.testing.assert_close(tangent, moved, rtol=0, atol=1e-6)


@pytest.mark.thorough
def test_training_after_inference_changes_weights_as_it_changes_upstreams(both):
    ours, theirs = both(hidden_size=16, flow_size=8, upsample_initial_channel=16)
    for model in (ours.double(), theirs.double()):
        optimizer = torch.optim.SGD(model.parameters(), 1e-2)
        for step in range(2):
            torch.manual_seed(step)
            optimizer.zero_grad()
            model(IDS).waveform.square().mean().backward()
            optimizer.step()
    weights = theirs.state_dict()
    for name, parameter in ours.state_dict().items():
        torch.testing.assert_close(parameter, weights[name], rtol=0, atol=1e-9)


def test_pipelines_streams_and_data_set_synthesis_record_no_graph(make_model, make_tokenizer, monkeypatch):
    from hf_vits.synthesis.run import speak_batch

    model, recorded = make_model(), []
    convolve = type(model.decoder.conv_pre).forward

    def watched(layer, signal):
        recorded.append(torch.is_grad_enabled())
        return convolve(layer, signal)

    monkeypatch.setattr(type(model.decoder.conv_pre), "forward", watched)
    pipe = TextToSpeechPipeline(model, make_tokenizer())
    pipe("a hope")
    list(pipe.stream("a hope"))
    speak_batch(pipe, ["a hope"], [None], [torch.Generator()], {})
    list(model.stream(torch.randn(1, 8, 10)))
    prior = model.prior(IDS)
    assert prior.sample.requires_grad
    recorded.clear()
    list(model.stream(prior))
    assert recorded and not any(recorded)


@pytest.mark.thorough
def test_a_method_compiles_to_one_graph(make_model):
    model = make_model().double()
    latents = torch.randn(1, 8, 10, dtype=torch.float64)
    compiled = torch.compile(model.decode, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(latents), model.decode(latents), rtol=0, atol=1e-12)


KINDS = {
    "voice": {},
    "speakers, for inference": {"num_speakers": 3, "speaker_embedding_size": 6, "inference_only": True},
    "languages": {"num_languages": 2, "language_embedding_size": 2, "use_stochastic_duration_prediction": False},
    "discriminator": None,
}


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_taken_as_stored_make_the_model_that_transformers_makes_of_them(make_config, tmp_path, kind):
    of = VitsDiscriminator if kind == "discriminator" else VitsModel
    small = VitsDiscriminatorConfig(periods=[2], period_channels=[4, 8], scale_channels=[4, 4, 8, 8, 8, 8])
    config = small if kind == "discriminator" else make_config(**SMALLEST, **KINDS[kind])
    enliven(of(config)).train().save_pretrained(tmp_path)
    ours, theirs = of.from_pretrained(tmp_path), of.from_pretrained(tmp_path, low_cpu_mem_usage=True)
    assert ours.config.to_dict() == theirs.config.to_dict() and ours.name_or_path == theirs.name_or_path
    assert [*map(repr, ours.modules())] == [*map(repr, theirs.modules())]
    assert [part.training for part in ours.modules()] == [part.training for part in theirs.modules()]
    for kind_of_tensor in ("named_parameters", "named_buffers"):
        pairs = zip(getattr(ours, kind_of_tensor)(), getattr(theirs, kind_of_tensor)(), strict=True)
        for (name, one), (other_name, other) in pairs:
            assert name == other_name and torch.equal(one, other) and one.dtype == other.dtype
            assert (type(one), one.requires_grad, one.stride()) == (type(other), other.requires_grad, other.stride())


@pytest.mark.parametrize("asked", [{"dtype": torch.float64}, {"output_loading_info": True}, {"device_map": "cpu"}])
def test_whoever_asks_for_more_than_stored_weights_is_answered_by_transformers(make_model, monkeypatch, asked):
    monkeypatch.delattr("hf_vits.modeling_utils._filled")
    model = make_model(**SMALLEST)
    loaded = VitsModel.from_pretrained(None, config=model.config, state_dict=model.state_dict(), **asked)
    loaded = loaded[0] if "output_loading_info" in asked else loaded
    assert next(loaded.decoder.parameters()).dtype == asked.get("dtype", torch.float32)


def test_weights_of_another_dtype_than_the_configurations_are_converted_by_transformers(make_model, monkeypatch):
    monkeypatch.delattr("hf_vits.modeling_utils._filled")
    model = make_model(**SMALLEST)
    state = {name: tensor.double() for name, tensor in model.state_dict().items()}
    loaded = [VitsModel.from_pretrained(None, config=model.config, state_dict=state)]
    model.config.dtype = torch.float64
    loaded += [VitsModel.from_pretrained(None, config=model.config, state_dict=model.state_dict())]
    assert {parameter.dtype for model in loaded for parameter in model.parameters()} == {torch.float64}


def test_the_default_device_is_left_to_transformers(make_model):
    model = make_model(**SMALLEST)
    with torch.device("meta"), pytest.raises(RuntimeError, match="meta device"):
        VitsModel.from_pretrained(None, config=model.config, state_dict=model.state_dict())


def test_a_loaded_model_does_not_share_a_frozen_parameter_with_the_weights_it_is_given(make_model):
    model = make_model(**SMALLEST).requires_grad_(False)
    loaded = VitsModel.from_pretrained(None, config=model.config, state_dict=dict(model.named_parameters()))
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert loaded.config is not model.config and loaded.config.dtype == torch.float32
