"""A path is a file, whatever FFmpeg would make of its name; an address has a known scheme."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from videos import make, numbered_frame, numbers_of
from zoopraxis.errors import VideoError
from zoopraxis.video import is_live, live_frames, open_video


@pytest.fixture
def clip(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make(tmp_path, "h264-one-frame")


@pytest.mark.parametrize("name", ["10:30:00.mp4", "http:evil.mp4", "data:a,b.mp4", "shot%03d.mp4"])
def test_a_name_that_looks_like_a_protocol_is_a_file(name, clip):
    clip.rename(name)
    for video in (name, Path(name)):
        with open_video(video) as opened:
            assert opened.name == name
            assert numbers_of(opened.frames_at([0])) == [0]
    assert len(list(live_frames(name))) == 1


@pytest.mark.parametrize(
    "name",
    [
        "concat:{0}|{0}",
        "subfile,,start,0,end,0,,:{0}",
        "async:{0}",
        "file:{0}",
        "cache:http://127.0.0.1/a.mp4",
        "data:video/mp4;base64,AAAA",
        "pipe:0",
        "lavfi:testsrc",
    ],
)
def test_protocols_of_ffmpeg_are_missing_files(name, clip):
    name = name.format(clip.name)
    with pytest.raises(VideoError, match="no such file or folder"):
        open_video(name)


def test_a_pattern_of_names_is_the_file_of_that_name(clip):
    for name, number in (("s%03d.png", 9), ("s001.png", 8), ("s002.png", 7)):
        cv2.imwrite(name, np.ascontiguousarray(numbered_frame(number)[:, :, ::-1]))
    with open_video("s%03d.png") as video:
        assert (video.num_frames, numbers_of(video.frames_at([0]))) == (1, [9])


def test_a_file_url_is_a_file(clip):
    spaced = clip.rename("a b.mp4").absolute()
    with open_video(spaced.as_uri()) as video:
        assert video.name == str(spaced)


def test_a_path_is_never_a_camera(clip):
    with open_video(clip.rename("camera:0")) as video:
        assert video.num_frames == 1


@pytest.mark.parametrize("address", ["s3://bucket/a.mp4", "gs://a.mp4", "concat://a.mp4"])
def test_other_schemes_are_refused_by_name(address):
    with pytest.raises(VideoError, match=rf"^{address}: unknown scheme .*://") as raised:
        open_video(address)
    assert raised.match("known are .*https")


@pytest.mark.parametrize(
    ("address", "live"),
    [
        ("camera:0", True),
        ("/dev/video0", True),
        ("RTSP://a/b", True),
        ("udp://@:1234", True),
        ("/dev/videos/a.mp4", False),
        ("http://a/b.mp4", False),
        ("rtsp:a.mp4", False),
        ("my camera:0.mp4", False),
    ],
)
def test_cameras_and_streams_are_live(address, live):
    assert is_live(address) is live


@pytest.mark.parametrize("video", [None, 3, 3.5, ["a.mp4"], bytearray(b"a"), b"", "", "a\0b"])
def test_what_is_no_video_is_refused(video):
    with pytest.raises(VideoError):
        open_video(video)
