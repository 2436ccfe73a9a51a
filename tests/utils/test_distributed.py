"""Processes that would wait for each other for ever, or not do the same, end with what is wrong."""

import re
import time

import pytest
import torch
from joint_trainers import run
from tiny_voices import TINY

from hf_vits.utils.distributed import check_agreement, lost_processes_named

pytest.importorskip("datasets")
TEXTS = ["a head", "a bed", "a bad cafe", "deaf"]
SETTINGS = {"model": {**TINY, "sampling_rate": 2000}, "max_steps": 2}


@pytest.mark.parametrize(
    ("second", "texts", "told"),
    [
        ({"max_steps": 3}, TEXTS, "`max_steps` is 2 in process 0, 3 in process 1"),
        ({}, [*TEXTS[:3], "dead"], "the digest of the clips is .* in process 0, .* in process 1"),
    ],
    ids=["settings", "data"],
)
def test_processes_that_differ_do_not_begin_and_say_in_what(tmp_path, second, texts, told):
    said = run(tmp_path / "out", [SETTINGS, {**SETTINGS, **second}], [TEXTS, texts])
    for message in said:
        assert message.startswith("ValueError: The processes of this run do not agree")
    assert re.search(told, said[0]) and said[0] == said[1]
    assert not (tmp_path / "out").exists()


def test_what_fails_in_one_process_ends_the_other_too(tmp_path):
    said = run(tmp_path / "out", [SETTINGS, SETTINGS], [TEXTS, [" "] * 4])
    assert said[0].startswith("ProcessFailed: Process 1 failed, and all end with it. ValueError: No clip can be")
    assert said[1].startswith("ValueError: No clip can be")


def test_a_process_that_stops_is_waited_for_no_longer_than_the_limit(tmp_path):
    settings, began = {**SETTINGS, "max_steps": 50, "ddp_timeout": 3.0}, time.monotonic()
    said = run(tmp_path / "out", [settings, settings], [TEXTS, TEXTS], stopped_at=1)
    assert said[0].startswith("ConnectionError: Process 0 of 2 got no answer from another one")
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
def test_errors_about_other_processes_are_told_from_the_rest(error, processes, becomes):
    with pytest.raises(becomes) as raised, lost_processes_named(0, processes, 5, "Go on."):
        raise error
    assert type(raised.value) is becomes and (becomes is RuntimeError or "within 5 s" in str(raised.value))


def test_facts_that_one_process_alone_has_are_a_difference(monkeypatch):
    everyones = [{"a": 1}, {"a": 1, "b": 2}]
    monkeypatch.setattr("accelerate.utils.gather_object", lambda _: [(facts, None) for facts in everyones])
    with pytest.raises(ValueError, match="b is None in process 0, 2 in process 1. Mend it."):
        check_agreement(everyones[0], "Mend it.")
    everyones.pop()
    check_agreement(everyones[0], "Mend it.")
