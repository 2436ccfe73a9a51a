"""What each player's AdamW is told, and when."""

import pytest
import torch
from torch import nn

from hf_vits.training.optimizer import OptimizedModel, train_only


@pytest.fixture
def player(make_settings):
    """A player of one weight of 1, with AdamW that moves it by its rate against the gradient's sign."""

    def make(**settings):
        module = nn.Linear(1, 1, bias=False)
        nn.init.ones_(module.weight)
        return OptimizedModel(module, 0.1, make_settings(weight_decay=0.0, **settings))

    return make


def settings_of(player):
    return player.optimizer.param_groups[0]


def test_each_player_has_the_settings_it_was_given(make_trainer):
    given = {"learning_rate": 1e-3, "discriminator_learning_rate": 3e-4, "weight_decay": 0.3}
    trainer = make_trainer(max_steps=1, adam_beta1=0.7, adam_beta2=0.9, adam_epsilon=1e-7, **given)
    trainer.train()
    for player, rate in ((trainer.generator, 1e-3), (trainer.discriminator, 3e-4)):
        group = settings_of(player)
        assert (group["lr"], group["weight_decay"], group["betas"], group["eps"]) == (rate, 0.3, (0.7, 0.9), 1e-7)


def test_without_a_rate_of_its_own_the_discriminator_has_the_generators(make_trainer):
    trainer = make_trainer(max_steps=1, learning_rate=1e-3)
    trainer.train()
    assert settings_of(trainer.discriminator)["lr"] == 1e-3


def test_learning_rates_rise_by_steps_and_fall_by_epochs(make_trainer):
    """Eight clips in batches of four: two steps an epoch."""
    trainer = make_trainer(max_steps=7, learning_rate=1e-3, warmup_steps=4, lr_decay=0.5)
    rates, update = [], trainer.discriminator.update

    def looked_at(*arguments):
        finite = update(*arguments)
        rates.append(settings_of(trainer.discriminator)["lr"])
        return finite

    trainer.discriminator.update = looked_at
    trainer.train()
    factors = [1 / 4, 2 / 4, 3 / 4 / 2, 4 / 4 / 2, 1 / 4, 1 / 4, 1 / 8]
    assert rates == pytest.approx([1e-3 * factor for factor in factors])


@pytest.mark.parametrize("most", [None, 0.01])
def test_gradients_are_clipped_if_told_and_only_then(make_trainer, most):
    trainer = make_trainer(max_steps=1, max_grad_norm=most)
    trainer.train()
    for player in (trainer.generator, trainer.discriminator):
        moments = [state["exp_avg"].flatten() for state in player.optimizer.state.values()]
        norm = float(torch.cat(moments).norm()) / (1 - settings_of(player)["betas"][0])
        assert norm == pytest.approx(most, rel=1e-3) if most else norm > 0.1


def test_what_is_frozen_takes_no_gradient_by_whole_names_alone():
    module = nn.ModuleDict({"flow": nn.Linear(2, 2), "flows": nn.Linear(2, 2), "text": nn.Linear(2, 2)})
    train_only(module, None, ["flow", "text.weight"])
    assert {name for name, p in module.named_parameters() if p.requires_grad} == {
        "flows.weight",
        "flows.bias",
        "text.bias",
    }
    train_only(module, ["flow.weight", "flows.weight"], ["flow"])
    assert [name for name, p in module.named_parameters() if p.requires_grad] == ["flows.weight"]
    with pytest.raises(ValueError, match="`freeze_modules` has .*'flo'.*The parts are .*'flow', 'flows', 'text'"):
        train_only(module, None, ["flo"])


@pytest.mark.parametrize(("others", "moves"), [([3.0], -0.1), ([-3.0], 0.1)])
def test_a_step_follows_the_mean_gradient_of_all_processes(player, others, moves):
    """The own gradient is 1; with another process's of -3 the mean points the other way."""
    one = player()
    one.module.weight.grad = torch.ones(1, 1)
    assert one.update(1.0, lambda flat: (flat + torch.tensor(others)) / 2)
    assert float(one.module.weight.detach()) == pytest.approx(1 + moves, abs=1e-4)
    assert one.module.weight.grad is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_moves_nothing_and_is_dropped(player, value):
    one = player()
    one.module.weight.grad = torch.full((1, 1), value)
    assert not one.update(1.0) and one.module.weight.grad is None and float(one.module.weight.detach()) == 1


def test_the_rate_of_a_step_is_the_players_times_the_factor(player):
    one = player()
    one.module.weight.grad = torch.ones(1, 1)
    one.update(0.5)
    assert float(one.module.weight.detach()) == pytest.approx(0.95, abs=1e-4)
