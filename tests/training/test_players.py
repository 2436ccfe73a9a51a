"""What each player's AdamW is told, and when."""

import pytest
import torch


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
    trainer = make_trainer(max_steps=7, learning_rate=1e-3, warmup_steps=4, epoch_decay=0.5)
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
