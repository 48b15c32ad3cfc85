"""Jobs in several processes, which never outlive the process that started them."""

import math
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import cv2

from zoopraxis.errors import WorkerError

__all__ = ["Lost", "num_cores", "run_isolated", "run_jobs", "worker_number"]

STARTING = 120  # seconds in which a process must have loaded what its first job needs
PATIENCE = 5  # seconds in which a job that is interrupted may remove what it had half written

T = TypeVar("T")

_number: int | None = None


def worker_number() -> int | None:
    """Number of this worker, from 0, of those of `run_jobs`; None in any other process."""
    return _number


def num_cores() -> int:
    """Number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def run_jobs(jobs: Sequence[Callable[[], T]], *, workers: int) -> Iterator[tuple[int, T]]:
    """Run jobs in this process or in several.

    With several workers, a script that calls this needs the usual ``if __name__ == "__main__":``.

    Parameters
    ----------
    jobs : sequence of callable
        Without arguments; with several workers they, and their results, are pickled.
    workers : int
        Number of processes; with 1, everything is done in this one.

    Yields
    ------
    int, Any
        A job's number and its result, as soon as it is done, in any order.

    Raises
    ------
    WorkerError
        A process was killed, or ended otherwise, before its job was done.
    Exception
        A job raised it.
    """
    if workers == 1 or len(jobs) < 2:
        for number, job in enumerate(jobs):
            yield number, job()
        return
    for number, result in _spread(jobs, workers=workers, seconds=math.inf):
        if isinstance(result, Lost):
            raise WorkerError(
                f"a job {result.reason}",
                "memory may have run out: try fewer processes; a script that starts them needs "
                'the line `if __name__ == "__main__":` above its work',
            )
        yield number, result


@dataclass(frozen=True)
class Lost:
    """What became of a job that ended its process, or outlasted its time limit.

    Parameters
    ----------
    reason : str
        ``"ended its process with the signal 11"``.
    """

    reason: str


def run_isolated(
    jobs: Sequence[Callable[[], T]], *, workers: int, seconds: float
) -> Iterator[tuple[int, T | Lost]]:
    """Run jobs that may end their process, or never end: such a job stops no other.

    Decoders are C: damaged data can crash one, or let it run in a circle where no time limit of
    Python is looked at. Each job has a process to itself while it runs, and the next has it after;
    a process that ended, or that was ended for its time, is replaced. A script that calls this
    needs the usual ``if __name__ == "__main__":``.

    Parameters
    ----------
    jobs : sequence of callable
        Without arguments; they, and their results, are pickled.
    workers : int
        Number of processes.
    seconds : float
        Time limit of a job.

    Yields
    ------
    int, Any
        A job's number and its result or `Lost`, as soon as it is known, in any order.

    Raises
    ------
    WorkerError
        A process was killed while it was started.
    Exception
        A job raised it.
    """
    return _spread(jobs, workers=workers, seconds=seconds)


def _spread(
    jobs: Sequence[Callable[[], T]], *, workers: int, seconds: float
) -> Iterator[tuple[int, T | Lost]]:
    """Give each of some processes one job after another; a process that is lost is replaced.

    Not `concurrent.futures.ProcessPoolExecutor`: that of Python 3.11 waits for ever when a process
    is killed while another is started.
    """
    left = deque(enumerate(jobs))
    processes: list[_Process] = []
    try:
        processes.extend(_Process(place) for place in range(min(workers, len(jobs))))
        for process in processes:
            process.give(*left.popleft(), seconds)
        while processes:
            for process in _finished(processes):
                done, result = process.take(seconds)
                if not done:
                    raise result
                yield process.job, result
                lost = isinstance(result, Lost)
                if lost or not left:
                    processes.remove(process)
                    process.end(patience=0 if lost else PATIENCE)
                if left:
                    if process not in processes:
                        process = _Process(process.place)
                        processes.append(process)
                    process.give(*left.popleft(), seconds)
    finally:
        _interrupt(processes)


class _Process:
    """A process that does one job at a time.

    Parameters
    ----------
    place : int
        Its number among those that run at once.
    """

    def __init__(self, place: int) -> None:
        # Spawn, not fork: forking a process that has threads can deadlock.
        spawn = multiprocessing.get_context("spawn")
        self.place = place
        self.channel, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs, place))
        try:
            self.process.start()
        except BrokenPipeError as error:
            raise WorkerError("a process was killed while it was started") from error
        theirs.close()  # so that the end of the process ends the channel
        self.job = -1
        self.starting = float(STARTING)
        self.deadline = math.inf

    def give(self, number: int, job: Callable[[], Any], seconds: float) -> None:
        """Send it a job."""
        self.job = number
        self.deadline = time.monotonic() + self.starting + seconds
        self.starting = 0.0
        with suppress(BrokenPipeError, ConnectionResetError):  # it has ended: `take` tells how
            self.channel.send(job)

    def take(self, seconds: float) -> tuple[bool, Any]:
        """Take what its job returned (True) or raised (False), or what became of it."""
        try:
            if self.channel.poll():
                done, result = self.channel.recv()
                return done, result
        except (EOFError, ConnectionResetError):
            self.process.join()
            code = self.process.exitcode or 0
            how = f"the signal {-code}" if code < 0 else f"the exit code {code}"
            return True, Lost(f"ended its process with {how}")
        return True, Lost(f"was not done within {seconds:g} s")

    def end(self, *, patience: float = 0) -> None:
        """End it, whatever it does, and free what it holds; one without a job ends by itself."""
        self.channel.close()
        self.process.join(patience)
        self.process.kill()
        self.process.join()
        self.process.close()


def _finished(processes: Sequence[_Process]) -> list[_Process]:
    """Wait for a process that has a result, has ended or is late."""
    first = min(process.deadline for process in processes)
    timeout = None if first == math.inf else max(first - time.monotonic(), 0)
    ready = wait([process.channel for process in processes], timeout)
    now = time.monotonic()
    return [p for p in processes if p.channel in ready or p.deadline <= now]


def _interrupt(processes: Sequence[_Process]) -> None:
    """End processes before their work is done.

    As by Ctrl-C, for the sake of what they would leave half written. One that has had the user's
    Ctrl-C is first left to its clearing up.
    """
    for process in processes:
        process.channel.close()
    _join(processes, seconds=1)
    for process in processes:
        if process.process.is_alive() and process.process.pid:
            os.kill(process.process.pid, signal.SIGINT)
    _join(processes, seconds=PATIENCE)
    for process in processes:
        process.end()


def _join(processes: Sequence[_Process], *, seconds: float) -> None:
    """Wait for processes to end, but not longer."""
    end = time.monotonic() + seconds
    for process in processes:
        process.process.join(max(end - time.monotonic(), 0))


def _serve(channel: Connection, place: int) -> None:
    """Do jobs until there are no more."""
    global _number
    _number = place
    # that of `_interrupt`, also in what a shell started in the background, where it is ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, name="end with the parent", daemon=True).start()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        while True:
            job = channel.recv()
            try:
                answer = True, job()
            except Exception as error:
                answer = False, error
            try:
                channel.send(answer)
            except (TypeError, AttributeError, pickle.PicklingError) as error:
                channel.send((False, error))


def _end_with_parent() -> None:
    """Wait for the parent, then leave at once: there is nobody to hand a result to."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
