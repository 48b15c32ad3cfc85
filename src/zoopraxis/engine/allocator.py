"""Memory that a network frees stays with the process, where the C library is glibc."""

import ctypes
import platform

__all__ = ["keep_memory"]

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
NEVER = 2**31 - 1


def keep_memory() -> bool:
    """Let the allocator reuse large blocks, which glibc gives back to the system at once.

    Activations of clips are such blocks: the system clears every page of theirs again at each
    layer, 10 to 20 % of inference on a CPU. It holds for the whole process, from now on, and
    cannot be undone; resident memory stays at its peak, which rises by some percent.

    Returns
    -------
    bool
        Whether it could be set: elsewhere than with glibc nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, NEVER))
