import copy

import numpy as np
import pytest
import torch
from export_voices import KINDS

from hf_vits import VitsModel
from hf_vits.export import export
from hf_vits.export.onnx_graph import ConvolutionsOfRows
from hf_vits.modules.decoders.hifigan import NARROW
from hf_vits.modules.masks import mask_from_lengths
from hf_vits.utils import torch_state

pytestmark = pytest.mark.usefixtures("without_gradients")


@pytest.fixture(params=KINDS)
def voice(request, exported):
    """A model, its file, and a speaker for each of three items."""
    model, file = exported(request.param)
    several = model.config.num_speakers > 1
    return model, file, [0, model.config.num_speakers - 1, 0] if several else None


@pytest.mark.thorough(but_every=3)
def test_the_graph_says_what_pytorch_says_for_every_length(voice, run, silent):
    model, file, speakers = voice
    for length in (1, 2, 17, 130):
        ids = torch.randint(0, 20, (1, length), generator=torch.Generator().manual_seed(length))
        speaker = None if speakers is None else speakers[1]
        expected, durations = silent(model, ids, speaker)
        waveform, found = run(file, ids, speakers=None if speakers is None else [speaker])
        assert waveform.shape == (1, 1, 1, len(expected))
        np.testing.assert_array_equal(found[0], durations)
        np.testing.assert_allclose(waveform[0, 0, 0], expected, rtol=0, atol=2e-5)


@pytest.mark.thorough(but_every=3)
def test_items_of_a_ragged_batch_are_what_they_are_alone_and_durations_tell_their_length(voice, run, text):
    model, file, speakers = voice
    lengths = text["attention_mask"].sum(dim=1).tolist()
    waveforms, durations = run(file, text["input_ids"], lengths, speakers=speakers)
    for item, length in enumerate(lengths):
        own = None if speakers is None else speakers[item : item + 1]
        alone, _ = run(file, text["input_ids"][item : item + 1, :length], speakers=own)
        samples = durations[item].sum() * model.config.hop_length
        assert alone.shape[-1] == samples
        np.testing.assert_allclose(waveforms[item, 0, 0, :samples], alone[0, 0, 0], rtol=0, atol=1e-5)
        assert not waveforms[item, 0, 0, samples:].any()
    assert max(durations.sum(axis=1)) * model.config.hop_length == waveforms.shape[-1]


@pytest.mark.thorough(but_every=3)
def test_the_length_scale_is_the_inverse_of_the_speaking_rate(voice, run, silent):
    model, file, speakers = voice
    ids, speaker = torch.arange(1, 12)[None], None if speakers is None else speakers[1]
    expected, durations = silent(model, ids, speaker, rate=0.5)
    waveform, found = run(file, ids, scales=(0, 2, 0), speakers=None if speakers is None else [speaker])
    np.testing.assert_array_equal(found[0], durations)
    np.testing.assert_allclose(waveform[0, 0, 0], expected, rtol=0, atol=2e-5)


def test_noise_is_drawn_anew_and_scaled(exported, run):
    (_, file), ids = exported("paper"), np.arange(1, 19)[None]
    silent, *noisy = (run(file, ids, scales=(scale, 1, 0))[0].ravel() for scale in (0, 0.001, 0.001, 0.5))
    small, other, large = (np.abs(one - silent).mean() for one in noisy)
    assert small > 0 and not np.array_equal(noisy[0], noisy[1])
    assert 0.1 < small / other < 10 and large > 20 * small
    lengths = {run(file, ids, scales=(0, 1, 1.0))[1].sum() for _ in range(5)}
    assert len(lengths) > 1


def test_exporting_leaves_the_model_as_it_is(make_model, make_voice_tokenizer, tmp_path, speakers):
    model = make_model(**speakers).train()
    weights, classes = copy.deepcopy(model.state_dict()), [type(module) for module in model.modules()]
    call = {"input_ids": torch.arange(1, 9)[None], "speaker_id": 1}
    before = model.eval()(**call, generator=torch.Generator().manual_seed(1)).waveform
    model.train()

    export(model, make_voice_tokenizer(), tmp_path / "out", "sherpa")

    assert model.training and all(parameter.requires_grad for parameter in model.parameters())
    assert [type(module) for module in model.modules()] == classes
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name
    assert torch.equal(model.eval()(**call, generator=torch.Generator().manual_seed(1)).waveform, before)


@pytest.mark.thorough
def test_a_model_in_half_precision_is_exported_as_the_numbers_it_holds(make_model, make_voice_tokenizer, tmp_path, run):
    model = make_model().bfloat16()
    export(model, make_voice_tokenizer(), tmp_path / "out", "sherpa")
    expected = VitsModel(model.config).eval()
    expected.load_state_dict({name: tensor.float() for name, tensor in model.state_dict().items()})
    ids = torch.arange(1, 12)[None]
    waveform = run(tmp_path / "out" / "model.onnx", ids)[0][0, 0, 0]
    out = expected(ids, noise_scale=0, noise_scale_duration=0)
    np.testing.assert_allclose(waveform, out.waveform[0].numpy(), rtol=0, atol=2e-5)


def test_what_only_training_uses_is_not_in_the_file(exported):
    import onnx

    model, file = exported("paper")
    names = {tensor.name for tensor in onnx.load(file).graph.initializer}
    assert model.missing_for_training() == []
    assert not [name for name in names if name.startswith(("enc_q", "dp.post_", "dp.flows.1."))]
    assert {"enc_p.emb.weight", "dec.ups.0.weight", "flow.flows.2.enc.in_layers.1.weight", "dp.flows.0.logs"} <= names


def test_a_text_of_no_frames_lasts_one(exported, run, text):
    """Of a length scale of zero no token has a frame, and of nothing there is no sound to make."""
    model, file = exported("paper")
    lengths = text["attention_mask"].sum(dim=1).tolist()
    waveforms, durations = run(file, text["input_ids"], lengths, scales=(0, 0, 0))
    assert durations[:, 0].tolist() == [1] * len(lengths) and not durations[:, 1:].any()
    for item, length in enumerate(lengths):
        ids = text["input_ids"][item : item + 1, :length]
        alone = model(ids, noise_scale=0, durations=torch.from_numpy(durations[item : item + 1, :length]))
        np.testing.assert_allclose(waveforms[item, 0, 0], alone.waveform[0].numpy(), rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", ["1", "2"])
def test_stages_decoded_by_halves_and_whole_ones_make_what_pytorch_makes_of_each_item(make_model, monkeypatch, kind):
    sizes = {"upsample_initial_channel": 4 * NARROW, "upsample_rates": [3, 5], "upsample_kernel_sizes": [9, 15]}
    model = make_model(resblock_type=kind, **sizes).double()
    lengths = torch.tensor([1, 2, 3, 7, 21])
    noise = torch.Generator().manual_seed(3)
    latents = torch.randn(5, model.config.flow_size, 21, generator=noise, dtype=torch.float64)
    expected = [model.decoder(latents[item : item + 1, :, :length])[0] for item, length in enumerate(lengths.tolist())]
    whole = model.decoder(latents)
    monkeypatch.setattr(torch_state, "is_traced", lambda: True)  # plain functions alone, as in a graph
    with ConvolutionsOfRows():
        made = model.decoder.onnx_forward(latents * mask_from_lengths(lengths, 21, torch.float64), None, lengths)
        torch.testing.assert_close(model.decoder.onnx_forward(latents), whole, rtol=0, atol=1e-12)
    for item, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(made[item, :, : 15 * length], expected[item], rtol=0, atol=1e-12)
        assert not made[item, :, 15 * length :].any()
