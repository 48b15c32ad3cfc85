"""What opening a file found out, for when the same file is opened again: as each epoch does."""

import os
import time
from collections import OrderedDict
from threading import Lock
from typing import Generic, Protocol, TypeVar

__all__ = ["Identity", "Known", "identity"]

Identity = tuple[object, ...]
# Seconds. A file that was written later than this ago may change again without a new time.
SETTLED = 2.0


class _Sized(Protocol):
    def __len__(self) -> int: ...


T = TypeVar("T", bound=_Sized)


def identity(video: str | bytes, stream: int | None) -> Identity | None:
    """What tells a stream from others, and a local file from itself before it was changed.

    Parameters
    ----------
    video : str or bytes
        FFmpeg's address of a file, or of one within a tar file; of contents and other addresses
        nothing is known.
    stream : int or None
        Which stream was asked for.
    """
    if isinstance(video, bytes):
        return None
    path = video.split(",,:", 1)[1] if video.startswith("subfile,,") else video
    if not path.startswith("file:"):
        return None
    try:
        status = os.stat(path.removeprefix("file:"))  # noqa: PTH116 - a plain path is enough
    except OSError:
        return None
    if time.time() - status.st_mtime < SETTLED:
        return None
    # a copy may bring its old time of writing with it; the time of its last change it cannot set
    times = status.st_mtime_ns, status.st_ctime_ns
    return (video, stream, status.st_dev, status.st_ino, status.st_size, *times)


class Known(Generic[T]):
    """What is known of the streams that were opened last.

    Parameters
    ----------
    room : int
        The sum of the lengths of what is kept.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[Identity, T] = OrderedDict()  # the last is last
        self._unlock()
        if hasattr(os, "register_at_fork"):  # while another thread holds the lock
            os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        self._lock = Lock()

    def get(self, key: Identity | None) -> T | None:
        """What is known of a stream, if anything."""
        with self._lock:
            if key is None or key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def put(self, key: Identity | None, facts: T) -> None:
        """Keep what is known of a stream; forget those that were opened longest ago."""
        if key is None:
            return
        with self._lock:
            self.remove(key)
            self._kept[key] = facts
            self._room -= len(facts)
            while self._room < 0:
                self.remove(next(iter(self._kept)))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            for key in list(self._kept):
                self.remove(key)

    def remove(self, key: Identity) -> None:
        """Forget a stream."""
        if key in self._kept:
            self._room += len(self._kept.pop(key))
