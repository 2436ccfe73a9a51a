"""A state that was altered is refused by name before anything of it is loaded, whatever was altered."""

import zipfile

import pytest
import torch

from hf_vits.training import training_state
from hf_vits.training.training_state import Progress, check_state

OTHERS = (None, "x", -1, 2.5, True, [], [1], {}, {"a": 1}, {1: torch.ones(2)}, torch.ones(2))
TENSORS = {
    "not finite": torch.full((3,), torch.nan),
    "meta": torch.ones(3, device="meta"),
    "sparse": torch.ones(3).to_sparse(),
    "another shape": torch.ones(2, 5, 3),
    "a text": "weights",
}


@pytest.fixture
def saved(make_trainer):
    """A trainer whose state is that of a run of one step, and the folder that it would be read from."""
    trainer = make_trainer(max_steps=1)
    trainer.train()
    folder = trainer.output_dir / "checkpoint-1"
    return trainer, folder, training_state.read_state(folder)


def altered(state):
    """Names of alterations, and copies of the state with each; values keep their objects where nothing was done."""

    def without(table, name):
        return {key: value for key, value in table.items() if key != name}

    for name in state:
        yield f"without {name}", without(state, name)
        for other in OTHERS:
            yield f"{name} {other}", {**state, name: other}
    for name in state["progress"]:
        for other in (None, -1, 2.5, "x", 2**70):
            yield f"progress.{name} {other}", {**state, "progress": {**state["progress"], name: other}}
    for name in ("generator", "ema", "discriminator"):
        first = next(key for key, value in state[name].items() if value.dim() > 1)
        yield f"{name} without {first}", {**state, name: without(state[name], first)}
        for kind, value in TENSORS.items():
            yield f"{name}.{first} {kind}", {**state, name: {**state[name], first: value}}
    for name in ("generator_optimizer", "discriminator_optimizer"):
        moments = state[name]["state"]
        number = next(iter(moments))
        changes = {f"exp_avg {kind}": {**moments[number], "exp_avg": value} for kind, value in TENSORS.items()}
        changes |= {"nothing": {}, "no table": 3, "no step": without(moments[number], "step")}
        for kind, change in changes.items():
            yield f"{name} {kind}", {**state, name: {**state[name], "state": {**moments, number: change}}}
        yield f"{name} of another", {**state, name: {**state[name], "state": {99_999: moments[number]}}}


def test_whatever_is_altered_is_loaded_or_refused_by_the_name_of_the_file(saved, monkeypatch):
    trainer, folder, state = saved
    refused = 0
    for alteration, changed in altered(state):
        monkeypatch.setattr(training_state, "read_state", lambda _, changed=changed: changed)
        trainer.progress = Progress()
        try:
            trainer._load_state(folder)
        except ValueError as error:
            assert "checkpoint" in str(error), alteration
            refused += 1
    assert refused > 100
    monkeypatch.setattr(training_state, "read_state", lambda _: state)
    trainer._load_state(folder)  # the state as it was
    assert trainer.progress.step == 1


def test_what_is_wrong_is_named(saved):
    _, folder, state = saved
    name = next(iter(state["generator"]))
    state["generator"][name] = state["generator"][name] * torch.nan
    with pytest.raises(ValueError, match=rf"training_state.pt is not .*`generator.{name}` has values .* not finite"):
        check_state(state, folder)


def test_an_archive_that_unpacks_to_more_than_it_has_is_not_unpacked(tmp_path):
    """Zeros compress a thousandfold: the file is a hundredth of what it would take."""
    plain, file = tmp_path / "plain.pt", tmp_path / training_state.STATE_FILE
    torch.save({"step": 1, "generator": torch.zeros(2**20)}, plain)
    with zipfile.ZipFile(plain) as whole, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as smaller:
        for entry in whole.infolist():
            smaller.writestr(entry.filename, whole.read(entry))
    with pytest.raises(ValueError, match="training_state.pt cannot be read; resume from another .*bytes when unpacked"):
        training_state.read_state(tmp_path)


def test_settings_of_the_optimizer_are_those_of_the_run_that_goes_on(make_trainer, forget_accelerate):
    make_trainer(max_steps=1).train()
    forget_accelerate()
    later = make_trainer(max_steps=2, weight_decay=0.3, adam_beta1=0.7)
    later.train(resume_from_checkpoint="latest")
    group = later.generator.optimizer.param_groups[0]
    assert (group["weight_decay"], group["betas"]) == (0.3, (0.7, 0.99))
