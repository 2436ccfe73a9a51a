import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from hf_vits.utils.threads import cores, use_cores

TELL = "import torch, accelerate, hf_vits.utils.threads as t; t.use_cores(accelerate.Accelerator(cpu=True)); "


@pytest.fixture(autouse=True)
def keep_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def processes(count, device="cpu"):
    return SimpleNamespace(num_processes=count, device=torch.device(device))


def test_a_process_that_was_left_one_thread_takes_all_cores():
    """As `accelerate launch` starts it on a machine without a GPU, unless told otherwise."""
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TELL + "print(torch.get_num_threads())"]
    told = subprocess.run(command, env=alone, capture_output=True, text=True, check=True)
    assert int(told.stdout) == cores()


@pytest.mark.parametrize(("count", "share"), [(1, 8), (2, 4), (3, 2), (16, 1)])
def test_processes_of_one_machine_share_its_cores(monkeypatch, count, share):
    monkeypatch.setattr("hf_vits.utils.threads.cores", lambda: 8)
    use_cores(processes(count))
    assert torch.get_num_threads() == share


def test_processes_of_other_machines_take_nothing(monkeypatch):
    monkeypatch.setattr("hf_vits.utils.threads.cores", lambda: 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    use_cores(processes(16))
    assert torch.get_num_threads() == 4


def test_a_number_that_is_asked_for_is_taken():
    use_cores(processes(4), 3)
    assert torch.get_num_threads() == 3


def test_beside_a_gpu_threads_stay_as_they_are():
    torch.set_num_threads(1)
    use_cores(processes(1, "cuda"), 3)
    assert torch.get_num_threads() == 1
