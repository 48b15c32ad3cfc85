"""One demuxed video stream, and FFmpeg's errors reworded to name the file."""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from typing import cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from zoopraxis.errors import VideoError

__all__ = ["Demuxer", "decode", "reworded_errors"]

# Raise on damaged data instead of concealing it with parts of other frames.
STRICT = {"err_detect": "explode"}
INVALID_DATA = av.error.tag_to_code(b"INDA")


class Demuxer:
    """One video stream of a file, URL or bytes, read from the start or from a key frame.

    Parameters
    ----------
    video : str or bytes
        Path, URL, or the contents of a file.
    name : str
        Name used in error messages.
    timeout : float
        Time limit in seconds for opening, and for each read.
    stream : int, optional
        Index of the stream in the container. The default is FFmpeg's choice: by the container's
        disposition flags, then by bit rate; never cover art.

    Raises
    ------
    VideoError
        The video cannot be opened, or has no such stream.
    """

    def __init__(
        self, video: str | bytes, *, name: str, timeout: float, stream: int | None
    ) -> None:
        self.name = name
        self._video = video
        self._timeout = timeout
        self._stream_index = stream
        self.container, self.stream = self._open()

    def _open(self) -> tuple[InputContainer, VideoStream]:
        file = io.BytesIO(self._video) if isinstance(self._video, bytes) else self._video
        with self._reworded_errors():
            container = av.open(file, "r", timeout=self._timeout, metadata_errors="replace")
        stream = _select_stream(container, self._stream_index, self.name)
        stream.codec_context.options = STRICT
        # Slice threads, not frame threads: an error is raised for the frame that caused it, and
        # a seek discards no frames in flight.
        stream.codec_context.thread_type = "SLICE"
        return container, stream

    @property
    def time_base(self) -> Fraction:
        """Seconds per unit of the stream's timestamps."""
        return self.stream.time_base or Fraction(1, 1_000_000)

    @property
    def declared_rate(self) -> float | None:
        """Frames per second according to the container."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return float(rate) if rate else None

    def packets(self) -> "Iterator[Packet[VideoStream]]":
        """Remaining packets of the stream; the last one is empty and flushes the decoder."""
        with self._reworded_errors():
            yield from self.container.demux(self.stream)

    def all_packets(self) -> "Iterator[Packet[Stream]]":
        """Remaining packets of all streams of the container."""
        with self._reworded_errors():
            yield from self.container.demux()

    def _reworded_errors(self) -> AbstractContextManager[None]:
        return reworded_errors(self.name, self._video, self._timeout)

    def rewind(self) -> None:
        """Return to the first packet by reopening: not every format can seek to it."""
        self.close()
        self.container, self.stream = self._open()

    def seek(self, pts: int) -> bool:
        """Seek to the key frame at a presentation time, or earlier; False if unsupported."""
        try:
            self.container.seek(pts, stream=self.stream, backward=True)
        except av.error.FFmpegError:
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        self.container.close()


def decode(packet: "Packet[VideoStream]") -> "list[VideoFrame]":
    """Decode a packet; return the frames that it completes.

    With B-frames the decoder reorders, so a packet may complete none, or frames of earlier
    packets.

    Raises
    ------
    av.error.FFmpegError
        The packet is damaged, according to the container or the decoder.
    """
    if packet.is_corrupt:
        raise av.error.InvalidDataError(INVALID_DATA, "part of it is missing")
    return packet.decode()


def _select_stream(container: InputContainer, index: int | None, name: str) -> VideoStream:
    videos = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if index is not None:
        stream = next((s for s in videos if s.index == index), None)
    else:
        best = container.streams.best("video")
        stream = best if best in videos else next(iter(videos), None)
    if stream is None:
        streams = ", ".join(f"{s.index} {s.type}" for s in container.streams) or "none"
        container.close()
        missing = "no video stream" if index is None else f"no video stream {index}"
        hint = "choose one with stream=" if videos else "pass a file that contains video"
        raise VideoError(f"{name}: {missing}; its streams are: {streams}", hint)
    if container.format.name == "tty":  # FFmpeg would play any .txt as a terminal recording
        container.close()
        raise VideoError(f"{name}: this is text, not a video", "pass a video file")
    if cast("VideoCodecContext | None", stream.codec_context) is None:
        container.close()
        raise VideoError(
            f"{name}: FFmpeg has no decoder for the codec of stream {stream.index}",
            "convert it: ffmpeg -i FILE -c:v libx264 CONVERTED.mp4",
        )
    return stream


@contextmanager
def reworded_errors(name: str, video: str | bytes, timeout: float) -> Iterator[None]:
    """Turn FFmpeg's errors into `VideoError`."""
    try:
        yield
    except (av.error.ExitError, av.error.TimeoutError) as error:
        raise VideoError(
            f"{name}: no answer within {timeout:g} s",
            "check the address, or pass a larger timeout",
        ) from error
    except av.error.InvalidDataError as error:
        raise VideoError(
            f"{name}: {_describe(video)}, or it is truncated or damaged",
            "copy or download it again; check that it plays in a player",
        ) from error
    except av.error.EOFError as error:
        raise VideoError(
            f"{name}: it ends before the first frame", "copy or download it again"
        ) from error
    except av.error.FFmpegError as error:
        raise VideoError(
            f"{name}: cannot be read: {error.strerror}", "check the path or address"
        ) from error


def _describe(video: str | bytes) -> str:
    """Say what data that FFmpeg does not recognise appears to be, from its first bytes."""
    if isinstance(video, str):
        try:
            with open(video, "rb") as file:  # noqa: PTH123 - a URL raises OSError here
                head = file.read(512)
        except OSError:
            return "this is not a video format that FFmpeg recognises"
    else:
        head = video[:512]
    # A multi-byte character cut in two at the end of the head may leave one replacement mark.
    if b"\0" not in head and head[:480].decode("utf-8", "replace").count("\ufffd") <= 1:
        return "this is text, not a video"
    return "this is not a video format that FFmpeg recognises"
