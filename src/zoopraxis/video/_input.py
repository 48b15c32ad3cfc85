"""One demuxed video stream, and FFmpeg's errors reworded to name the file."""

import io
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from zoopraxis.errors import VideoError
from zoopraxis.video._remedies import REENCODE, command
from zoopraxis.video._sei import (
    SEI_CODECS,
    header_without_sei,
    nal_length_size,
    one_temporal_layer,
    without_malformed_sei,
)
from zoopraxis.video._structure import damage

__all__ = [
    "MAX_PIXELS",
    "OPTIONS",
    "Demuxer",
    "check_image_size",
    "check_size",
    "decoder_threads",
    "demuxed",
    "reworded_errors",
]

# Raise on damaged data instead of concealing it with parts of other frames; of H.264 without CABAC,
# on data left over after the last macroblock, too. Encoders of other codecs leave some in files
# that are right: XviD's in UCF101, those of MPEG-2 at a constant bit rate.
STRICT, STRICTER = {"err_detect": "explode"}, {"err_detect": "explode+aggressive"}
ENDS_EXACTLY = {"h264"}
# Decoders that would refuse metadata too: TIFF images with any tag that FFmpeg does not know.
LENIENT = {"tiff"}
# Largest frame that is decoded: 8192x8192, twice 8K. A compressed image of a few megabytes can
# hold thousands of millions of pixels, and no time limit interrupts a decoder.
MAX_PIXELS = 2**26
MAX_SIDE = 2**16  # OpenCV and FFmpeg refuse images of a million pixels a side, in other words
SMALLER = "make them smaller first: networks see a few hundred pixels a side"
# Decoders that several threads speed up without frames in flight, and pixels of a frame from which
# they do. Elsewhere threads take up to twice the processor time, and are no sooner done.
THREADED = {"h264", "hevc"}
THREADED_PIXELS = 1280 * 720
# FFmpeg would take a file called img_%03d.png for the pattern of a sequence of files.
OPTIONS = {"max_pixels": str(MAX_PIXELS), "pattern_type": "none"}
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
    decoder : mapping, optional
        Further options of FFmpeg's decoder.

    Attributes
    ----------
    codec : str
        FFmpeg's name of the codec.
    one_temporal_layer : bool
        Whether this is HEVC without pictures that only those of higher layers may leave out.
    only_from_key : bool
        Whether packets before the first key frame are left out; False unless it is set.
    can_seek : bool
        Whether seeking leads where it should; True unless it is set.

    Raises
    ------
    VideoError
        The video cannot be opened, or has no such stream.
    """

    def __init__(
        self,
        video: str | bytes,
        *,
        name: str,
        timeout: float,
        stream: int | None,
        decoder: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._video = video
        self._timeout = timeout
        self._stream_index = stream
        self._decoder = decoder or {}
        self.only_from_key = False
        self.can_seek = True
        self.container, self.stream = self._open()
        self._is_open = True

    def _open(self) -> tuple[InputContainer, VideoStream]:
        self._has_failed = False  # the decoder, since it was opened
        self._has_begun = False
        container, stream = self._open_container(OPTIONS)
        try:
            self._check_size(stream)
        except BaseException:
            container.close()
            raise
        self.codec = stream.codec.canonical_name
        strict = STRICTER if self.codec in ENDS_EXACTLY else STRICT
        stream.codec_context.options = {
            **({} if self.codec in LENIENT else strict),
            **self._decoder,
            "max_pixels": str(MAX_PIXELS),
        }
        # Slice threads, not frame threads: an error is raised for the frame that caused it, and
        # a seek discards no frames in flight.
        stream.codec_context.thread_type = "SLICE"
        threads = decoder_threads(self.codec, stream.width, stream.height)
        stream.codec_context.thread_count = threads
        extradata = stream.codec_context.extradata
        self._nal_length_size = nal_length_size(self.codec, extradata)
        self.one_temporal_layer = self.codec == "hevc" and one_temporal_layer(extradata)
        mended = header_without_sei(extradata) if extradata and self.codec == "hevc" else None
        if mended is not None:
            stream.codec_context.extradata = mended
        return container, stream

    def _open_container(self, options: dict[str, str]) -> tuple[InputContainer, VideoStream]:
        file = io.BytesIO(self._video) if isinstance(self._video, bytes) else self._video
        with self._reworded_errors():
            container = av.open(
                file, "r", timeout=self._timeout, metadata_errors="replace", options=options
            )
        return container, _select_stream(container, self._stream_index, self.name)

    def _check_size(self, stream: VideoStream) -> None:
        """Raise if frames are too large: before they are decoded, which nothing interrupts."""
        size = stream.width, stream.height
        if 0 in size:
            # FFmpeg hides sizes above its limit. Of an image they can be read without FFmpeg; of
            # a video they are in the container, where no frame need be decoded for them.
            if isinstance(self._video, bytes):
                check_image_size(io.BytesIO(self._video), self.name)
            elif self._video.startswith("file:"):
                check_image_size(self._video.removeprefix("file:"), self.name)
            container, unlimited = self._open_container({"pattern_type": "none"})
            size = unlimited.width, unlimited.height
            container.close()
        check_size(self.name, *size)

    @property
    def time_base(self) -> Fraction:
        """Seconds per unit of the stream's timestamps."""
        return self.stream.time_base or Fraction(1, 1_000_000)

    @property
    def sample_aspect_ratio(self) -> Fraction:
        """Width of a stored pixel divided by its height; 1 where the file does not say."""
        ratio = self.stream.sample_aspect_ratio
        return Fraction(ratio) if ratio and ratio > 0 else Fraction(1)

    @property
    def declared_rate(self) -> float | None:
        """Frames per second according to the container."""
        rate = self.stream.average_rate or self.stream.guessed_rate
        return float(rate) if rate else None

    def damage(self) -> str:
        """What is wrong with the structure of the file and FFmpeg passes over; else nothing."""
        return damage(self._video, self.container.format.name)

    def packets(self) -> "Iterator[Packet[VideoStream]]":
        """Remaining packets of the stream; the last one is empty and flushes the decoder."""
        with self._reworded_errors():
            yield from demuxed(self.container, self.stream)

    def all_packets(self) -> "Iterator[Packet[Stream]]":
        """Remaining packets of all streams of the container."""
        with self._reworded_errors():
            yield from demuxed(self.container)

    def _reworded_errors(self) -> AbstractContextManager[None]:
        return reworded_errors(self.name, self._video, self._timeout)

    def rewind(self) -> None:
        """Return to the first packet by reopening: not every format can seek to it."""
        self.close()
        self.container, self.stream = self._open()
        self._is_open = True

    def seek(self, pts: int) -> bool:
        """Seek to the key frame at a presentation time, or earlier; False where it cannot."""
        if not self.can_seek:
            return False
        if self._has_failed:
            # A seek flushes the decoder, but not all that damage left in it: H.264 conceals part
            # of the next key frame with what the damaged one was to show.
            self.rewind()
        try:
            self.container.seek(pts, stream=self.stream, backward=True)
        except av.error.FFmpegError:
            return False
        return True

    def decode(self, packet: "Packet[VideoStream]") -> "list[VideoFrame]":
        """Decode a packet; return the frames that it completes.

        With B-frames the decoder reorders, so a packet may complete none, or frames of earlier
        packets.

        Raises
        ------
        av.error.FFmpegError
            The packet is damaged, according to the container or the decoder; or the decoder, which
            did not raise, has marked a frame as damaged.
        """
        self._has_begun = self._has_begun or packet.is_keyframe or not self.only_from_key
        if not self._has_begun:
            return []
        try:
            frames = self._decode(packet)
            if any(frame.is_corrupt for frame in frames):
                raise av.error.InvalidDataError(INVALID_DATA, "the decoder marks it as damaged")
        except av.error.FFmpegError:
            self._has_failed = True
            raise
        return frames

    def _decode(self, packet: "Packet[VideoStream]") -> "list[VideoFrame]":
        if packet.is_corrupt:
            raise av.error.InvalidDataError(INVALID_DATA, "part of it is missing")
        if not packet.size and packet.dts is not None:  # of Theora: the frame before is shown on
            return []
        if self.codec in SEI_CODECS and packet.size:
            mended = without_malformed_sei(bytes(packet), self.codec, self._nal_length_size)
            if mended is not None:
                packet.update(mended)
        return packet.decode()

    def close(self) -> None:
        """Close the file."""
        self._is_open = False
        self.container.close()

    def check_open(self) -> None:
        """Raise if the file was closed."""
        if not self._is_open:
            raise VideoError(f"{self.name}: it was closed", "open it again with open_video")


def decoder_threads(codec: str, width: int, height: int) -> int:
    """Threads of a decoder, 0 for as many as there are cores; one where processes share them."""
    pays = codec in THREADED and width * height >= THREADED_PIXELS
    return 0 if pays and parent_process() is None else 1


def demuxed(container: InputContainer, *streams: Stream) -> Iterator[Any]:
    """Yield packets of some streams, or of all; at the end, an empty one of each.

    In a transport stream another stream may begin after the file was opened: an audio track that
    starts late, or a damaged identifier. PyAV does not know it, and fails on its empty packet with
    an IndexError, when every packet and the empty ones of earlier streams have been read.
    """
    ended = False
    try:
        for packet in container.demux(*streams):
            ended = ended or packet.size == 0
            yield packet
    except IndexError:
        if not ended:
            raise


def check_size(name: str, width: int, height: int) -> None:
    """Raise if a frame is larger than `MAX_PIXELS`, before it is decoded."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise VideoError(
            f"{name}: its frames are {width}x{height}; at most {MAX_PIXELS:,} pixels and "
            f"{MAX_SIDE:,} a side are decoded",
            SMALLER,
        )


def check_image_size(file: str | Path | BinaryIO, name: str) -> None:
    """Raise if an image is larger than `MAX_PIXELS`, according to its header.

    What is no image, or one that Pillow does not know, passes: whoever decodes it will say so.
    """
    try:
        with Image.open(file) as image:
            size = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's own limits, which are larger
        raise VideoError(f"{name}: its frames have over {MAX_PIXELS:,} pixels", SMALLER) from error
    except (OSError, ValueError, UserWarning):  # damaged, or (-W error) its metadata is
        return
    check_size(name, *size)


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
            f"convert it: {command(REENCODE, out='CONVERTED.mp4')}",
        )
    return stream


@contextmanager
def reworded_errors(name: str, video: str | bytes, timeout: float) -> Iterator[None]:
    """Turn FFmpeg's errors into `VideoError`."""
    try:
        yield
    except GeneratorExit:  # no more is read: perhaps the process ends, and has no modules left
        raise
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
    except IndexError as error:  # PyAV counts the streams once, when it opens the file
        raise VideoError(
            f"{name}: its streams are not those that it had when it was opened",
            "the file is damaged; copy or download it again",
        ) from error


def _describe(video: str | bytes) -> str:
    """Say what data that FFmpeg does not recognise appears to be, from its first bytes."""
    if isinstance(video, str):
        try:
            with open(video.removeprefix("file:"), "rb") as file:  # noqa: PTH123 - a URL raises OSError here
                head = file.read(512)
        except OSError:
            return "this is not a video format that FFmpeg recognises"
    else:
        head = video[:512]
    # A multi-byte character cut in two at the end of the head may leave one replacement mark.
    if b"\0" not in head and head[:480].decode("utf-8", "replace").count("\ufffd") <= 1:
        return "this is text, not a video"
    return "this is not a video format that FFmpeg recognises"
