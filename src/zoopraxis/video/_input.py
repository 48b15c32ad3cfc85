"""An opened video stream, and FFmpeg's errors in words that name the file."""

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

__all__ = ["Input", "decode", "explained"]

# Stop at damage instead of painting over it with pieces of other frames.
STRICT = {"err_detect": "explode"}
INVALID_DATA = av.error.tag_to_code(b"INDA")


class Input:
    """One video stream of a file, URL or bytes, to be read from the start or from a key frame.

    Parameters
    ----------
    source : str or bytes
        Path, URL, or the contents of a file.
    name : str
        What error messages call it.
    timeout : float
        Seconds that opening, or one read, may take.
    stream : int, optional
        Index of the stream in the container. The default is FFmpeg's choice: by the marks of the
        container, then by bit rate; never a cover picture.
    """

    def __init__(
        self, source: str | bytes, *, name: str, timeout: float, stream: int | None
    ) -> None:
        self.name = name
        self._source = source
        self._timeout = timeout
        self._wanted = stream
        self.container, self.stream = self._open()

    def _open(self) -> tuple[InputContainer, VideoStream]:
        source = io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source
        with self.explained():
            container = av.open(source, "r", timeout=self._timeout, metadata_errors="replace")
        stream = _pick(container, self._wanted, self.name)
        stream.codec_context.options = STRICT
        # Slices, not frames: errors stay with their frame, and a seek throws no work away.
        stream.codec_context.thread_type = "SLICE"
        return container, stream

    @property
    def time_base(self) -> Fraction:
        """Seconds of one unit of the stream's time stamps."""
        return self.stream.time_base or Fraction(1, 1_000_000)

    @property
    def declared_rate(self) -> float | None:
        """Frames per second as the container has it."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return float(rate) if rate else None

    def packets(self) -> "Iterator[Packet[VideoStream]]":
        """Packets of the stream from here on; the last one is empty and flushes the decoder."""
        with self.explained():
            yield from self.container.demux(self.stream)

    def packets_of_all(self) -> "Iterator[Packet[Stream]]":
        """Packets of all streams from here on."""
        with self.explained():
            yield from self.container.demux()

    def explained(self) -> AbstractContextManager[None]:
        """Turn FFmpeg's errors into `VideoError`."""
        return explained(self.name, self._source, self._timeout)

    def rewind(self) -> None:
        """Go to the first packet, by opening again: not every format can seek to it."""
        self.close()
        self.container, self.stream = self._open()

    def seek(self, pts: int) -> bool:
        """Go to the key frame at a presentation time, or somewhat before; False if it cannot."""
        try:
            self.container.seek(pts, stream=self.stream, backward=True)
        except av.error.FFmpegError:
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        self.container.close()


def decode(packet: "Packet[VideoStream]") -> "list[VideoFrame]":
    """Frames that a packet completes.

    Raises
    ------
    av.error.FFmpegError
        The packet is damaged, by the container's word or by the decoder's.
    """
    if packet.is_corrupt:
        raise av.error.InvalidDataError(INVALID_DATA, "part of it is missing")
    return packet.decode()


def _pick(container: InputContainer, wanted: int | None, name: str) -> VideoStream:
    videos = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if wanted is not None:
        chosen = next((s for s in videos if s.index == wanted), None)
    else:
        best = container.streams.best("video")
        chosen = best if best in videos else next(iter(videos), None)
    if chosen is None:
        kinds = ", ".join(f"{s.index} {s.type}" for s in container.streams) or "none"
        container.close()
        asked = "no video stream" if wanted is None else f"no video stream {wanted}"
        hint = "give a file with a picture" if not videos else "choose one with stream="
        raise VideoError(f"{name}: there is {asked}; its streams are: {kinds}", hint)
    if container.format.name == "tty":  # FFmpeg would play any .txt as a terminal recording
        container.close()
        raise VideoError(f"{name}: this is text, not a video", "give a video file")
    if cast("VideoCodecContext | None", chosen.codec_context) is None:
        container.close()
        raise VideoError(
            f"{name}: FFmpeg has no decoder for the codec of stream {chosen.index}",
            "convert it: ffmpeg -i FILE -c:v libx264 CONVERTED.mp4",
        )
    return chosen


@contextmanager
def explained(name: str, source: str | bytes, timeout: float) -> Iterator[None]:
    """Turn FFmpeg's errors into `VideoError`."""
    try:
        yield
    except (av.error.ExitError, av.error.TimeoutError) as error:
        raise VideoError(
            f"{name}: no answer within {timeout:g} s", "check the address, or raise timeout"
        ) from error
    except av.error.InvalidDataError as error:
        raise VideoError(
            f"{name}: {_looks_like(source)}, or it is truncated or damaged",
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


def _looks_like(source: str | bytes) -> str:
    """What data that FFmpeg does not recognise seems to be, from its first bytes."""
    if isinstance(source, str):
        try:
            with open(source, "rb") as file:  # noqa: PTH123 - may be a URL: then there is no file
                head = file.read(512)
        except OSError:
            return "this is not a video that FFmpeg knows"
    else:
        head = source[:512]
    if b"\0" not in head and head[:480].decode("utf-8", "replace").count("\ufffd") <= 1:
        return "this is text, not a video"
    return "this is not a video that FFmpeg knows"
