"""Two runs do not write to one folder, and one that is killed, however, locks nobody out."""

import multiprocessing
import os
import signal

import pytest

from hf_vits.utils.run_lock import FolderInUse, run_lock

FORK = multiprocessing.get_context("fork")


def _hold(folder, held, worker):
    """Holds the folder until it is killed, with a child of its own that lives on."""
    with run_lock(folder):
        if worker is not None:
            FORK.Process(target=worker.wait).start()
        held.set()
        signal.pause()


@pytest.fixture
def holder(tmp_path):
    """A process that holds the folder; its child, as one that decodes, ends when the event is set."""
    held, over = FORK.Event(), FORK.Event()
    process = FORK.Process(target=_hold, args=(tmp_path / "out", held, over))
    process.start()
    assert held.wait(20)
    yield process
    over.set()
    process.kill()
    process.join()


def test_a_second_run_is_refused_with_the_folder_and_the_process(holder, tmp_path):
    with pytest.raises(FolderInUse, match=rf"{tmp_path}/out: process {holder.pid} on .*another `output_dir`"):
        run_lock(tmp_path / "out").__enter__()
    assert isinstance(FolderInUse(), OSError)


def test_the_lock_of_a_killed_run_is_free_at_once_even_if_its_workers_live(holder, tmp_path):
    os.kill(holder.pid, signal.SIGKILL)
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    with run_lock(tmp_path / "out"):
        pass


def test_a_run_in_the_same_process_is_refused_too_and_one_after_the_other_is_not(tmp_path):
    with run_lock(tmp_path):
        with pytest.raises(FolderInUse, match=f"process {os.getpid()}"):
            run_lock(tmp_path).__enter__()
        (tmp_path / "voice").write_text("readers and the run itself are not kept out")
    with pytest.raises(RuntimeError, match="fails"), run_lock(tmp_path):
        raise RuntimeError("fails")
    with run_lock(tmp_path):
        pass


def test_a_folder_is_made_and_other_runs_in_other_folders_go_on(tmp_path):
    with run_lock(tmp_path / "a" / "b"), run_lock(tmp_path / "c"):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_damaged_note_of_the_owner_is_no_reason_to_fail(tmp_path):
    with run_lock(tmp_path):
        (tmp_path / ".run.json").write_text("{")
        with pytest.raises(FolderInUse, match=f"writes to {tmp_path}. Wait"):
            run_lock(tmp_path).__enter__()
