"""The default backend: FFmpeg through PyAV."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from zoopraxis.video._known import Identity, Known, identity
from zoopraxis.video._orientation import Orientation, orientation_of
from zoopraxis.video._remedies import REENCODE, command
from zoopraxis.video._resize import resize_image

__all__ = ["Colours", "PyAVVideo", "build_graph", "packets_from"]

# Codecs in which no frame references one that is marked "non-reference". In HEVC the mark concerns
# only frames of the same temporal layer.
DISPOSABLE = {"h264", "mpeg1video", "mpeg2video", "mpeg4"}
# Seeking flushes the decoder: a key frame at most this many frames ahead is decoded up to.
MIN_SEEK = 8
# Pixels of a frame that is kept after it was read, for whom asks for it again: as its first is of
# a video that was opened. A large one is decoded again.
MAX_KEPT = 2**22

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
                self._reader = _FrameReader(self._demuxer, facts.index)
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
        self._converter = _Converter(facts.orientation)

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
        self._reader = _FrameReader(demuxer, index)
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


class _FrameReader:
    """Decodes requested frames of a stream, seeking where that saves work.

    Frames that follow those of the last request are decoded from where it ended.
    """

    def __init__(self, demuxer: Demuxer, index: FrameIndex) -> None:
        self.demuxer = demuxer
        self.index = index
        self._run: _Run | None = None
        self._count: _Count | None = None

    def stop(self) -> None:
        """Forget where the last request ended."""
        self._run = self._count = None

    def frames(
        self, indices: NDArray[np.int64], deadline: Deadline
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Yield ``(index, frame)`` for ascending frame indices."""
        if self.index.counted:
            return self._by_counting(indices, deadline)
        return self._by_pts(indices, deadline)

    def _by_counting(
        self, indices: NDArray[np.int64], deadline: Deadline
    ) -> Iterator[tuple[int, VideoFrame]]:
        numbers = indices.tolist()
        count, self._count = self._count, None
        if count is None or (numbers and not count.leads_to(numbers[0])):
            self.demuxer.rewind()
            count = _Count(self.demuxer, self.index)
        try:
            yield from zip(numbers, count.frames(numbers, deadline), strict=True)
        except av.error.FFmpegError as error:
            # The index skipped what cannot be decoded, but a frame requested now may
            # reference it.
            raise self._damaged(count.done, error) from error
        self._count = count

    def _by_pts(
        self, indices: NDArray[np.int64], deadline: Deadline
    ) -> Iterator[tuple[int, VideoFrame]]:
        times = self.index.pts[indices].tolist()
        run, self._run = self._run, None  # kept only where this request is read to its end
        if run is not None and times and not run.leads_to(times[0]):
            run = None
        done, failed = 0, -1  # frames yielded; value of `done` when decoding last failed
        while done < len(times):
            is_new = run is None
            if run is None:
                key = self.index.key_before(times[done])
                if failed == done and key is not None:
                    key = self.index.key_before(key - 1)
                run = _Run(self.demuxer, self.index, key, deadline)
            try:
                for frame in run.frames(times[done:], deadline):
                    yield int(indices[done]), frame
                    done += 1
            except av.error.FFmpegError as error:
                # In an open GOP a frame may list references from before the key frame that it
                # does not use, and the strict decoder raises. Retry once from the key frame
                # before that, with which these references are decoded too.
                if is_new:
                    key = self.index.key_before(times[done])
                    if failed == done or key is None or self.index.key_before(key - 1) is None:
                        raise self._damaged(int(indices[done]), error) from error
                    failed = done
                run = None
            else:
                run = run if done == len(times) else None  # else a seek pays off
        self._run = run

    def _damaged(self, index: int, error: av.error.FFmpegError) -> VideoError:
        return VideoError(
            f"{self.demuxer.name}: the data of frame {index}, or of a frame that it references, "
            f"is damaged ({error.strerror})",
            "copy or download the file again, or request only frames before the damage",
        )


class _Run:
    """Decoding from a key frame on, as far as it is asked for; None is the start of the file."""

    def __init__(
        self, demuxer: Demuxer, index: FrameIndex, key: int | None, deadline: Deadline
    ) -> None:
        self._demuxer = demuxer
        self._index = index
        self._can_skip = demuxer.codec in DISPOSABLE or demuxer.one_temporal_layer
        self._packets = packets_from(demuxer, key, deadline)
        self._key = key
        self._passed = key  # the last key frame that was decoded
        self._ahead: int | None = None  # one that is awaited
        self._skipped: set[int] = set()  # times of frames that were left out
        self._decoded: deque[VideoFrame] = deque()  # and not asked for so far
        self._last: int | None = None  # time of the last frame that was asked for
        self._kept: VideoFrame | None = None  # that frame, unless it is large

    def leads_to(self, time: int) -> bool:
        """Whether the frame at a time is best reached by decoding on, or was the last.

        With key frames at 0, 12, 24, frame 13 needs key frame 12. From frame 3 that is 9 frames
        ahead, more than `MIN_SEEK`: seek. From frame 8 it is 4: decode on.
        """
        if self._last is None:
            return True
        if time <= self._last or time in self._skipped:
            return time == self._last and self._kept is not None
        key = self._index.key_before(time)
        if key is None or key <= self._last:
            return True
        return self._index.rank(key) - self._index.rank(self._last) <= MIN_SEEK

    def frames(self, times: Sequence[int], deadline: Deadline) -> Iterator[VideoFrame]:
        """Yield frames at ascending times, until a new seek pays off."""
        self._requested, self._deadline = set(times), deadline
        self._end = times[-1]
        for time in times:
            if not self.leads_to(time):
                return
            if time == self._last and self._kept is not None:
                yield self._kept
                continue
            if self._last is not None:
                self._pass_over(self._index.key_before(time))
            frame = self._next(time)
            self._last = time
            self._kept = _unless_large(frame)
            yield frame

    def _pass_over(self, key: int | None) -> None:
        """Leave out what lies before a key frame that comes: near, so that no seek pays off."""
        if key is not None and (self._passed is None or key > self._passed):
            self._demuxer.stream.codec_context.flush_buffers()
            self._decoded.clear()
            self._key = self._ahead = key

    def _next(self, time: int) -> VideoFrame:
        """Decode up to the frame at a time."""
        while True:
            while self._decoded:
                frame = self._decoded.popleft()
                if frame.pts == time:
                    return frame
                if frame.pts is not None and frame.pts > time:
                    raise _missing(self._demuxer.name, self._index.rank(time), self._index)
            packet = next(self._packets, None)
            if packet is None:
                raise _missing(self._demuxer.name, self._index.rank(time), self._index)
            self._deadline.check()
            self._decoded.extend(self._frames_of(packet))

    def _frames_of(self, packet: "Packet[VideoStream]") -> list[VideoFrame]:
        time = packet.pts
        if self._ahead is not None and time != self._ahead:
            return []
        self._ahead = None
        if packet.is_keyframe and time is not None:
            self._passed = time
        # Stored after the key frame but presented before it, these frames of an open GOP
        # reference the previous GOP, which was not decoded: I6 [B4 B5] P9 B7 B8.
        if self._key is not None and time is not None and time < self._key:
            return []
        # The decoder drops this packet if it is a non-reference frame: B7 and B8 on the way
        # to a frame after P9. Those after the last of a request, the next may ask for.
        is_wanted = time is None or time > self._end or time in self._requested
        if self._can_skip and time is not None and not is_wanted:
            self._skipped.add(time)
            packet.stream.codec_context.skip_frame = "NONREF"
        else:
            packet.stream.codec_context.skip_frame = "DEFAULT"
        return self._demuxer.decode(packet)


class _Count:
    """Decoding from the start of a file whose frames are known by their number alone."""

    def __init__(self, demuxer: Demuxer, index: FrameIndex) -> None:
        self._demuxer = demuxer
        self._index = index
        self._packets = demuxer.packets()
        self._decoded: deque[VideoFrame] = deque()  # and not counted so far
        self._kept: VideoFrame | None = None  # the last that was asked for, unless it is large
        self.done = 0  # frames that were counted

    def leads_to(self, number: int) -> bool:
        """Whether a frame is still to come, or was the last."""
        return number >= self.done or (number == self.done - 1 and self._kept is not None)

    def frames(self, numbers: Sequence[int], deadline: Deadline) -> Iterator[VideoFrame]:
        """Yield frames of ascending numbers."""
        for number in numbers:
            frame = self._kept
            while self.done <= number or frame is None:
                frame = self._next(deadline)
                self.done += 1
            self._kept = _unless_large(frame)
            yield frame

    def _next(self, deadline: Deadline) -> VideoFrame:
        while not self._decoded:
            packet = next(self._packets, None)
            if packet is None:
                raise _missing(self._demuxer.name, self.done, self._index)
            deadline.check()
            self._decoded.extend(self._demuxer.decode(packet))
        return self._decoded.popleft()


def _unless_large(frame: VideoFrame) -> VideoFrame | None:
    return frame if frame.width * frame.height <= MAX_KEPT else None


def packets_from(
    demuxer: Demuxer, key: int | None, deadline: Deadline
) -> "Iterator[Packet[VideoStream]]":
    """Packets from a key frame on; from the start of the file where seeking misses it."""
    if key is not None and demuxer.seek(key):
        packets = demuxer.packets()
        for packet in packets:
            deadline.check()
            if packet.pts is None or (packet.is_keyframe and packet.pts > key):
                break  # the seek landed too late
            if packet.is_keyframe and packet.pts == key:
                yield packet
                yield from packets
                return
    demuxer.rewind()
    yield from demuxer.packets()


def _missing(name: str, index: int, frames: FrameIndex) -> VideoError:
    return VideoError(
        f"{name}: frame {index} of {len(frames.pts)} cannot be decoded: the decoder skipped it",
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
