"""Videos inside tar files: ``shard-000000.tar::run/a.mp4`` is a range of bytes of one.

A tar file of WebDataset's layout is not compressed, so a member is read where it lies: nothing is
unpacked, and frames are found by index as in a file.
"""

import json
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from zoopraxis.errors import VideoError, did_you_mean
from zoopraxis.video._address import as_file

__all__ = ["INDEX", "Range", "address_of", "file_of", "find_member", "has_member", "tar_members"]

INDEX = "shards.json"  # beside the tar files: where their members begin
MARK = ".tar::"
REINDEX = "index the shards again: `zoopraxis data shards --index FOLDER`"


class Range(NamedTuple):
    """Bytes of a file from an offset on."""

    file: Path
    offset: int
    size: int

    @property
    def address(self) -> str:
        """FFmpeg's address of these bytes."""
        end = self.offset + self.size
        return f"subfile,,start,{self.offset},end,{end},,:{as_file(self.file)}"


def file_of(video: str) -> str:
    """File that holds a video: the tar file of a member, else the video itself."""
    tar, mark, _ = video.partition(MARK)
    return f"{tar}.tar" if mark else video


def has_member(video: str) -> bool:
    """Whether a path is that of a member that a tar file, or the index beside it, lists."""
    tar, mark, name = video.partition(MARK)
    try:
        return bool(mark) and _place(Path(f"{tar}.tar"), name) is not None
    except (OSError, tarfile.TarError, VideoError):
        return False


def find_member(video: str) -> Range | None:
    """Where the bytes of a member of a tar file are; None of another name.

    Raises
    ------
    VideoError
        The tar file cannot be read, has no such member, or is not the one that its index describes.
    """
    tar, mark, name = video.partition(MARK)
    if not mark:
        return None
    file = Path(f"{tar}.tar")
    try:
        place = _place(file, name)
        if place is None:
            members = _read_headers(file)
            raise VideoError(
                f"{video}: {file} has no such member",
                did_you_mean(name, members, otherwise=f"it has {len(members)}: `tar -tf {file}`"),
            )
        offset, size = place
        with file.open("rb") as content:
            content.seek(offset - tarfile.BLOCKSIZE)
            header = tarfile.TarInfo.frombuf(
                content.read(tarfile.BLOCKSIZE), tarfile.ENCODING, "surrogateescape"
            )
    except OSError as error:
        raise VideoError(
            f"{video}: {file} cannot be read: {error.strerror}", "check the path of the tar file"
        ) from error
    except tarfile.TarError as error:
        raise VideoError(f"{video}: {file} is damaged, or has changed: {error}", REINDEX) from error
    if header.size not in (size, 0):  # 0 where a longer number stands in an extended header
        raise VideoError(f"{video}: {file} has changed since it was indexed", REINDEX)
    return Range(file, offset, size)


def address_of(path: Path) -> str:
    """FFmpeg's address of a local file, or of a member of a tar file.

    Raises
    ------
    VideoError
        There is no such member.
    """
    member = find_member(str(path))
    return as_file(path) if member is None else member.address


def tar_members(file: Path) -> dict[str, tuple[int, int]]:
    """Offset and size in bytes of every file of a tar file, by reading its headers.

    Raises
    ------
    OSError, tarfile.TarError
        It cannot be read, is damaged or is compressed.
    """
    with tarfile.open(file, "r:") as tar:
        return {one.name: (one.offset_data, one.size) for one in tar if one.isfile()}


def _place(file: Path, name: str) -> tuple[int, int] | None:
    """Offset and size of a member, from the index beside its tar file or else from its headers."""
    file.stat()  # raises where it is not there, whatever the index says
    index = file.with_name(INDEX)
    if index.is_file():
        place = _read_index(index, index.stat().st_mtime_ns).get(file.name, {}).get(name)
        if place is not None:
            return place
    return _read_headers(file).get(name)


@lru_cache(maxsize=4)
def _read_index(index: Path, _: int) -> dict[str, dict[str, tuple[int, int]]]:
    """Videos of the files of an index; read again when it has another time."""
    try:
        shards = json.loads(index.read_text(encoding="utf-8"))["shards"]
        return {
            shard["file"]: {name: (o, size) for name, (o, size) in shard["videos"].items()}
            for shard in shards
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VideoError(f"{index} is no index of shards: {error!r}", REINDEX) from error


def _read_headers(file: Path) -> dict[str, tuple[int, int]]:
    """Members of a tar file; read again when it has another time or size."""
    status = file.stat()
    return _read_headers_once(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _read_headers_once(file: Path, _: int, __: int) -> dict[str, tuple[int, int]]:
    return tar_members(file)
