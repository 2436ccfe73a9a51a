import asyncio
import itertools
import threading

import pytest

from hf_vits.serving.scheduling import JobCancelledError, QueueFullError, Scheduler, SchedulerClosedError

pytestmark = pytest.mark.timeout(60)


class Source:
    """An iterator that waits at a gate before each item, and records who asked and whether it was closed."""

    def __init__(self, items, gate=None, log=None, name=""):
        self.items, self.gate, self.log, self.name = iter(items), gate, log, name
        self.closed, self.made = threading.Event(), 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.gate is not None:
            assert self.gate.acquire(timeout=30)
        item = next(self.items)
        self.made += 1
        if self.log is not None:
            self.log.append(self.name)
        return item

    def close(self):
        self.closed.set()


@pytest.fixture
def scheduler():
    with Scheduler(workers=1, max_jobs=4, ahead=1000) as scheduler:
        yield scheduler


def hold(scheduler):
    """Occupies the only worker until the returned gate is opened, so that jobs can be queued meanwhile."""
    gate = threading.Semaphore(0)
    return scheduler.submit(lambda: Source([0], gate)), gate


def wait_until(condition):
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen within 30 s")


def test_a_job_yields_the_items_of_its_iterator_in_order():
    with Scheduler(workers=3) as scheduler:
        jobs = [scheduler.submit(lambda n=n: range(n)) for n in range(40)]
        assert [list(job) for job in jobs] == [list(range(n)) for n in range(40)]


def test_a_single_job_stays_in_one_thread_though_others_wait():
    def turns():
        for _ in range(40):
            yield threading.current_thread().name

    with Scheduler(workers=4) as scheduler:
        assert {name for _ in range(10) for name in scheduler.submit(turns)} == {"speech-0"}


def test_a_short_job_ends_before_a_long_one_that_began_earlier(scheduler):
    log, (first, gate) = [], hold(scheduler)
    jobs = [scheduler.submit(lambda k=k, n=n: Source(range(n), log=log, name=k)) for k, n in (("long", 50), ("b", 2))]
    gate.release(2)
    assert [len(list(job)) for job in (first, *jobs)] == [1, 50, 2]
    assert log[:4] == ["long", "b", "long", "b"] and log[4:] == 48 * ["long"]


def test_a_job_that_comes_late_is_level_with_the_others_and_does_not_displace_them():
    log, gate = [], threading.Semaphore(0)
    with Scheduler(workers=1, ahead=1000) as scheduler:
        early = scheduler.submit(lambda: Source(range(20), gate, log, "early"))
        gate.release(10)
        wait_until(lambda: len(log) == 10)
        late = scheduler.submit(lambda: Source(range(10), None, log, "late"))
        gate.release(11)
        assert len(list(early)) == 20 and len(list(late)) == 10
    assert log[10:].count("late") == 10
    assert all(abs(2 * part.count("late") - len(part)) <= 2 for part in (log[10:n] for n in range(10, 30)))


def test_shares_follow_the_cost_of_items():
    log = []
    with Scheduler(workers=1, ahead=1000, cost=float) as scheduler:
        first, gate = hold(scheduler)
        jobs = [scheduler.submit(lambda c=cost: Source(30 * [c], log=log, name=c)) for cost in (1, 3)]
        gate.release(2)
        for job in (first, *jobs):
            list(job)
    # up to where the cheap one ends, both got as much, within one item
    cheap = len(log) - log[::-1].index(1)
    assert abs(log[:cheap].count(1) - 3 * log[:cheap].count(3)) <= 3


def test_more_jobs_than_allowed_are_refused_until_one_has_ended(scheduler):
    first, gate = hold(scheduler)
    others = [scheduler.submit(lambda: [1]) for _ in range(3)]
    with pytest.raises(QueueFullError, match="4 requests are being answered") as refused:
        scheduler.submit(lambda: [1])
    assert 1 <= refused.value.retry_after <= 60
    gate.release(2)
    list(first), [list(job) for job in others]
    wait_until(lambda: scheduler.jobs == 0)
    assert list(scheduler.submit(lambda: [5])) == [5]


def test_work_waits_while_its_items_are_not_taken():
    source = Source(itertools.count())
    with Scheduler(workers=1, ahead=3) as scheduler:
        job = scheduler.submit(lambda: source)
        wait_until(lambda: source.made == 3)
        assert list(scheduler.submit(lambda: [7])) == [7]  # and does not keep the worker
        assert source.made == 3
        assert [next(job), next(job)] == [0, 1]
        wait_until(lambda: source.made == 5)
        job.cancel()
        assert source.closed.wait(30)


@pytest.mark.parametrize("moment", ["queued", "running", "parked"])
def test_a_cancelled_job_makes_no_more_items_and_is_closed(moment):
    gate = threading.Semaphore(0)
    source = Source(itertools.count(), gate)
    with Scheduler(workers=1, ahead=2) as scheduler:
        blocking = hold(scheduler) if moment == "queued" else None
        job = scheduler.submit(lambda: source)
        if moment == "parked":
            gate.release(2)
            wait_until(lambda: job._parked)
        if moment == "running":
            gate.release(1)
            wait_until(lambda: source.made == 1)
        job.cancel(), job.cancel()
        if blocking:
            blocking[1].release(2)
        gate.release(1)
        wait_until(lambda: job.has_ended)
        assert source.made <= 2 and (moment == "queued" or source.closed.is_set())
        with pytest.raises(JobCancelledError):
            next(job)


def test_leaving_the_block_of_a_job_cancels_it(scheduler):
    source = Source(itertools.count())
    with scheduler.submit(lambda: source) as job:
        assert next(job) == 0
    assert source.closed.wait(30)


def test_errors_of_the_work_are_raised_where_items_are_taken(scheduler):
    def fail():
        yield 1
        raise ValueError("no such speaker")

    def fail_at_once():
        raise KeyError("no such voice")

    job = scheduler.submit(fail)
    assert next(job) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="no such speaker"):
            next(job)
    with pytest.raises(KeyError):
        list(scheduler.submit(fail_at_once))
    assert list(scheduler.submit(lambda: [1])) == [1]  # the worker lives


def test_many_coroutines_take_the_items_of_their_jobs():
    async def take(scheduler, count):
        taken = [item async for item in scheduler.submit(lambda: range(count))]
        return taken == list(range(count))

    async def take_all(scheduler):
        return await asyncio.gather(*(take(scheduler, count) for count in range(60)))

    async def fail(scheduler):
        async for _ in scheduler.submit(lambda: map(int, ["1", "x"])):
            pass

    with Scheduler(workers=2, ahead=2) as scheduler:
        assert all(asyncio.run(take_all(scheduler)))
        with pytest.raises(ValueError, match="invalid literal"):
            asyncio.run(fail(scheduler))


def test_closing_lets_jobs_finish_for_a_time_and_then_ends_them():
    scheduler, gate = Scheduler(workers=2, ahead=1000), threading.Semaphore(0)
    endless, short = Source(itertools.count()), Source(range(3), gate)
    jobs = [scheduler.submit(lambda: endless), scheduler.submit(lambda: short)]
    threading.Timer(0.05, gate.release, [4]).start()
    scheduler.close(seconds=0.5)
    assert list(jobs[1]) == [0, 1, 2] and endless.closed.is_set()
    with pytest.raises(SchedulerClosedError, match="shut down"):
        list(jobs[0])
    with pytest.raises(SchedulerClosedError, match="accepts no more"):
        scheduler.submit(lambda: [])
    assert not any(thread.is_alive() for thread in scheduler._threads)


@pytest.mark.parametrize("name", ["workers", "max_jobs", "ahead"])
@pytest.mark.parametrize("value", [0, -1, 1.5, None])
def test_numbers_that_make_no_queue_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` is {value!r}; it must be a whole number of at least 1"):
        Scheduler(**{name: value})


def test_a_job_that_waited_for_its_consumer_gets_no_credit_for_that_time():
    log = []
    with Scheduler(workers=1, ahead=5) as scheduler:
        waiting, busy = (scheduler.submit(lambda n=name: Source(range(60), log=log, name=n)) for name in "wb")
        assert [next(busy) for _ in range(30)] == list(range(30))
        wait_until(lambda: len(log) == 40)  # five and thirty-five
        first, gate = hold(scheduler)
        wait_until(lambda: not any(scheduler._ready))
        [(next(waiting), next(busy)) for _ in range(5)]
        gate.release(2)
        list(first)
        wait_until(lambda: len(log) == 50)
        assert abs(log[40:44].count("w") - 2) <= 1
        waiting.cancel(), busy.cancel()
