"""The default backend: FFmpeg through PyAV."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Deadline, Size, Video, frame_rate
from zoopraxis.video._convert import Converter
from zoopraxis.video._index import FrameIndex, read_index
from zoopraxis.video._input import Demuxer
from zoopraxis.video._known import Identity, Known, identity
from zoopraxis.video._orientation import Orientation, orientation_of
from zoopraxis.video._reader import FrameReader

__all__ = ["Colours", "PyAVVideo"]

# Codes of transfer characteristics (ITU-T H.273) -> FFmpeg's names of those in use
TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    11: "iec61966-2-4",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}


class Colours(NamedTuple):
    """Codes of ITU-T H.273 for the colours of a stream; 2 is unspecified."""

    primaries: int
    transfer: int
    matrix: int


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What opening a video finds out by reading it."""

    index: FrameIndex
    can_seek: bool
    only_from_key: bool
    size: Size  # as stored
    rotation: int  # of the first frame as FFmpeg has it, before rounding
    orientation: Orientation
    colours: Colours
    interlaced: bool

    def __len__(self) -> int:
        return len(self.index.pts)


# Of the streams that were opened last, two million frames in all: 16 MB
KNOWN: Known[_Facts] = Known(2**21)


class PyAVVideo(Video):
    """A video file, URL or bytes.

    Opening reads the packets once, without decoding them, to index every frame and the key
    frame to start from (1 to 5 ms for a clip of 300 frames). Where packets are unreliable (AVI
    with B-frames, raw streams), opening decodes. A file that did not change since it was opened
    last is not read again for it.

    Parameters
    ----------
    video : str or bytes
        Path, URL, or the contents of a file.
    name : str
        Name used in error messages.
    timeout : float
        Time limit in seconds for opening, and for each call of `frames_at`.
    stream : int, optional
        Index of the stream in the container. The default is FFmpeg's best stream.

    Raises
    ------
    VideoError
        The video cannot be opened, is truncated, or has no frames.

    Attributes
    ----------
    pts : int64 ndarray of shape (N,)
        Presentation time of each frame, in units of `time_base`.
    time_base : Fraction
        Seconds.
    orientation : Orientation
        How stored frames are made upright.
    colours : Colours
        What their values mean.
    """

    def __init__(
        self, video: str | bytes, *, name: str, timeout: float, stream: int | None = None
    ) -> None:
        key = identity(video, stream)
        self._demuxer = Demuxer(video, name=name, timeout=timeout, stream=stream)
        try:
            facts = KNOWN.get(key)
            if facts is None:
                facts = self._examine(key, Deadline(name, timeout))
            else:
                self._demuxer.can_seek = facts.can_seek
                self._demuxer.only_from_key = facts.only_from_key
                self._reader = FrameReader(self._demuxer, facts.index)
        except BaseException:
            self._demuxer.close()
            raise
        self._index, self.orientation, self.colours = facts.index, facts.orientation, facts.colours
        size, aspect = facts.size, self._demuxer.sample_aspect_ratio
        if facts.orientation.rotation % 180:
            size, aspect = size[::-1], 1 / aspect
        self.pts, self.time_base = self._index.pts, self._demuxer.time_base
        pts, time_base = self.pts, float(self.time_base)
        timestamps = (pts - pts[0]) * time_base
        super().__init__(
            name=name,
            timestamps=timestamps,
            fps=frame_rate(timestamps, self._demuxer.declared_rate),
            duration=(self._index.end - int(pts[0])) * time_base,
            size=size,
            codec=self._demuxer.stream.codec.canonical_name,
            rotation=facts.orientation.rotation,
            mirrored=facts.orientation.mirrored,
            sample_aspect_ratio=aspect,
            transfer=TRANSFERS.get(self.colours.transfer, "unspecified"),
            interlaced=facts.interlaced,
            timeout=timeout,
        )
        self._stored_rotation = facts.rotation
        self._converter = Converter(facts.orientation)

    def _examine(self, key: Identity | None, deadline: Deadline) -> "_Facts":
        """Index the frames, and decode the first: only it knows its size and rotation for certain.

        What was found out is kept, unless FFmpeg learned in the meantime where to seek.
        """
        demuxer = self._demuxer
        listed = len(demuxer.stream.index_entries)
        index = read_index(demuxer, deadline)
        is_same = len(demuxer.stream.index_entries) == listed
        if len(index.pts) == 0:
            raise VideoError(
                f"{demuxer.name}: the video stream holds no frame that can be decoded",
                "copy or download it again; check that it plays in a player",
            )
        self._reader = FrameReader(demuxer, index)
        ((_, first),) = self._reader.frames(np.zeros(1, dtype=np.int64), deadline)
        codec = demuxer.stream.codec_context
        facts = _Facts(
            index=index,
            can_seek=demuxer.can_seek,
            only_from_key=demuxer.only_from_key,
            size=(first.height, first.width),
            rotation=first.rotation,
            orientation=orientation_of(first, demuxer.name),
            colours=Colours(codec.color_primaries, codec.color_trc, codec.colorspace),
            interlaced=first.interlaced_frame,
        )
        if is_same:
            index.pts.setflags(write=False)  # shared by all who open it again
            KNOWN.put(key, facts)
        return facts

    @property
    def keys(self) -> NDArray[np.int64]:
        """Indices of the key frames, ascending."""
        return np.flatnonzero(np.isin(self._index.pts, self._index.keys))

    def _decode(
        self, indices: NDArray[np.int64], size: Size | None, deadline: Deadline
    ) -> Iterator[NDArray[np.uint8]]:
        for i, frame in self._stored(indices, deadline):
            image = self._converter.image(frame, size)
            if size is None and image.shape[:2] != (self.height, self.width):
                raise VideoError(
                    f"{self.name}: frame {i} is {image.shape[1]}x{image.shape[0]}, "
                    f"but the first frame is {self.width}x{self.height}",
                    "pass resize=(height, width) to give all frames the same size",
                )
            yield image

    def stored_frames(self) -> Iterator[VideoFrame]:
        """Yield every frame in order as the decoder gives it: not upright, not RGB."""
        deadline = Deadline(self.name, self.timeout)
        for _, frame in self._stored(np.arange(self.num_frames), deadline):
            yield frame
            deadline.restart()

    def _stored(
        self, indices: NDArray[np.int64], deadline: Deadline
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Yield ``(index, frame)`` for ascending indices; all are turned alike."""
        self._demuxer.check_open()
        for i, frame in self._reader.frames(indices, deadline):
            if frame.rotation != self._stored_rotation:
                raise VideoError(
                    f"{self.name}: frame {i} is to be turned by {-frame.rotation % 360} degrees, "
                    f"but the first frame by {-self._stored_rotation % 360}",
                    "split the file where the camera was turned",
                )
            yield i, frame

    def close(self) -> None:
        """Close the file."""
        self._reader.stop()
        self._demuxer.close()
