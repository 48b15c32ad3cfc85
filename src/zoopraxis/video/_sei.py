"""SEI messages of H.264 and HEVC: metadata, which must not make a picture undecodable.

The strict decoder refuses a packet whose SEI message is malformed, as cameras write it, although
every picture in it is intact. A NAL unit with such a message is therefore marked as filler, which
decoders skip. The slices stay as they are.
"""

from collections.abc import Iterator

__all__ = [
    "SEI_CODECS",
    "header_without_sei",
    "nal_length_size",
    "nal_units",
    "one_temporal_layer",
    "without_malformed_sei",
]

SEI_CODECS = ("h264", "hevc")
# Messages that no picture depends on: buffering period, registered user data (captions), active
# parameter sets, hash, mastering display, light level, ambient viewing. FFmpeg parses them, and may
# refuse their values.
UNUSED = {0, 4, 129, 132, 137, 144, 148}
USER_DATA, UUID_SIZE = 5, 16  # unregistered user data starts with a UUID
START_CODE = b"\0\0\1"
HEVC_SEI, HEVC_FILLER = (39, 40), 38  # before and after the slices


def nal_length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes of the length before each NAL unit; 0 where start codes separate them."""
    if not extradata or extradata[0] != 1:  # avcC and hvcC are version 1; Annex B starts with 0
        return 0
    at = 4 if codec == "h264" else 21
    return (extradata[at] & 3) + 1 if len(extradata) > at else 0


def one_temporal_layer(extradata: bytes | None) -> bool:
    """Whether HEVC's decoder configuration (hvcC) says that all pictures are of one layer."""
    if not extradata or extradata[0] != 1 or len(extradata) <= 21:
        return False
    return extradata[21] >> 3 & 7 == 1  # numTemporalLayers; 0 is unknown


def header_without_sei(extradata: bytes) -> bytes | None:
    """HEVC decoder configuration (hvcC) with its SEI units marked as filler; None without any.

    They say which encoder wrote the file; the decoder does not open if one is malformed.
    """
    if extradata[:1] != b"\1":
        return None
    out = bytearray(extradata)
    at = 23  # after 22 bytes of profile and level, and the number of arrays
    while at + 3 <= len(extradata):
        units, at = int.from_bytes(extradata[at + 1 : at + 3], "big"), at + 3
        for _ in range(units):
            start = at + 2
            at = start + int.from_bytes(extradata[at:start], "big")
            if start < len(extradata) and extradata[start] >> 1 & 0x3F in HEVC_SEI:
                out[start] = extradata[start] & 0x81 | HEVC_FILLER << 1
    return None if out == extradata else bytes(out)


def without_malformed_sei(data: bytes, codec: str, length_size: int) -> bytes | None:
    """Packet with malformed and unused SEI messages marked as filler; None if there are none."""
    out: bytearray | None = None
    for start, end in nal_units(data, length_size):
        header = data[start]
        if codec == "h264":
            body, is_sei, filler = start + 1, header & 0x1F == 6, 12
        else:
            body, is_sei, filler = (
                start + 2,
                header >> 1 & 0x3F in HEVC_SEI,
                header & 0x81 | HEVC_FILLER << 1,
            )
        if is_sei and not _is_needed(data[body:end], codec):
            out = bytearray(data) if out is None else out
            out[start] = filler
    return None if out is None else bytes(out)


def nal_units(data: bytes, length_size: int) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each NAL unit that is not empty."""
    if length_size:
        at = 0
        while at + length_size < len(data):
            start = at + length_size
            at = start + int.from_bytes(data[at:start], "big")
            if at > start:
                yield start, min(at, len(data))
        return
    found = data.find(START_CODE)
    while found >= 0:
        start = found + 3
        found = data.find(START_CODE, start)
        end = found if found >= 0 else len(data)
        if end > start:
            yield start, end


def _is_needed(escaped: bytes, codec: str) -> bool:
    """Whether the messages of an SEI unit are well-formed, and a decoder may use one of them."""
    data = escaped.replace(b"\0\0\3", b"\0\0").rstrip(b"\0").removesuffix(b"\x80")
    at, used = 0, False
    while at < len(data):
        if codec == "h264" and (len(data) - at <= 2 or data[at : at + 2] == b"\0\0"):
            break  # FFmpeg takes this for padding
        kind, at = _variable(data, at)
        size, at = _variable(data, at)
        at += size
        if at > len(data) or size == 0 or (kind == USER_DATA and size < UUID_SIZE):
            return False
        used = used or kind not in UNUSED
    return used


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """Read a number that is a sum of bytes, of which only the last is not 255."""
    value = 0
    while at < len(data):
        value += data[at]
        at += 1
        if data[at - 1] != 255:
            return value, at
    return value, len(data) + 1  # cut off
