"""The noise of a clip is that of seed, step and clip, and of nothing else."""

import itertools

import pytest
import torch

from hf_vits.training.train_step import TrainingStep, clip_generators


def drawn(seed, step, *rows):
    return [
        torch.rand(4, generator=generator).tolist() for generator in clip_generators(seed, step, torch.tensor(rows))
    ]


def test_each_seed_step_and_clip_has_noise_of_its_own():
    draws = [drawn(*key)[0] for key in itertools.product((0, 1), (0, 1), (0, 1))]
    assert len({tuple(draw) for draw in draws}) == 8


def test_a_clip_has_the_same_noise_whatever_is_beside_it():
    assert drawn(3, 7, 5, 2) == [drawn(3, 7, 5)[0], drawn(3, 7, 2)[0]] and drawn(3, 7, 5) == drawn(3, 7, 5)


@pytest.mark.parametrize("what", ["latents", "slices"])
def test_a_step_draws_other_noise_and_slices_than_the_one_before_and_again_the_same_when_it_is_repeated(
    make_trainer, make_data, what
):
    trainer = make_trainer(data=make_data(8, seconds=0.6), segment_frames=4)
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.config, trainer.accelerator)
    batch = next(iter(trainer.batches.epoch(0)))

    def heard(number):
        made = step._generate(batch, number, 0, False)
        return made.posterior.latents if what == "latents" else made.slices.real

    assert torch.equal(heard(0), heard(0))
    assert not torch.equal(heard(0), heard(1))
