"""Metadata is not picture data: malformed SEI messages cost no frame."""

import random

import av
import numpy as np
import pytest
import torch

from videos import X264, X265, numbers_of, write
from zoopraxis.errors import VideoError
from zoopraxis.video import open_video
from zoopraxis.video._sei import nal_length_size, without_malformed_sei

CODECS = {"h264": ("libx264", X264, b"\x06"), "hevc": ("libx265", X265, b"\x4e\x01")}
# name -> payload type, payload size, payload, stop bit
MALFORMED = {
    "cut off": b"\x05\x40" + b"\x11" * 8 + b"\x80",
    "no identifier": b"\x05\x04abcd\x80",
    "captions cut off": b"\x04\x0a\xb5\x00\x31GA94\x03\xff\xff\x80",
    "empty mastering display": b"\x89\x02ab\x80",
    "empty light level": b"\x90\x02ab\x80",
    "unknown parameter set": b"\x00\x03\x11\x11\x11\x80",
    "empty transfer": b"\x93\x00\x80\x80",
    "no end": b"\xff\xff\xff",
}
WELL_FORMED = b"\x05\x14" + b"x" * 20 + b"\x80"


@pytest.fixture(scope="module", params=CODECS)
def clip(request, tmp_path_factory):
    encoder, options, _ = CODECS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    path = write(folder / "clean.mp4", encoder, options=options, frames=20)
    with open_video(path) as video:
        return request.param, path, video.frames_at(np.arange(20))


def with_message(path, out, header, message):
    """Copy a video, with an SEI unit before every picture."""
    unit = header + message
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        prefix = b"\0\0\0\1" if out.suffix == ".ts" else len(unit).to_bytes(4, "big")
        for packet in source.demux(video=0):
            if packet.size:
                longer = av.Packet(prefix + unit + bytes(packet))
                longer.pts, longer.dts, longer.duration = packet.pts, packet.dts, packet.duration
                longer.time_base, longer.is_keyframe = packet.time_base, packet.is_keyframe
                longer.stream = stream
                target.mux(longer)
    return out


@pytest.mark.parametrize("message", MALFORMED)
def test_a_malformed_message_costs_no_frame(message, clip, tmp_path):
    codec, path, frames = clip
    out = with_message(path, tmp_path / "a.mp4", CODECS[codec][2], MALFORMED[message])
    with open_video(out) as video:
        assert video.num_frames == 20
        assert torch.equal(video.frames_at(np.arange(20)), frames)


def test_nor_between_start_codes(clip, tmp_path):
    codec, _, frames = clip
    encoder, options, header = CODECS[codec]
    path = write(tmp_path / "clean.ts", encoder, options=options, frames=20)
    out = with_message(path, tmp_path / "a.ts", header, MALFORMED["cut off"])
    with open_video(out) as video:
        assert torch.equal(video.frames_at(np.arange(20)), frames)


def test_a_damaged_picture_beside_it_still_raises(tmp_path):
    # H.264: FFmpeg's HEVC decoder notices no damage inside a slice, with SEI messages or without.
    path = write(tmp_path / "clean.mp4", options=X264, frames=20)
    out = with_message(path, tmp_path / "a.mp4", CODECS["h264"][2], MALFORMED["cut off"])
    with av.open(str(out)) as file:
        key = [p for p in file.demux(video=0) if p.size and p.is_keyframe][1]
        position, size = key.pos, key.size
    data = bytearray(out.read_bytes())
    body = position + size // 3
    data[body : body + size // 3] = random.Random(1).randbytes(size // 3)
    out.write_bytes(data)
    with open_video(out) as video:
        assert numbers_of(video.frames_at(np.arange(9))) == list(range(9))
        with pytest.raises(VideoError, match=r"frame 12.* is damaged"):
            video.frames_at([12])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("length_size", [0, 1, 4])
def test_only_malformed_units_become_filler(codec, length_size):
    header = CODECS[codec][2]
    picture = b"\x65picture" if codec == "h264" else b"\x26\x01picture"

    def packet(*units):
        return b"".join(
            (len(u).to_bytes(length_size, "big") if length_size else b"\0\0\1") + u for u in units
        )

    good, bad = header + WELL_FORMED, header + MALFORMED["cut off"]
    assert without_malformed_sei(packet(good, picture), codec, length_size) is None
    assert without_malformed_sei(packet(picture), codec, length_size) is None
    assert without_malformed_sei(b"", codec, length_size) is None
    filler = (b"\x0c" if codec == "h264" else b"\x4c\x01") + bad[len(header) :]
    assert without_malformed_sei(packet(good, bad, picture), codec, length_size) == packet(
        good, filler, picture
    )
    # An escaped zero (0 0 3) belongs to the unit, and does not count in its size.
    escaped = header + b"\x05\x14" + b"\0\0\3" + b"x" * 18 + b"\x80"
    assert without_malformed_sei(packet(escaped, picture), codec, length_size) is None


def test_the_length_of_a_unit_is_read_from_the_header():
    assert nal_length_size("h264", b"\x01\x64\x00\x0a\xff\xe1") == 4
    assert nal_length_size("h264", b"\x01\x64\x00\x0a\xfd\xe1") == 2
    assert nal_length_size("hevc", b"\x01" + b"\0" * 20 + b"\x0f\0") == 4
    assert nal_length_size("h264", b"\0\0\0\1\x67") == 0
    assert nal_length_size("h264", None) == 0


def test_a_malformed_message_in_the_header_of_a_file(tmp_path):
    path = write(tmp_path / "a.mp4", "libx265", options=X265, frames=20)
    with open_video(path) as video:
        frames = video.frames_at(np.arange(20))
    data = bytearray(path.read_bytes())
    start = data.index(b"\x4e\x01\x05", data.index(b"hvcC"))  # x265 writes its options there
    end = start + int.from_bytes(data[start - 2 : start], "big")
    data[start + 2 : end] = b"\xff" * (end - start - 2)
    with open_video(bytes(data)) as video:
        assert torch.equal(video.frames_at(np.arange(20)), frames)
