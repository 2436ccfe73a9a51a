"""The duration predictor is trained last, against a discriminator of durations (VITS2, section 2.1)."""

import pytest
import torch

from hf_vits import VitsModel
from hf_vits.discriminators.duration import DURATION_DISCRIMINATORS, DurationDiscriminator
from hf_vits.training import Columns
from hf_vits.training.duration_step import DurationStep
from hf_vits.training.loggers import read_history
from hf_vits.training.phases import Phase
from hf_vits.training.train_step import clip_generators

SPEAKERS = {"num_speakers": 2, "speaker_embedding_size": 6, "speaker_names": ["a", "b"]}
DETERMINISTIC = {"use_stochastic_duration_prediction": False}


@pytest.fixture
def make_run(make_trainer, make_start):
    def make(**settings):
        start = make_start(lively=True, **DETERMINISTIC, **SPEAKERS)
        return make_trainer(start=start, columns=Columns(speaker="who"), data=settings.pop("data"), **settings)

    return make


@pytest.fixture
def data(make_data):
    return make_data(8, who=["a", "b"] * 4)


def generator_of(trainer):
    return {name: value.clone() for name, value in trainer.generator.module.model.state_dict().items()}


@pytest.mark.thorough
def test_only_the_predictor_of_the_saved_voice_changes_in_the_last_steps_and_a_resumed_run_ends_the_same(
    make_run, data
):
    settings = {"data": data, "max_steps": 5, "duration_adversarial_steps": 3, "save_steps": 2, "logging_steps": 1}
    settings |= {"save_total_limit": 5, "ema_decay": 0.5}
    whole = make_run(**settings)
    whole.train()
    before, after = (VitsModel.from_pretrained(whole.output_dir / f"checkpoint-{step}").state_dict() for step in (2, 5))
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"duration_predictor"}
    assert all(torch.equal(v, after[k]) for k, v in generator_of(whole).items() if not k.startswith(("dur", "dec")))

    last = [line for line in read_history(whole.output_dir) if "train/duration" in line]
    assert {name for name in last[-1] if name.startswith("train/")} == {
        *("train/duration", "train/duration_adversarial", "train/duration_discriminator")
    }
    assert "train/mel" in last[1] and "train/mel" not in last[2]
    assert "In the last 3 steps the duration predictor alone" in (whole.output_dir / "README.md").read_text()

    for step in (2, 4):  # where these steps begin, and amid them
        resumed = make_run(**settings)
        resumed.train(resume_from_checkpoint=whole.output_dir / f"checkpoint-{step}")
        found = generator_of(resumed)
        assert all(torch.equal(value, found[name]) for name, value in generator_of(whole).items())
        discriminator = resumed.durations.module.state_dict()
        assert all(
            torch.equal(value, discriminator[name]) for name, value in whole.durations.module.state_dict().items()
        )


def test_steps_that_begin_late_after_a_resumption_leave_all_else_of_the_saved_voice_as_it_is(make_run, data):
    settings = {"data": data, "ema_decay": 0.5, "save_steps": 3}
    first = make_run(**settings, max_steps=3)
    first.train()
    later = make_run(**settings, max_steps=4, duration_adversarial_steps=2)  # from step 2 on, were it not for the first
    later.train(resume_from_checkpoint=first.output_dir / "checkpoint-3")
    before, after = (
        VitsModel.from_pretrained(run.output_dir / f"checkpoint-{step}").state_dict()
        for run, step in ((first, 3), (later, 4))
    )
    assert {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])} == {
        "duration_predictor"
    }


@pytest.mark.slow
def test_accumulated_batches_take_the_step_of_the_joint_batch(make_run, data):
    settings = {"data": data, "max_steps": 2, "duration_adversarial_steps": 2, "ema_decay": 0}
    joint = make_run(output_dir_name="joint", per_device_train_batch_size=8, **settings)
    split = make_run(output_dir_name="split", gradient_accumulation_steps=2, **settings)
    for trainer in (joint, split):
        trainer.train()
    found = generator_of(split)
    for name, value in generator_of(joint).items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5, msg=name)


def test_the_gradients_are_those_of_the_least_squares_written_out(make_run, data):
    """Mao et al. 2017 per token, with the squared error of log durations; the predictor's dropout is off here."""
    trainer = make_run(data=data, duration_adversarial_steps=1, max_steps=1, loss_weights={"duration_adversarial": 3})
    trainer._choose_trained_parameters(Phase.DURATIONS)
    generator, discriminator = trainer.generator.module, trainer.durations.module
    batch, found = next(iter(trainer.train_dataloader.epoch(0))), []

    def look(optimized):
        def update(*arguments, **options):
            found.append({n: p.grad.clone() for n, p in optimized.module.named_parameters() if p.grad is not None})
            optimized.optimizer.zero_grad()
            return True

        return update

    for optimized in (trainer.durations, trainer.generator):
        optimized.update = look(optimized)
    result = DurationStep(trainer.generator, trainer.durations, trainer.args, trainer.accelerator)([batch], 0, 0)

    noise = clip_generators(trainer.args.seed, 0, batch.rows)
    with torch.no_grad():
        text = generator.aligned_text(batch, generator.posterior(batch, noise), noise)
    hidden, speaker, mask = text.text.hidden, text.speaker, text.mask
    real, predictor = torch.log(text.durations.unsqueeze(1) + 1e-6) * mask, generator.model.duration_predictor
    fake = predictor(hidden, mask, speaker)
    count = int(batch.text_lengths.sum())

    def mean(values):
        rows = [values[item, 0, : int(length)] for item, length in enumerate(batch.text_lengths)]
        return torch.cat(rows).sum() / count

    loss = mean((discriminator(hidden, mask, real, speaker) - 1) ** 2) + mean(
        discriminator(hidden, mask, fake.detach(), speaker) ** 2
    )
    expected = torch.autograd.grad(loss, list(discriminator.parameters()))
    for (name, _), gradient in zip(discriminator.named_parameters(), expected, strict=True):
        torch.testing.assert_close(found[0][name], gradient, rtol=1e-4, atol=1e-6, msg=name)
    torch.testing.assert_close(result.losses["duration_discriminator"], loss.detach())

    loss = mean((fake - real) ** 2) + 3 * mean((discriminator(hidden, mask, fake, speaker) - 1) ** 2)
    names = [name for name, _ in predictor.named_parameters()]
    for name, gradient in zip(names, torch.autograd.grad(loss, list(predictor.parameters())), strict=True):
        own = found[1][f"model.duration_predictor.{name}"]
        torch.testing.assert_close(own, gradient, rtol=1e-4, atol=1e-6, msg=name)
    assert len(found[1]) == len(names)


def test_logits_of_a_padded_item_are_those_that_it_has_alone_and_depend_on_duration_text_and_speaker(make_config):
    torch.manual_seed(0)
    discriminator = DurationDiscriminator(make_config(**SPEAKERS)).double()
    hidden, durations, speaker = (torch.randn(2, size, 9).double() for size in (16, 1, 6))
    mask, speaker = torch.ones(2, 1, 9).double(), speaker[..., :1]
    mask[1, :, 5:] = 0
    logits = discriminator(hidden, mask, durations, speaker)
    alone = discriminator(hidden[1:, :, :5], mask[1:, :, :5], durations[1:, :, :5], speaker[1:])
    torch.testing.assert_close(logits[1:, :, :5], alone, rtol=0, atol=1e-12)
    assert torch.count_nonzero(logits[1, :, 5:]) == 0
    for other in ((hidden + 1, durations, speaker), (hidden, durations + 1, speaker), (hidden, durations, speaker + 1)):
        assert (discriminator(other[0], mask, *other[1:]) - logits).abs().max() > 1e-3


def test_combinations_that_cannot_work_say_what_to_do(make_trainer, make_start, make_settings):
    with pytest.raises(ValueError, match="stochastic duration predictor.*`use_stochastic_duration_prediction` false"):
        make_trainer(duration_adversarial_steps=1, max_steps=2)
    with pytest.raises(ValueError, match="is 3, beyond `max_steps`, 2"):
        make_settings(duration_adversarial_steps=3, max_steps=2)
    with pytest.raises(ValueError, match="`freeze_modules` has duration_predictor.*leave it out"):
        make_settings(duration_adversarial_steps=1, max_steps=2, freeze_modules=["duration_predictor"])
    best = {"duration_adversarial_steps": 1, "load_best_model_at_end": True}
    with pytest.raises(ValueError, match="chooses by mel, which the last steps .* do not change.*Choose by duration"):
        make_settings(**best)
    assert make_settings(**best, metric_for_best_model="duration").best_metrics == ["duration"]
    with pytest.raises(ValueError, match="no duration discriminator 'convolution'.*convolutional"):
        make_settings(duration_discriminator="convolution")
    with pytest.raises(ValueError, match="`loss_weights` has duration_adversarial.*Leave it out"):
        make_trainer(start=make_start(**DETERMINISTIC), loss_weights={"duration_adversarial": 1})
    assert list(DURATION_DISCRIMINATORS) == ["convolutional"]
    alone = {"duration_adversarial_steps": 2, "max_steps": 2}
    with pytest.raises(ValueError, match="is 2, all steps of the run, but the voice is new.*Raise `max_steps`"):
        make_trainer(start=make_start(**DETERMINISTIC), **alone)
    assert make_trainer(start=make_start(lively=True, **DETERMINISTIC), **alone)._phase() is Phase.DURATIONS


def test_durations_are_not_learned_from_an_encoder_that_is_not_trained(make_trainer, make_start):
    start = make_start(**DETERMINISTIC)
    start.new_parameters = frozenset(n for n, _ in start.model.named_parameters() if n.startswith("posterior_encoder"))
    with pytest.raises(ValueError, match="lacks the posterior encoder.*Raise `max_steps`"):
        make_trainer(start=start, duration_adversarial_steps=2, max_steps=4, new_module_steps=3)
