"""A step equals that of the joint batch on any number of batches and processes, and after a resumed run."""

import csv
import itertools

import processes
import pytest
import small_run
import torch

from hf_vits.data.batch import VitsBatch
from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.modules.sampling import seed_of
from hf_vits.training import Columns
from hf_vits.training.generator import VitsGenerator
from hf_vits.training.loggers import read_history
from hf_vits.training.losses import default_weights, discriminator_loss, losses_of
from hf_vits.training.phases import Phase
from hf_vits.training.train_step import TrainingStep, clip_generators, frozen, weighted_sum


@pytest.fixture
def run(make_start, make_data, make_settings, tmp_path):
    """Trains on a folder of recordings in so many processes -> exit codes, and parameters at the end."""
    start, rows = make_start(vocab_size=30), make_data(12)
    (tmp_path / "audio").mkdir()
    with (tmp_path / "metadata.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["file_name", "text"])
        table.writeheader()
        for number, row in enumerate(rows):
            (tmp_path / "audio" / f"{number}.wav").write_bytes(row["audio"]["bytes"])
            table.writerow({"file_name": f"audio/{number}.wav", "text": row["text"]})

    def go(name, count=1, die_at=None, strays=False, **settings):
        settings = make_settings(output_dir_name=name, **settings).to_dict()
        model, discriminator = start.model.config.to_diff_dict(), start.discriminator.config.to_diff_dict()
        parameters = tmp_path / f"{name}.pt"
        arguments = (str(tmp_path), model, discriminator, settings, str(parameters), die_at, strays)
        running = [
            processes.start(small_run.train, *arguments, environment=place)
            for place in processes.joint_environments(count)
        ]
        codes = set(processes.exit_codes(running))
        assert codes <= {0, -9}
        return codes, torch.load(parameters) if parameters.exists() else None

    return go


def all_losses(out, real, fake):
    """Generator output, discriminator outputs of recording and generated segment -> all losses by name."""
    return {**losses_of("adversarial", real, fake), **losses_of("reconstruction", out), **losses_of("prior", out)}


NOISE = "attention.k_proj.bias"
"""Adds the same to all scores of a query and so changes nothing: its gradient is rounding, which Adam enlarges."""


def assert_close(left, right, atol):
    for model in left:
        for name, value in left[model].items():
            if atol == 0 or not name.endswith(NOISE):
                torch.testing.assert_close(
                    value, right[model][name], rtol=0, atol=atol, msg=lambda m, n=name: f"{n}: {m}"
                )


@pytest.mark.thorough
def test_two_processes_take_the_same_steps_as_one(run):
    _, one = run("one", per_device_train_batch_size=4, max_steps=5)
    _, two = run("two", count=2, per_device_train_batch_size=2, max_steps=5)
    assert_close(two, one, 1e-5)


@pytest.mark.thorough
def test_all_processes_start_from_the_parameters_of_the_first_one(run):
    """New layers, such as those for more speakers, are initialized in each process separately."""
    _, alone = run("alone", per_device_train_batch_size=4, max_steps=2)
    _, joined = run("joined", count=2, per_device_train_batch_size=2, max_steps=2, strays=True)
    assert_close(joined, alone, 1e-5)


@pytest.mark.thorough
def test_a_run_resumed_after_a_kill_is_bitwise_identical_to_an_uninterrupted_one(run):
    settings = {"per_device_train_batch_size": 4, "max_steps": 10, "save_steps": 4, "dataloader_num_workers": 2}
    _, whole = run("whole", **settings)
    codes, nothing = run("killed", die_at=5, **settings)
    assert codes == {-9} and nothing is None
    _, resumed = run("killed", **settings)
    assert_close(resumed, whole, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("seconds", [0.4, None], ids=["equal lengths", "ragged"])
def test_accumulated_batches_give_the_step_of_the_joint_batch(
    make_trainer, make_start, make_data, parameters_of, seconds
):
    def trained(name, **settings):
        data, start = make_data(8, seconds), make_start(lively=True)
        trainer = make_trainer(start=start, data=data, max_steps=3, output_dir_name=name, **settings)
        trainer.train()
        return {"both": {n: value for n, value in parameters_of(trainer).items()}}

    joint = trained("joint", per_device_train_batch_size=8)
    assert_close(trained("cut", per_device_train_batch_size=4, gradient_accumulation_steps=2), joint, 1e-5)


@pytest.mark.parametrize("count", [1, 2])
def test_the_generators_update_leaves_no_gradient_in_the_discriminator(make_trainer, count):
    trainer = make_trainer(per_device_train_batch_size=4)
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.args, trainer.accelerator)
    gradients = []
    update = trainer.generator.update

    def recording_update(*arguments, **options):
        gradients.extend(parameter.grad for parameter in trainer.discriminator.parameters)
        return update(*arguments, **options)

    trainer.generator.update = recording_update
    batches = list(trainer.train_dataloader.epoch(0))[:count]
    step(batches, 0, 0)
    assert gradients and all(gradient is None or not gradient.any() for gradient in gradients)


FROZEN = (
    ["duration_predictor"],
    ["posterior_encoder", "decoder"],
    ["posterior_encoder", "decoder", "flow"],
    ["text_encoder", "flow", "duration_predictor"],
    ["decoder"],
)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("stochastic", [True, False], ids=["stochastic", "deterministic"])
@pytest.mark.parametrize("freeze", FROZEN, ids="-".join)
def test_modules_that_are_not_frozen_change_and_every_loss_is_logged(
    make_trainer, make_start, parameters_of, freeze, stochastic
):
    start = make_start(use_stochastic_duration_prediction=stochastic)
    trainer = make_trainer(start=start, max_steps=2, freeze_modules=freeze, logging_steps=1)
    before = parameters_of(trainer)
    trainer.train()
    parts = {name.split(".")[2] for name in before if name.startswith("generator.model.")}
    moved = {
        name.split(".")[2]
        for name, value in parameters_of(trainer).items()
        if name.startswith("generator.model.") and not torch.equal(value, before[name])
    }
    assert moved == parts - set(freeze)
    assert {"train/mel", "train/kl", "train/duration"} <= read_history(trainer.output_dir)[-1].keys()


DROPOUTS = (
    "hidden_dropout",
    "attention_dropout",
    "activation_dropout",
    "duration_predictor_dropout",
    "wavenet_dropout",
)


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "several, fields, dropout",
    [
        (False, {}, 0.0),
        (False, {}, 0.3),
        (True, {}, 0.3),
        (True, {"freeze_modules": ["embed_speaker"]}, 0.3),
        (True, {"freeze_modules": ["posterior_encoder", "embed_speaker"]}, 0.3),
        (True, {"freeze_modules": ["posterior_encoder", "decoder", "flow"]}, 0.3),
    ],
    ids=["no dropout", "one speaker", "speakers", "frozen speakers", "frozen posterior", "text only"],
)
def test_splitting_the_backward_pass_changes_no_gradient(
    make_trainer, make_start, make_data, speakers, count, several, fields, dropout
):
    """The gradients that a step adds up are those of one backward pass from the weighted sum of all losses."""
    names = speakers["speaker_names"]
    who = {"who": [names[clip % len(names)] for clip in range(8)]} if several else {}
    dropouts = dict.fromkeys(DROPOUTS, dropout)
    start = make_start(lively=True, **dropouts, **(speakers if several else {}))
    columns = Columns(speaker="who") if several else None
    trainer = make_trainer(
        start=start, data=make_data(8, **who), columns=columns, per_device_train_batch_size=4, **fields
    )
    generator, discriminator = trainer.generator.module, trainer.discriminator.module
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.args, trainer.accelerator)
    batches = list(trainer.train_dataloader.epoch(0))[:count]
    found = {}

    def look(*arguments, **options):
        found.update({name: p.grad.clone() for name, p in generator.named_parameters() if p.grad is not None})
        trainer.generator.optimizer.zero_grad()
        return True

    trainer.generator.update = look
    step(batches, 0, 0)
    normalizers = step._normalizers(batches)
    for number, (batch, normalizer) in enumerate(zip(batches, normalizers, strict=True)):
        torch.manual_seed(seed_of(trainer.args.seed, 0, number, 0))
        out = generator(batch, clip_generators(trainer.args.seed, 0, batch.rows))
        losses = all_losses(out, discriminator(out.real), discriminator(out.fake))
        weighted_sum(normalizer.normalize(losses), trainer.args.weights).backward()
    expected = {name: p.grad for name, p in generator.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(
            found[name],
            gradient,
            rtol=1e-4,
            atol=1e-5 * float(gradient.abs().max()) + 1e-7,
            msg=lambda m, n=name: n + m,
        )


def test_the_generators_weights_do_not_change_the_discriminators_update(make_trainer, parameters_of):
    """With all of the generator's weights at 0 but one, the discriminator is updated as with the paper's."""
    moved = []
    for number, weights in enumerate([{}, {"mel": 0.0, "kl": 0.0, "feature_matching": 0.0}]):
        trainer = make_trainer(max_steps=1, output_dir_name=str(number), loss_weights=weights)
        trainer.train()
        moved.append(parameters_of(trainer))
    names = [name for name in moved[0] if name.startswith("discriminator.")]
    assert all(torch.equal(moved[0][name], moved[1][name]) for name in names)
    generator = "generator.model.posterior_encoder.conv_pre.weight"
    assert not torch.equal(moved[0][generator], moved[1][generator])


def test_the_logged_discriminator_loss_is_the_sum_over_sub_discriminators(make_trainer, make_start):
    trainer = make_trainer(start=make_start(lively=True))
    discriminator = trainer.discriminator.module
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.args, trainer.accelerator)
    batch = next(iter(trainer.train_dataloader.epoch(0)))
    (normalizer,) = step._normalizers([batch])
    output = step._generate(batch, 0, 0, False, Phase.ALL)
    reported, segments = step._discriminator_backward(output, normalizer), output.segments
    expected = discriminator_loss(discriminator(segments.real).logits, discriminator(segments.fake).logits)
    assert len(discriminator(segments.real).logits) > 1
    torch.testing.assert_close(reported, expected.detach())


SMALL = {"period_channels": [4, 6], "scale_channels": [4, 8, 8, 8, 8, 8], "periods": [2, 3]}


@pytest.fixture
def models(make_model):
    torch.manual_seed(0)
    return VitsGenerator(make_model(), 16), VitsDiscriminator(VitsDiscriminatorConfig(**SMALL))


@pytest.fixture
def batch():
    noise = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 20, (2, 9), generator=noise)
    waveform = torch.randn(2, 1, 300, generator=noise) * 0.2
    return VitsBatch(ids, torch.tensor([9, 6]), waveform, torch.tensor([300, 200]), torch.arange(2))


def losses_for(out, discriminator):
    with torch.no_grad():
        real = discriminator(out.real)
    return all_losses(out, real, discriminator(out.fake))


def test_frozen_discriminators_get_no_gradient_from_the_generators_losses(models, batch):
    generator, discriminator = models
    with frozen(discriminator):
        weighted_sum(losses_for(generator(batch), discriminator), default_weights()).backward()
    assert all(parameter.grad is None and parameter.requires_grad for parameter in discriminator.parameters())
    assert generator.model.decoder.conv_pre.weight.grad.abs().sum() > 0


def test_the_discriminator_loss_gives_no_gradient_to_the_generator(models, batch):
    generator, discriminator = models
    out = generator(batch)
    discriminator_loss(discriminator(out.real).logits, discriminator(out.fake.detach()).logits).backward()
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


def test_every_parameter_of_the_generator_gets_a_gradient(models, batch):
    generator, discriminator = models
    weighted_sum(losses_for(generator(batch), discriminator), default_weights()).backward()
    assert not [name for name, parameter in generator.named_parameters() if parameter.grad is None]


def test_the_losses_of_a_step_are_the_registered_ones_with_the_papers_weights(models, batch):
    generator, discriminator = models
    losses = losses_for(generator(batch), discriminator)
    paper = {"adversarial": 1, "feature_matching": 1, "mel": 45, "kl": 1, "duration": 1}
    assert losses.keys() == paper.keys() and paper.items() <= default_weights().items()
    weights = {**paper, "mel": 3.0}
    torch.testing.assert_close(weighted_sum(losses, weights), sum(weights[name] * losses[name] for name in weights))


def test_the_losses_of_single_sub_discriminators_add_up_to_those_of_the_whole(models, batch):
    generator, discriminator = models
    out = generator(batch)
    together = losses_of("adversarial", discriminator(out.real), discriminator(out.fake))
    alone = [losses_of("adversarial", sub(out.real), sub(out.fake)) for sub in discriminator.sub_discriminators()]
    assert len(alone) == 3
    for name, value in together.items():
        torch.testing.assert_close(sum(losses[name] for losses in alone), value)


def test_frozen_parameters_stay_frozen_after(models):
    _, discriminator = models
    discriminator.discriminators[0].requires_grad_(False)
    with frozen(discriminator):
        assert not any(parameter.requires_grad for parameter in discriminator.parameters())
    trained = {name.split(".")[1] for name, parameter in discriminator.named_parameters() if parameter.requires_grad}
    assert trained == {"1", "2"}


def draws_of(seed, step, *rows):
    return [
        torch.rand(4, generator=generator).tolist() for generator in clip_generators(seed, step, torch.tensor(rows))
    ]


def test_each_seed_step_and_clip_has_its_own_noise():
    draws = [draws_of(*key)[0] for key in itertools.product((0, 1), (0, 1), (0, 1))]
    assert len({tuple(draw) for draw in draws}) == 8


def test_a_clip_has_the_same_noise_in_every_batch():
    assert draws_of(3, 7, 5, 2) == [draws_of(3, 7, 5)[0], draws_of(3, 7, 2)[0]] and draws_of(3, 7, 5) == draws_of(
        3, 7, 5
    )


@pytest.mark.parametrize("what", ["latents", "segments"])
def test_noise_and_segments_differ_between_steps_and_repeat_with_the_step(make_trainer, make_data, what):
    trainer = make_trainer(data=make_data(8, seconds=0.6), segment_frames=4)
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.args, trainer.accelerator)
    batch = next(iter(trainer.train_dataloader.epoch(0)))

    def draw(number):
        output = step._generate(batch, number, 0, False, False)
        return output.posterior.latents if what == "latents" else output.segments.real

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
