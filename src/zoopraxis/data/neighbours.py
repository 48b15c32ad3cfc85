"""Segments of one video read one after another: opened once, shared frames decoded once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any
from weakref import WeakSet

from torch.utils.data import get_worker_info

from zoopraxis.inputs import Input, Media
from zoopraxis.video import RecentVideo, Video

__all__ = ["Neighbours", "whole"]

_ROOM = 1 << 26  # bytes of decoded frames that are kept
_WHOLE = tuple(f.name for f in fields(Media) if f.compare and f.name not in ("start", "end"))


def whole(media: Media) -> tuple[Any, ...]:
    """What segments of one video have in common: its path, files beside it, and box.

    A whole video has it in common with none: some kinds of input read no segments.
    """
    is_segment = media.start is not None or media.end is not None
    return (is_segment, *(getattr(media, name) for name in _WHOLE))


class Neighbours:
    """Opens the tracks of samples; that of a segment stays open for the next one.

    Frames that were decoded for one segment are kept, up to 64 MiB, for others that overlap it.

    Parameters
    ----------
    kind : Input
        The kind of input that opens them.
    """

    def __init__(self, kind: Input[Any, Any]) -> None:
        self._kind = kind
        self._open: tuple[tuple[Any, ...], Any] | None = None  # video, track
        _ALL.add(self)

    @contextmanager
    def open(self, media: Media) -> Iterator[Any]:
        """Open the track of a video or a segment, or take the one that is open.

        A whole video is closed at once, and any track if reading it fails. The workers of a loader
        close every track: one that they leave open can keep them from handing over what they read.

        Raises
        ------
        VideoError
            It cannot be read.
        """
        if (media.start is None and media.end is None) or get_worker_info() is not None:
            with self._kind.open(media) as track:
                yield track
            return
        opened = self._open
        if opened is None or opened[0] != whole(media):
            self.close()
            track = self._kind.open(media)
            track = RecentVideo(track, room=_ROOM) if isinstance(track, Video) else track
            self._open = opened = (whole(media), track)
        try:
            yield opened[1]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the track that is open."""
        if self._open is not None:
            self._open[1].__exit__(None, None, None)
        self._open = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open track behind: another process opens its own."""
        return {**vars(self), "_open": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the place of what was pickled."""
        vars(self).update(state)
        _ALL.add(self)


_ALL: WeakSet[Neighbours] = WeakSet()


def _close_all() -> None:
    for one in list(_ALL):
        one.close()


# A forked process would share the position in the file, and wait for ever for the threads of the
# decoder, which it has not, where it drops an open one.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_all)
