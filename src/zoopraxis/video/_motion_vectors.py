"""Motion that a video's encoder found: vectors of blocks, accumulated vectors, residuals.

A P-frame is coded as blocks of an earlier frame, moved by vectors, and what remains. FFmpeg's
decoder exports the vectors. `accumulate` traces them back to the last I-frame, so that a frame is
described by the motion since a frame that stands for itself, and by the residual that this motion
leaves (Wu et al., Compressed Video Action Recognition, CVPR 2018, arXiv:1712.00636, section 3.1;
code: https://github.com/chaoyuaw/pytorch-coviar). DMC-Net takes both.

As in their reader, vectors are whole pixels; blocks that were not moved have the vector 0, and so
have pixels that come from outside the earlier frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._address import as_file, parse_address
from zoopraxis.video._base import Deadline, frame_rate
from zoopraxis.video._h264 import reference_frames
from zoopraxis.video._index import FrameIndex, read_index
from zoopraxis.video._input import Demuxer
from zoopraxis.video._orientation import Orientation, orientation_of
from zoopraxis.video._pyav import _Converter, _FrameReader
from zoopraxis.video._remedies import ONE_REFERENCE, command
from zoopraxis.video._sei import nal_length_size, nal_units

__all__ = [
    "CODECS",
    "Motion",
    "MotionFrame",
    "MotionVideo",
    "accumulate",
    "compensated_residual",
    "from_previous",
    "read_motion",
    "trace_back",
]

Vectors = NDArray[np.int32]
Picture = Literal["I", "P", "B"]

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

REMEDY = f"re-encode it: {command(ONE_REFERENCE, out='REENCODED.avi')}"
PICTURES: dict[int, Picture] = {1: "I", 2: "P", 3: "B"}  # by FFmpeg's number
SPS = 7  # type of the NAL unit that holds H.264's sequence parameter set


@dataclass(frozen=True)
class MotionFrame:
    """A decoded frame and the motion vectors from which it was predicted.

    Parameters
    ----------
    name : str
        Name of its video, for error messages.
    index : int
        Its rank in presentation order, from 0.
    time : float
        Seconds since the first frame.
    picture : {"I", "P", "B"}
        How it was coded: by itself, from earlier frames, or from earlier and later ones.
    vectors : int32 ndarray of shape (2, H, W), or None
        Motion of each pixel since the earlier frame, in pixels, x (to the right) then y
        (downwards): pixel (x, y) was predicted from (x - dx, y - dy). Vectors from later frames
        are left out. None for the last frame of MPEG-4 with B-frames, of which FFmpeg exports
        none.
    references : int
        Most frames from which the codec may predict one. Above 1, the earlier frame of a vector
        need not be the one before; which it is, FFmpeg does not say.
    image : uint8 ndarray of shape (H, W, 3)
        The frame in RGB.
    """

    name: str
    index: int
    time: float
    picture: Picture
    vectors: Vectors | None
    references: int
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Motion:
    """The motion of a frame since a reference, and what it leaves unexplained.

    Parameters
    ----------
    index, time, picture, image
        As of `MotionFrame`.
    vectors : int32 ndarray of shape (2, H, W)
        Motion of each pixel since the reference, in pixels, x then y.
    reference : uint8 ndarray of shape (H, W, 3)
        The reference in RGB: the last I-frame, or the frame before.
    """

    index: int
    time: float
    picture: Picture
    image: NDArray[np.uint8]
    vectors: Vectors
    reference: NDArray[np.uint8]

    @cached_property
    def residual(self) -> NDArray[np.int16]:
        """RGB (3, H, W) of the frame less that of the pixels that moved there, -255 to 255.

        CoViAR's reader has the channels in the order BGR.
        """
        return compensated_residual(self.image, self.reference, self.vectors)


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
        place = as_file(place) if isinstance(place, Path) else place
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
        self._converter = _Converter(Orientation())

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
                image=self._converter.image(frame, None).numpy(),
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
        reader = _FrameReader(self._demuxer, self._index, self._deadline)
        return reader.packets_from(int(self._index.pts[first]))

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


def paint(field: Vectors, blocks: NDArray[Any]) -> Vectors:
    """Write the vectors of blocks into a field (2, H, W), and return it.

    Parameters
    ----------
    field : int32 ndarray of shape (2, H, W)
        Zeros.
    blocks : structured ndarray of shape (N,)
        FFmpeg's ``AVMotionVector``: `dst_x` and `dst_y` is the centre of a block of `w` x `h`
        pixels, `src_x` and `src_y` where it came from, `source` negative for an earlier frame.
    """
    height, width = field.shape[1:]
    flat = field.reshape(2, -1)
    blocks = blocks[blocks["source"] < 0]
    vectors = np.stack([blocks[f"dst_{c}"].astype(np.int32) - blocks[f"src_{c}"] for c in "xy"])
    moved = vectors.any(axis=0)
    blocks, vectors = blocks[moved], vectors[:, moved]  # others are 0, as the field is
    for w, h in np.unique(blocks[["w", "h"]]).tolist():  # 16x16, and its halves and quarters
        same = (blocks["w"] == w) & (blocks["h"] == h)
        dx, dy = both = vectors[:, same, None, None]  # (N', 1, 1) each
        y = blocks["dst_y"][same, None, None] + (np.arange(h) - h // 2)[:, None]  # (N', h, 1)
        x = blocks["dst_x"][same, None, None] + (np.arange(w) - w // 2)  # (N', 1, w)
        inside = (_within(y, height) & _within(y - dy, height)) & (
            _within(x, width) & _within(x - dx, width)
        )  # (N', h, w)
        flat[:, (y * width + x)[inside]] = np.broadcast_to(both, (2, *inside.shape))[:, inside]
    return field


def _within(places: NDArray[Any], size: int) -> NDArray[np.bool_]:
    return (places >= 0) & (places < size)


def _grid(height: int, width: int) -> Vectors:
    """Place of each pixel, x then y: (2, H, W)."""
    y, x = np.mgrid[:height, :width].astype(np.int32)
    return np.stack((x, y))


def _places(vectors: Vectors) -> Vectors:
    """Number, row by row, of the pixel of the earlier frame that moved to each: (H, W).

    Several times faster to look up than a pair of coordinates.
    """
    x, y = _grid(*vectors.shape[1:]) - vectors
    places: Vectors = y * vectors.shape[2] + x
    return places


def trace_back(origins: Vectors, vectors: Vectors) -> Vectors:
    """Follow the vectors of a frame to the frame before, and from there to its origins.

    Parameters
    ----------
    origins : int32 ndarray of shape (2, H, W)
        Of each pixel of the frame before, the place in the I-frame from which it came, x then y.
    vectors : int32 ndarray of shape (2, H, W)
        Motion from the frame before to this one, in pixels, x then y.

    Returns
    -------
    int32 ndarray of shape (2, H, W)
        The same of this frame: its pixel (x, y) was at (x - dx, y - dy) in the frame before.
    """
    return origins.reshape(2, -1).take(_places(vectors), axis=1)


def compensated_residual(
    image: NDArray[np.uint8], reference: NDArray[np.uint8], vectors: Vectors
) -> NDArray[np.int16]:
    """Difference of a frame and a reference whose pixels are moved by vectors.

    Parameters
    ----------
    image, reference : uint8 ndarray of shape (H, W, 3)
        The frame, and the one from which it is predicted.
    vectors : int32 ndarray of shape (2, H, W)
        Motion from the reference to the frame, in pixels, x then y.

    Returns
    -------
    int16 ndarray of shape (3, H, W)
        From -255 to 255.
    """
    moved = reference.reshape(-1, 3).take(_places(vectors), axis=0)  # (H, W, 3)
    difference = image.astype(np.int16) - moved
    return np.ascontiguousarray(difference.transpose(2, 0, 1))


def accumulate(frames: Iterable[MotionFrame]) -> Iterator[Motion]:
    """Trace the motion of frames back to the last I-frame.

    An I-frame has the vectors 0 and the residual 0. A data set should not sample it: CoViAR and
    DMC-Net take the frame before it.

    Parameters
    ----------
    frames : iterable of MotionFrame
        Frames in order, none left out, as of `read_motion`; the first an I-frame.

    Yields
    ------
    Motion
        One for each frame.

    Raises
    ------
    VideoError
        The first is no I-frame, a frame was predicted from later ones or may have been from
        others than the one before, its vectors are unknown, the frame size changes, or frames are
        left out.
    """
    origins = np.zeros((2, 0, 0), np.int32)
    for frame, start, _ in _checked(frames):
        grid = _grid(*frame.image.shape[:2])
        origins = trace_back(grid if frame.picture == "I" else origins, _known(frame))
        yield Motion(
            frame.index, frame.time, frame.picture, frame.image, grid - origins, start.image
        )


def from_previous(frames: Iterable[MotionFrame]) -> Iterator[Motion]:
    """Take the motion of frames since the frame before, as the codec has it.

    An I-frame has the vectors 0 and the residual 0.

    Parameters
    ----------
    frames : iterable of MotionFrame
        As of `accumulate`.

    Yields
    ------
    Motion
        One for each frame.

    Raises
    ------
    VideoError
        As of `accumulate`.
    """
    for frame, _, before in _checked(frames):
        yield Motion(
            frame.index, frame.time, frame.picture, frame.image, _known(frame), before.image
        )


def _checked(
    frames: Iterable[MotionFrame],
) -> Iterator[tuple[MotionFrame, MotionFrame, MotionFrame]]:
    """Yield each frame with its I-frame and the frame before; an I-frame stands for all three.

    Raise if motion cannot be traced from a frame to these.
    """
    start: MotionFrame | None = None
    before: MotionFrame | None = None
    for frame in frames:
        if before is not None and frame.picture != "I" and frame.index != before.index + 1:
            raise VideoError(
                f"{frame.name}: frame {frame.index} came where {before.index + 1} follows",
                "pass every frame, in order",
            )
        if frame.picture == "I":
            start = before = frame
        start = _traceable(frame, start)
        yield frame, start, before or start
        before = frame


def _traceable(frame: MotionFrame, start: MotionFrame | None) -> MotionFrame:
    """Return the I-frame to which a frame is traced back, or raise if it cannot be."""
    where = f"{frame.name}: frame {frame.index}"
    if start is None:
        raise VideoError(f"{where} is a {frame.picture}-frame with no I-frame before it", REMEDY)
    if frame.picture == "B":
        raise VideoError(
            f"{where} is a B-frame, predicted from later frames, and cannot be traced back", REMEDY
        )
    if frame.references > 1:
        raise VideoError(
            f"{where} may be predicted from {frame.references} frames, and FFmpeg does not say "
            "from which: vectors can be traced back only from each frame to the one before",
            REMEDY,
        )
    (height, width), (before, across) = frame.image.shape[:2], start.image.shape[:2]
    if (height, width) != (before, across):
        raise VideoError(
            f"{where} is {width}x{height}, the I-frame before it {across}x{before}", REMEDY
        )
    return start


def _known(frame: MotionFrame) -> Vectors:
    if frame.vectors is None:
        raise VideoError(
            f"{frame.name}: FFmpeg exports no motion vectors of frame {frame.index}, the last",
            REMEDY,
        )
    return frame.vectors
