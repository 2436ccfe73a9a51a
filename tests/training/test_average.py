"""The moving average follows the parameters by its formula, and is what a run saves."""

import pytest
import torch

from hf_vits import VitsModel
from hf_vits.training.optimizer import moving_average

NAME = "text_encoder.project.weight"


def followed(values, decay):
    """The average after each of the values, written out: the first is copied, later ones count 1 - decay at least."""
    average = values[0]
    for count, value in enumerate(values[1:], start=1):
        kept = min(decay, (1 + count) / (10 + count))
        average = kept * average + (1 - kept) * value
    return average


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.999])
def test_each_update_keeps_the_share_that_the_formula_says(decay):
    model, values = torch.nn.Linear(3, 2), []
    average = moving_average(model, decay)
    for step in range(6):
        with torch.no_grad():
            model.weight.copy_(torch.randn(2, 3, generator=torch.Generator().manual_seed(step)))
        values.append(model.weight.detach().clone())
        average.update_parameters(model)
    torch.testing.assert_close(average.module.weight, followed(values, decay))


def test_what_a_run_saves_is_the_average_of_the_parameters_after_each_of_its_steps(make_trainer):
    """Not of those that it began with, and not the last ones."""
    trainer, values = make_trainer(max_steps=4, ema_decay=0.5), []
    model = trainer.generator.module.model
    began, advance = model.get_parameter(NAME).detach().clone(), trainer._advance

    def looked_at(*arguments):
        values.append(model.get_parameter(NAME).detach().clone())
        advance(*arguments)

    trainer._advance = looked_at
    trainer.train()
    saved = VitsModel.from_pretrained(trainer.output_dir).get_parameter(NAME)
    torch.testing.assert_close(saved, followed(values, 0.5), rtol=1e-5, atol=1e-6)
    assert len(values) == 4 and not torch.allclose(saved, began) and not torch.allclose(saved, values[-1])


def test_a_skipped_step_leaves_the_average_as_it_is(make_trainer):
    trainer = make_trainer(max_steps=1)
    before = trainer.average.module.get_parameter(NAME).detach().clone()
    hook = trainer.generator.module.model.decoder.conv_post.register_forward_hook(lambda *a: a[2] * float("nan"))
    trainer.train()
    hook.remove()
    assert torch.equal(trainer.average.module.get_parameter(NAME), before) and int(trainer.average.n_averaged) == 0
