"""Known defects of other VITS trainers, each as a test of the behaviour that excludes it.

Tested elsewhere: gradients of one optimizer do not reach the other model and all accumulated batches count, in
test_train_step.py; the learning rate decays alike on any number of processes, in test_trainer.py; processes share
batches without overlap, in test_dataloader.py; speakers keep their order, in test_arguments.py; training runs the
duration flow that inference inverts, in modules/test_duration_predictor.py; and a new model starts as the original
does, in test_modeling_vits.py.
"""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from training_runs import FEW_LAYERS

from hf_vits import VitsModel
from hf_vits.data.batch import VitsBatch
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.modules.spectrogram import Spectrogram
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.losses import kl_loss, losses_of, mel_loss
from hf_vits.training.optimizer import OptimizedModel
from hf_vits.training.train_step import TrainingStep

HOP = 8
SMALL_DISCRIMINATOR = {"periods": [2, 3], "period_channels": [4, 8], "scale_channels": [4, 4, 8, 8, 8, 8]}


def make_batch(lengths=(400, 251), speaker_id=None):
    """Make clips of these lengths in samples; the content of a clip depends on its length only."""
    ids = torch.arange(9).expand(len(lengths), 9) % 7 + 1
    waveform = torch.zeros(len(lengths), 1, max(lengths))
    for item, length in enumerate(lengths):
        waveform[item, 0, :length] = 0.2 * torch.randn(length, generator=torch.Generator().manual_seed(length))
    sizes = torch.tensor(lengths)
    return VitsBatch(ids, torch.full_like(sizes, 9), waveform, sizes, torch.arange(len(sizes)), speaker_id)


def noise(count=2):
    return [torch.Generator().manual_seed(item) for item in range(count)]


@pytest.fixture
def discriminator():
    torch.manual_seed(0)
    return VitsDiscriminator(VitsDiscriminatorConfig(**SMALL_DISCRIMINATOR))


@pytest.mark.parametrize("layerdrop", [0.1, 1.0])
def test_no_layer_is_dropped_for_any_layerdrop(make_model, layerdrop):
    """Upstream's default of 0.1 would leave layers without gradients, which breaks distributed training."""
    passes = []
    for probability in (0.0, layerdrop):
        none = {"hidden_dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0}
        model = make_model(layerdrop=probability, duration_predictor_dropout=0.0, **none).train()
        torch.manual_seed(0)
        out = VitsGenerator(model, 16).train()(make_batch(), noise())
        kl = kl_loss(out.prior_latents, out.posterior_log_std, out.prior_mean, out.prior_log_std, out.frame_mask)
        kl.backward()
        passes.append((kl.detach(), [p.grad for p in model.text_encoder.encoder.layers.parameters()]))
    torch.testing.assert_close(passes[1][0], passes[0][0], rtol=1e-5, atol=0)
    for one, other in zip(passes[0][1], passes[1][1], strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-6)
        assert one.any()


def test_losses_and_spectra_are_float32_under_autocast(make_model, discriminator):
    generator, batch = VitsGenerator(make_model(), 16), make_batch()
    plainly = generator(batch, noise())
    with torch.autocast("cpu", torch.bfloat16):
        out = generator(batch, noise())
        real, fake = discriminator(out.real), discriminator(out.fake)
        losses = {**losses_of("adversarial", real, fake), **losses_of("reconstruction", out), **losses_of("prior", out)}
    assert not torch.equal(out.fake, plainly.fake), "nothing ran in half precision, so nothing is shown"
    assert {name: loss.dtype for name, loss in losses.items()} == dict.fromkeys(losses, torch.float32)
    assert torch.equal(out.real_mel, plainly.real_mel)
    spectrogram = Spectrogram(generator.model.config)
    whole = spectrogram.mel(spectrogram(out.fake.float()))
    assert torch.equal(out.fake_mel[0], whole[0])
    parts = (out.prior_latents, out.posterior_log_std, out.prior_mean, out.prior_log_std, out.frame_mask)
    difference = out.real_mel.double() - out.fake_mel.double()
    exact = {"kl": kl_loss(*(part.double() for part in parts)), "mel": difference.abs().mean()}
    for name, value in exact.items():
        assert float(losses[name].detach()) == pytest.approx(float(value.detach()), rel=1e-6), name


@pytest.mark.parametrize("samples", [80, 90, 127])
def test_a_clip_shorter_than_a_segment_is_masked_and_has_the_losses_of_its_single_run(make_model, samples):
    generator = VitsGenerator(make_model(), 16)
    together, alone = (generator(make_batch(sizes), noise(len(sizes))) for sizes in ((samples, 400), (samples,)))
    frames = samples // HOP
    assert alone.fake.shape == (1, 1, 16 * HOP)
    for signal, end in (("real", frames * HOP), ("fake", frames * HOP), ("real_mel", frames), ("fake_mel", frames)):
        mine, its = getattr(together, signal)[:1], getattr(alone, signal)
        torch.testing.assert_close(mine, its, rtol=0, atol=2e-4)
        assert mine[..., :end].any() and mine[..., end:].numel() and not mine[..., end:].any()
    assert float(mel_loss(together.real_mel[:1], together.fake_mel[:1])) == pytest.approx(
        float(mel_loss(alone.real_mel, alone.fake_mel)), rel=1e-4
    )
    parts = ("prior_latents", "posterior_log_std", "prior_mean", "prior_log_std", "frame_mask")
    kl = [kl_loss(*(getattr(out, part)[:1] for part in parts)) for out in (together, alone)]
    assert float(kl[0]) == pytest.approx(float(kl[1]), rel=1e-4)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_model_has_exactly_the_requested_number_of_speakers(make_model, speakers, count):
    names = [f"speaker {number}" for number in range(count)]
    widened, more = make_model(), make_model(**speakers)
    widened.resize_speakers(names)
    more.resize_speakers([*speakers["speaker_names"], *names])
    for model, number in ((widened, count), (more, count + 3)):
        assert model.config.num_speakers == len(model.embed_speaker.weight) == len(model.config.speaker_names) == number


@pytest.mark.parametrize("given", [[0], [0, 1, 2], None])
def test_a_wrong_number_of_speaker_ids_is_an_error(make_model, speakers, given):
    ids = None if given is None else torch.tensor(given)
    with pytest.raises(ValueError, match="speaker"):
        VitsGenerator(make_model(**speakers), 16)(make_batch(speaker_id=ids))


def test_layers_of_new_speakers_have_the_weight_format_of_all_others(make_trainer, make_start, make_data, make_config):
    from hf_vits.training import Columns

    start = make_start()
    start.add_speakers(["ada", "bea", "cem"])
    data = make_data(8, who=["ada", "bea", "cem", "bea"] * 2)
    trainer = make_trainer(start=start, data=data, columns=Columns(speaker="who"), max_steps=1, ema_decay=0)
    trainer.train()
    assert not [name for name in start.model.state_dict() if name.endswith((".weight_g", ".weight_v"))]
    saved = VitsModel.from_pretrained(trainer.output_dir)
    fields = {**FEW_LAYERS, "num_speakers": 3, "speaker_embedding_size": 256, "sampling_rate": 2000}
    assert saved.state_dict().keys() == VitsModel(make_config(**fields)).state_dict().keys()
    assert saved.config.speaker_names == ["ada", "bea", "cem"]
    trained = start.model.state_dict()
    layer = "posterior_encoder.wavenet.cond_layer.parametrizations.weight.original0"
    assert torch.equal(saved.state_dict()[layer], trained[layer]) and trained[layer].any()


class HalfPrecision:
    """Stand in for Accelerate in fp16, which it supports on accelerators only."""

    def __init__(self, scale):
        self.scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=1000)
        self.num_processes, self.process_index, self.device = 1, 0, torch.device("cpu")

    def backward(self, loss):
        self.scaler.scale(loss).backward()

    def autocast(self):
        return nullcontext()


def state_of(model):
    return {name: value.detach().clone() for name, value in model.module.named_parameters()}


@pytest.fixture
def make_step(make_model, make_settings):
    """Make a training step, in half precision with this loss scale or in float32 without one."""

    def make(scale=None, **settings):
        torch.manual_seed(0)
        config = make_settings(**settings)
        modules = (VitsGenerator(make_model(), 16), VitsDiscriminator(VitsDiscriminatorConfig(**SMALL_DISCRIMINATOR)))
        models = [OptimizedModel(module, config.learning_rate, config) for module in modules]
        plain = SimpleNamespace(
            scaler=None,
            num_processes=1,
            process_index=0,
            device=torch.device("cpu"),
            autocast=nullcontext,
            backward=torch.Tensor.backward,
        )
        return TrainingStep(*models, config, HalfPrecision(scale) if scale else plain)

    return make


@pytest.mark.parametrize("broken", ["discriminator", "generator"])
def test_an_overflow_skips_one_optimizer_and_lowers_the_common_scale_once(make_step, broken):
    step = make_step(scale=256.0)
    other = "generator" if broken == "discriminator" else "discriminator"
    parameter = getattr(step, broken).parameters[-1]
    parameter.register_hook(lambda gradient: torch.full_like(gradient, float("inf")))
    before = {name: state_of(getattr(step, name)) for name in (broken, other)}
    result = step([make_batch()], 0, 0)
    assert not result.finite
    assert step.accelerator.scaler.get_scale() == 128.0
    after = {name: state_of(getattr(step, name)) for name in (broken, other)}
    assert all(torch.equal(after[broken][name], value) for name, value in before[broken].items())
    assert any(not torch.equal(after[other][name], value) for name, value in before[other].items())
    assert not getattr(step, broken).optimizer.state, "a skipped step leaves no moments"
    parameter._backward_hooks.clear()
    assert step([make_batch()], 1, 0).finite and step.accelerator.scaler.get_scale() == 128.0


def gradient_of(model):
    """Return the gradient of the first step from Adam's first moments."""
    moments = [state["exp_avg"].flatten() for state in model.optimizer.state.values()]
    return torch.cat(moments) / (1 - model.optimizer.param_groups[0]["betas"][0])


def test_gradients_are_unscaled_before_they_are_clipped(make_step):
    step = make_step(scale=256.0, max_grad_norm=0.01)
    step([make_batch()], 0, 0)
    for model in (step.generator, step.discriminator):
        assert float(gradient_of(model).norm()) == pytest.approx(0.01, rel=1e-3)


def test_the_loss_scale_changes_no_gradient(make_step):
    plain, scaled = make_step(), make_step(scale=256.0)
    for step in (plain, scaled):
        assert step([make_batch()] * 2, 0, 0).finite
    for name in ("generator", "discriminator"):
        one, other = gradient_of(getattr(plain, name)), gradient_of(getattr(scaled, name))
        assert (one - other).norm() < 1e-4 * one.norm()


def test_the_loss_scaler_counts_a_step_of_two_optimizers_once(make_step):
    step = make_step(scale=256.0)
    step([make_batch()], 0, 0)
    assert step.accelerator.scaler._get_growth_tracker() == 1
