import json
import warnings

import librosa
import numpy as np
import pytest
import torch
from torch.nn import Module
from transformers.modeling_layers import GradientCheckpointingLayer

from hf_vits import VitsModel
from hf_vits.data.batch import VitsBatch
from hf_vits.modules.alignment import log_likelihood
from hf_vits.modules.convolution import Conv
from hf_vits.modules.spectrogram import Spectrogram
from hf_vits.modules.text_encoder import RelativeAttention
from hf_vits.training.generator import VitsGenerator, random_starts, take
from hf_vits.training.losses import kl_loss, mel_loss

HOP = 8


@pytest.fixture
def batch():
    noise = torch.Generator().manual_seed(0)
    return VitsBatch(
        input_ids=torch.randint(1, 20, (3, 9), generator=noise),
        text_lengths=torch.tensor([9, 5, 7]),
        waveform=torch.randn(3, 1, 400, generator=noise) * 0.2,
        waveform_lengths=torch.tensor([400, 251, 90]),
        rows=torch.arange(3),
        speaker_id=torch.tensor([0, 2, 1]),
    )


def without_noise(model):
    """Make the posterior so narrow that its noise does not matter."""
    with torch.no_grad():
        half = model.config.flow_size
        model.posterior_encoder.conv_proj.weight[half:] = 0
        model.posterior_encoder.conv_proj.bias[half:] = -40
    return model


@pytest.mark.parametrize("stochastic", [True, False])
def test_every_parameter_gets_a_gradient_from_the_sum_of_the_losses(make_model, speakers, batch, stochastic):
    model = make_model(**speakers, use_stochastic_duration_prediction=stochastic).train()
    out = VitsGenerator(model, 16)(batch)
    kl = kl_loss(out.prior_latents, out.posterior_log_std, out.prior_mean, out.prior_log_std, out.frame_mask)
    (mel_loss(out.real_mel, out.fake_mel) + kl + out.duration_loss).backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]


def test_a_mel_posterior_encoder_takes_the_log_mel_and_gets_a_gradient(make_model, speakers, batch):
    model = make_model(**speakers, posterior_input="mel")
    given = []
    model.posterior_encoder.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    out = VitsGenerator(model, 16)(batch)
    mel = librosa.feature.melspectrogram(
        S=Spectrogram(model.config)(batch.waveform)[0].numpy(), sr=16_000, n_fft=16, n_mels=4
    )
    torch.testing.assert_close(given[0][0].numpy(), np.log(np.maximum(mel, 1e-5)), rtol=0, atol=1e-5)
    mel_loss(out.real_mel, out.fake_mel).backward()
    weight = model.posterior_encoder.conv_pre.weight
    assert weight.shape == (16, 4, 1) and weight.grad.any(dim=0).all()


def test_a_model_with_a_mel_posterior_encoder_is_the_same_after_saving_and_loading(make_model, batch, tmp_path):
    model = make_model(posterior_input="mel")
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "hf_vits"
    loaded = VitsModel.from_pretrained(tmp_path)
    assert loaded.config.posterior_input == "mel"
    batch.speaker_id = None
    one, two = (VitsGenerator(voice, 16)(batch, torch.Generator().manual_seed(3)) for voice in (model, loaded))
    assert torch.equal(one.fake, two.fake) and torch.equal(one.prior_latents, two.prior_latents)


def test_the_duration_loss_gives_no_gradient_to_text_encoder_and_speaker(make_model, speakers, batch):
    model = make_model(**speakers)
    VitsGenerator(model, 16)(batch).duration_loss.backward()
    reached = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {"duration_predictor"}


def test_the_alignment_is_the_most_likely_one_and_expands_the_prior(make_model, speakers, batch):
    out = VitsGenerator(make_model(**speakers), 16)(batch)
    frames = batch.waveform_lengths // HOP
    for item in range(3):
        index = out.token_index[item, : frames[item]]
        assert index[0] == 0 and index[-1] == batch.text_lengths[item] - 1
        assert set(index.diff().tolist()) <= {0, 1}
        first = [int((index == token).nonzero()[0]) for token in range(batch.text_lengths[item])]
        prior = [out.prior_mean[item : item + 1][..., first], out.prior_log_std[item : item + 1][..., first]]
        scores = log_likelihood(out.prior_latents[item : item + 1, :, : frames[item]], *prior)[0]
        found = scores.gather(1, index[:, None]).sum()
        for edge in range(1, len(first)):  # a boundary moved by one frame is never better
            for step in (-1, 1):
                moved = index.clone()
                place = first[edge] + min(step, 0)
                moved[place] = edge if step < 0 else edge - 1
                if set(moved.diff().tolist()) <= {0, 1} and moved[0] == 0 and moved[-1] == index[-1]:
                    assert scores.gather(1, moved[:, None]).sum() <= found + 1e-4


def test_an_item_of_a_batch_has_the_alignment_of_its_single_run(make_model, speakers, batch):
    generator = VitsGenerator(without_noise(make_model(**speakers)), 16)
    together = generator(batch)
    for item in range(3):
        tokens, samples = int(batch.text_lengths[item]), int(batch.waveform_lengths[item])
        one = slice(item, item + 1)
        alone = generator(
            VitsBatch(
                batch.input_ids[one, :tokens],
                batch.text_lengths[one],
                batch.waveform[one, :, :samples],
                batch.waveform_lengths[one],
                batch.rows[one],
                batch.speaker_id[one],
            )
        )
        frames = samples // HOP
        assert torch.equal(together.token_index[item, :frames], alone.token_index[0])
        torch.testing.assert_close(together.prior_latents[item, :, :frames], alone.prior_latents[0], rtol=0, atol=1e-4)
        assert not together.prior_latents[item, :, frames:].any()


def test_real_and_fake_are_the_same_segment_of_the_same_clip(make_model, speakers, batch):
    out = VitsGenerator(make_model(**speakers), 16)(batch, torch.Generator().manual_seed(1))
    assert out.real.shape == out.fake.shape == (3, 1, 16 * HOP)
    for item in range(2):
        whole = batch.waveform[item, 0].unfold(0, 16 * HOP, HOP)
        assert (whole == out.real[item, 0]).all(dim=1).any()
    short = int(batch.waveform_lengths[2]) // HOP * HOP
    assert torch.equal(out.real[2, 0, :short], batch.waveform[2, 0, :short])
    for silent in (out.real[2, 0, short:], out.fake[2, 0, short:], out.real_mel[2, :, short // HOP :]):
        assert silent.numel() and not silent.any()


def test_an_equal_random_generator_gives_an_equal_forward(make_model, speakers, batch):
    generator = VitsGenerator(make_model(**speakers), 16)
    one, two = (generator(batch, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.fake, two.fake) and torch.equal(one.duration_loss, two.duration_loss)


def test_a_model_without_training_modules_is_refused_and_they_are_named(make_model):
    with pytest.raises(ValueError, match=r"posterior_encoder.*duration_predictor\.post_"):
        VitsGenerator(make_model(inference_only=True))


def test_with_a_random_generator_per_clip_a_clip_is_the_same_in_any_batch(make_model, speakers, batch):
    generator = VitsGenerator(make_model(**speakers), 16)
    together = generator(batch, [torch.Generator().manual_seed(i) for i in range(3)])
    for item in range(3):
        tokens, samples, one = int(batch.text_lengths[item]), int(batch.waveform_lengths[item]), slice(item, item + 1)
        alone = VitsBatch(
            batch.input_ids[one, :tokens],
            batch.text_lengths[one],
            batch.waveform[one, :, :samples],
            batch.waveform_lengths[one],
            batch.rows[one],
            batch.speaker_id[one],
        )
        out = generator(alone, [torch.Generator().manual_seed(item)])
        torch.testing.assert_close(together.fake[one], out.fake, rtol=0, atol=1e-4)
        assert torch.equal(together.real[one], out.real)


def test_segments_lie_within_their_item_and_every_position_is_equally_likely():
    starts = random_starts(torch.full((60_000,), 10), 8, torch.Generator().manual_seed(0))
    counts = starts.bincount()
    assert len(counts) == 3 and (counts - 20_000).abs().max() < 600


def test_a_clip_shorter_than_a_segment_starts_at_its_first_frame_and_ends_in_zeros():
    assert random_starts(torch.tensor([3, 8]), 8).tolist() == [0, 0]
    values = torch.arange(1.0, 11).view(1, 1, 10)
    assert take(values, torch.tensor([7]), 5)[0, 0].tolist() == [8, 9, 10, 0, 0]


def test_a_segment_equals_indexing():
    values = torch.randn(3, 2, 20)
    starts = torch.tensor([0, 5, 12])
    for item, start in enumerate(starts.tolist()):
        assert torch.equal(take(values, starts, 8)[item], values[item, :, start : start + 8])


def test_layers_run_again_in_the_backward_pass_and_nobody_warns(make_trainer, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        trainer = make_trainer(max_steps=1, gradient_checkpointing=True)
    recomputed = [
        module for module in trainer.generator.module.modules() if isinstance(module, GradientCheckpointingLayer)
    ]
    # The first part of each: hooks of the layer itself are outside of what is computed again.
    layers = [
        next(part for part in layer.modules() if isinstance(part, Conv | RelativeAttention)) for layer in recomputed
    ]
    calls = dict.fromkeys(layers, 0)

    def count(layer: Module, *_):
        calls[layer] += 1

    for layer in layers:
        layer.register_forward_pre_hook(count)  # the second time ends as soon as all is there again
    trainer.train()
    assert layers and {calls[layer] for layer in layers if calls[layer]} == {2}
    assert not [line for line in caplog.messages if "embeddings" in line]


FROZEN_BUT_THE_DECODER = ("text_encoder", "posterior_encoder", "flow", "duration_predictor", "embed_speaker")


@pytest.mark.parametrize("posterior_input", ["linear", "mel"])
def test_latents_of_windows_are_those_of_whole_clips(make_model, speakers, batch, posterior_input):
    fields = {"posterior_input": "mel"} if posterior_input == "mel" else {}
    generator = VitsGenerator(without_noise(make_model(**speakers, **fields)), 16)
    given = []
    generator.model.decoder.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    for seed in range(4):  # at both ends and within
        noise = [[torch.Generator().manual_seed(10 * seed + row) for row in range(3)] for _ in range(2)]
        windows = generator.decode_windows(batch, noise[0])
        posterior = generator.posterior(batch, [torch.Generator() for _ in range(3)])
        whole = generator.decode(batch, posterior, noise[1])  # the same starts: nothing was drawn before
        torch.testing.assert_close(given[-2], given[-1], rtol=0, atol=1e-5)
        torch.testing.assert_close(vars(windows), vars(whole), rtol=0, atol=1e-5)


def test_windows_are_sampled_with_the_spread_of_the_posterior(make_model, batch):
    model, batch.speaker_id = make_model(), None
    with torch.no_grad():
        model.posterior_encoder.conv_proj.weight.zero_()
        model.posterior_encoder.conv_proj.bias[model.config.flow_size :] = np.log(3.0)
    generator, given = VitsGenerator(model, 10), []
    model.decoder.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    for seed in range(50):
        generator.decode_windows(batch, torch.Generator().manual_seed(seed))
    latents = torch.stack(given)
    mean = model.posterior_encoder.conv_proj.bias[: model.config.flow_size].detach()
    assert float((latents - mean[:, None]).detach().std()) == pytest.approx(3, rel=0.02)


def test_only_a_decoder_that_is_trained_alone_needs_no_whole_clips(make_model, speakers):
    generator = VitsGenerator(make_model(**speakers), 16)
    assert not generator.trains_decoder_alone
    for name in FROZEN_BUT_THE_DECODER:
        assert not generator.trains_decoder_alone
        getattr(generator.model, name).requires_grad_(False)
    assert generator.trains_decoder_alone


@pytest.mark.parametrize("trained", ["all", "project", "none"])
def test_frozen_parts_have_no_dropout_whatever_they_are_part_of(make_model, batch, trained):
    model, batch.speaker_id = make_model(hidden_dropout=0.5), None
    model.text_encoder.requires_grad_(trained == "all")
    model.text_encoder.project.requires_grad_(trained != "none")
    generator = VitsGenerator(model, 16).train()
    posterior = generator.posterior(batch, torch.Generator())
    first, second = (generator.align(batch, posterior, torch.Generator()).prior_mean for _ in range(2))
    assert torch.equal(first, second) is (trained != "all")
    assert model.text_encoder.project.training is (trained != "none")
