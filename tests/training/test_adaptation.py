"""A posterior encoder learns a new speaker by its divergence from the prior alone, before the decoder follows it."""

import json
from contextlib import nullcontext

import pytest
import torch

from hf_vits.training import speaking_rate
from hf_vits.training.loggers import read_history
from hf_vits.training.losses import losses_of
from hf_vits.training.train_step import TrainingStep, clip_generators
from hf_vits.training.trainer import Phase
from hf_vits.utils.torch_state import HAS_KERNELS, find

ALONE = {"adaptation_pairs": 0}
"""Settings with which the divergence is the only loss."""


def test_only_the_posterior_encoder_and_a_new_discriminator_change(make_trainer, tuned, parameters_of):
    trainer = make_trainer(
        start=tuned(), max_steps=3, posterior_adaptation_steps=3, new_module_steps=0, logging_steps=1, **ALONE
    )
    before = parameters_of(trainer)
    trainer.train()
    moved = {name for name, value in parameters_of(trainer).items() if not torch.equal(value, before[name])}
    assert {".".join(name.split(".")[:3]) for name in moved if name.startswith("generator.")} == {
        "generator.model.posterior_encoder"
    }
    assert any(name.startswith("discriminator.") for name in moved)
    logged = {name for name in read_history(trainer.output_dir)[-1] if name.startswith("train/")}
    assert logged == {"train/kl", "train/discriminator"}


def test_its_gradient_is_that_of_the_divergence(make_trainer, tuned, gradient_of_adaptation):
    trainer = make_trainer(start=tuned(), posterior_adaptation_steps=1)
    trainer._choose_trained_parameters(Phase.ADAPTATION)
    generator, batch = trainer.generator.module, next(iter(trainer.train_dataloader.epoch(0)))
    found = gradient_of_adaptation(trainer, batch)
    plain = find("hf_vits.kernels").use(False) if HAS_KERNELS else nullcontext()
    with plain:  # the frozen modules are in evaluation mode, in which kernels keep what they prepare
        out = generator(batch, clip_generators(trainer.args.seed, 0, batch.rows))
        losses_of("prior", out)["kl"].backward()
    expected = {name: p.grad for name, p in generator.named_parameters() if p.grad is not None}
    assert found.keys() == expected.keys() and all(name.startswith("model.posterior_encoder.") for name in found)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6 * float(gradient.abs().max()))


@pytest.mark.thorough
def test_it_learns_at_the_full_rate_whatever_its_factor_is_later(make_trainer, tuned):
    name = "posterior_encoder.conv_pre.bias"
    for factor in (1.0, 0.01, 0.0):
        multipliers = {"posterior_encoder": factor}
        settings = {
            "posterior_adaptation_steps": 1,
            "new_module_steps": 0,
            "learning_rate_multipliers": multipliers,
            **ALONE,
        }
        trainer = make_trainer(start=tuned(), output_dir_name=f"{factor}", max_steps=2, save_steps=1, **settings)
        before = trainer.generator.module.model.get_parameter(name).detach().clone()
        moved = []
        advance = trainer._advance
        trainer._advance = lambda *a, t=trainer, b=before, m=moved, f=advance: (
            f(*a),
            m.append(float((t.generator.module.model.get_parameter(name).detach() - b).abs().max())),
        )
        trainer.train()
        rate = trainer.args.learning_rate  # Adam's first step has the length of its rate
        assert moved[0] == pytest.approx(rate, rel=0.05)
        assert moved[1] - moved[0] <= 2 * rate * factor


def test_with_a_factor_of_zero_it_is_only_adapted_and_later_steps_train_the_decoder_alone(
    make_trainer, tuned, parameters_of, monkeypatch
):
    frozen = ["text_encoder", "flow", "duration_predictor"]
    settings = {"freeze_modules": frozen, "learning_rate_multipliers": {"posterior_encoder": 0}, "new_module_steps": 0}
    settings |= ALONE
    trainer = make_trainer(start=tuned(), max_steps=4, posterior_adaptation_steps=2, logging_steps=1, **settings)
    before, after = parameters_of(trainer), {}
    advance = trainer._advance
    trainer._advance = lambda *a: (advance(*a), after.update({trainer.progress.step: parameters_of(trainer)}))
    encoded = trainer.generator.module.posterior
    trainer.generator.module.posterior = lambda *a: encoded(*a) if trainer.progress.step < 2 else pytest.fail("encoded")
    trainer.train()

    def moved(left, right):
        names = (name for name in left if name.startswith("generator.") and not torch.equal(left[name], right[name]))
        return {name.split(".")[2] for name in names}

    assert moved(before, after[2]) == {"posterior_encoder"} and moved(after[2], after[4]) == {"decoder"}
    logged = {name for name in read_history(trainer.output_dir)[-1] if name.startswith("train/")}
    assert logged == {"train/mel", "train/adversarial", "train/feature_matching", "train/discriminator"}


def test_nothing_is_decoded_for_discriminators_that_are_not_trained(make_trainer, tuned, monkeypatch):
    start = tuned()
    start.new_discriminator = False
    trainer = make_trainer(start=start, posterior_adaptation_steps=1, max_steps=2)
    trainer._choose_trained_parameters(Phase.ADAPTATION)
    monkeypatch.setattr(trainer.generator.module, "decode", lambda *_: pytest.fail("a segment is decoded"))
    step = TrainingStep(trainer.generator, trainer.discriminator, trainer.args, trainer.accelerator)
    result = step([next(iter(trainer.train_dataloader.epoch(0)))], 0, 0, Phase.ADAPTATION)
    assert result.losses.keys() == {"kl"}


@pytest.mark.parametrize("new", [True, False], ids=["new encoder", "trained encoder"])
def test_a_new_encoder_learns_to_hear_before_it_is_adapted(make_trainer, tuned, new):
    start = tuned()
    if new:
        start.new_parameters = frozenset(n for n, _ in start.model.named_parameters() if n.startswith("posterior_"))
    trainer, phases = make_trainer(start=start, new_module_steps=3, posterior_adaptation_steps=2), []
    for trainer.progress.step in range(6):
        phases.append(trainer._phase())
    n, a, e = Phase.NEW, Phase.ADAPTATION, Phase.ALL
    assert phases == ([n, n, n, a, a, e] if new else [a, a, n, e, e, e])


def test_a_frozen_encoder_cannot_be_adapted(make_settings):
    with pytest.raises(ValueError, match="`posterior_adaptation_steps` is 5.*leave posterior_encoder out"):
        make_settings(posterior_adaptation_steps=5, freeze_modules=["posterior_encoder"])


@pytest.mark.parametrize(("steps", "warns"), [(5, True), (6, False)])
def test_a_run_that_ends_before_the_voice_changes_says_so(make_trainer, tuned, caplog, steps, warns):
    make_trainer(start=tuned(), max_steps=steps, posterior_adaptation_steps=5)
    assert any("the voice will speak as before" in message for message in caplog.messages) == warns


def test_the_divergence_must_have_a_weight(make_settings):
    with pytest.raises(ValueError, match="`posterior_adaptation_steps` is 5.*`loss_weights` has kl with 0"):
        make_settings(posterior_adaptation_steps=5, loss_weights={"kl": 0})


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("frozen", "factor"),
    [
        pytest.param(["flow"], 0.25, id="all"),
        pytest.param(["text_encoder", "flow", "duration_predictor"], 0, id="decoder", marks=pytest.mark.slow),
    ],
)
def test_a_run_of_the_recipe_that_stopped_after_each_step_ends_as_one_that_did_not(
    make_trainer, make_start, parameters_of, assert_equal, monkeypatch, frozen, factor
):
    """At step 2 no rate can be fitted, so that the one of step 1 stays."""
    rates = iter([1.1, None, 1.3] * 2)
    monkeypatch.setattr(speaking_rate, "fit_speaking_rate", lambda *arguments: next(rates))
    recipe = {
        **{"posterior_adaptation_steps": 1, "new_module_steps": 0, "fit_speaking_rate": True, "match_loudness": True},
        **ALONE,
        **{"freeze_modules": frozen, "learning_rate_multipliers": {"posterior_encoder": factor}},
        **{"save_steps": 1, "save_total_limit": 3, "mixed_precision": "bf16"},
    }

    def run(name, steps):
        start = make_start(lively=True)
        start.new_discriminator = True
        trainer = make_trainer(start=start, output_dir_name=name, max_steps=steps, **recipe)
        trainer.train(resume_from_checkpoint="latest")
        return trainer

    whole, parts = run("whole", 3), [run("parts", steps) for steps in (1, 2, 3)][-1]
    assert_equal(parameters_of(parts), parameters_of(whole))
    for step, rate in enumerate((1.1, 1.1, 1.3), start=1):
        for trainer in (whole, parts):
            config = json.loads((trainer.output_dir / f"checkpoint-{step}" / "config.json").read_text())
            assert config["speaking_rate"] == rate
