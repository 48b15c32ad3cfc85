"""Frames of a stream by index: where to seek, what to decode, what to leave out."""

from collections import deque
from collections.abc import Iterator, Sequence

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Deadline
from zoopraxis.video._index import FrameIndex
from zoopraxis.video._input import Demuxer
from zoopraxis.video._remedies import REENCODE, command

__all__ = ["FrameReader", "packets_from"]

# Codecs in which no frame references one that is marked "non-reference". In HEVC the mark concerns
# only frames of the same temporal layer.
DISPOSABLE = {"h264", "mpeg1video", "mpeg2video", "mpeg4"}
# Seeking flushes the decoder: a key frame at most this many frames ahead is decoded up to.
MIN_SEEK = 8
# Pixels of a frame that is kept after it was read, for whom asks for it again: as its first is of
# a video that was opened. A large one is decoded again.
MAX_KEPT = 2**22


class FrameReader:
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
