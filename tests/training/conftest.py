"""Each run begins without the state of another."""

import pytest

from hf_vits.training.phases import Phase
from hf_vits.training.train_step import TrainingStep


@pytest.fixture(autouse=True)
def forget_accelerate():
    """Accelerate keeps its state for the life of a process; here each run begins without."""
    from accelerate.state import AcceleratorState, PartialState

    def forget():
        AcceleratorState._reset_state()
        PartialState._reset_state()

    yield forget
    forget()


@pytest.fixture
def tuned(make_start):
    """A trained model with a new discriminator, as a completed base has."""

    def make(**fields):
        start = make_start(lively=True, **fields)
        start.new_discriminator = True
        return start

    return make


@pytest.fixture
def gradient_of_adaptation():
    """Take the gradient by parameter in a step that adapts the posterior encoder, in place of its update."""

    def take(trainer, batch, adaptation=None):
        generator, found = trainer.generator.module, {}

        def update(*arguments, **options):
            found.update({name: p.grad.clone() for name, p in generator.named_parameters() if p.grad is not None})
            trainer.generator.optimizer.zero_grad()
            return True

        trainer.generator.update = update
        shared = (trainer.args, trainer.accelerator, None, adaptation)
        TrainingStep(trainer.generator, trainer.discriminator, *shared)([batch], 0, 0, Phase.ADAPTATION)
        return found

    return take
