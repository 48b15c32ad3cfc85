"""Encode a video again: smaller, upright, with square pixels, and every frame at its time."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.codec.codec import Codec, UnknownCodecError
from av.filter import Graph
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from zoopraxis.errors import VideoError, ZoopraxisError
from zoopraxis.files import UNFINISHED, flush
from zoopraxis.video._address import as_file
from zoopraxis.video._base import Size, Video
from zoopraxis.video._convert import build_graph
from zoopraxis.video._pyav import PyAVVideo
from zoopraxis.video._write import TICKS

__all__ = ["CODECS", "Encoding", "reencode"]

PRESET = "fast"  # of x264 and x265
RGB = 0  # no colour matrix (ITU-T H.273)
LIMITED = 1  # luma in [16, 235], as every player expects
MPEG4_RATE = 65_535  # largest denominator of a time base of MPEG-4 part 2

# codec -> its quality by default: the constant rate factor, or the quantiser of MPEG-4
CODECS = {"libx264": 20, "libx265": 22, "mpeg4": 3}


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How videos are encoded.

    Parameters
    ----------
    short : int, default=256
        Shorter side in pixels; smaller videos are not enlarged.
    gop : int, default=12
        Frames from a key frame to the next: what is decoded at most to reach a frame.
    quality : int or None, default=None
        Constant rate factor of x264 and x265 (0 to 51), or quantiser of MPEG-4 (1 to 31): less is
        better, and larger. The default is that of `CODECS`.
    codec : str, default="libx264"
        One of `CODECS`. MPEG-4 is what networks for compressed video were trained on.

    Raises
    ------
    ZoopraxisError
        A value is out of its range, or this build of PyAV lacks the codec.
    """

    short: int = 256
    gop: int = 12
    quality: int | None = None
    codec: str = "libx264"

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise ZoopraxisError(f"unknown codec {self.codec!r}", f"known: {', '.join(CODECS)}")
        if not _is_built_in(self.codec):
            there = [codec for codec in CODECS if _is_built_in(codec)]
            raise ZoopraxisError(
                f"this build of PyAV has no {self.codec}",
                f"install PyAV from its wheel; or choose what is here: {', '.join(there)}",
            )
        if self.quality is None:
            object.__setattr__(self, "quality", CODECS[self.codec])
        low, high = (1, 31) if self.codec == "mpeg4" else (0, 51)
        for name, value, least, most in (
            ("short", self.short, 2, 2**14),
            ("gop", self.gop, 1, 2**15),
            ("quality", self.quality, low, high),
        ):
            if value is None or not least <= value <= most:
                raise ZoopraxisError(f"{name} is {value}", f"give a number from {least} to {most}")

    def options(self) -> dict[str, str]:
        """Options of FFmpeg's encoder; a key frame is exactly every `gop` frames."""
        if self.codec == "mpeg4":
            return {"g": str(self.gop), "qmin": str(self.quality), "qmax": str(self.quality)}
        common = {"preset": PRESET, "crf": str(self.quality), "g": str(self.gop)}
        if self.codec == "libx265":
            params = f"keyint={self.gop}:min-keyint={self.gop}:scenecut=0:open-gop=0:log-level=none"
            return {**common, "x265-params": f"{params}:pools=none:frame-threads=1"}
        return {**common, "keyint_min": str(self.gop), "sc_threshold": "0"}


def reencode(video: Video, out: Path, encoding: Encoding, *, comment: str = "") -> None:
    """Encode all frames of a video, each at its time, without sound.

    Stored frames are scaled as they are, in YCbCr and their colour space, and only then rounded to
    8 bits; full-range video becomes limited. Pixels that are not square are stretched until they
    are. Interlaced frames are encoded as if they were not.

    Parameters
    ----------
    video : Video
        A file, or a folder of frames.
    out : Path
        The ``.mp4`` to write; it appears when it is complete. Its folder exists.
    encoding : Encoding
        How.
    comment : str, default=""
        Stored in the file.

    Raises
    ------
    VideoError
        A frame cannot be decoded, or the file not be written.
    """
    time_base, times = _clock(video)
    if encoding.codec == "mpeg4" and time_base.denominator > MPEG4_RATE:
        time_base, times = Fraction(1, MPEG4_RATE), video.timestamps * MPEG4_RATE
    ticks = np.round(times).astype(np.int64).tolist()
    if len(set(ticks)) < len(ticks):
        raise VideoError(
            f"{video.name}: frames are less than {float(time_base):.2g} s apart",
            "choose --codec libx264, which keeps finer times",
        )
    part = out.with_name(f".{out.name}{UNFINISHED}")
    try:
        options = {"movflags": "+faststart"}  # the index first: what is read over a network
        with av.open(as_file(part), "w", format="mp4", options=options) as container:
            container.metadata["comment"] = comment
            rate = Fraction(video.fps).limit_denominator(1001)  # a hint for players
            stream = cast("VideoStream", container.add_stream(encoding.codec, rate=rate))
            stream.height, stream.width = _size(video, encoding.short)
            _prepare(stream, video, encoding, time_base)
            scale = _Scaler(video, (stream.height, stream.width))
            for tick, stored in zip(ticks, _stored(video), strict=True):
                frame = scale(stored)
                frame.pts, frame.time_base = tick, time_base
                frame.pict_type = PictureType.NONE  # the encoder would keep the source's key frames
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        flush(part)
        part.replace(out)
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"{out} cannot be written: {error}", "choose another place with room"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _is_built_in(codec: str) -> bool:
    try:
        Codec(codec, "w")
    except UnknownCodecError:
        return False
    return True


def _clock(video: Video) -> tuple[Fraction, NDArray[np.float64]]:
    """Time base of a video, and the times of its frames in it, from 0."""
    if isinstance(video, PyAVVideo):
        return video.time_base, (video.pts - video.pts[0]).astype(np.float64)  # exact below 2**53
    return Fraction(1, TICKS), video.timestamps * TICKS


def _size(video: Video, short: int) -> Size:
    """Even (height, width) of square pixels; the shorter side is not enlarged."""
    aspect = float(video.sample_aspect_ratio)  # width of a pixel by its height
    height, width = video.height * max(1 / aspect, 1), video.width * max(aspect, 1)
    scale = min(short / min(height, width), 1)
    even = [
        # 341 x 256: 340 x 256, for 342 would enlarge
        max(min(2 * round(side * scale / 2), 2 * int(side / 2 + 1e-9)), 2)
        for side in (height, width)
    ]
    return even[0], even[1]


def _prepare(stream: VideoStream, video: Video, encoding: Encoding, time_base: Fraction) -> None:
    """Set what the encoder must know before its first frame."""
    codec = stream.codec_context
    stream.pix_fmt = "yuv420p"
    stream.options = {**encoding.options()}
    codec.time_base = time_base
    codec.thread_count = 1  # files are encoded beside each other
    codec.color_range = LIMITED
    if isinstance(video, PyAVVideo):
        codec.color_primaries, codec.color_trc = video.colours.primaries, video.colours.transfer
        if video.colours.matrix != RGB:
            codec.colorspace = video.colours.matrix


def _stored(video: Video) -> Iterator[VideoFrame]:
    if isinstance(video, PyAVVideo):
        yield from video.stored_frames()
        return
    for image in video:
        frame = VideoFrame.from_ndarray(image.permute(1, 2, 0).numpy(), format="rgb24")
        frame.time_base = Fraction(1, TICKS)
        yield frame


class _Scaler:
    """Makes stored frames upright, and scales them."""

    def __init__(self, video: Video, size: Size) -> None:
        turns = video.orientation.filters if isinstance(video, PyAVVideo) else ()
        height, width = size
        self._filters = (
            *turns,
            # one matrix, whichever: else FFmpeg would convert that of the file to its default
            f"scale={width}:{height}:flags=bicubic+accurate_rnd:out_range=tv"
            ":in_color_matrix=bt601:out_color_matrix=bt601",
            "format=yuv420p",
            "setsar=1",
        )
        self._graph: Graph | None = None
        self._built_for: tuple[object, ...] = ()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        key = (frame.width, frame.height, frame.format.name)
        if self._graph is None or key != self._built_for:
            self._graph, self._built_for = build_graph(frame, self._filters), key
        self._graph.vpush(frame)
        return self._graph.vpull()
