"""Settings and updates of the two optimizers; the moving average follows its formula and is what a run saves."""

import pytest
import torch
from torch import nn

from hf_vits import VitsModel
from hf_vits.training.optimizer import OptimizedModel, learning_rate_factor, moving_average, train_only

NAME = "text_encoder.project.weight"


@pytest.fixture
def optimized(make_settings):
    """Make an optimized model of one weight of 1, which AdamW moves by its rate against the gradient's sign."""

    def make(**settings):
        module = nn.Linear(1, 1, bias=False)
        nn.init.ones_(module.weight)
        return OptimizedModel(module, 0.1, make_settings(weight_decay=0.0, **settings))

    return make


def settings_of(model):
    return model.optimizer.param_groups[0]


def test_each_optimizer_has_the_given_settings(make_trainer):
    given = {"learning_rate": 1e-3, "discriminator_learning_rate": 3e-4, "weight_decay": 0.3}
    trainer = make_trainer(max_steps=1, adam_beta1=0.7, adam_beta2=0.9, adam_epsilon=1e-7, **given)
    trainer.train()
    for model, rate in ((trainer.generator, 1e-3), (trainer.discriminator, 3e-4)):
        group = settings_of(model)
        assert (group["lr"], group["weight_decay"], group["betas"], group["eps"]) == (rate, 0.3, (0.7, 0.9), 1e-7)


def test_without_a_learning_rate_of_its_own_the_discriminator_has_the_generators(make_trainer):
    trainer = make_trainer(max_steps=1, learning_rate=1e-3)
    trainer.train()
    assert settings_of(trainer.discriminator)["lr"] == 1e-3


def test_the_learning_rate_decays_by_epochs_and_not_by_processes(make_settings):
    config = make_settings(lr_decay=0.5, warmup_steps=4)
    assert [learning_rate_factor(config, step, 0) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert [learning_rate_factor(config, 10, epoch) for epoch in range(3)] == [1.0, 0.5, 0.25]


@pytest.mark.thorough
def test_learning_rates_rise_by_steps_and_fall_by_epochs(make_trainer):
    """Eight clips in batches of four: two steps an epoch."""
    trainer = make_trainer(max_steps=7, learning_rate=1e-3, warmup_steps=4, lr_decay=0.5)
    rates, update = [], trainer.discriminator.update

    def recording_update(*arguments):
        finite = update(*arguments)
        rates.append(settings_of(trainer.discriminator)["lr"])
        return finite

    trainer.discriminator.update = recording_update
    trainer.train()
    factors = [1 / 4, 2 / 4, 3 / 4 / 2, 4 / 4 / 2, 1 / 4, 1 / 4, 1 / 8]
    assert rates == pytest.approx([1e-3 * factor for factor in factors])


@pytest.mark.parametrize("most", [None, 0.01])
def test_gradients_are_clipped_only_if_a_norm_is_given(make_trainer, most):
    trainer = make_trainer(max_steps=1, max_grad_norm=most)
    trainer.train()
    for model in (trainer.generator, trainer.discriminator):
        moments = [state["exp_avg"].flatten() for state in model.optimizer.state.values()]
        norm = float(torch.cat(moments).norm()) / (1 - settings_of(model)["betas"][0])
        assert norm == pytest.approx(most, rel=1e-3) if most else norm > 0.1


def test_only_whole_names_freeze_parameters():
    module = nn.ModuleDict({"flow": nn.Linear(2, 2), "flows": nn.Linear(2, 2), "text": nn.Linear(2, 2)})
    train_only(module, None, ["flow", "text.weight"])
    assert {name for name, p in module.named_parameters() if p.requires_grad} == {
        "flows.weight",
        "flows.bias",
        "text.bias",
    }
    train_only(module, ["flow.weight", "flows.weight"], ["flow"])
    assert [name for name, p in module.named_parameters() if p.requires_grad] == ["flows.weight"]
    with pytest.raises(ValueError, match="`freeze_modules` has .*'flo'.*The modules are .*'flow', 'flows', 'text'"):
        train_only(module, None, ["flo"])


def test_a_run_that_would_train_nothing_is_refused(make_trainer):
    modules = ["text_encoder", "duration_predictor", "flow", "posterior_encoder"]
    with pytest.raises(ValueError, match="all modules of the voice, so that it would not change. Leave out.*decoder"):
        make_trainer(freeze_modules=[*modules, "decoder"])
    make_trainer(freeze_modules=modules)


def test_the_speaker_embedding_may_be_frozen_in_a_voice_that_has_none(make_trainer):
    trainer = make_trainer(freeze_modules=["flow", "embed_speaker"], max_steps=1)
    trainer.train()
    trained = {name.split(".")[1] for name, p in trainer.generator.module.named_parameters() if p.requires_grad}
    assert trained == {"text_encoder", "posterior_encoder", "duration_predictor", "decoder"}


def test_a_run_moves_each_module_by_its_own_rate(make_trainer, make_start, parameters_of):
    """AdamW without decay moves a parameter by its rate in the first step, whatever its gradient."""
    multipliers = {"flow": 0.5, "decoder": 2, "decoder.conv_post": 0.1}
    trainer = make_trainer(
        start=make_start(lively=True),
        max_steps=1,
        learning_rate=1e-3,
        weight_decay=0,
        learning_rate_multipliers=multipliers,
    )
    before = parameters_of(trainer)
    trainer.train()
    moved = {n: float((value - before[n]).abs().max()) for n, value in parameters_of(trainer).items()}
    for part, factor in (("flow.flows", 0.5), ("decoder.conv_pre", 2), ("decoder.conv_post", 0.1), ("text_encoder", 1)):
        largest = max(distance for name, distance in moved.items() if name.startswith(f"generator.model.{part}"))
        assert largest == pytest.approx(factor * 1e-3, rel=1e-2), part
    assert max(d for n, d in moved.items() if n.startswith("discriminator")) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.thorough
@pytest.mark.parametrize("again", [{"flow": 0.5, "decoder.upsampler": 3.0}, {}])
def test_moments_are_those_of_the_same_parameters_after_resuming_with_any_multipliers(make_trainer, again):
    """A resumed run has the moments of each parameter, also if its groups are others than before."""

    def moments(trainer):
        optimizer, names = trainer.generator.optimizer, dict(trainer.generator.module.named_parameters())
        return {name: optimizer.state[p]["exp_avg"] for name, p in names.items() if p in optimizer.state}

    first = make_trainer(max_steps=2, learning_rate_multipliers={"flow": 0.5, "decoder.upsampler": 3.0})
    first.train()
    resumed = make_trainer(max_steps=2, learning_rate_multipliers=again)
    resumed.train(resume_from_checkpoint="latest")
    before, after = moments(first), moments(resumed)
    assert before.keys() == after.keys() and all(torch.equal(after[name], value) for name, value in before.items())


def test_without_multipliers_the_optimizer_has_one_group_with_the_fields_of_adamw(make_trainer):
    trainer = make_trainer(max_steps=1)
    groups = trainer.generator.optimizer.state_dict()["param_groups"]
    plain = torch.optim.AdamW(trainer.generator.module.parameters(), fused=True).state_dict()["param_groups"]
    assert [group["params"] for group in groups] == [group["params"] for group in plain]
    assert groups[0].keys() == plain[0].keys()


@pytest.mark.parametrize("factor", [-1, "much", True, float("inf")])
def test_a_multiplier_that_is_no_number_from_zero_on_is_refused(make_settings, factor):
    with pytest.raises(ValueError, match="`learning_rate_multipliers` has 'flow' .*0 or above.*`freeze_modules`"):
        make_settings(learning_rate_multipliers={"flow": factor})


@pytest.mark.parametrize(("others", "moves"), [([3.0], -0.1), ([-3.0], 0.1)])
def test_a_step_follows_the_mean_gradient_of_all_processes(optimized, others, moves):
    """The gradient here is 1; with -3 in another process the mean has the other sign."""
    one = optimized()
    one.module.weight.grad = torch.ones(1, 1)
    assert one.update(1.0, lambda flat: (flat + torch.tensor(others)) / 2)
    assert float(one.module.weight.detach()) == pytest.approx(1 + moves, abs=1e-4)
    assert one.module.weight.grad is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_changes_nothing_and_is_cleared(optimized, value):
    one = optimized()
    one.module.weight.grad = torch.full((1, 1), value)
    assert not one.update(1.0) and one.module.weight.grad is None and float(one.module.weight.detach()) == 1


def test_the_rate_of_a_step_is_the_models_times_the_factor(optimized):
    one = optimized()
    one.module.weight.grad = torch.ones(1, 1)
    one.update(0.5)
    assert float(one.module.weight.detach()) == pytest.approx(0.95, abs=1e-4)


def expected_average(values, decay):
    """Compute the average of all values: the first is copied, later ones count 1 - decay at least."""
    average = values[0]
    for count, value in enumerate(values[1:], start=1):
        kept = min(decay, (1 + count) / (10 + count))
        average = kept * average + (1 - kept) * value
    return average


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.999])
def test_the_moving_average_follows_its_formula(decay):
    model, values = torch.nn.Linear(3, 2), []
    average = moving_average(model, decay)
    for step in range(6):
        with torch.no_grad():
            model.weight.copy_(torch.randn(2, 3, generator=torch.Generator().manual_seed(step)))
        values.append(model.weight.detach().clone())
        average.update_parameters(model)
    torch.testing.assert_close(average.module.weight, expected_average(values, decay))


def test_a_run_saves_the_average_of_the_parameters_after_each_step(make_trainer):
    """Neither the initial nor the last parameters."""
    trainer, values = make_trainer(max_steps=4, ema_decay=0.5), []
    model = trainer.generator.module.model
    began, advance = model.get_parameter(NAME).detach().clone(), trainer._advance

    def recording_advance(*arguments):
        values.append(model.get_parameter(NAME).detach().clone())
        advance(*arguments)

    trainer._advance = recording_advance
    trainer.train()
    saved = VitsModel.from_pretrained(trainer.output_dir).get_parameter(NAME)
    torch.testing.assert_close(saved, expected_average(values, 0.5), rtol=1e-5, atol=1e-6)
    assert len(values) == 4 and not torch.allclose(saved, began) and not torch.allclose(saved, values[-1])


def test_a_skipped_step_leaves_the_average_as_it_is(make_trainer):
    trainer = make_trainer(max_steps=1)
    before = trainer.ema.module.get_parameter(NAME).detach().clone()
    hook = trainer.generator.module.model.decoder.conv_post.register_forward_hook(lambda *a: a[2] * float("nan"))
    trainer.train()
    hook.remove()
    assert torch.equal(trainer.ema.module.get_parameter(NAME), before) and int(trainer.ema.n_averaged) == 0
