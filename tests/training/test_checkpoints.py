"""Checkpoints are whole or not there, and the newest is the one that a run wrote last, whatever happened before."""

import os

import pytest
import torch

from hf_vits.discriminators.modeling_discriminator import VitsDiscriminator, VitsDiscriminatorConfig
from hf_vits.training.checkpoints import (
    archive_newer_checkpoints,
    clean_up,
    find_checkpoint,
    list_checkpoints,
    replace_files,
    save_checkpoint,
)
from hf_vits.training.training_state import STATE_FILE, read_state


def save(folder, step, keep=10, content="new"):
    return save_checkpoint(folder, step, keep, lambda staged: (staged / "voice").write_text(content), {"step": step})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_oldest_go_by_number_and_not_by_letter(tmp_path):
    for step in (8, 9, 10):
        save(tmp_path, step, keep=2)
    assert [folder.name for folder in list_checkpoints(tmp_path)] == ["checkpoint-9", "checkpoint-10"]


def test_what_is_read_is_what_was_saved(tmp_path):
    state = {"step": 3, "tensor": torch.arange(3), "none": None}
    folder = save_checkpoint(tmp_path, 3, 1, lambda _: None, state)
    read = read_state(folder)
    assert torch.equal(read.pop("tensor"), state.pop("tensor")) and read == state


def test_a_write_that_fails_leaves_nothing_and_the_others(tmp_path):
    def fail(_):
        raise OSError("No space left on device")

    save(tmp_path, 1)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, 2, 1, fail, {})
    assert names(tmp_path) == ["checkpoint-1"]


def test_what_a_killed_run_left_unfinished_goes_and_nothing_else_does(tmp_path):
    save(tmp_path, 1)
    for name in (".checkpoint-2.x.partial", ".release", "..release.x.partial", "samples", "checkpoint-mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    clean_up(tmp_path)
    assert names(tmp_path) == ["checkpoint-1", "checkpoint-mine", "samples"]


def test_a_checkpoint_that_was_being_replaced_comes_back(tmp_path):
    (tmp_path / ".checkpoint-4.x.former").mkdir()
    os.rename(save(tmp_path, 4), tmp_path / ".checkpoint-4.x.former" / "checkpoint-4")
    clean_up(tmp_path)
    assert find_checkpoint(tmp_path, "latest") == tmp_path / "checkpoint-4"
    assert read_state(tmp_path / "checkpoint-4") == {"step": 4} and names(tmp_path) == ["checkpoint-4"]


def test_a_checkpoint_that_was_replaced_does_not_come_back(tmp_path):
    (tmp_path / ".checkpoint-4.x.former").mkdir()
    os.rename(save(tmp_path, 4, content="old"), tmp_path / ".checkpoint-4.x.former" / "checkpoint-4")
    save(tmp_path, 4)
    clean_up(tmp_path)
    assert names(tmp_path) == ["checkpoint-4"] and (tmp_path / "checkpoint-4" / "voice").read_text() == "new"


def test_later_checkpoints_are_set_aside_when_a_run_goes_on_from_an_older_one(tmp_path, caplog):
    for step in (5, 8, 10):
        save(tmp_path, step)
    archive_newer_checkpoints(tmp_path, tmp_path / "checkpoint-5", 5)
    save(tmp_path, 8, keep=1)
    assert find_checkpoint(tmp_path, "latest") == tmp_path / "checkpoint-8"
    assert names(tmp_path) == ["checkpoint-10-archived-1", "checkpoint-8", "checkpoint-8-archived-1"]
    assert "step 5 renames checkpoint-8, checkpoint-10" in caplog.text
    assert find_checkpoint(tmp_path, tmp_path / "checkpoint-10-archived-1") == tmp_path / "checkpoint-10-archived-1"


def test_going_on_from_one_that_was_given_up_gives_up_the_others(tmp_path):
    for step in (5, 10):
        save(tmp_path, step)
    archive_newer_checkpoints(tmp_path, tmp_path / "checkpoint-5", 5)
    save(tmp_path, 10)
    archive_newer_checkpoints(tmp_path, tmp_path / "checkpoint-10-archived-1", 10)
    assert names(tmp_path) == ["checkpoint-10-archived-1", "checkpoint-10-archived-2", "checkpoint-5"]


def test_going_on_from_the_newest_gives_up_none(tmp_path, caplog):
    save(tmp_path, 5)
    archive_newer_checkpoints(tmp_path, tmp_path / "checkpoint-5", 5)
    assert names(tmp_path) == ["checkpoint-5"] and not caplog.text


def test_a_folder_that_is_no_checkpoint_is_an_error_that_lists_those_there_are(tmp_path):
    save(tmp_path, 7)
    with pytest.raises(FileNotFoundError, match=f"checkpoint-3 is no checkpoint: it has no {STATE_FILE}.*checkpoint-7"):
        find_checkpoint(tmp_path, tmp_path / "checkpoint-3")


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"", lambda whole: b"junk"])
def test_a_damaged_checkpoint_is_an_error_that_names_the_file(tmp_path, damage):
    file = save(tmp_path, 7) / STATE_FILE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=f"checkpoint-7/{STATE_FILE} cannot be read; resume from another checkpoint"):
        read_state(file.parent)


def test_checkpoints_without_their_state_are_not_replaced(tmp_path):
    (save(tmp_path, 3) / STATE_FILE).unlink()
    for resume in (None, "latest"):
        with pytest.raises(FileExistsError, match=f"holds checkpoint-3 without {STATE_FILE}.*model_name_or_path"):
            find_checkpoint(tmp_path, resume)


def test_a_newer_checkpoint_without_its_state_is_warned_of_and_set_aside(tmp_path, caplog):
    save(tmp_path, 3), (save(tmp_path, 5) / STATE_FILE).unlink()
    assert find_checkpoint(tmp_path, "latest") == tmp_path / "checkpoint-3"
    assert "checkpoint-5 cannot be resumed" in caplog.text
    archive_newer_checkpoints(tmp_path, tmp_path / "checkpoint-3", 3)
    assert names(tmp_path) == ["checkpoint-3", "checkpoint-5-archived-1"]


def test_a_finished_voice_whose_checkpoints_are_gone_is_not_replaced(tmp_path):
    for name in ("history.jsonl", "model.safetensors"):
        (tmp_path / name).touch()
    for resume in (None, "latest"):
        with pytest.raises(FileExistsError, match="model and history of a run, but none of its checkpoints"):
            find_checkpoint(tmp_path, resume)


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(tmp_path):
    (tmp_path / "history.jsonl").touch()
    assert find_checkpoint(tmp_path, None) is None and find_checkpoint(tmp_path, "latest") is None


def test_a_file_that_would_run_code_is_not_read(tmp_path):
    file = save(tmp_path, 7) / STATE_FILE
    torch.save({"step": Trap(tmp_path / "sprung")}, file)
    with pytest.raises(ValueError, match="cannot be read"):
        read_state(file.parent)
    assert not (tmp_path / "sprung").exists()


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_release_replaces_its_own_files_and_keeps_the_others(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "config.json").write_text("old")

    def write(folder):
        (folder / "config.json").write_text("new")
        (folder / "discriminator").mkdir()
        (folder / "discriminator" / "weights").write_text("new")

    replace_files(tmp_path, write)
    assert names(tmp_path) == ["config.json", "discriminator", "mine"]
    assert (tmp_path / "config.json").read_text() == (tmp_path / "discriminator" / "weights").read_text() == "new"


def test_a_release_that_is_cut_short_leaves_the_former_config_until_all_else_is_there(tmp_path, monkeypatch):
    """Without it a folder does not load: what loads is whole, whichever move is the last."""
    replaced, replace = ["a", "model.safetensors", "vocab.json", "discriminator/config.json"], os.replace

    def write(folder):
        (folder / "discriminator").mkdir()
        for name in (*replaced, "config.json"):
            (folder / name).write_text("new")

    for moves in range(len(replaced) + 1):
        out, left = tmp_path / str(moves), moves
        (out / "discriminator").mkdir(parents=True)
        for name in (*replaced, "config.json"):
            (out / name).write_text("old")

        def replace_or_fail(source, target):
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError("the machine stops")
            replace(source, target)

        monkeypatch.setattr(os, "replace", replace_or_fail)
        with pytest.raises(OSError, match="the machine stops"):
            replace_files(out, write)
        monkeypatch.setattr(os, "replace", replace)
        assert (out / "config.json").read_text() == "old"
        assert sum((out / name).read_text() == "new" for name in replaced) == moves


@pytest.mark.thorough
def test_the_scaler_of_half_precision_goes_on_with_its_scale(make_trainer, forget_accelerate):
    """Too high a scale skips steps, and too low a one loses small gradients: a resumed run has found it."""

    def trainer_with_scaler(**settings):
        forget_accelerate()
        trainer = make_trainer(**settings)
        trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=2)
        return trainer

    first = trainer_with_scaler(max_steps=3)
    first.train()
    assert first.accelerator.scaler.get_scale() == 128.0
    resumed = trainer_with_scaler(max_steps=4)
    resumed.train(resume_from_checkpoint="latest")
    assert resumed.accelerator.scaler.get_scale() == 256.0  # two steps each after the second and the fourth


@pytest.mark.thorough
def test_a_run_that_goes_on_from_a_named_checkpoint_goes_on_from_its_own_later(make_trainer, forget_accelerate):
    make_trainer(max_steps=3, save_steps=1, save_total_limit=3).train()
    forget_accelerate()
    other = make_trainer(max_steps=2, save_steps=1, save_total_limit=1, seed=7)
    other.train(resume_from_checkpoint=other.output_dir / "checkpoint-1")
    assert [folder.name for folder in list_checkpoints(other.output_dir)] == ["checkpoint-2"]
    assert find_checkpoint(other.output_dir, "latest").name == "checkpoint-2"
    kept = {folder.name for folder in other.output_dir.glob("*-archived-*")}
    assert kept == {"checkpoint-2-archived-1", "checkpoint-3-archived-1"}


@pytest.mark.parametrize(("what", "fields"), [("generator", {"ffn_dim": 20}), ("discriminator", None)])
def test_a_checkpoint_of_another_architecture_says_what_does_not_fit(
    make_trainer, make_start, forget_accelerate, what, fields
):
    make_trainer(max_steps=1).save_checkpoint()
    forget_accelerate()
    start = make_start(**(fields or {}))
    if fields is None:
        few = {"periods": [2], "period_channels": [4], "scale_channels": [4, 4, 8, 8, 8, 8]}
        start.discriminator = VitsDiscriminator(VitsDiscriminatorConfig(**few))
    with pytest.raises(ValueError, match=f"The checkpoint's {what} does not fit this run's: "):
        make_trainer(start=start, max_steps=2).train(resume_from_checkpoint="latest")
