"""A run says when it is alone against its user's wish, and does not begin beside others that think they are alone."""

import pytest

from hf_vits.launch import LAUNCHED, check_launch

NAMES = (LAUNCHED, "MASTER_ADDR", "WORLD_SIZE")


@pytest.fixture
def environment(monkeypatch):
    def make(**variables):
        for name in NAMES:
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
    return {name: value for name, value in variables.items() if name in NAMES}


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
