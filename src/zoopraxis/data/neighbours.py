"""What segments of one video have in common."""

from dataclasses import fields
from typing import Any

from zoopraxis.inputs import Media

__all__ = ["whole"]

_WHOLE = tuple(f.name for f in fields(Media) if f.compare and f.name not in ("start", "end"))


def whole(media: Media) -> tuple[Any, ...]:
    """What segments of one video have in common: its path, files beside it, and box.

    A whole video has it in common with none: some kinds of input read no segments.
    """
    is_segment = media.start is not None or media.end is not None
    return (is_segment, *(getattr(media, name) for name in _WHOLE))
