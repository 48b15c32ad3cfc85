"""Index the frames of a stream from its packets, decoding only where packets are misleading."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import PurePath

import av
import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import VideoError
from zoopraxis.video._base import Deadline
from zoopraxis.video._input import Demuxer
from zoopraxis.video._remedies import KEEP_INTACT, command

__all__ = ["UNTIMED_FORMATS", "FrameIndex", "read_index"]

# Containers whose packets carry no PTS. FFmpeg guesses one, and with B-frames guesses wrong.
UNTIMED_FORMATS = {"avi", "h264", "hevc", "m4v", "mpegvideo", "ivf", "av1", "obu"}
# Containers that declare the duration in their header, and that FFmpeg reads without an error
# if the file ends earlier. (MP4 and AVI have a table of packet offsets to check instead.)
HEADER_DURATION_FORMATS = {"matroska,webm", "flv"}
# Containers with a table of packets beside which FFmpeg reads on, past what is damaged.
TABLE_FORMATS = {"avi"}
# Codecs whose decoders show frames that refer to nothing, of a stream that was cut between two key
# frames, and raise no error. (That of H.264 waits for a frame from which it can recover.)
BLIND_CODECS = {"hevc", "mpeg4"}
# Codecs of whose packets FFmpeg takes every one for a key frame, in AVI.
KEYLESS_CODECS = {"h261", "h263"}


@dataclass(frozen=True)
class FrameIndex:
    """The frames of a stream in presentation order.

    Parameters
    ----------
    pts : int64 ndarray of shape (N,)
        Presentation time of each frame, in units of the stream's time base.
    keys : int64 ndarray of shape (K,)
        Presentation times of the packets at which decoding can start, ascending.
    end : int
        Time at which the last frame ends.
    counted : bool
        True where decoded frames do not carry the times in ``pts``: a frame is then found by
        counting decoded frames from the start of the file.
    """

    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    end: int
    counted: bool

    def key_before(self, pts: int) -> int | None:
        """Last key frame at or before a presentation time; None if there is none.

        It is where decoding must start to get the frame at ``pts``. In an open GOP, a frame
        that follows a key frame in the file but is presented before it may reference the
        previous GOP. Looking keys up by presentation time starts early enough for it:

            file order  I0 P3 B1 B2 | I6 B4 B5 P9 B7 B8
            B5 is stored after I6, and references P3 and I6: key_before(5) == 0
        """
        i = bisect_right(self.keys, pts) - 1
        return int(self.keys[i]) if i >= 0 else None

    def rank(self, pts: int) -> int:
        """Index of the frame at a presentation time, or of the first after it."""
        return bisect_left(self.pts, pts)


@dataclass
class _PacketTable:
    """Columns of the demuxed packets, in file (decoding) order."""

    pts: list[int | None]
    durations: list[int]
    keys: list[bool]
    hidden: list[bool]  # outside the edit list: to be decoded but not presented


def read_index(demuxer: Demuxer, deadline: Deadline) -> FrameIndex:
    """Index the frames of a stream by reading the file once.

    Raises
    ------
    VideoError
        The file is truncated, damaged or holds no frames.
    """
    packets = _read_packets(demuxer, deadline)
    codec = demuxer.stream.codec.canonical_name
    # After a seek, FFmpeg counts the packets of AVI from the entries of its table.
    listed = len(demuxer.stream.index_entries)
    lacks = demuxer.container.format.name in TABLE_FORMATS and 0 < listed < len(packets.pts)
    demuxer.can_seek = not lacks
    demuxer.only_from_key = codec in BLIND_CODECS and any(packets.keys)
    if _only_times_mislead(demuxer, packets):
        return _index(packets, np.sort(np.array(packets.pts, dtype=np.int64)), counted=True)
    if _packets_mislead(demuxer, packets):
        return _index_by_decoding(demuxer, packets, deadline)
    # An MP4 trimmed without re-encoding keeps the packets back to the previous key frame:
    #   stored     I0 P1 P2 P3 P4 ...   edit list starts at 2: packets 0 and 1 are hidden
    #   presented        P2 P3 P4 ...   frame index 0 is P2
    shown = [p for p, hidden in zip(packets.pts, packets.hidden, strict=True) if not hidden]
    doubtful, first_key = _before_first_key(packets)
    if doubtful:
        lost = doubtful - set(_decoded_pts(demuxer, deadline, until=first_key))
        shown = [p for p in shown if p not in lost]
    # With B-frames packets are stored in decoding order, I0 P3 B1 B2; sorting by PTS gives the
    # presentation order, I0 B1 B2 P3.
    return _index(packets, np.sort(np.array(shown, dtype=np.int64)), counted=False)


def _index(packets: _PacketTable, pts: NDArray[np.int64], *, counted: bool) -> FrameIndex:
    keys = [p for p, key in zip(packets.pts, packets.keys, strict=True) if key and p is not None]
    step = int(np.median(np.diff(pts))) if len(pts) > 1 else 0
    last = int(pts[-1]) if len(pts) else 0
    durations = dict(zip(packets.pts, packets.durations, strict=True))
    end = last + (durations.get(last) or step)
    return FrameIndex(pts, np.sort(np.array(keys, dtype=np.int64)), end, counted)


def _read_packets(demuxer: Demuxer, deadline: Deadline) -> _PacketTable:
    container, stream = demuxer.container, demuxer.stream
    packets = _PacketTable([], [], [], [])
    ends: dict[int, int] = {}  # of each stream, in its unit of time
    units: dict[int, Fraction] = {}
    broken = False
    # The duration in a header is that of the longest stream, which may be the audio.
    read_all = container.format.name in HEADER_DURATION_FORMATS
    not_keys: set[int] = set()  # decoding times, according to the file's own table
    if container.format.name == "avi" and stream.codec.canonical_name in KEYLESS_CODECS:
        not_keys = {entry.timestamp for entry in stream.index_entries if not entry.is_keyframe}
    for packet in demuxer.all_packets() if read_all else demuxer.packets():
        deadline.check()
        if packet.size == 0:  # flushes the decoder
            continue
        if read_all:
            number = packet.stream_index
            if packet.pts is not None:
                if number not in units:
                    units[number] = packet.time_base or Fraction(0)
                ends[number] = max(ends.get(number, 0), packet.pts + (packet.duration or 0))
            if number != stream.index:
                continue
        broken = packet.is_corrupt
        packets.pts.append(packet.pts)
        packets.durations.append(packet.duration or 0)
        packets.keys.append(packet.is_keyframe and packet.dts not in not_keys)
        packets.hidden.append(packet.is_discard)
    last_second = max((float(end * units[i]) for i, end in ends.items()), default=0.0)
    _check_complete(demuxer, last_second, found=len(packets.pts))
    if broken:
        raise _truncated(demuxer.name, "its last packet is incomplete")
    evidence = demuxer.damage()
    if evidence:
        raise _truncated(demuxer.name, evidence)
    return packets


def _check_complete(demuxer: Demuxer, last_second: float, *, found: int) -> None:
    """Compare the size, packets and duration that the container declares with those found."""
    container, stream, name = demuxer.container, demuxer.stream, demuxer.name
    size = container.size
    declared_size = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
    if 0 < size < declared_size:
        raise _truncated(
            name, f"its packet table points to byte {declared_size}, but it ends at byte {size}"
        )
    if container.format.name in TABLE_FORMATS:
        # An entry without contents repeats the frame before it.
        listed = sum(entry.size > 0 for entry in stream.index_entries)
        if found < listed:
            raise _truncated(name, f"its packet table lists {listed} packets; {found} are there")
    if container.format.name in HEADER_DURATION_FORMATS and container.duration:
        declared = (container.duration + max(container.start_time or 0, 0)) / 1e6
        if declared - last_second > 0.5 + 0.02 * declared:
            raise _truncated(
                name,
                f"its header declares {declared:.2f} s, but its packets end at {last_second:.2f} s",
            )


def _truncated(name: str, evidence: str) -> VideoError:
    suffix = PurePath(name).suffix or ".mkv"
    return VideoError(
        f"{name}: the file is truncated or damaged: {evidence}",
        f"copy or download it again; to keep the intact part: "
        f"{command(KEEP_INTACT, out='REPAIRED' + suffix)}",
    )


def _only_times_mislead(demuxer: Demuxer, packets: _PacketTable) -> bool:
    """Whether packets have wrong times but each is one frame: H.264 or HEVC in AVI.

    AVI stores no PTS, so FFmpeg gives packets 1, 2, 3, 4, ... in file order. With B-frames the
    decoder then outputs frames labelled 1, 4, 3, 5, 2, ...: they are in presentation order, and
    the sorted times are correct, but the labels are not. Indexing by decoding would double the
    cost of reading NTU RGB+D.
    """
    return (
        demuxer.container.format.name == "avi"
        and demuxer.stream.codec.canonical_name in ("h264", "hevc")
        and bool(demuxer.stream.codec_context.has_b_frames)
        and None not in packets.pts
        and packets.keys[:1] == [True]
    )


def _packets_mislead(demuxer: Demuxer, packets: _PacketTable) -> bool:
    """Whether packets and frames may differ in number, or frames lack their packet's time."""
    codec = demuxer.stream.codec_context
    return (
        None in packets.pts
        or len(set(packets.pts)) < len(packets.pts)
        or not any(packets.keys)
        # Alternate reference frames: packets that are only referenced, never presented.
        or codec.name in ("vp8", "libvpx")
        or (
            bool(codec.has_b_frames)
            # Packed B-frames: DivX stores two frames in one packet.
            and (demuxer.container.format.name in UNTIMED_FORMATS or codec.name == "mpeg4")
        )
    )


def _index_by_decoding(demuxer: Demuxer, packets: _PacketTable, deadline: Deadline) -> FrameIndex:
    """Index the frames that the decoder outputs, and those that it should have."""
    lost: list[int | None] = []
    decoded = list(_decoded_pts(demuxer, deadline, lost=lost))
    times = [p for p in decoded if p is not None]
    if len(times) == len(decoded) and all(a < b for a, b in pairwise(times)):
        if lost:
            times = _with_lost(demuxer, packets, times, lost)
        return _index(packets, np.array(times, dtype=np.int64), counted=False)
    known = sorted({p for p in packets.pts if p is not None})
    if len(known) < len(decoded):  # the file does not say when: assume a constant rate
        step = 1 / ((demuxer.declared_rate or 25) * demuxer.time_base)
        known = [round(i * step) for i in range(len(decoded))]
    return _index(packets, np.array(known[: len(decoded)], dtype=np.int64), counted=True)


def _with_lost(
    demuxer: Demuxer, packets: _PacketTable, times: list[int], lost: list[int | None]
) -> list[int]:
    """Times of frames with those of damaged packets among them: to read these frames is an error.

    A decoder that holds a frame back for the sake of B-frames loses it, too, when it raises; every
    packet after the first frame is then one to be shown.
    """
    if demuxer.stream.codec_context.has_b_frames:
        lost = [p for p, h in zip(packets.pts, packets.hidden, strict=True) if not h]
    return sorted({*times, *(p for p in lost if p is not None and p > times[0])})


def _before_first_key(packets: _PacketTable) -> tuple[set[int | None], int]:
    """Find frames stored or presented before the first key frame, which may not be decodable.

    A stream cut inside an open GOP starts with frames whose references are gone:

        I6 B4 B5 P9 ...   B4 and B5 need P3, which was cut off: the result is ({4, 5}, 6)

    Others in that position may reference I6 alone, so only decoding can tell.

    Returns
    -------
    set of int or None, int
        Presentation times of these frames, and of the first key frame.
    """
    i = packets.keys.index(True)
    first = packets.pts[i]
    assert first is not None  # noqa: S101 - streams with a missing time are indexed by decoding
    early = set(packets.pts[:i]) | {p for p in packets.pts if p is not None and p < first}
    hidden = {p for p, h in zip(packets.pts, packets.hidden, strict=True) if h}
    return early - hidden, first


def _decoded_pts(
    demuxer: Demuxer,
    deadline: Deadline,
    *,
    until: int | None = None,
    lost: list[int | None] | None = None,
) -> Iterator[int | None]:
    """Yield the times of the frames that the decoder outputs, from the start of the file.

    Packets that cannot be decoded yield nothing; ``lost`` receives the times of those after the
    first frame, before which a stream that was cut refers to what is not there. Decoding stops at
    the first frame at or after the time ``until``.
    """
    demuxer.rewind()
    begun = False
    for packet in demuxer.packets():
        deadline.check()
        try:
            frames = demuxer.decode(packet)
        except av.error.FFmpegError:
            if begun and lost is not None:
                lost.append(packet.pts)
            continue
        for frame in frames:
            begun = True
            yield frame.pts
            if until is not None and frame.pts is not None and frame.pts >= until:
                return
