"""Jobs in several processes, which never outlive the process that started them."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeVar

import cv2

__all__ = ["Lost", "num_cores", "run_isolated", "run_jobs", "worker_number"]

STARTING = 120  # seconds in which a process must have loaded what its first job needs

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
        Without arguments; with several workers they are pickled.
    workers : int
        Number of processes; with 1, everything is done in this one.

    Yields
    ------
    int, Any
        A job's number and its result, as soon as it is done, in any order.
    """
    if workers == 1 or len(jobs) < 2:
        for number, job in enumerate(jobs):
            yield number, job()
        return
    # Spawn, not fork: forking a process that has threads can deadlock.
    spawn = multiprocessing.get_context("spawn")
    numbers = spawn.SimpleQueue()
    for number in range(workers):
        numbers.put(number)
    with ProcessPoolExecutor(
        workers, mp_context=spawn, initializer=_start_worker, initargs=(numbers,)
    ) as pool:
        try:
            running = {pool.submit(job): number for number, job in enumerate(jobs)}
        except OSError as error:
            if error.errno is not None and not isinstance(error, BrokenPipeError):
                raise
            # A process was killed before it took what it starts with, or while others were
            # started, when the pool closes its queues.
            raise BrokenProcessPool("a process was killed while others were started") from error
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker(numbers: "SimpleQueue[int]") -> None:
    """Number a worker, let it share the cores, and end with its parent.

    A process that is killed cannot tell its workers. They would finish what is in the queue, and
    then wait for ever for more: a pool's workers hold both ends of its queue open themselves.
    """
    global _number
    _number = numbers.get()
    _share_and_end()


def _share_and_end() -> None:
    """Let a process share the cores, and end with its parent."""
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, name="end with the parent", daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent, then leave at once: there is nobody to hand a result to."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


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
    Exception
        A job raised it.
    """
    left = iter(enumerate(jobs))
    running: dict[Connection, _Running] = {}
    try:
        for number, job in left:
            running |= [_start(number, job, seconds)]
            if len(running) == min(workers, len(jobs)):
                break
        while running:
            first = min(one.end for one in running.values())
            ready = wait(list(running), max(first - time.monotonic(), 0))
            late = [c for c, one in running.items() if one.end <= time.monotonic()]
            for channel in [c for c in running if c in ready or c in late]:
                one = running.pop(channel)
                result = _result(channel, one.process, seconds)
                if isinstance(result, BaseException):
                    _end(channel, one.process)
                    raise result
                yield one.number, result
                following = next(left, None)
                if following is not None and not isinstance(result, Lost):
                    channel.send(following[1])
                    end = time.monotonic() + seconds
                    running[channel] = _Running(following[0], one.process, end)
                    continue
                _end(channel, one.process)
                if following is not None:
                    running |= [_start(*following, seconds)]
    finally:
        for channel, one in running.items():
            _end(channel, one.process)


@dataclass(frozen=True)
class _Running:
    """A job, the process that has it, and the time by which it must be done."""

    number: int
    process: BaseProcess
    end: float


def _start(number: int, job: Callable[[], Any], seconds: float) -> tuple[Connection, _Running]:
    """Start a process with its first job."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process ends the channel
    ours.send(job)
    return ours, _Running(number, process, time.monotonic() + STARTING + seconds)


def _serve(channel: Connection) -> None:
    """Do jobs until there are no more."""
    _share_and_end()
    while True:
        try:
            job = channel.recv()
        except EOFError:
            return
        try:
            result = job()
        except Exception as error:
            result = error
        channel.send(result)


def _result(channel: Connection, process: BaseProcess, seconds: float) -> Any:
    """Result of a process that has one, or has ended, or is late."""
    try:
        if channel.poll():
            return channel.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        code = process.exitcode or 0
        how = f"the signal {-code}" if code < 0 else f"the exit code {code}"
        return Lost(f"ended its process with {how}")
    return Lost(f"was not done within {seconds:g} s")


def _end(channel: Connection, process: BaseProcess) -> None:
    """End a process, whatever it does, and free what it holds."""
    channel.close()
    process.kill()
    process.join()
    process.close()
