"""Jobs in several processes, which never outlive the process that started them."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.queues import SimpleQueue
from typing import TypeVar

import cv2

__all__ = ["num_cores", "run_jobs", "worker_number"]

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
        running = {pool.submit(job): number for number, job in enumerate(jobs)}
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
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, name="end with the parent", daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent, then leave at once: there is nobody to hand a result to."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
