"""Whether the elements of a Matroska, FLV or GIF file fit together.

FFmpeg looks for the next element that it knows where one is damaged, without an error: packets are
lost, and a decoder builds the frames after them on wrong references, without an error either.
"""

import io
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["damage"]

# Elements of Matroska (RFC 9559, section 5)
SEGMENT, CLUSTER = 0x18538067, 0x1F43B675
TRACK_NUMBER, SIMPLE_BLOCK, BLOCK, CRC_32 = 0xD7, 0xA3, 0xA1, 0xBF
# Those whose children are looked at, too: the header of EBML; SeekHead and Seek; Info; Tracks, each
# of them, and what Video says of sizes and colours; BlockGroup; Tags.
INNER = {
    *(0x1A45DFA3, 0x114D9B74, 0x4DBB, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x55B0, 0x55D0, 0x7670),
    *(0x6D80, 0x6240, 0x5034, 0xA0, 0x1254C367, 0x7373, 0x63C0, 0x67C8),
}
# Children of a cluster: Timestamp, SilentTracks, Position, PrevSize, SimpleBlock, BlockGroup,
# EncryptedBlock, Void, CRC-32
IN_CLUSTER = {0xE7, 0x5854, 0xA7, 0xAB, SIMPLE_BLOCK, 0xA0, 0xAF, 0xEC, CRC_32}
# Children of a segment, which end a cluster of unknown size: SeekHead, Info, Tracks, Cues,
# Attachments, Chapters, Tags
LEVEL_1 = {
    *(CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B),
    *(0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367),
}
FLV_TAGS = {8, 9, 18}  # audio, video, script data (Adobe Flash Video, version 10.1, E.4.1)


class _DamageError(Exception):
    """What is damaged, and at which byte."""


class _EndError(Exception):
    """The file ends within an element: how much is missing is judged by its duration."""


def damage(video: str | bytes, container: str) -> str:
    """What is wrong with the structure of a file, or nothing.

    Parameters
    ----------
    video : str or bytes
        A local file as ``file:PATH``, or contents. Of a URL nothing is known.
    container : str
        FFmpeg's name of its format.

    Returns
    -------
    str
        ``"at byte 4393 there is no element"``; empty where nothing is, for other containers, and
        for a file that only ends too early.
    """
    walk = WALKS.get(container)
    if walk is None or (isinstance(video, str) and not video.startswith("file:")):
        return ""
    with (
        io.BytesIO(video)
        if isinstance(video, bytes)
        else Path(video.removeprefix("file:")).open("rb")
    ) as file:
        length = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            walk(file, length)
        except _DamageError as error:
            return str(error)
        except _EndError:
            pass
    return ""


def _walk_matroska(file: BinaryIO, length: int) -> None:
    """Go from element to element, down into most of those that have others in them."""
    # (number, end) of the elements that we are in; one of unknown size ends where its parent does
    inside: list[tuple[int, float]] = [(0, math.inf)]
    tracks: set[int] = set()
    while True:
        at = file.tell()
        while at == inside[-1][1]:
            inside.pop()
        if at == length:
            return
        number, size = _head(file, at)
        if number in LEVEL_1 and inside[-1][0] == CLUSTER:
            inside.pop()
        if inside[-1][0] == CLUSTER and number not in IN_CLUSTER:
            raise _DamageError(f"there is no element of a cluster at byte {at:,}")
        end = inside[-1][1] if size is None else file.tell() + size
        if end > inside[-1][1]:
            raise _DamageError(f"the element at byte {at:,} is longer than the one that it is in")
        if number == SEGMENT and length < end < math.inf:
            raise _DamageError(f"it ends at byte {length:,}, and at byte {end:,} by its header")
        if size is None and number not in (SEGMENT, CLUSTER):
            raise _DamageError(f"the element at byte {at:,} does not say how long it is")
        if number in (SEGMENT, CLUSTER, *INNER):
            inside.append((number, end))
        elif end > length:
            raise _EndError
        else:
            # That of a cluster would refuse five seconds for the sake of one damaged frame.
            if number == CRC_32 and inside[-1][0] in INNER and inside[-1][1] <= length:
                _check_crc(file, at, size or 0, int(inside[-1][1]))
            elif number == TRACK_NUMBER:
                tracks.add(int.from_bytes(_exactly(file, size or 0), "big"))
            elif number in (SIMPLE_BLOCK, BLOCK) and tracks:
                track = _vint(file, at)
                if track not in tracks:
                    raise _DamageError(f"the frame at byte {at:,} is of track {track}, of {tracks}")
            file.seek(int(end))


def _check_crc(file: BinaryIO, at: int, size: int, end: int) -> None:
    """Compare the CRC-32 that stands first in an element with that of the rest of it."""
    expected, found = int.from_bytes(_exactly(file, size), "little"), 0
    while left := end - file.tell():
        found = zlib.crc32(_exactly(file, min(left, 1 << 20)), found)
    if found != expected:
        raise _DamageError(f"the check sum at byte {at:,} is not that of what follows")


def _head(file: BinaryIO, at: int) -> tuple[int, int | None]:
    """Read the number of an element, of one to four bytes, and its size (RFC 8794, section 4)."""
    first = file.read(1)
    if not first:
        raise _EndError
    width = 9 - first[0].bit_length()  # 1xxxxxxx: 1 byte, 01xxxxxx: 2 bytes
    if width > 4:
        raise _DamageError(f"there is no element at byte {at:,}")
    number = int.from_bytes(first + _exactly(file, width - 1), "big")
    return number, _vint(file, at)


def _vint(file: BinaryIO, at: int) -> int | None:
    """Read a size, or the number of a track, of one to eight bytes; None where it is unknown."""
    first = _exactly(file, 1)
    width = 9 - first[0].bit_length()
    if width > 8:
        raise _DamageError(f"the element at byte {at:,} does not say how long it is")
    value = int.from_bytes(first + _exactly(file, width - 1), "big") - (1 << 7 * width)
    return None if value == (1 << 7 * width) - 1 else value  # all ones


def _walk_flv(file: BinaryIO, length: int) -> None:
    """Go from tag to tag: its length stands before it and again after it."""
    file.seek(5)
    file.seek(int.from_bytes(_exactly(file, 4), "big") + 4)
    while file.tell() < length:
        at = file.tell()
        tag = _exactly(file, 11)
        size = int.from_bytes(tag[1:4], "big")
        if tag[0] & 0x1F not in FLV_TAGS:
            raise _DamageError(f"there is no tag at byte {at:,}")
        file.seek(size, io.SEEK_CUR)
        again = int.from_bytes(_exactly(file, 4), "big")
        # Writers disagree on whether the head of 11 bytes counts; some leave the length out.
        if again not in (0, size, size + 10, size + 11):
            raise _DamageError(
                f"the tag at byte {at:,} has {size:,} bytes, and {again:,} according to its end"
            )


def _walk_gif(file: BinaryIO, length: int) -> None:
    """Go from block to block (GIF89a, 1990), whose data are chains of up to 255 bytes."""
    screen = _exactly(file, 13)
    file.seek(_colours(screen[10]), io.SEEK_CUR)
    while file.tell() < length:
        at = file.tell()
        match file.read(1):
            case b";":
                return
            case b"!":
                head = 1
            case b",":
                place = _exactly(file, 9)
                head = _colours(place[8]) + 1
            case _:
                raise _DamageError(f"there is no block at byte {at:,}")
        file.seek(head, io.SEEK_CUR)
        try:
            while size := _exactly(file, 1)[0]:
                file.seek(size, io.SEEK_CUR)
        except _EndError:  # FFmpeg shows what there is of a picture
            raise _DamageError(f"it ends within the block at byte {at:,}") from None


def _colours(flags: int) -> int:
    """Bytes of the table of colours that the flags announce."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise _EndError
    return data


WALKS: dict[str, Callable[[BinaryIO, int], None]] = {
    "matroska,webm": _walk_matroska,
    "flv": _walk_flv,
    "gif": _walk_gif,
}
