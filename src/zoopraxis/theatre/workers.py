"""Worker processes that never outlive the process that started them."""

import multiprocessing
import os
import threading
from collections.abc import Callable

__all__ = ["start_worker"]


def start_worker(start: Callable[[], None]) -> None:
    """Begin a worker of a pool: it ends with its parent, however that ends.

    A process that is killed cannot tell its workers. They would finish what is in the queue, and
    then wait for ever for more: a pool's workers hold both ends of its queue open themselves.

    Parameters
    ----------
    start : callable
        What else a worker does first.
    """
    start()
    threading.Thread(target=_end_with_parent, name="end with the parent", daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent, then leave at once: there is nobody to hand a result to."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
