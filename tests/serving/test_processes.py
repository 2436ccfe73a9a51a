"""Processes speak in place of threads, with the same queue: samples, shares, errors and ends are the same."""

import itertools
import threading
from functools import partial
from operator import attrgetter, methodcaller
from types import SimpleNamespace

import pytest

from hf_vits.serving import Scheduler, VoicePool
from hf_vits.serving.processes import ProcessEndedError, SpeakingProcess
from hf_vits.serving.scheduling import QueueFullError, SchedulerClosedError

NUMBERS, MANY, REFUSED = attrgetter("numbers"), attrgetter("many"), methodcaller("index", "x")
"""What is asked of a pool: a few items, items without end, and something that it has not."""


def make_pool():
    """A callable that makes the pool of a process: no voice, and a name as if one were loaded."""
    return partial(SimpleNamespace, numbers=range(7), many=range(10**9), loaded=["a"])


@pytest.fixture(scope="module")
def processes():
    found = [SpeakingProcess(make_pool()) for _ in range(2)]
    yield found
    for process in found:
        process.close()


def test_iterators_of_a_process_take_turns_and_end_alone(processes):
    one, other = processes[0].iterate(NUMBERS), processes[0].iterate(MANY)
    pairs = list(zip(one, other, strict=False))
    assert pairs == [(n, n) for n in range(7)] and processes[0].loaded == ["a"]
    other.close()
    assert list(processes[0].iterate(NUMBERS)) == list(range(7))


def test_errors_come_with_the_place_where_they_were_raised(processes):
    with pytest.raises(AttributeError, match="index") as raised:
        next(processes[0].iterate(REFUSED))
    assert "in _serve" in str(raised.value.__cause__)
    assert list(processes[0].iterate(NUMBERS)) == list(range(7))


def test_after_a_process_has_died_its_iterators_fail_and_further_ones_do_not(processes):
    one, other = processes[1].iterate(MANY), processes[1].iterate(MANY)
    assert next(one) == next(other) == 0
    processes[1]._process.kill()
    with pytest.raises(ProcessEndedError, match="has ended"):
        next(one)
    with pytest.raises(ProcessEndedError):
        other.close()
    processes[1]._process.kill()
    processes[1]._process.join()
    assert list(processes[1].iterate(NUMBERS)) == list(range(7))


def test_jobs_are_shared_by_processes_and_take_turns_by_what_they_were_given(processes):
    pool = VoicePool({"a": "folder", "b": "folder"}, processes=processes)
    scheduler, pause = Scheduler(max_jobs=4, ahead=5, processes=processes), threading.Event()
    jobs = [pool.submit(scheduler, MANY) for _ in range(4)]
    assert [list(itertools.islice(job, 9)) for job in jobs] == 4 * [list(range(9))]
    assert {job._lane for job in jobs} == {0, 1} and pool.loaded == ["a"]
    with pytest.raises(QueueFullError):
        pool.submit(scheduler, NUMBERS)
    jobs[0].cancel()
    while scheduler.jobs == 4:
        pause.wait(0.01)
    assert list(pool.submit(scheduler, NUMBERS)) == list(range(7))
    scheduler.close()
    assert not any(process._process.is_alive() for process in processes)
    with pytest.raises(SchedulerClosedError):
        list(itertools.islice(jobs[1], 99))
