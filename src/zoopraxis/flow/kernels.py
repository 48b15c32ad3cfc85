"""Compile the inner loops of flow and of what is computed from it, with numba.

numba takes long to import: import what has kernels where it is called.
"""

import contextlib
from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

__all__ = ["compiled"]

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Compile with numba: fast mathematics, no test for division by zero, no lock held.

    One thread: numba's pool of threads and PyTorch's are one OpenMP, and each changes the other's.
    """
    dispatcher = njit(fastmath=True, nogil=True, error_model="numpy")(function)
    # Where no folder can be written, numba refuses to cache: each process compiles anew then.
    with contextlib.suppress(RuntimeError):
        dispatcher.enable_caching()
    return cast("Kernel", dispatcher)
