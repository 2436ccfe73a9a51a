"""Against `transformers.VitsModel`: the same weights speak the same, and travel both ways."""

import logging

import pytest
import torch
import transformers

from hf_vits import VitsConfig, VitsModel

pytestmark = pytest.mark.usefixtures("without_gradients")

KINDS = {
    "default": {},
    "several speakers": {"num_speakers": 3, "speaker_embedding_size": 6},
    "one speaker with a vector": {"num_speakers": 1, "speaker_embedding_size": 6},
    "plain durations": {"use_stochastic_duration_prediction": False},
    "plain durations, several speakers": {
        "use_stochastic_duration_prediction": False,
        "num_speakers": 3,
        "speaker_embedding_size": 6,
    },
    "other sizes": {
        "num_attention_heads": 4,
        "window_size": 2,
        "use_bias": False,
        "ffn_kernel_size": 4,
        "wavenet_dilation_rate": 2,
        "leaky_relu_slope": 0.2,
        "duration_predictor_tail_bound": 3.0,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-3,
    },
}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-11}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def kind(request):
    return request.param


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rate", [0.7, 1.0, 1.3, 2.0])
def test_same_seed_gives_the_same_waveform(make_model, make_upstream_model, kind, rate, dtype):
    model = make_model(**kind).to(dtype)
    upstream = make_upstream_model(model)
    text = torch.randint(0, 20, (1, 25), generator=torch.Generator().manual_seed(1))
    speaker = 2 if kind.get("num_speakers") else None
    for seed in range(3):
        torch.manual_seed(seed)
        theirs = upstream(text, speaker_id=speaker if kind.get("num_speakers", 1) > 1 else None, speaking_rate=rate)
        torch.manual_seed(seed)
        ours = model(text, speaker_id=speaker if kind.get("num_speakers", 1) > 1 else None, speaking_rate=rate)
        assert ours.sequence_lengths.tolist() == theirs.sequence_lengths.tolist()
        assert theirs.waveform.abs().max() > 0.05, "a silent oracle proves nothing"
        torch.testing.assert_close(ours.waveform, theirs.waveform, rtol=0, atol=TOLERANCE[dtype])
        torch.testing.assert_close(ours.spectrogram, theirs.spectrogram, rtol=0, atol=TOLERANCE[dtype] * 10)


def test_noise_scales_equal_upstreams_attributes(make_model, make_upstream_model):
    model = make_model().double()
    upstream = make_upstream_model(model)
    upstream.noise_scale, upstream.noise_scale_duration = 0.2, 1.4
    text = torch.randint(0, 20, (1, 25), generator=torch.Generator().manual_seed(1))
    torch.manual_seed(3)
    theirs = upstream(text).waveform
    torch.manual_seed(3)
    ours = model(text, noise_scale=0.2, noise_scale_duration=1.4).waveform
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


def test_a_generator_draws_what_the_global_seed_draws(make_model):
    model = make_model()
    text = torch.arange(1, 12)[None]
    torch.manual_seed(11)
    from_global = model(text).waveform
    assert torch.equal(model(text, generator=torch.Generator().manual_seed(11)).waveform, from_global)


def test_hidden_states_and_attentions_equal_upstreams(make_model, make_upstream_model, text):
    model = make_model().double()
    theirs = make_upstream_model(model)(**text, output_hidden_states=True, output_attentions=True)
    ours = model(**text, output_hidden_states=True, output_attentions=True)
    real = text["attention_mask"].bool()
    assert len(ours.hidden_states) == len(theirs.hidden_states)
    for mine, yours in zip(ours.hidden_states, theirs.hidden_states, strict=True):
        torch.testing.assert_close(mine[real], yours[real], rtol=0, atol=1e-11)
    assert len(ours.attentions) == len(theirs.attentions)
    for mine, yours in zip(ours.attentions, theirs.attentions, strict=True):
        rows = real[:, None, :, None].expand_as(yours)
        torch.testing.assert_close(mine[rows], yours.reshape(mine.shape)[rows], rtol=0, atol=1e-11)


@pytest.mark.parametrize("mask", [[0, 0, 1, 1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 0, 0, 1, 1, 0]], ids=["left", "holes"])
def test_padding_anywhere_gives_upstreams_waveform(make_model, make_upstream_model, kind, mask):
    model = make_model(**kind).double()
    upstream, text = make_upstream_model(model), torch.arange(1, 10)[None]
    who = {"speaker_id": 2} if kind.get("num_speakers", 1) > 1 else {}
    outputs = []
    for one in (upstream, model):
        torch.manual_seed(3)
        outputs.append(one(text, attention_mask=torch.tensor([mask]), **who))
    theirs, ours = outputs
    assert ours.sequence_lengths.tolist() == theirs.sequence_lengths.tolist()
    torch.testing.assert_close(ours.waveform, theirs.waveform, rtol=0, atol=1e-11)
    assert not ours.durations[:, torch.tensor(mask) == 0].any()


def test_keys_and_shapes_equal_upstreams(make_config, kind):
    config = make_config(**kind)
    with torch.device("meta"):
        ours = VitsModel(config).state_dict()
        fields = {k: v for k, v in config.to_dict().items() if k != "model_type"}
        theirs = transformers.VitsModel(transformers.VitsConfig(**fields)).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


def test_the_default_size_equals_upstreams():
    with torch.device("meta"):
        ours, theirs = VitsModel(VitsConfig()), transformers.VitsModel(transformers.VitsConfig())
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}
    assert sum(p.numel() for p in ours.parameters()) == 36_284_592


@pytest.mark.thorough
def test_a_round_trip_through_transformers_changes_no_weight(make_model, kind, tmp_path, caplog):
    model = make_model(**kind)
    transformers.logging.enable_propagation()
    try:
        with caplog.at_level(logging.WARNING):
            model.save_pretrained(tmp_path / "ours")
            upstream, report = transformers.VitsModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
            upstream.save_pretrained(tmp_path / "theirs")
            back, own_report = VitsModel.from_pretrained(tmp_path / "theirs", output_loading_info=True)
    finally:
        transformers.logging.disable_propagation()
    assert not caplog.records, [record.getMessage() for record in caplog.records]
    for entry in (report, own_report):
        assert not any(entry[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys")), entry
    theirs, ours = upstream.state_dict(), back.state_dict()
    for key, tensor in model.state_dict().items():
        assert torch.equal(theirs[key], tensor), key
        assert torch.equal(ours[key], tensor), key


def test_upstreams_auto_class_loads_our_files(make_model, tmp_path):
    make_model().save_pretrained(tmp_path)
    assert type(transformers.AutoModel.from_pretrained(tmp_path)) is transformers.VitsModel
