"""A step is that of the joint batch, however it is cut, whoever computes it, and whatever ended the run before it."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hf_vits.modules.sampling import seed_of
from hf_vits.training import Columns
from hf_vits.training.loggers import read_history
from hf_vits.training.losses import discriminator_loss
from hf_vits.training.train_step import (
    TrainingStep,
    adversarial_losses,
    clip_generators,
    prior_losses,
    reconstruction_losses,
    weighted_sum,
)

SCRIPT = Path(__file__).with_name("small_run.py")


@pytest.fixture
def run(make_start, make_data, make_settings, tmp_path):
    """Runs small_run.py on a folder of recordings, in so many processes -> exit code, and parameters at the end."""
    start, rows = make_start(vocab_size=30), make_data(12)
    (tmp_path / "audio").mkdir()
    with (tmp_path / "metadata.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["file_name", "text"])
        table.writeheader()
        for number, row in enumerate(rows):
            (tmp_path / "audio" / f"{number}.wav").write_bytes(row["audio"]["bytes"])
            table.writerow({"file_name": f"audio/{number}.wav", "text": row["text"]})

    def go(name, processes=1, more=None, **settings):
        given = make_settings(output_dir_name=name, **settings).to_dict()
        given |= {"model": start.model.config.to_diff_dict(), "judges": start.discriminator.config.to_diff_dict()}
        given |= more or {}
        parameters = tmp_path / f"{name}.pt"
        command = [sys.executable, str(SCRIPT), str(tmp_path), json.dumps(given), str(parameters)]
        alone = {**os.environ, "OMP_NUM_THREADS": "1"}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        joint = {
            "WORLD_SIZE": str(processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
            "ACCELERATE_USE_CPU": "1",
        }
        ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank), **joint} for rank in range(processes)]
        running = [
            subprocess.Popen(
                command, env=alone if processes == 1 else {**alone, **rank}, stderr=subprocess.PIPE, text=True
            )
            for rank in ranks
        ]
        errors = [process.communicate(timeout=240)[1] for process in running]
        codes = {process.returncode for process in running}
        assert codes <= {0, -9}, errors
        return codes, torch.load(parameters) if parameters.exists() else None

    return go


NOISE = "attention.k_proj.bias"
"""Adds the same to all scores of a query and so changes nothing: its gradient is rounding, which Adam enlarges."""


def assert_close(left, right, atol):
    for player in left:
        for name, value in left[player].items():
            if atol == 0 or not name.endswith(NOISE):
                torch.testing.assert_close(
                    value, right[player][name], rtol=0, atol=atol, msg=lambda m, n=name: f"{n}: {m}"
                )


def test_two_processes_take_the_steps_of_one(run):
    _, one = run("one", per_device_train_batch_size=4, max_steps=5)
    _, two = run("two", processes=2, per_device_train_batch_size=2, max_steps=5)
    assert_close(two, one, 1e-5)


def test_processes_that_began_apart_go_on_as_the_first_one(run):
    """New layers, such as those for more speakers, are drawn in each process by itself."""
    _, alone = run("alone", per_device_train_batch_size=4, max_steps=2)
    _, joined = run("joined", processes=2, per_device_train_batch_size=2, max_steps=2, more={"stray": True})
    assert_close(joined, alone, 1e-5)


def test_a_killed_run_that_is_resumed_ends_where_one_that_was_not_does(run):
    settings = {"per_device_train_batch_size": 4, "max_steps": 10, "save_steps": 4, "dataloader_num_workers": 2}
    _, whole = run("whole", **settings)
    codes, nothing = run("killed", more={"die_at": 5}, **settings)
    assert codes == {-9} and nothing is None
    _, resumed = run("killed", **settings)
    assert_close(resumed, whole, 0)


@pytest.mark.parametrize("seconds", [0.4, None], ids=["equal lengths", "ragged"])
def test_accumulated_batches_take_the_step_of_the_joint_batch(
    make_trainer, make_start, make_data, parameters_of, seconds
):
    def trained(name, **settings):
        data, start = make_data(8, seconds), make_start(lively=True)
        trainer = make_trainer(start=start, data=data, max_steps=3, output_dir_name=name, **settings)
        trainer.train()
        return {"both": {n: value for n, value in parameters_of(trainer).items()}}

    joint = trained("joint", per_device_train_batch_size=8)
    assert_close(trained("cut", per_device_train_batch_size=4, gradient_accumulation_steps=2), joint, 1e-5)


@pytest.mark.parametrize("pieces", [1, 2])
def test_the_generators_move_leaves_the_judges_no_gradient(make_trainer, pieces):
    trainer = make_trainer(per_device_train_batch_size=4)
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.config, trainer.accelerator)
    gradients = []
    update = trainer.generator.update

    def looked_at(*arguments):
        gradients.extend(parameter.grad for parameter in trainer.discriminator.parameters)
        return update(*arguments)

    trainer.generator.update = looked_at
    batches = list(trainer.batches.epoch(0))[:pieces]
    step(batches, 0, 0)
    assert gradients and all(gradient is None or not gradient.any() for gradient in gradients)


FROZEN = (
    ["duration_predictor"],
    ["posterior_encoder", "decoder"],
    ["posterior_encoder", "decoder", "flow"],
    ["text_encoder", "flow", "duration_predictor"],
    ["decoder"],
)


@pytest.mark.parametrize("stochastic", [True, False], ids=["stochastic", "plain"])
@pytest.mark.parametrize("freeze", FROZEN, ids="-".join)
def test_whatever_is_frozen_the_rest_learns_and_every_term_is_reported(
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


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize(
    "several, fields",
    [
        (False, {}),
        (True, {}),
        (True, {"freeze_modules": ["embed_speaker"]}),
        (True, {"freeze_modules": ["posterior_encoder", "embed_speaker"]}),
        (True, {"freeze_modules": ["posterior_encoder", "decoder", "flow"]}),
    ],
    ids=["one speaker", "speakers", "frozen speakers", "frozen posterior", "text alone"],
)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_cutting_the_graph_changes_no_gradient(
    make_trainer, make_start, make_data, speakers, pieces, several, fields, dropout
):
    """What a step adds up piece by piece is the gradient of the sum of all terms, taken at once."""
    names = speakers["speaker_names"]
    who = {"who": [names[clip % len(names)] for clip in range(8)]} if several else {}
    dropouts = dict.fromkeys(DROPOUTS, dropout)
    start = make_start(lively=True, **dropouts, **(speakers if several else {}))
    columns = Columns(speaker="who") if several else None
    trainer = make_trainer(
        start=start, data=make_data(8, **who), columns=columns, per_device_train_batch_size=4, **fields
    )
    generator, judges = trainer.generator.module, trainer.discriminator.module
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.config, trainer.accelerator)
    batches = list(trainer.batches.epoch(0))[:pieces]
    found = {}

    def look(*arguments):
        found.update({name: p.grad.clone() for name, p in generator.named_parameters() if p.grad is not None})
        trainer.generator.optimizer.zero_grad()
        return True

    trainer.generator.update = look
    step(batches, 0, 0)
    shares, _ = step._shares(batches, False)
    for number, (batch, share) in enumerate(zip(batches, shares, strict=True)):
        torch.manual_seed(seed_of(trainer.config.seed, 0, number, 0))
        out = generator(batch, clip_generators(trainer.config.seed, 0, batch.rows))
        terms = {
            **adversarial_losses(judges(out.real), judges(out.fake)),
            **reconstruction_losses(out),
            **prior_losses(out),
        }
        weighted_sum(share.weigh(terms), trainer.config.weights).backward()
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


def test_each_player_moves_along_the_gradient_of_its_own_loss_alone(make_trainer, parameters_of):
    """With the generator's weights at 0 but for one term, the judges move as they do with the paper's."""
    moved = []
    for number, weights in enumerate([{}, {"mel_weight": 0.0, "kl_weight": 0.0, "feature_matching_weight": 0.0}]):
        trainer = make_trainer(max_steps=1, output_dir_name=str(number), **weights)
        trainer.train()
        moved.append(parameters_of(trainer))
    judges = [name for name in moved[0] if name.startswith("discriminator.")]
    assert all(torch.equal(moved[0][name], moved[1][name]) for name in judges)
    generator = "generator.model.posterior_encoder.conv_pre.weight"
    assert not torch.equal(moved[0][generator], moved[1][generator])


def test_the_reported_loss_of_the_judges_is_that_of_all_of_them(make_trainer, make_start):
    trainer = make_trainer(start=make_start(lively=True))
    judges = trainer.discriminator.module
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.config, trainer.accelerator)
    batch = next(iter(trainer.batches.epoch(0)))
    (share,), _ = step._shares([batch], False)
    slices = step._generate(batch, 0, 0, False).slices
    reported = step._discriminator_backward(slices, share)
    expected = discriminator_loss(judges(slices.real).logits, judges(slices.fake).logits)
    assert len(judges(slices.real).logits) > 1
    torch.testing.assert_close(reported, expected.detach())
