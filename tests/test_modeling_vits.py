import inspect
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_voices import SPEAKERS, enliven

import hf_vits
from hf_vits import VitsModel
from hf_vits.configuration_decoders import DECODERS, UPSTREAM_DECODER
from hf_vits.inference.limits import MAX_TOKENS, NotFiniteError
from hf_vits.utils.torch_state import HAS_KERNELS, find

pytestmark = pytest.mark.usefixtures("without_gradients")

IDS = torch.arange(1, 13)[None]


def seeded(seed=7):
    return torch.Generator().manual_seed(seed)


def test_forward_is_latents_then_decode(make_model, speakers, text):
    model = make_model(**speakers)
    whole = model(**text, speaker_id="bea", generator=seeded())
    speaker = model.speaker_vector(["bea"] * 3, 3)
    half = model.latents(**text, speaker=speaker, generator=seeded())
    assert torch.equal(model.decode(half.latents, half.frame_lengths, speaker).squeeze(1), whole.waveform)
    assert torch.equal(half.latents, whole.spectrogram)


def test_lengths_are_durations_times_the_hop(make_model, text):
    model = make_model()
    out = model(**text)
    assert torch.equal(out.sequence_lengths, out.durations.sum(dim=1) * model.config.hop_length)
    assert out.waveform.shape == (3, out.sequence_lengths.max())
    assert out.durations.shape == text["input_ids"].shape


def test_given_durations_are_kept_whatever_the_rate(make_model, text):
    durations = torch.arange(27).view(3, 9) % 4 * text["attention_mask"]
    out = make_model()(**text, durations=durations, speaking_rate=3.0)
    assert torch.equal(out.durations, durations)


def test_predicted_durations_passed_back_give_the_same_waveform(make_model):
    model = make_model(use_stochastic_duration_prediction=False)
    out = model(IDS, generator=seeded())
    again = model(IDS, durations=out.durations, generator=seeded())
    assert torch.equal(out.waveform, again.waveform)


def test_speaking_twice_as_fast_halves_the_frames_before_rounding_up(make_model):
    model = make_model(use_stochastic_duration_prediction=False).double()
    text = model.text_encoder(IDS, torch.ones(1, 1, 12).double())
    exact = model.duration_predictor(text.hidden, torch.ones(1, 1, 12).double()).exp().squeeze(1)
    for rate in (0.5, 1.0, 2.0):
        assert torch.equal(model(IDS, speaking_rate=rate).durations, (exact / rate).ceil().long())


SAME = ["cem", 2, [2], ["cem"], (2,), torch.tensor(2), torch.tensor([2]), np.int64(2), np.array([2]), [torch.tensor(2)]]


@pytest.mark.parametrize("speaker", SAME, ids=repr)
def test_a_speaker_is_an_id_a_name_a_list_or_a_tensor(make_model, speakers, speaker):
    model = make_model(**speakers)
    out = model(IDS, speaker_id=speaker, generator=seeded()).waveform
    assert torch.equal(out, model(IDS, speaker_id=2, generator=seeded()).waveform)
    assert not torch.equal(out, model(IDS, speaker_id=0, generator=seeded()).waveform)


def test_a_model_of_one_speaker_takes_none_or_its_only_one(make_model):
    model = make_model(speaker_names=["eve"])
    expected = model(IDS, generator=seeded()).waveform
    for speaker in (None, 0, "eve"):
        assert torch.equal(model(IDS, speaker_id=speaker, generator=seeded()).waveform, expected)


@pytest.mark.parametrize("noise", ["noise_scale", "noise_scale_duration"])
def test_without_noise_the_seed_does_not_matter(make_model, noise):
    model = make_model()
    silent = {"noise_scale": 0.0, "noise_scale_duration": 0.0}
    one, two = (model(IDS, generator=seeded(s), **silent).waveform for s in (1, 2))
    assert torch.equal(one, two)
    silent[noise] = 1.0
    one, two = (model(IDS, generator=seeded(s), **silent) for s in (1, 2))
    assert one.waveform.shape != two.waveform.shape or not torch.equal(one.waveform, two.waveform)


def test_default_arguments_are_the_configurations(make_model):
    model = make_model(noise_scale=0.2, noise_scale_duration=0.3, speaking_rate=1.5)
    explicit = model(IDS, noise_scale=0.2, noise_scale_duration=0.3, speaking_rate=1.5, generator=seeded())
    assert torch.equal(model(IDS, generator=seeded()).waveform, explicit.waveform)


def test_return_dict_false_returns_a_tuple(make_model):
    out = make_model()(IDS, return_dict=False)
    assert isinstance(out, tuple) and out[0].shape[0] == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", [{}, {"use_stochastic_duration_prediction": False}, {"resblock_type": "2"}])
def test_half_precision_changes_the_waveform_little(make_model, kind, dtype):
    model = make_model(**kind)
    durations = torch.full((1, 12), 3)
    exact = model(IDS, durations=durations, noise_scale=0.0).waveform
    half = model.to(dtype)(IDS, durations=durations, noise_scale=0.0).waveform
    assert half.dtype == dtype
    assert (half.float() - exact).abs().max() < 0.1 * exact.abs().max()
    free = model(IDS, generator=seeded())
    assert torch.isfinite(free.waveform).all() and free.waveform.abs().max() > 0


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"noise_scale": float("nan")}, ["noise_scale", "nan"]),
        ({"noise_scale": -0.1}, ["noise_scale", "-0.1"]),
        ({"noise_scale_duration": float("inf")}, ["noise_scale_duration", "inf"]),
        ({"speaking_rate": 0.0}, ["speaking_rate", "0.1 to 10"]),
        ({"speaking_rate": [1.0, 2.0]}, ["speaking_rate", "2 values", "batch of 1"]),
        ({"noise_scale": "loud"}, ["noise_scale", "loud"]),
        ({"speaker_id": 1}, ["speaker_id", "1", "1 speaker"]),
        ({"speaker_id": "ada"}, ["ada", "has no name", "leave it out"]),
        ({"durations": torch.ones(1, 3)}, ["(1, 3)", "(1, 12)"]),
        ({"durations": -torch.ones(1, 12)}, ["durations"]),
        ({"durations": torch.full((1, 12), 0.5)}, ["durations", "whole"]),
        ({"durations": torch.zeros(1, 12)}, ["durations", "0 frames"]),
        ({"durations": torch.full((1, 12), 10**7)}, ["would last", "32,768", "sentence by sentence"]),
        ({"durations": torch.full((1, 12), 2**62)}, ["durations", "10000000"]),
        ({"durations": torch.full((1, 12), 1e30)}, ["durations", "e+30"]),
        ({"durations": torch.full((1, 12), float("nan"))}, ["durations", "nan"]),
        ({"noise_scale": 1e39}, ["noise_scale", "0 to 10"]),
        ({"noise_scale": 1e38}, ["noise_scale", "0 to 10"]),
        ({"noise_scale_duration": 10.5}, ["noise_scale_duration", "0 to 10"]),
        ({"speaking_rate": 0.001}, ["speaking_rate", "0.1 to 10"]),
        ({"speaking_rate": 1e3}, ["speaking_rate", "0.1 to 10"]),
        ({"durations": torch.full((1, 12), 3000)}, ["36,000 frames", "32,768"]),
        ({"noise_scale": {1: 2}}, ["noise_scale", "{1: 2}"]),
        ({"noise_scale": True}, ["noise_scale", "True"]),
        ({"speaking_rate": 1e-39}, ["speaking_rate"]),
        ({"input_ids": None}, ["NoneType"]),
        ({"input_ids": torch.tensor(3)}, ["()"]),
        ({"generator": [seeded(), seeded()]}, ["generator", "2 values"]),
        ({"input_ids": IDS[:, :0]}, ["empty"]),
        ({"input_ids": []}, ["empty"]),
        ({"input_ids": IDS.float()}, ["float32"]),
        ({"input_ids": IDS[0]}, ["(12,)", "(B, T_text)"]),
        ({"input_ids": IDS + 10}, ["22", "0 to 19"]),
        ({"input_ids": IDS - 5}, ["-4", "0 to 19"]),
        ({"attention_mask": torch.zeros(1, 12)}, ["empty"]),
        ({"attention_mask": torch.ones(1, 3)}, ["(1, 3)", "(1, 12)"]),
        ({"attention_mask": torch.full((1, 12), 2)}, ["attention_mask", "values other"]),
        ({"attention_mask": torch.full((1, 12), 0.5)}, ["attention_mask", "values other"]),
        ({"input_ids": torch.ones(1, MAX_TOKENS + 1, dtype=torch.long)}, [str(MAX_TOKENS + 1), "sentence_splitter"]),
    ],
)
def test_a_wrong_argument_is_an_error_that_names_it(make_model, arguments, named):
    with pytest.raises(ValueError) as caught:
        make_model()(**{"input_ids": IDS, **arguments})
    for part in named:
        assert part in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("speaker", "named"),
    [
        (None, ["3 speakers", "ada, bea, cem"]),
        ("dan", ["dan", "ada"]),
        (3, ["3", "0 to 2"]),
        ([0, 1], ["2 values", "batch of 1"]),
        (torch.tensor([0.5]), ["0.5"]),
        (1.0, ["1.0"]),
        ({"ada": 1}, ["ada"]),
        ([True], ["True"]),
    ],
)
def test_an_unknown_speaker_is_an_error(make_model, speakers, speaker, named):
    with pytest.raises(ValueError) as caught:
        make_model(**speakers)(IDS, speaker_id=speaker)
    for part in named:
        assert part in str(caught.value), str(caught.value)


def test_an_unknown_argument_is_an_error(make_model):
    with pytest.raises(TypeError, match="speed"):
        make_model()(IDS, speed=2.0)
    with pytest.raises(TypeError, match="generator"):
        make_model()(IDS, generator=3)


def test_infinite_durations_are_an_error_that_names_damaged_weights(make_model):
    model = make_model()
    with torch.no_grad():
        model.text_encoder.embed_tokens.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="weights are damaged"):
        model(IDS)


PARTS = ["text_encoder.project", "flow.flows.0.conv_post", "decoder.conv_pre", "decoder.conv_post"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", PARTS)
def test_an_output_that_is_not_finite_is_an_error(make_model, part, value):
    model = make_model()
    with torch.no_grad():
        model.get_submodule(part).weight.view(-1)[0] = value
    durations = torch.full((1, 12), 3)
    with pytest.raises(NotFiniteError, match="NaN or infinity.*take another checkpoint"):
        model(IDS, durations=durations)
    with pytest.raises(NotFiniteError):
        list(model.stream(model.prior(IDS, durations=durations)))


def test_infinite_latents_are_an_error_and_no_full_scale_waveform(make_model):
    model = make_model()
    for latents in (torch.full((1, 8, 4), torch.inf), torch.full((1, 8, 4), torch.nan)):
        with pytest.raises(NotFiniteError, match="latents"):
            model.decode(latents)
        with pytest.raises(NotFiniteError, match="latents"):
            list(model.stream(latents))


def test_the_frames_of_all_texts_of_a_call_are_limited(make_model):
    with pytest.raises(ValueError, match="The 9 texts would last up to 30,000 frames each.*262,144.*fewer texts"):
        make_model()(IDS.expand(9, -1), durations=torch.full((9, 12), 2500))


def test_a_new_model_is_initialized_as_in_the_paper(make_config):
    model = VitsModel(make_config(num_speakers=2, speaker_embedding_size=4, hidden_size=64, vocab_size=2000))
    assert model.text_encoder.embed_tokens.weight.std().item() == pytest.approx(64**-0.5, rel=0.02)
    for coupling in model.flow.flows:
        assert not coupling.conv_post.weight.any() and not coupling.conv_post.bias.any()
        assert coupling.wavenet.in_layers[0].weight.abs().max() > 0
    for coupling in model.duration_predictor.flows[1:]:
        assert not coupling.conv_proj.weight.any() and not coupling.conv_proj.bias.any()
    convolutions = torch.cat([c.weight.flatten() for b in model.decoder.resblocks for c in [*b.convs1, *b.convs2]])
    assert convolutions.std().item() == pytest.approx(0.01, rel=0.1)
    assert torch.isfinite(model.eval()(IDS, speaker_id=1).waveform).all()


def test_hidden_states_and_attentions_are_returned_only_if_asked_for(make_model):
    model = make_model()
    assert model.latents(IDS).attentions == () and model(IDS).hidden_states is None
    out = model(IDS, output_hidden_states=True)
    assert len(out.hidden_states) == model.config.num_hidden_layers + 1 and out.attentions is None


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.array([0.5]), torch.tensor(0.5), torch.tensor([0.5]), (0.5,)]
)
def test_a_scale_is_any_kind_of_number(make_model, value):
    model = make_model()
    explicit = model(IDS, noise_scale=value, generator=seeded()).waveform
    assert torch.equal(explicit, model(IDS, noise_scale=0.5, generator=seeded()).waveform)


@pytest.mark.parametrize(
    "ids", [IDS.int(), IDS.to(torch.uint8), IDS.tolist(), IDS.numpy()], ids=["int32", "uint8", "list", "numpy"]
)
def test_ids_and_mask_are_of_any_integer_kind(make_model, ids):
    model = make_model()
    expected = model(IDS, torch.ones(1, 12), generator=seeded()).waveform
    for mask in (np.ones((1, 12)), [[1] * 12], torch.ones(1, 12, dtype=torch.bool)):
        assert torch.equal(model(ids, mask, generator=seeded()).waveform, expected)


def test_scales_are_set_as_attributes_as_upstream(make_model):
    model = make_model()
    model.noise_scale, model.noise_scale_duration, model.speaking_rate = 0.1, 0.2, 1.7
    explicit = model(IDS, generator=seeded()).waveform
    other = make_model()
    arguments = {"noise_scale": 0.1, "noise_scale_duration": 0.2, "speaking_rate": 1.7}
    assert torch.equal(explicit, other(IDS, **arguments, generator=seeded()).waveform)
    assert model.config.noise_scale == 0.1


def test_latents_and_decode_refuse_wrong_speaker_vectors(make_model, speakers):
    many, one = make_model(**speakers), make_model()
    latents = many.latents(IDS, speaker=many.speaker_vector("ada", 1)).latents
    for wrong in (None, "ada", torch.zeros(1, 5, 1), torch.zeros(2, 6, 1)):
        with pytest.raises(ValueError, match="speaker_vector"):
            many.latents(IDS, speaker=wrong)
        with pytest.raises(ValueError, match="speaker_vector"):
            many.decode(latents, speaker=wrong)
    with pytest.raises(ValueError, match="takes None"):
        one.latents(IDS, speaker=torch.zeros(1, 6, 1))


@pytest.mark.parametrize("lengths", [[0], [9], [4, 4], torch.tensor([9])])
def test_decode_refuses_lengths_beyond_the_latents(make_model, lengths):
    with pytest.raises(ValueError, match="1 to 8"):
        make_model().decode(torch.zeros(1, 8, 8), lengths)


def test_durations_in_the_padding_are_ignored(make_model, text):
    model = make_model()
    durations = torch.full((3, 9), 2)
    out = model(**text, durations=durations)
    assert torch.equal(out.durations, durations * text["attention_mask"])


def test_an_item_has_at_least_one_frame(make_model):
    model = make_model(use_stochastic_duration_prediction=False)
    with torch.no_grad():
        model.duration_predictor.proj.bias.fill_(-1000)
    out = model(torch.tensor([[1, 2], [3, 4]]))
    assert out.durations.sum(dim=1).tolist() == [1, 1] and torch.isfinite(out.waveform).all()


def test_a_model_is_built_from_upstreams_configuration(make_model, make_config):
    import transformers

    fields = {k: v for k, v in make_config().to_dict().items() if k != "model_type"}
    model = VitsModel(transformers.VitsConfig(**fields))
    assert type(model.config).__module__ == "hf_vits.configuration_vits" and model.config.hidden_size == 16


def test_the_input_embedding_is_read_set_and_resized(make_model):
    model = make_model()
    assert model.get_input_embeddings() is model.text_encoder.embed_tokens
    model.resize_token_embeddings(25, mean_resizing=False)
    assert model.config.vocab_size == 25
    assert torch.isfinite(model(torch.tensor([[24, 3]])).waveform).all()
    other = torch.nn.Embedding(25, 16)
    model.set_input_embeddings(other)
    assert model.get_input_embeddings() is other


def test_offloaded_weights_are_an_error_that_says_so(make_model, tmp_path):
    accelerate = pytest.importorskip("accelerate")
    model = make_model()
    accelerate.cpu_offload(model, torch.device("cpu"))
    with pytest.raises(ValueError, match="cpu_offload"):
        model(IDS)
    make_model().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="on a disk"):
        VitsModel.from_pretrained(tmp_path, device_map={"": "disk"}, offload_folder=tmp_path / "off")


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("tolerance", [0, 1e-6], ids=["plain", "kernels"])
def test_gradient_checkpointing_gives_the_same_gradients(make_config, reentrant, tolerance):
    from transformers.modeling_layers import GradientCheckpointingLayer

    kernels = pytest.importorskip("hf_vits.kernels") if tolerance or HAS_KERNELS else None
    dropouts = "hidden_dropout attention_dropout activation_dropout duration_predictor_dropout"
    gradients = []
    for recomputed in (False, True):
        model = enliven(VitsModel(make_config(**dict.fromkeys(dropouts.split(), 0.0)))).train()
        if recomputed:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": reentrant})
            layers = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]
            assert len(layers) > 6 and all(layer.gradient_checkpointing for layer in layers)
        # Sums of kernels are in the order of memory, which differs.
        with torch.enable_grad(), kernels.use(tolerance > 0) if kernels else nullcontext():
            model(IDS, generator=seeded()).waveform.square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * one.abs().max().item())


MOST_FILES = 15
SOURCE = Path(hf_vits.__file__).parent
WIDE = {"hidden_size": 128, "upsample_initial_channel": 128, "resblock_kernel_sizes": [3, 11], **SPEAKERS}


def entered_files(model):
    """Return the files of the package that a call enters, but for those that only its first call needs."""
    entered = set()
    call = {"input_ids": IDS, "speaker_id": "bea", "speaking_rate": 0.2}

    def note(frame, event, _):
        if event == "call":
            entered.add(frame.f_code.co_filename)

    model(**call, generator=seeded())  # imports kernels and prepares weights
    sys.setprofile(note)
    try:
        model(**call, generator=seeded())
    finally:
        sys.setprofile(None)
    return sorted(str(Path(file).relative_to(SOURCE)) for file in entered if file.startswith(f"{SOURCE}/"))


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("grad", [False, True], ids=["inference", "gradients"])
@pytest.mark.parametrize("kind", list(DECODERS))
def test_a_call_enters_few_files(make_model, kind, grad):
    """A reader follows a call from the text to the waveform through these, kernels included."""
    width = "channels" if kind == "vocos" else "upsample_initial_channel"
    model = make_model(decoder=None if kind == UPSTREAM_DECODER else {"type": kind, width: 128}, **WIDE)
    decoder = f"{DECODERS[kind].__module__.removeprefix('hf_vits.').replace('.', '/')}.py"
    for on in (True, False):
        with find("hf_vits.kernels").use(on) if HAS_KERNELS else nullcontext(), torch.set_grad_enabled(grad):
            files = entered_files(model)
        assert decoder in files and ("kernels/conv1d.py" in files) == (on and HAS_KERNELS)
        assert 5 < len(files) <= MOST_FILES, (
            f"A call of the model enters {len(files)} files, {MOST_FILES} at most: {', '.join(files)}. Move what the "
            "call needs of a small file to where it is used, or validate and look up in fewer places."
        )


@pytest.mark.parametrize("half", [VitsModel.prior, VitsModel.latents])
def test_what_the_halves_of_forward_take_by_position_forward_takes_there_too(half):
    """The others, whose order differs, are given by name."""

    def by_position(method):
        parameters = inspect.signature(method).parameters.values()
        return [one.name.removesuffix("_id") for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]

    assert by_position(half) == by_position(VitsModel.forward)[:4]


def test_the_rhythm_of_utterances_varies_more_with_more_noise_of_durations(make_model):
    """The paper's figure 3: lengths of utterances of one text."""
    model, ids = make_model(), torch.arange(1, 13).repeat(64, 1)
    spreads, rhythms = [], []
    for scale in (0.0, 0.3, 1.0):
        noise = torch.Generator().manual_seed(1)
        durations = model.prior(ids, noise_scale_duration=scale, speaking_rate=0.1, generator=noise).durations.double()
        spreads.append(durations.sum(dim=1).std().item())
        rhythms.append((durations / durations.sum(dim=1, keepdim=True)).std(dim=0).mean().item())
    assert spreads[0] == rhythms[0] == 0
    assert 0 < spreads[1] < spreads[2] and 0 < rhythms[1] < rhythms[2]


@pytest.mark.parametrize("speakers", [{}, SPEAKERS], ids=["one speaker", "several"])
def test_half_precision_is_that_of_the_decoder_and_changes_no_duration(make_model, tmp_path, speakers):
    make_model(**speakers).save_pretrained(tmp_path)
    exact, half = (VitsModel.from_pretrained(tmp_path, dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    speaker = "bea" if speakers else None
    expected, out = (model(IDS, speaker_id=speaker, generator=seeded()) for model in (exact, half))
    assert torch.equal(out.durations, expected.durations) and out.waveform.dtype == torch.float32
    assert not torch.equal(out.waveform, expected.waveform)
    tolerance = {"rtol": 0, "atol": 0.03 * float(expected.waveform.abs().max())}
    torch.testing.assert_close(out.waveform, expected.waveform, **tolerance)
    prior = half.prior(IDS, speaker=half.speaker_vector(speaker, 1), generator=seeded())
    chunks = torch.cat([*half.stream(prior, half.speaker_vector(speaker, 1), chunk_frames=7)], dim=1)
    torch.testing.assert_close(chunks, out.waveform, **tolerance)
