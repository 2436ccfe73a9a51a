"""Processes that differ or fail end with an error that says why, and settings of the launcher are checked."""

import os
import re
import time
from types import SimpleNamespace

import psutil
import pytest
import torch
from joint_trainers import run
from tiny_voices import TINY

from hf_vits.utils.distributed import (
    LAUNCHED,
    check_agreement,
    check_launch,
    launched_precision,
    lost_processes_named,
    refuse_sharding,
    warn_of_ignored,
)

pytest.importorskip("datasets")
TEXTS = ["a head", "a bed", "a bad cafe", "deaf"]
SETTINGS = {"model": {**TINY, "sampling_rate": 2000}, "max_steps": 2}


@pytest.mark.parametrize(
    ("second", "texts", "expected"),
    [
        ({"max_steps": 3}, TEXTS, "`max_steps` is 2 in process 0, 3 in process 1"),
        ({}, [*TEXTS[:3], "dead"], "the digest of the clips is .* in process 0, .* in process 1"),
    ],
    ids=["settings", "data"],
)
def test_processes_that_differ_do_not_begin_and_say_in_what(tmp_path, second, texts, expected):
    said = run(tmp_path / "out", [SETTINGS, {**SETTINGS, **second}], [TEXTS, texts])
    for message in said:
        assert message.startswith("ValueError: The processes of this run do not agree")
    assert re.search(expected, said[0]) and said[0] == said[1]
    assert not (tmp_path / "out").exists()


def test_what_fails_in_one_process_ends_the_other_too(tmp_path):
    said = run(tmp_path / "out", [SETTINGS, SETTINGS], [TEXTS, [" "] * 4])
    assert said[0].startswith("ProcessFailed: Process 1 failed, so all processes end. ValueError: No clip can be")
    assert said[1].startswith("ValueError: No clip can be")


@pytest.mark.thorough
def test_a_process_that_stops_is_waited_for_no_longer_than_the_limit(tmp_path):
    settings, began = {**SETTINGS, "max_steps": 50, "ddp_timeout": 3.0}, time.monotonic()
    said = run(tmp_path / "out", [settings, settings], [TEXTS, TEXTS], stopped_at=1)
    assert said[0].startswith("ConnectionError: Process 0 of 2 got no answer from another process")
    assert "within 3 s" in said[0] and '"latest"' in said[0]
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("error", "processes", "becomes"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer"), 2, ConnectionError),
        (RuntimeError("Timed out waiting 1000ms for recv operation to complete"), 2, ConnectionError),
        (torch.distributed.DistBackendError("anything"), 2, ConnectionError),
        (RuntimeError("Connection closed by peer"), 1, RuntimeError),
        (RuntimeError("shapes cannot be multiplied"), 2, RuntimeError),
    ],
)
def test_errors_about_other_processes_are_reported_from_the_rest(error, processes, becomes):
    with pytest.raises(becomes) as raised, lost_processes_named(0, processes, 5, "Go on."):
        raise error
    assert type(raised.value) is becomes and (becomes is RuntimeError or "within 5 s" in str(raised.value))


def test_facts_that_one_process_alone_has_are_a_difference(monkeypatch):
    tables = [{"a": 1}, {"a": 1, "b": 2}]
    monkeypatch.setattr("accelerate.utils.gather_object", lambda _: [(facts, None) for facts in tables])
    with pytest.raises(ValueError, match="b is None in process 0, 2 in process 1. Fix it."):
        check_agreement(tables[0], "Fix it.")
    tables.pop()
    check_agreement(tables[0], "Fix it.")


VARIABLES = (LAUNCHED, "MASTER_ADDR", "WORLD_SIZE")


@pytest.fixture
def environment(monkeypatch):
    def make(**variables):
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return make


def launched(processes):
    """What `accelerate launch` sets without GPUs."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_simple_launcher_cmd_env

    arguments = launch_command_parser().parse_args(["--cpu", "--num_processes", str(processes), "train.py"])
    _, variables = prepare_simple_launcher_cmd_env(_validate_launch_command(arguments)[0])
    return {name: value for name, value in variables.items() if name in VARIABLES}


@pytest.mark.parametrize(("asked", "warnings"), [(1, 0), (2, 1)])
def test_a_launcher_that_was_asked_for_several_and_starts_one_is_a_warning(environment, caplog, asked, warnings):
    environment()
    environment(**launched(asked))
    caplog.clear()
    check_launch(1)
    assert len(caplog.messages) == warnings
    assert all("started one" in line and "ACCELERATE_USE_CPU=1 torchrun" in line for line in caplog.messages)


@pytest.mark.parametrize(
    "variables", [{}, {"MASTER_ADDR": "localhost"}, {"MASTER_ADDR": "localhost", "WORLD_SIZE": "1"}]
)
def test_a_run_that_is_meant_to_be_alone_is_not_warned(environment, caplog, variables):
    environment(**variables)
    check_launch(1)
    assert not caplog.messages


def test_processes_that_each_think_they_are_alone_do_not_begin(environment):
    environment(MASTER_ADDR="localhost", WORLD_SIZE="2")
    with pytest.raises(ValueError, match="2 processes were started.*ACCELERATE_USE_CPU=1 torchrun"):
        check_launch(1)
    check_launch(2)


def launched_with(*arguments, script=("train.py",), multi=False):
    """What `accelerate launch` sets with these arguments, and its own command line."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env, prepare_simple_launcher_cmd_env

    parsed = launch_command_parser().parse_args(["--num_processes", "1", *arguments, *script])
    for name, value in vars(_validate_launch_command(parsed)[0]).items():
        setattr(parsed, name, value)
    variables = prepare_multi_gpu_env(parsed) if multi else prepare_simple_launcher_cmd_env(parsed)[1]
    return {name: value for name, value in variables.items() if name.startswith("ACCELERATE_")}


@pytest.fixture
def launch_as(monkeypatch, caplog):
    """Sets what the launcher sets, and has it be the parent of this process."""

    def go(*arguments, script=("train.py",), multi=False):
        for name in [name for name in os.environ if name.startswith("ACCELERATE_")]:
            monkeypatch.delenv(name)
        for name, value in launched_with(*arguments, script=script, multi=multi).items():
            monkeypatch.setenv(name, value)
        caplog.clear()
        command = ["/usr/bin/python", "/usr/bin/accelerate", "launch", *arguments, *script]
        monkeypatch.setattr(psutil.Process, "parent", lambda self: SimpleNamespace(cmdline=lambda: command))

    return go


@pytest.mark.parametrize(
    ("launcher", "own", "used"),
    [
        ("bf16", None, "bf16"),
        ("no", None, "no"),
        ("bf16", "no", "no"),
        ("no", "bf16", "bf16"),
        (None, None, "no"),
        (None, "bf16", "bf16"),
    ],
)
def test_its_own_precision_is_used_or_else_the_launchers(launch_as, monkeypatch, launcher, own, used):
    if launcher is None:
        monkeypatch.delenv(LAUNCHED, raising=False)
    else:
        launch_as("--mixed_precision", launcher)
    assert launched_precision(own) == used


@pytest.mark.parametrize(("units", "precision"), [({"avx512_bf16": True}, "bf16"), ({}, "no")])
def test_auto_is_bf16_where_the_processor_has_units_for_it(monkeypatch, units, precision):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: units, raising=False)
    assert launched_precision("auto") == precision


@pytest.mark.parametrize(("launcher", "own"), [("fp16", None), ("no", "fp16")])
def test_half_precision_is_refused_on_a_cpu_whoever_asks_for_it(launch_as, launcher, own):
    launch_as("--cpu", "--mixed_precision", launcher)
    with pytest.raises(ValueError, match="fp16, which does not work on a CPU; set `mixed_precision` to bf16"):
        launched_precision(own)


def test_a_precision_that_training_does_not_know_is_refused_unless_the_run_has_its_own(launch_as, monkeypatch):
    monkeypatch.setenv(LAUNCHED, "fp8")
    assert launched_precision("bf16") == "bf16"
    with pytest.raises(ValueError, match="the precision fp8; training supports no, bf16, fp16"):
        launched_precision(None)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ("--use_fsdp", "FSDP"),
        ("--use_megatron_lm", "Megatron-LM"),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed"),
        ({"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, "parallelism"),
    ],
)
def test_a_model_in_parts_is_refused_by_name(launch_as, monkeypatch, variables, name):
    if isinstance(variables, str):
        launch_as(variables, multi=True)
    else:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"asks for .*{name}.*nothing would be sharded"):
        refuse_sharding()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--dynamo_backend", "inductor"), "dynamo_backend inductor, .*nothing is compiled"),
        (("--gradient_accumulation_steps", "4"), "gradient_accumulation_steps 4, .*the run's own is 2"),
        (("--gradient-accumulation-steps=4",), "gradient_accumulation_steps 4"),
        (("--gradient_clipping", "1.0"), "gradient_clipping 1.0, .*`max_grad_norm`"),
        (("--num_cpu_threads_per_process", "2"), "num_cpu_threads_per_process 2, .*`cpu_threads`"),
        (("--mixed_precision", "bf16"), "mixed_precision bf16, .*this run's precision is no"),
    ],
)
def test_settings_of_the_launcher_without_effect_are_warned_of(launch_as, caplog, arguments, expected):
    launch_as(*arguments)
    warn_of_ignored("no", 2)
    (message,) = caplog.messages
    assert re.search(f"`accelerate launch` asks for {expected}", message)


def test_settings_that_agree_or_are_the_scripts_own_are_not_warned_of(launch_as, caplog):
    launch_as("--gradient_accumulation_steps", "2", script=("train.py", "--gradient_accumulation_steps", "2"))
    warn_of_ignored(None, 2)
    launch_as(script=("train.py", "--gradient_accumulation_steps", "4"))
    warn_of_ignored(None, 4)
    launch_as("-m", script=("hf_vits.cli", "train", "--gradient_accumulation_steps", "4"))
    warn_of_ignored(None, 4)
    assert not caplog.messages
