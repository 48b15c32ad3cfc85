"""Frames with the motion vectors that a video's encoder found.

A P-frame is coded as blocks of an earlier frame, moved by vectors, and what remains. FFmpeg's
decoder exports the vectors; what is made of them is in `zoopraxis.video._motion`.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._address import parse_address
from zoopraxis.video._archive import address_of
from zoopraxis.video._base import Deadline, frame_rate
from zoopraxis.video._convert import Converter
from zoopraxis.video._h264 import reference_frames
from zoopraxis.video._index import FrameIndex, read_index
from zoopraxis.video._input import Demuxer
from zoopraxis.video._motion import REMEDY, MotionFrame, Picture, Vectors, paint
from zoopraxis.video._orientation import Orientation, orientation_of
from zoopraxis.video._reader import packets_from
from zoopraxis.video._sei import nal_length_size, nal_units

__all__ = ["CODECS", "MotionVideo", "read_motion"]

CODECS = {
    "flv1",
    "h263",
    "h264",
    "mpeg4",
    "msmpeg4v2",
    "msmpeg4v3",
    "wmv1",
    "wmv2",
}
"""Codecs whose motion vectors are read.

Of MPEG-1 and MPEG-2, FFmpeg exports the vectors of every frame but the last.
"""

PICTURES: dict[int, Picture] = {1: "I", 2: "P", 3: "B"}  # by FFmpeg's number
SPS = 7  # type of the NAL unit that holds H.264's sequence parameter set


def read_motion(
    video: str | PathLike[str], *, timeout: float = 60.0, stream: int | None = None
) -> Iterator[MotionFrame]:
    """Decode a video and the motion vectors of its frames.

    Parameters
    ----------
    video, timeout, stream
        As of `MotionVideo`.

    Yields
    ------
    MotionFrame
        In presentation order.

    Raises
    ------
    VideoError
        As of `MotionVideo`, or frames are stored turned or mirrored or cannot be decoded.
    """
    with MotionVideo(video, timeout=timeout, stream=stream) as opened:
        yield from opened.frames()


class MotionVideo:
    """A video whose frames are decoded with their motion vectors, from any key frame on.

    Opening reads the packets, and decodes only where they mislead, as those of a raw H.264 stream,
    whose frames have no times and can only be counted from the start. A context manager; leaving
    it closes the file.

    Parameters
    ----------
    video : str, path or bytes
        File, URL, or the contents of a file.
    timeout : float, default=60
        Time limit in seconds for opening, and for each frame.
    stream : int, optional
        Index of the video stream in its container. The default is FFmpeg's best stream.

    Attributes
    ----------
    name : str
        File or URL, for error messages.
    timestamps : float64 ndarray of shape (N,)
        Seconds since the first frame.
    fps : float
        Mean frames per second.
    duration : float
        Seconds from the start of the first frame to the end of the last.
    height, width : int
        Of the frames, in pixels, according to the container.
    keys : int64 ndarray of shape (K,)
        Indices of the key frames, ascending; each begins a GOP. 0 is one, whatever it is.

    Raises
    ------
    VideoError
        FFmpeg exports no motion vectors of the codec, or the video cannot be opened or has no
        frames.
    """

    def __init__(
        self,
        video: str | PathLike[str] | bytes,
        *,
        timeout: float = 60.0,
        stream: int | None = None,
    ) -> None:
        address = "bytes" if isinstance(video, bytes) else parse_address(video)
        place = video if isinstance(video, bytes) else address
        place = address_of(place) if isinstance(place, Path) else place
        self.name = str(address)
        self._deadline = Deadline(self.name, timeout)
        self._demuxer = Demuxer(
            place,
            name=self.name,
            timeout=timeout,
            stream=stream,
            decoder={"flags2": "+export_mvs"},
        )
        try:
            self._index = self._read_index()
            self.keys = self._find_keys()
        except BaseException:
            self.close()
            raise
        pts, time_base = self._index.pts, float(self._demuxer.time_base)
        self.timestamps: NDArray[np.float64] = (pts - pts[0]) * time_base
        self.fps = frame_rate(self.timestamps, self._demuxer.declared_rate)
        self.duration = (self._index.end - int(pts[0])) * time_base
        self.height, self.width = self._demuxer.stream.height, self._demuxer.stream.width
        self._converter = Converter(Orientation())

    def _read_index(self) -> FrameIndex:
        if self._demuxer.codec not in CODECS:
            raise VideoError(
                f"{self.name}: FFmpeg exports no motion vectors of {self._demuxer.codec}, or not "
                f"of every frame; of {', '.join(sorted(CODECS))} it does",
                REMEDY,
            )
        index = read_index(self._demuxer, self._deadline)
        if len(index.pts) == 0:
            raise VideoError(
                f"{self.name}: the video stream holds no frame that can be decoded",
                "copy or download it again; check that it plays in a player",
            )
        return index

    def _find_keys(self) -> NDArray[np.int64]:
        index, is_key = self._index, np.isin(self._index.pts, self._index.keys)  # (N,)
        if index.counted:
            pictures = (
                _picture(frame, self.name)
                for frame, _, _ in _decode(self._demuxer, self._packets_from(0), self._deadline)
            )
            is_key = np.array([picture == "I" for picture in islice(pictures, len(index.pts))])
        is_key[0] = True
        return np.flatnonzero(is_key)

    @property
    def num_frames(self) -> int:
        """Number of frames N."""
        return len(self.timestamps)

    def starts(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each of some frames (n,), the one at which decoding must start to reach it."""
        if self._index.counted:
            return np.zeros_like(frames)
        return self.keys[np.searchsorted(self.keys, frames, side="right") - 1]

    @cached_property
    def _rank(self) -> dict[int | None, int]:
        return {pts: i for i, pts in enumerate(self._index.pts.tolist())}

    def frames(self, first: int = 0) -> Iterator[MotionFrame]:
        """Decode frames in presentation order.

        Parameters
        ----------
        first : int, default=0
            Index of the first: 0, or one of `starts`.

        Yields
        ------
        MotionFrame
            To the last frame of the video.

        Raises
        ------
        VideoError
            Frames are stored turned or mirrored, or cannot be decoded.
        """
        demuxer, counted = self._demuxer, self._index.counted
        demuxer.check_open()
        self._deadline.restart()
        done = first
        for decoded, (frame, references, flushed) in enumerate(
            _decode(demuxer, self._packets_from(first), self._deadline)
        ):
            # frames before the first key frame are decoded, but not in the index
            i = decoded if counted else self._rank.get(frame.pts)
            if i is None or not first <= i < self.num_frames:
                continue
            if i != done:
                break
            picture = _picture(frame, self.name)
            # decoders derived from MPEG-1 export nothing with a frame that they held back to the
            # end
            lost = flushed and picture != "I" and demuxer.codec != "h264"
            yield MotionFrame(
                name=self.name,
                index=i,
                time=float(self.timestamps[i]),
                picture=picture,
                vectors=None if lost else _vectors(frame, self.name),
                references=references,
                image=self._converter.image(frame, None),
            )
            self._deadline.restart()
            done += 1
        if done < self.num_frames:
            raise VideoError(
                f"{self.name}: frame {done} of {self.num_frames} cannot be decoded: the decoder "
                "skipped it",
                REMEDY,
            )

    def _packets_from(self, first: int) -> "Iterator[Packet[VideoStream]]":
        """Packets from a key frame on; from the start of the file where seeking misses it."""
        if first == 0:
            self._demuxer.rewind()
            return self._demuxer.packets()
        return packets_from(self._demuxer, int(self._index.pts[first]), self._deadline)

    def close(self) -> None:
        """Close the file."""
        self._demuxer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _decode(
    demuxer: Demuxer, packets: "Iterable[Packet[VideoStream]]", deadline: Deadline
) -> Iterator[tuple[VideoFrame, int, bool]]:
    """Yield the upright frames of packets, of which the first is that of a key frame.

    With each come the most references that it may have, and whether it came after all packets.
    """
    extradata = demuxer.stream.codec_context.extradata
    size = nal_length_size(demuxer.codec, extradata)
    is_h264, references, decoded = demuxer.codec == "h264", 1, 0
    if is_h264:
        references = _references(_header(extradata, size), 0, demuxer.name)
    for packet in packets:
        deadline.check()
        if is_h264:  # raw and transport streams have their parameter sets here
            references = _references(_units(bytes(packet), size), references, demuxer.name)
        try:
            frames = demuxer.decode(packet)
        except av.error.FFmpegError as error:
            raise VideoError(
                f"{demuxer.name}: the data of frame {decoded}, or of a frame that it references, "
                f"is damaged ({error.strerror})",
                "copy or download the file again, or read only frames before the damage",
            ) from error
        for frame in frames:
            if orientation_of(frame, demuxer.name) != Orientation():
                raise VideoError(
                    f"{demuxer.name}: its frames are stored turned or mirrored, and so would be "
                    "their motion vectors",
                    REMEDY,
                )
            yield frame, references, packet.size == 0
            decoded += 1


def _units(data: bytes, length_size: int) -> list[bytes]:
    return [data[start:end] for start, end in nal_units(data, length_size)]


def _header(extradata: bytes | None, length_size: int) -> list[bytes]:
    """Parameter sets in a header: avcC, of which the first units have lengths, or Annex B."""
    if not extradata or not length_size:
        return _units(extradata or b"", 0)
    return _units(extradata[6:], 2)[: extradata[5] & 31]  # avcC: lengths of two bytes


def _references(units: Iterable[bytes], known: int, name: str) -> int:
    """Most references, according to the parameter sets among some NAL units and to those before."""
    try:
        return max((known, *(reference_frames(unit) for unit in units if unit[0] & 31 == SPS)))
    except IndexError as error:
        raise VideoError(f"{name}: its sequence parameter set is cut off", REMEDY) from error


def _picture(frame: VideoFrame, name: str) -> Picture:
    number = int(frame.pict_type)
    if number not in PICTURES:  # S: a whole frame moved, turned and scaled, as DivX can
        raise VideoError(
            f"{name}: a frame of FFmpeg's picture type {number}; I, P and B-frames are read",
            REMEDY,
        )
    return PICTURES[number]


def _vectors(frame: VideoFrame, name: str) -> Vectors:
    """Motion vectors of a frame from earlier frames, painted block by block: (2, H, W)."""
    field = np.zeros((2, frame.height, frame.width), np.int32)
    try:
        blocks = frame.side_data.get("MOTION_VECTORS")
    except ValueError as error:  # PyAV lists all side data of a frame or none
        raise VideoError(f"{name}: side data that PyAV does not know ({error})", REMEDY) from error
    return field if blocks is None else paint(field, blocks.to_ndarray())
