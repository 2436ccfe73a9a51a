"""
Advance many iterators by turns in a few threads, so that a long text does not block a short one.

A turn is one item, such as a chunk of speech. The next turn is that of the job which was given least so far; a new job
begins level with the others. A job whose items are not taken waits, so memory does not grow with the length of a text.
"""

import asyncio
import heapq
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from hf_vits.serving.processes import SpeakingProcess

Item = TypeVar("Item")

MAX_JOBS = 64
"""Jobs that are accepted at once."""

AHEAD = 4
"""Items of a job that are made before the first of them is taken."""

LONGEST_RETRY = 60
"""Most seconds until a refused caller should try again."""


class QueueFullError(RuntimeError):
    """Raised if no job can be accepted now; `retry_after` is the number of seconds (`int`) until one likely can."""

    def __init__(self, jobs: int, retry_after: int):
        super().__init__(f"{jobs} requests are being answered, which is the most. Try again in {retry_after} s.")
        self.retry_after = retry_after


class SchedulerClosedError(RuntimeError):
    """Raised for a job that is submitted to, or was unfinished in, a scheduler that has closed."""


class JobCancelledError(RuntimeError):
    """Raised by a job that was cancelled, when its next item is asked for."""


class Job(Generic[Item]):
    """
    One iterator that a [`Scheduler`] advances: iterate over it, with `for` in a thread or with `async for`.

    It raises what the iterator raises. One consumer takes the items. Leaving a loop early does not end the work: call
    `cancel`, or use the job as a context manager, which cancels what is left at the end of the block.
    """

    def __init__(self, scheduler: "Scheduler", make: Callable[..., Iterable[Item]], served: float, lane: int):
        self._scheduler, self._make, self._iterator, self._lane = scheduler, make, None, lane
        self._items: deque[Item] = deque()
        self._error: BaseException | None = None
        self._ended = self._cancelled = self._parked = False
        self._wake: Callable[[], None] | None = None
        self._served, self._began = served, time.monotonic()

    @property
    def has_ended(self) -> bool:
        """True after the last item was made, or the work failed or was cancelled; items may still be taken."""
        return self._ended

    def cancel(self) -> None:
        """Stop the work after the item that is being made; does not wait, and may be called twice."""
        self._scheduler._cancel(self)

    def __enter__(self) -> "Job[Item]":
        return self

    def __exit__(self, *_) -> None:
        self.cancel()

    def __iter__(self) -> "Job[Item]":
        return self

    def __next__(self) -> Item:
        return self._scheduler._taken(self)

    def __aiter__(self) -> "Job[Item]":
        return self

    async def __anext__(self) -> Item:
        changed, loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            while (found := self._scheduler._take(self, lambda: _call_soon(loop, changed.set))) is None:
                await changed.wait()
                changed.clear()
        except _NoMoreItems:
            raise StopAsyncIteration from None
        return found[0]


class _NoMoreItems(Exception):
    """Raised instead of `StopIteration`, which must not pass through a coroutine."""


def _call_soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop was closed, and nobody waits
        loop.call_soon_threadsafe(call)


class Scheduler:
    """
    A bounded, fair queue of jobs, and the threads that work on them.

    Args:
        workers (`int`, *optional*, defaults to 2):
            Threads; as many jobs have a turn at the same time.
        max_jobs (`int`, *optional*, defaults to 64):
            Jobs that are accepted at once; further ones raise [`QueueFullError`].
        ahead (`int`, *optional*, defaults to 4):
            Items of a job that are made before the first of them is taken.
        cost (`Callable`, *optional*):
            Returns what an item counts for a job's share, such as the seconds of a chunk; by default each counts 1.
        processes (`Sequence[SpeakingProcess]`, *optional*):
            Processes that make the items, one for each of as many workers. A job stays in the one that has its first
            turn, and takes turns with the others there.

    Use it as a context manager, or call `close`.
    """

    def __init__(
        self,
        workers: int = 2,
        max_jobs: int = MAX_JOBS,
        ahead: int = AHEAD,
        cost: Callable[[Item], float] = lambda item: 1.0,
        processes: "Sequence[SpeakingProcess]" = (),
    ):
        workers = len(processes) or workers
        for name, value in (("workers", workers), ("max_jobs", max_jobs), ("ahead", ahead)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` is {value!r}; it must be a whole number of at least 1.")
        self.max_jobs, self.ahead, self._cost = max_jobs, ahead, cost
        self._changed = threading.Condition()
        self._processes, lanes = processes, range(len(processes) or 1)  # workers without processes share a lane
        self._ready: list[list[tuple[float, int, Job]]] = [[] for _ in lanes]  # heaps: least served, then first
        self._new: deque[Job] = deque()  # jobs that have no lane yet
        self._jobs: set[Job] = set()
        self._clocks, self._counts = [0.0 for _ in lanes], [0 for _ in lanes]
        self._numbers, self._seconds = itertools.count(), 1.0
        self._closing = self._closed = False
        self._idle: set[int] = set()
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"speech-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def jobs(self) -> int:
        """Number of unfinished jobs."""
        return len(self._jobs)

    @property
    def is_closing(self) -> bool:
        """True after `close` was called: no more jobs are accepted."""
        return self._closing

    def submit(self, make: Callable[..., Iterable[Item]]) -> Job[Item]:
        """
        Accept a job.

        Args:
            make (`Callable`):
                Returns the iterator. It is called at the job's first turn, by the thread that has it; successive turns
                may be in different threads, never two at once. With processes it is pickled, and called with the pool
                of one.

        Raises:
            QueueFullError: if there are `max_jobs` unfinished jobs.
            SchedulerClosedError: after `close`.
        """
        with self._changed:
            if self._closing:
                raise SchedulerClosedError("The server is shutting down and accepts no more requests.")
            if len(self._jobs) >= self.max_jobs:
                seconds = math.ceil(self._seconds / self.max_jobs)
                raise QueueFullError(len(self._jobs), min(max(seconds, 1), LONGEST_RETRY))
            job = Job(self, make, self._clocks[0], 0)
            self._jobs.add(job)
            if self._processes:
                self._new.append(job)
                self._changed.notify_all()
            else:
                self._push(job)
        return job

    def close(self, seconds: float = 0.0) -> None:
        """
        Accept no more jobs, let the others finish for some seconds, end those that have not, and end the threads.

        Args:
            seconds (`float`, *optional*, defaults to 0.0):
                Time for unfinished jobs. Those that need longer raise [`SchedulerClosedError`] after the items that
                were made.
        """
        with self._changed:
            self._closing = True
            self._changed.wait_for(lambda: not self._jobs, timeout=max(seconds, 0.0))
            for job in list(self._jobs):
                self._cancel(job, SchedulerClosedError("The server has shut down."))
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        for process in self._processes:
            process.close()

    def __enter__(self) -> "Scheduler":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _push(self, job: Job) -> None:
        """Give a job a place in the queue; it gets no credit for the time in which it could not be served."""
        job._parked, job._served = False, max(job._served, self._clocks[job._lane])
        heapq.heappush(self._ready[job._lane], (job._served, next(self._numbers), job))
        self._changed.notify_all()

    def _work(self, number: int) -> None:
        """Take turns in the thread of a number, when there are more than threads of lower numbers wait for: so that a
        single job stays in one thread. Threads of OpenMP belong to the thread that first needed them, and those of
        several do not spin, which makes a sentence take half as long again."""
        while True:
            with self._changed:
                self._idle.add(number)
                while (job := self._next(number)) is None:
                    if self._closed and not self._jobs:
                        return
                    self._changed.wait()
                self._idle.discard(number)
                if self._new:  # for another thread
                    self._changed.notify_all()
            self._turn(job)

    def _next(self, number: int) -> Job | None:
        """Return the job that has a turn in the idle thread of a number, if there is one."""
        if not self._processes:
            lane, others = 0, sum(other < number for other in self._idle)
        else:
            lane, others = number, 0
            if self._new and number == min(self._idle, key=lambda idle: (self._counts[idle], idle)):
                job = self._new.popleft()
                job._lane, job._served = lane, self._clocks[lane]
                self._counts[lane] += 1
                return job
        if len(self._ready[lane]) <= others:
            return None
        self._clocks[lane], _, job = heapq.heappop(self._ready[lane])
        return job

    def _iterate(self, job: Job) -> Iterator:
        return self._processes[job._lane].iterate(job._make) if self._processes else iter(job._make())

    def _turn(self, job: Job) -> None:
        """Make one item of a job, or end it."""
        item, error, ended = None, None, job._cancelled
        try:
            if ended:
                _close(job._iterator)
            else:
                job._iterator = self._iterate(job) if job._iterator is None else job._iterator
                item = next(job._iterator)
        except StopIteration:
            ended = True
        except Exception as raised:  # whatever the work raises is raised where the item is asked for
            ended, error = True, raised
        with self._changed:
            if ended:
                self._end(job, error)
            else:
                job._served += self._cost(item)
                if not job._cancelled:
                    job._items.append(item)
                if len(job._items) < self.ahead or job._cancelled:
                    self._push(job)
                else:
                    job._parked = True
            self._notify(job)

    def _end(self, job: Job, error: BaseException | None) -> None:
        job._ended, job._error = True, job._error or error
        job._iterator = job._make = None  # what they hold can be large
        self._jobs.discard(job)
        if self._processes:
            self._counts[job._lane] -= 1
        self._seconds += 0.1 * (time.monotonic() - job._began - self._seconds)

    def _notify(self, job: Job) -> None:
        wake, job._wake = job._wake, None
        if wake is not None:
            wake()
        self._changed.notify_all()

    def _take(self, job: Job, wake: Callable[[], None] | None = None) -> tuple[Item] | None:
        """Return the next item in a tuple; if there is none now, have `wake` called at the next change."""
        with self._changed:
            if job._items:
                item = job._items.popleft()
                if job._parked:
                    self._push(job)
                return (item,)
            if job._ended:
                raise job._error or _NoMoreItems
            job._wake = wake
            return None

    def _taken(self, job: Job) -> Item:
        """Return the next item; wait for it."""
        with self._changed:
            self._changed.wait_for(lambda: job._items or job._ended)
            try:
                return self._take(job)[0]
            except _NoMoreItems:
                raise StopIteration from None

    def _cancel(self, job: Job, error: Exception | None = None) -> None:
        with self._changed:
            if job._ended or job._cancelled:
                return
            job._cancelled, job._error = True, error or JobCancelledError("The request was cancelled.")
            if error is None:
                job._items.clear()
            if job._parked:  # for a worker to close the iterator
                self._push(job)
            self._notify(job)


def _close(iterator: Iterator | None) -> None:
    """Let a generator release what it holds."""
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
