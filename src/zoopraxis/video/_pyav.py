"""The default backend: FFmpeg through PyAV."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import av
import numpy as np
from av.filter import Graph
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Deadline, Size, Video, frame_rate
from zoopraxis.video._index import FrameIndex, read_index
from zoopraxis.video._input import Demuxer
from zoopraxis.video._orientation import Orientation, orientation_of
from zoopraxis.video._remedies import REENCODE, command
from zoopraxis.video._resize import resize_image

__all__ = ["Colours", "PyAVVideo", "build_graph"]

# Codecs in which no frame references one that is marked "non-reference". In HEVC the mark concerns
# only frames of the same temporal layer.
DISPOSABLE = {"h264", "mpeg1video", "mpeg2video", "mpeg4"}
# Seeking flushes the decoder: a key frame at most this many frames ahead is decoded up to.
MIN_SEEK = 8

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


class PyAVVideo(Video):
    """A video file, URL or bytes.

    Opening reads the packets once, without decoding them, to index every frame and the key
    frame to start from (1 to 5 ms for a clip of 300 frames). Where packets are unreliable (AVI
    with B-frames, raw streams), opening decodes.

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
        deadline = Deadline(name, timeout)
        self._demuxer = Demuxer(video, name=name, timeout=timeout, stream=stream)
        try:
            self._index = read_index(self._demuxer, deadline)
            first = self._first_frame(name, deadline)
            orientation = orientation_of(first, name)
        except BaseException:
            self._demuxer.close()
            raise
        size, aspect = (first.height, first.width), self._demuxer.sample_aspect_ratio
        if orientation.rotation % 180:
            size, aspect = (first.width, first.height), 1 / aspect
        self.pts, self.time_base = self._index.pts, self._demuxer.time_base
        self.orientation = orientation
        codec = self._demuxer.stream.codec_context
        self.colours = Colours(codec.color_primaries, codec.color_trc, codec.colorspace)
        pts, time_base = self.pts, float(self.time_base)
        timestamps = (pts - pts[0]) * time_base
        super().__init__(
            name=name,
            timestamps=timestamps,
            fps=frame_rate(timestamps, self._demuxer.declared_rate),
            duration=(self._index.end - int(pts[0])) * time_base,
            size=size,
            codec=self._demuxer.stream.codec.canonical_name,
            rotation=orientation.rotation,
            mirrored=orientation.mirrored,
            sample_aspect_ratio=aspect,
            transfer=TRANSFERS.get(self.colours.transfer, "unspecified"),
            interlaced=first.interlaced_frame,
            timeout=timeout,
        )
        self._stored_rotation = first.rotation  # before rounding
        self._converter = _Converter(orientation)

    @property
    def keys(self) -> NDArray[np.int64]:
        """Indices of the key frames, ascending."""
        return np.flatnonzero(np.isin(self._index.pts, self._index.keys))

    def _first_frame(self, name: str, deadline: Deadline) -> VideoFrame:
        """Decode the first frame: only a frame knows its size and rotation for certain."""
        if len(self._index.pts) == 0:
            raise VideoError(
                f"{name}: the video stream holds no frame that can be decoded",
                "copy or download it again; check that it plays in a player",
            )
        reader = _FrameReader(self._demuxer, self._index, deadline)
        return next(frame for _, frame in reader.frames(np.zeros(1, dtype=np.int64)))

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
        for i, frame in _FrameReader(self._demuxer, self._index, deadline).frames(indices):
            if frame.rotation != self._stored_rotation:
                raise VideoError(
                    f"{self.name}: frame {i} is to be turned by {-frame.rotation % 360} degrees, "
                    f"but the first frame by {-self._stored_rotation % 360}",
                    "split the file where the camera was turned",
                )
            yield i, frame

    def close(self) -> None:
        """Close the file."""
        self._demuxer.close()


class _FrameReader:
    """Decodes requested frames of a stream, seeking where that saves work."""

    def __init__(self, demuxer: Demuxer, index: FrameIndex, deadline: Deadline) -> None:
        self.demuxer = demuxer
        self.index = index
        self.deadline = deadline

    def frames(self, indices: NDArray[np.int64]) -> Iterator[tuple[int, VideoFrame]]:
        """Yield ``(index, frame)`` for ascending frame indices."""
        return self._by_counting(indices) if self.index.counted else self._by_pts(indices)

    def _by_counting(self, indices: NDArray[np.int64]) -> Iterator[tuple[int, VideoFrame]]:
        requested = set(indices.tolist())
        self.demuxer.rewind()
        i = 0
        for packet in self.demuxer.packets():
            self.deadline.check()
            try:
                frames = self.demuxer.decode(packet)
            except av.error.FFmpegError as error:
                # The index skipped what cannot be decoded, but a frame requested now may
                # reference it.
                raise self._damaged(i, error) from error
            for frame in frames:
                if i in requested:
                    yield i, frame
                i += 1
            if not requested or i > indices[-1]:
                return
        raise self._missing(i)

    def _by_pts(self, indices: NDArray[np.int64]) -> Iterator[tuple[int, VideoFrame]]:
        times = self.index.pts[indices]
        done, failed = 0, -1  # frames yielded; value of `done` when decoding last failed
        while done < len(indices):
            key = self.index.key_before(int(times[done]))
            if failed == done and key is not None:
                key = self.index.key_before(key - 1)
            try:
                for frame in self._decode_from(key, times[done:]):
                    yield int(indices[done]), frame
                    done += 1
            except av.error.FFmpegError as error:
                # In an open GOP a frame may list references from before the key frame that it
                # does not use, and the strict decoder raises. Retry once from the key frame
                # before that, with which these references are decoded too.
                key = self.index.key_before(int(times[done]))
                if failed == done or key is None or self.index.key_before(key - 1) is None:
                    raise self._damaged(int(indices[done]), error) from error
                failed = done

    def _decode_from(self, key: int | None, times: NDArray[np.int64]) -> Iterator[VideoFrame]:
        """Yield frames at ascending times, starting at a key frame, until a new seek pays off."""
        requested = set(times.tolist())
        can_skip = self.demuxer.codec in DISPOSABLE or self.demuxer.one_temporal_layer
        done = 0
        passed, ahead = key, None  # key frames: the last one decoded, and one that is awaited
        for packet in self.packets_from(key):
            self.deadline.check()
            if ahead is not None and packet.pts != ahead:
                continue
            ahead = None
            if packet.is_keyframe and packet.pts is not None:
                passed = packet.pts
            # Stored after the key frame but presented before it, these frames of an open GOP
            # reference the previous GOP, which was not decoded: I6 [B4 B5] P9 B7 B8.
            if key is not None and packet.pts is not None and packet.pts < key:
                continue
            # The decoder drops this packet if it is a non-reference frame: B7 and B8 on the way
            # to a frame after P9.
            skip = can_skip and packet.pts is not None and packet.pts not in requested
            packet.stream.codec_context.skip_frame = "NONREF" if skip else "DEFAULT"
            for frame in self.demuxer.decode(packet):
                if frame.pts is None or frame.pts < times[done]:
                    continue
                if frame.pts > times[done]:
                    raise self._missing(int(np.searchsorted(self.index.pts, times[done])))
                yield frame
                done += 1
                if done == len(times) or self._seek_pays_off(frame.pts, int(times[done])):
                    return
                following = self.index.key_before(int(times[done]))
                if following is not None and (passed is None or following > passed):
                    # Near, so that reading on is quicker than a seek, but what lies between need
                    # not be decoded.
                    self.demuxer.stream.codec_context.flush_buffers()
                    key = ahead = following
                    break
        raise self._missing(int(np.searchsorted(self.index.pts, times[done])))

    def _seek_pays_off(self, current: int, target: int) -> bool:
        """Whether the key frame of a target time is far enough after the current time.

        With key frames at 0, 12, 24, frame 13 needs key frame 12. From frame 3 that is 9 frames
        ahead, more than `MIN_SEEK`: seek. From frame 8 it is 4: decode on.
        """
        key = self.index.key_before(target)
        if key is None or key <= current:
            return False
        between = np.searchsorted(self.index.pts, key) - np.searchsorted(self.index.pts, current)
        return bool(between > MIN_SEEK)

    def packets_from(self, key: int | None) -> "Iterator[Packet[VideoStream]]":
        """Packets from a key frame on; from the start of the file where seeking misses it."""
        if key is not None and self.demuxer.seek(key):
            packets = self.demuxer.packets()
            for packet in packets:
                self.deadline.check()
                if packet.pts is None or (packet.is_keyframe and packet.pts > key):
                    break  # the seek landed too late
                if packet.is_keyframe and packet.pts == key:
                    yield packet
                    yield from packets
                    return
        self.demuxer.rewind()
        yield from self.demuxer.packets()

    def _damaged(self, index: int, error: av.error.FFmpegError) -> VideoError:
        return VideoError(
            f"{self.demuxer.name}: the data of frame {index}, or of a frame that it references, "
            f"is damaged ({error.strerror})",
            "copy or download the file again, or request only frames before the damage",
        )

    def _missing(self, index: int) -> VideoError:
        return VideoError(
            f"{self.demuxer.name}: frame {index} of {len(self.index.pts)} cannot be decoded: "
            "the decoder skipped it",
            f"the file is damaged there; re-encode it: {command(REENCODE)}",
        )


class _Converter:
    """Converts decoded frames to upright RGB of one size.

    FFmpeg's quickest conversion to RGB, which is torchcodec's, so that the backend does not matter;
    then the resizing of all frames.
    """

    def __init__(self, orientation: Orientation) -> None:
        self._orientation = orientation
        self._graph: Graph | None = None
        self._built_for: tuple[object, ...] = ()

    def image(self, frame: VideoFrame, size: Size | None) -> NDArray[np.uint8]:
        """Convert a frame to uint8 (H, W, 3), scaled to ``size`` if given."""
        key = (frame.width, frame.height, frame.format.name)
        if self._graph is None or key != self._built_for:
            filters = ["scale=flags=bicubic", "format=rgb24", *self._orientation.filters]
            self._graph, self._built_for = build_graph(frame, filters), key
        self._graph.vpush(frame)
        made: Any = self._graph.vpull().to_ndarray()
        return resize_image(made, size)  # the graph ends in rgb24


def build_graph(frame: VideoFrame, filters: Sequence[str]) -> Graph:
    """Chain of FFmpeg's filters, ``name=arguments``, for frames like this one."""
    graph = Graph()
    graph.threads = 1
    buffer = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    nodes = [buffer]
    for text in filters:
        name, _, arguments = text.partition("=")
        nodes.append(graph.add(name, arguments or None))
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph
