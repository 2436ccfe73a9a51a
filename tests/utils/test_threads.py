"""The number of threads of training runs and commands, and how their threads wait."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from hf_vits.cli import main
from hf_vits.utils.threads import cores, use_cores
from hf_vits.utils.waiting import SPINS

TELL = "import torch, accelerate, hf_vits.utils.threads as t; t.use_cores(accelerate.Accelerator(cpu=True)); "


@pytest.fixture(autouse=True)
def keep_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def processes(count, device="cpu"):
    return SimpleNamespace(num_processes=count, device=torch.device(device))


@pytest.mark.thorough
def test_a_process_that_was_left_one_thread_takes_all_cores():
    """As `accelerate launch` starts it on a machine without a GPU, unless configured otherwise."""
    assert threads_of({"OMP_NUM_THREADS": "1", "ACCELERATE_MIXED_PRECISION": "no"}) == cores()


@pytest.mark.thorough
def test_a_number_in_the_environment_of_the_user_is_kept():
    assert threads_of({"OMP_NUM_THREADS": "1"}) == 1


def threads_of(environment):
    command = [sys.executable, "-c", TELL + "print(torch.get_num_threads())"]
    launchers = ("ACCELERATE_MIXED_PRECISION", "LOCAL_WORLD_SIZE")
    environment = {**{name: value for name, value in os.environ.items() if name not in launchers}, **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


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


ROOT = Path(__file__).parents[2]
STOPS_AT_TORCH = """
import os, runpy, sys

class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("policy:", os.environ.get("OMP_WAIT_POLICY"), os.environ.get("GOMP_SPINCOUNT"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Stop())
name, *sys.argv[1:] = sys.argv[1:]
runpy.run_path(name, run_name="__main__") if name.endswith(".py") else runpy.run_module(name, run_name="__main__")
"""
PROGRAMS = {
    "hf-vits train": ["hf_vits.cli", "train", "--help"],
    "hf-vits speak": ["hf_vits.cli", "speak", "Hello."],
    "hf-vits export": ["hf_vits.cli", "export", "en_US-joe-medium", "out", "--target", "piper"],
    "hf-vits doctor": ["hf_vits.cli", "doctor", "en_US-joe-medium"],
    "train.py": [str(ROOT / "examples" / "train.py"), "--help"],
    "synthesize_dataset.py": [str(ROOT / "examples" / "synthesize_dataset.py"), "--help"],
}


def environment(policy):
    ours = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    others = {name: value for name, value in os.environ.items() if name not in ours}
    return others if policy is None else {**others, "OMP_WAIT_POLICY": policy}


def policy_when_torch_is_imported(program, policy, folder):
    command = [sys.executable, "-c", STOPS_AT_TORCH, *program]
    done = subprocess.run(
        command, cwd=folder, env=environment(policy), capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.split("policy: ")[1].strip()


@pytest.mark.thorough(but_every=3)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_threads_spin_briefly_and_then_sleep(program, tmp_path):
    assert policy_when_torch_is_imported(program, None, tmp_path) == f"PASSIVE {SPINS}"


@pytest.mark.parametrize("program", ["hf-vits speak", "train.py", "synthesize_dataset.py"])
def test_a_policy_that_the_user_set_is_kept(program, tmp_path):
    assert policy_when_torch_is_imported(PROGRAMS[program], "ACTIVE", tmp_path) == "ACTIVE None"


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="asks GNU's OpenMP, which torch has on Linux")
def test_the_openmp_runtime_of_torch_takes_the_policy_over(tmp_path):
    code = "import sys, hf_vits.cli; print('torch' in sys.modules); import torch"
    env = {**environment(None), "OMP_DISPLAY_ENV": "VERBOSE"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
    assert f"GOMP_SPINCOUNT = '{SPINS}'" in done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("given", "seen"), [(None, f"PASSIVE {SPINS}"), ("ACTIVE", "ACTIVE")])
def test_make_hands_the_policy_to_all_that_it_starts(given, seen):
    command = ["make", "--silent", "--eval", "policy: ; @echo $$OMP_WAIT_POLICY $$GOMP_SPINCOUNT", "policy"]
    done = subprocess.run(command, cwd=ROOT, env=environment(given), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == seen


@pytest.fixture
def voice(saved_voice, tmp_path):
    saved_voice(tmp_path / "voice")
    return str(tmp_path / "voice")


@pytest.mark.parametrize("verb", ["speak", "doctor", "export"])
def test_a_command_computes_with_as_many_threads_as_it_is_given(voice, tmp_path, verb, capsys):
    given = {
        "speak": ["speak", "a hope", "--voice", voice, "--output", str(tmp_path / "out.wav")],
        "doctor": ["doctor", voice],
        "export": ["export", voice, str(tmp_path / "out"), "--target", "transformers"],
    }[verb]
    assert main([*given, "--threads", "3"]) == 0
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5", "1025", ""])
def test_a_number_of_threads_that_cannot_be_is_wrong_usage(number, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["speak", "a hope", f"--threads={number}"])
    assert caught.value.code == 2
    assert "whole number, 1 to 1024" in capsys.readouterr().err


def test_cores_are_counted_without_psutil_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert 1 <= cores() <= (os.cpu_count() or 1)
