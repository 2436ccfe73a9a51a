"""A disk that takes no more ends a run with the folder's name and the cause, and leaves what was written before."""

import resource

import pytest

from hf_vits import VitsModel
from hf_vits.training import ModelAndDataArguments
from hf_vits.training.checkpoints import list_checkpoints
from hf_vits.training.loggers import read_history
from hf_vits.training.training_state import STATE_FILE, read_state
from hf_vits.utils.run_lock import check_output_folder


@pytest.fixture
def limit():
    """Sets how many bytes a file may have; what writes more is refused by the system, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.thorough
@pytest.mark.parametrize("refused", [pytest.param("history.jsonl", marks=pytest.mark.slow), STATE_FILE])
def test_a_run_ends_with_the_folder_and_the_cause_and_its_checkpoints_stay(
    make_trainer, make_start, forget_accelerate, limit, refused
):
    make_trainer(max_steps=1).train()
    forget_accelerate()
    trainer = make_trainer(max_steps=2, logging_steps=1)
    out = trainer.output_dir
    size = (out / refused if refused == "history.jsonl" else out / "checkpoint-1" / refused).stat().st_size
    limit(size - 10)  # of the files here a longer one comes after a shorter
    with pytest.raises(OSError, match=rf"A file in the folder {out}.* would be larger than its disk or a limit allows"):
        trainer.train(resume_from_checkpoint="latest")
    limit(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    assert [folder.name for folder in list_checkpoints(out)] == ["checkpoint-1"]
    assert read_state(out / "checkpoint-1")["progress"]["step"] == 1 and VitsModel.from_pretrained(out)
    assert not list(out.glob("*.partial")) and not list(out.glob(".*.partial"))
    assert [line["step"] for line in read_history(out)][:1] == [1]
    forget_accelerate()
    assert make_trainer(max_steps=2).train(resume_from_checkpoint="latest").step == 2


@pytest.mark.parametrize("place", ["file", "file/below", "link"])
def test_an_output_folder_that_cannot_be_one_is_refused_before_the_data_are_read(
    make_settings, monkeypatch, tmp_path, place
):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    monkeypatch.setattr(
        "hf_vits.training.model_and_data_arguments.load_data", lambda *_: pytest.fail("the data are read")
    )
    with pytest.raises(OSError, match=f"{tmp_path}/{place.split('/')[0]} is a .*give the name of a folder"):
        ModelAndDataArguments(dataset_name="data").build_trainer(make_settings(place))


def test_an_output_folder_that_may_not_be_written_to_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError, match=f"The folder {tmp_path} is not writable"):
        check_output_folder(tmp_path / "out")
