"""The built-in decoder: FFmpeg through PyAV."""

from collections.abc import Iterator

import av
import numpy as np
import torch
from av.filter import Graph
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Clock, Size, Video, frame_rate
from zoopraxis.video._index import FrameIndex, read_index
from zoopraxis.video._input import Input, decode

__all__ = ["PyAVVideo"]

# Codecs in which a picture marked "not a reference" is referred to by no other. HEVC is not
# among them: there the mark only speaks of pictures of the same temporal layer.
DISPOSABLE = {"h264", "mpeg1video", "mpeg2video", "mpeg4"}
# Seeking throws away what the decoder holds; nearer key frames are decoded up to.
WORTH_A_SEEK = 8

_UPRIGHT = {0: (), 90: ("transpose=clock",), 180: ("hflip", "vflip"), 270: ("transpose=cclock",)}


class PyAVVideo(Video):
    """A video file, URL or bytes.

    Opening reads the packets once, without decoding them, so that every frame has a number
    and the key frame to start from is known (1 to 5 ms for a clip of 300 frames). Where
    packets do not tell (`FrameIndex.counted`: AVI with B-frames, raw streams), opening decodes.

    Parameters
    ----------
    source : str or bytes
        Path, URL, or the contents of a file.
    name : str
        What error messages call it.
    timeout : float
        Seconds for opening, and for each call of `frames_at`.
    stream : int, optional
        Index of the stream in the container. The default is FFmpeg's best.
    """

    def __init__(
        self, source: str | bytes, *, name: str, timeout: float, stream: int | None = None
    ) -> None:
        clock = Clock(name, timeout)
        self._input = Input(source, name=name, timeout=timeout, stream=stream)
        try:
            self._index = read_index(self._input, clock)
            first = self._first_frame(name, clock)
        except BaseException:
            self._input.close()
            raise
        rotation = -first.rotation % 360
        size = (first.height, first.width) if rotation % 180 == 0 else (first.width, first.height)
        pts, unit = self._index.pts, float(self._input.time_base)
        timestamps = (pts - pts[0]) * unit
        super().__init__(
            name=name,
            timestamps=timestamps,
            fps=frame_rate(timestamps, self._input.declared_rate),
            duration=(self._index.end - int(pts[0])) * unit,
            size=size,
            codec=self._input.stream.codec.canonical_name,
            rotation=rotation,
            timeout=timeout,
        )
        self._converter = _Converter(rotation)

    def _first_frame(self, name: str, clock: Clock) -> VideoFrame:
        """First frame, which alone knows its size and rotation for certain."""
        if len(self._index.pts) == 0:
            raise VideoError(
                f"{name}: the video stream holds no frame that can be decoded",
                "copy or download it again; check that it plays in a player",
            )
        reader = _Reader(self._input, self._index, clock)
        return next(frame for _, frame in reader.frames(np.zeros(1, dtype=np.int64)))

    def _decode(
        self, numbers: NDArray[np.int64], size: Size | None, clock: Clock
    ) -> Iterator[Tensor]:
        for number, frame in _Reader(self._input, self._index, clock).frames(numbers):
            image = self._converter.image(frame, size)
            if size is None and tuple(image.shape[:2]) != (self.height, self.width):
                raise VideoError(
                    f"{self.name}: frame {number} is {image.shape[1]}x{image.shape[0]}, "
                    f"but the video began with {self.width}x{self.height}",
                    "pass resize=(height, width) to have all of one size",
                )
            yield image

    def close(self) -> None:
        """Close the file."""
        self._input.close()


class _Reader:
    """Decodes asked frames from a stream, seeking where it saves work."""

    def __init__(self, source: Input, index: FrameIndex, clock: Clock) -> None:
        self.source = source
        self.index = index
        self.clock = clock

    def frames(self, numbers: NDArray[np.int64]) -> Iterator[tuple[int, VideoFrame]]:
        """Yield ``(number, frame)`` for ascending frame numbers."""
        return self._counted(numbers) if self.index.counted else self._timed(numbers)

    def _counted(self, numbers: NDArray[np.int64]) -> Iterator[tuple[int, VideoFrame]]:
        wanted = set(numbers.tolist())
        self.source.rewind()
        number = 0
        for packet in self.source.packets():
            self.clock.check()
            try:
                frames = decode(packet)
            except av.error.FFmpegError as error:
                # The index left out what cannot be decoded; but what is asked for now may
                # have been predicted from it.
                raise self._broken(number, error) from error
            for frame in frames:
                if number in wanted:
                    yield number, frame
                number += 1
            if not wanted or number > numbers[-1]:
                return
        raise self._missing(number)

    def _timed(self, numbers: NDArray[np.int64]) -> Iterator[tuple[int, VideoFrame]]:
        times = self.index.pts[numbers]
        done, failed = 0, -1
        while done < len(numbers):
            key = self.index.key_before(int(times[done]))
            if failed == done and key is not None:
                key = self.index.key_before(key - 1)
            try:
                for frame in self._run(times[done:], key):
                    yield int(numbers[done]), frame
                    done += 1
            except av.error.FFmpegError as error:
                # In open GOPs a picture may list references from before the key that it does
                # not use, and the strict decoder objects. One key earlier they are there.
                if failed == done or key is None or self.index.key_before(key - 1) is None:
                    raise self._broken(int(numbers[done]), error) from error
                failed = done

    def _run(self, times: NDArray[np.int64], key: int | None) -> Iterator[VideoFrame]:
        """Decode frames at these times from a key frame on, until another seek is worth it."""
        wanted = set(times.tolist())
        skips = self.source.stream.codec.canonical_name in DISPOSABLE
        at = 0
        for packet in self._packets_from(key):
            self.clock.check()
            if key is not None and packet.pts is not None and packet.pts < key:
                continue  # shown before the key, predicted from what is not decoded
            unasked = skips and packet.pts is not None and packet.pts not in wanted
            packet.stream.codec_context.skip_frame = "NONREF" if unasked else "DEFAULT"
            for frame in decode(packet):
                if frame.pts is None or frame.pts < times[at]:
                    continue
                if frame.pts > times[at]:
                    raise self._missing(int(np.searchsorted(self.index.pts, times[at])))
                yield frame
                at += 1
                if at == len(times) or self._seek_pays(frame.pts, int(times[at])):
                    return
        raise self._missing(int(np.searchsorted(self.index.pts, times[at])))

    def _seek_pays(self, here: int, target: int) -> bool:
        key = self.index.key_before(target)
        if key is None or key <= here:
            return False
        between = np.searchsorted(self.index.pts, key) - np.searchsorted(self.index.pts, here)
        return bool(between > WORTH_A_SEEK)

    def _packets_from(self, key: int | None) -> "Iterator[Packet[VideoStream]]":
        """Packets from the key frame on; from the start of the file where seeking misses it."""
        if key is not None and self.source.seek(key):
            packets = self.source.packets()
            for packet in packets:
                self.clock.check()
                if packet.pts is None or (packet.is_keyframe and packet.pts > key):
                    break  # landed too late
                if packet.is_keyframe and packet.pts == key:
                    yield packet
                    yield from packets
                    return
        self.source.rewind()
        yield from self.source.packets()

    def _broken(self, number: int, error: av.error.FFmpegError) -> VideoError:
        return VideoError(
            f"{self.source.name}: the data of frame {number}, or of one it is predicted from, "
            f"is damaged ({error.strerror})",
            "copy or download the file again, or ask only for frames before the damage",
        )

    def _missing(self, number: int) -> VideoError:
        return VideoError(
            f"{self.source.name}: frame {number} of {len(self.index.pts)} cannot be decoded: "
            "the decoder left it out",
            "the file is damaged there; write it again: ffmpeg -i FILE -c:v libx264 REPAIRED.mp4",
        )


class _Converter:
    """Turns decoded frames into upright RGB of one size.

    FFmpeg's bicubic chroma interpolation, then bilinear scaling of the RGB image: bit for bit
    what torchcodec does, so that it does not matter which of the two decodes.
    """

    def __init__(self, rotation: int) -> None:
        self._rotation = rotation
        self._graph: Graph | None = None
        self._made_for: tuple[object, ...] = ()

    def image(self, frame: VideoFrame, size: Size | None) -> Tensor:
        """Uint8 (H, W, 3) of a frame, scaled to a size if one is given."""
        kind = (frame.width, frame.height, frame.format.name, size)
        if self._graph is None or kind != self._made_for:
            self._graph, self._made_for = self._build(frame, size), kind
        self._graph.vpush(frame)
        return torch.from_numpy(self._graph.vpull().to_ndarray())

    def _build(self, frame: VideoFrame, size: Size | None) -> Graph:
        filters = ["scale=flags=bicubic", "format=rgb24", *_UPRIGHT[self._rotation]]
        if size is not None:
            filters.append(f"scale={size[1]}:{size[0]}:flags=bilinear")
        graph = Graph()
        graph.threads = 1
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        nodes = [source]
        for text in filters:
            kind, _, arguments = text.partition("=")
            nodes.append(graph.add(kind, arguments or None))
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        return graph
