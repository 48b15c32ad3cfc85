"""Which frames a stream holds: read from its packets, decoding only where they mislead."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import av
import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Clock
from zoopraxis.video._input import Input, decode

__all__ = ["UNTIMED_FORMATS", "FrameIndex", "read_index"]

# Containers whose packets carry no presentation time; with B-frames FFmpeg guesses one, wrongly.
UNTIMED_FORMATS = {"avi", "h264", "hevc", "m4v", "mpegvideo", "ivf", "av1", "obu"}
# Containers that write the duration into their header and go on without a word if the file
# ends early. (The sample table of MP4 and AVI says where every packet lies instead.)
HEADER_DURATION_FORMATS = {"matroska,webm", "flv"}


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a stream in presentation order.

    Parameters
    ----------
    pts : int64 ndarray of shape (N,)
        Presentation time of each frame, in units of the stream's time base.
    keys : int64 ndarray of shape (K,)
        Presentation times of the packets at which decoding can begin.
    end : int
        When the last frame ends.
    counted : bool
        True where decoded frames do not carry the times of `pts`: their number is found by
        counting them from the start of the file.
    """

    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    end: int
    counted: bool

    def key_before(self, pts: int) -> int | None:
        """Last key at or before a presentation time: nothing after it needs what came before.

        Pictures that follow a key in the file but are shown before it (open GOP) need the
        key before that one, and get it, because they are looked up by when they are shown.
        """
        at = int(np.searchsorted(self.keys, pts, side="right")) - 1
        return int(self.keys[at]) if at >= 0 else None


@dataclass
class _Packets:
    """Columns of the demuxed packets, in file order."""

    pts: list[int | None]
    durations: list[int]
    keys: list[bool]
    hidden: list[bool]  # an edit list says: decode, do not show


def read_index(source: Input, clock: Clock) -> FrameIndex:
    """Index the frames of a stream by reading the file once.

    Raises
    ------
    VideoError
        The file is cut short, damaged or holds no frames.
    """
    packets = _read_packets(source, clock)
    if _countable(source, packets):
        return _index(packets, np.sort(np.array(packets.pts, dtype=np.int64)), counted=True)
    if _misleading(source, packets):
        return _index_by_decoding(source, packets, clock)
    shown = [p for p, hidden in zip(packets.pts, packets.hidden, strict=True) if not hidden]
    doubtful, first_key = _before_first_key(packets)
    if doubtful:
        lost = doubtful - set(_decoded_pts(source, clock, until=first_key))
        shown = [p for p in shown if p not in lost]
    return _index(packets, np.sort(np.array(shown, dtype=np.int64)), counted=False)


def _index(packets: _Packets, pts: NDArray[np.int64], *, counted: bool) -> FrameIndex:
    keys = [p for p, key in zip(packets.pts, packets.keys, strict=True) if key and p is not None]
    step = int(np.median(np.diff(pts))) if len(pts) > 1 else 0
    last = int(pts[-1]) if len(pts) else 0
    lengths = dict(zip(packets.pts, packets.durations, strict=True))
    end = last + (lengths.get(last) or step)
    return FrameIndex(pts, np.sort(np.array(keys, dtype=np.int64)), end, counted)


def _read_packets(source: Input, clock: Clock) -> _Packets:
    container, stream = source.container, source.stream
    packets = _Packets([], [], [], [])
    last_second, broken = 0.0, False
    watch_all = container.format.name in HEADER_DURATION_FORMATS
    for packet in source.packets_of_all() if watch_all else source.packets():
        clock.check()
        if packet.size == 0:  # the flush at the end
            continue
        if packet.pts is not None and packet.time_base:
            ends = (packet.pts + (packet.duration or 0)) * packet.time_base
            last_second = max(last_second, float(ends))
        if packet.stream_index != stream.index:
            continue
        broken = packet.is_corrupt
        packets.pts.append(packet.pts)
        packets.durations.append(packet.duration or 0)
        packets.keys.append(packet.is_keyframe)
        packets.hidden.append(packet.is_discard)
    _check_whole(source, last_second)
    if broken:
        raise _cut_short(source.name, "its last packet is incomplete")
    return packets


def _check_whole(source: Input, last_second: float) -> None:
    """Compare what the header promises with what was there."""
    container, stream, name = source.container, source.stream, source.name
    size = container.size
    ends = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
    if 0 < size < ends:
        raise _cut_short(name, f"its table points to byte {ends}, it ends at {size}")
    if container.format.name in HEADER_DURATION_FORMATS and container.duration:
        promised = (container.duration + max(container.start_time or 0, 0)) / 1e6
        if promised - last_second > 0.5 + 0.02 * promised:
            raise _cut_short(
                name, f"its header promises {promised:.2f} s, it ends at {last_second:.2f} s"
            )


def _cut_short(name: str, found: str) -> VideoError:
    return VideoError(
        f"{name}: the file is truncated or damaged: {found}",
        "copy or download it again; to keep what is whole: "
        "ffmpeg -i FILE -fflags +discardcorrupt -c copy REPAIRED.mkv",
    )


def _countable(source: Input, packets: _Packets) -> bool:
    """Whether only the times mislead: H.264 in AVI, where each packet is one frame.

    To count those by decoding would double the cost of reading NTU RGB+D.
    """
    return (
        source.container.format.name == "avi"
        and source.stream.codec.canonical_name in ("h264", "hevc")
        and bool(source.stream.codec_context.has_b_frames)
        and None not in packets.pts
        and packets.keys[:1] == [True]
    )


def _misleading(source: Input, packets: _Packets) -> bool:
    """Whether packets and frames may differ in number, or frames not carry their times."""
    codec = source.stream.codec_context
    return (
        None in packets.pts
        or len(set(packets.pts)) < len(packets.pts)
        or not any(packets.keys)
        or codec.name in ("vp8", "libvpx")  # packets that only later frames refer to
        or (
            bool(codec.has_b_frames)
            # DivX packs two frames into one packet
            and (source.container.format.name in UNTIMED_FORMATS or codec.name == "mpeg4")
        )
    )


def _index_by_decoding(source: Input, packets: _Packets, clock: Clock) -> FrameIndex:
    """Index whatever the decoder puts out."""
    out = list(_decoded_pts(source, clock))
    times = [p for p in out if p is not None]
    if len(times) == len(out) and all(a < b for a, b in pairwise(times)):
        return _index(packets, np.array(times, dtype=np.int64), counted=False)
    known = sorted({p for p in packets.pts if p is not None})
    if len(known) < len(out):  # nothing in the file says when: evenly, then
        step = 1 / ((source.declared_rate or 25) * source.time_base)
        known = [round(i * step) for i in range(len(out))]
    return _index(packets, np.array(known[: len(out)], dtype=np.int64), counted=True)


def _before_first_key(packets: _Packets) -> tuple[set[int | None], int]:
    """Frames that a decoder may drop because the stream was cut before them, and the first key."""
    at = packets.keys.index(True)
    first = packets.pts[at]
    assert first is not None  # noqa: S101 - streams with a missing time are indexed by decoding
    early = set(packets.pts[:at]) | {p for p in packets.pts if p is not None and p < first}
    hidden = {p for p, h in zip(packets.pts, packets.hidden, strict=True) if h}
    return early - hidden, first


def _decoded_pts(source: Input, clock: Clock, *, until: int | None = None) -> Iterator[int | None]:
    """Times of the frames that come out, from the start of the file.

    What cannot be decoded is no frame here. Reading stops after the time ``until``.
    """
    source.rewind()
    for packet in source.packets():
        clock.check()
        try:
            frames = decode(packet)
        except av.error.FFmpegError:
            continue
        for frame in frames:
            yield frame.pts
            if until is not None and frame.pts is not None and frame.pts >= until:
                return
