"""Damaged videos and folders of images: an error of ours that names them, or frames."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import videos
from damage import CAMPAIGN, Counts, damaged
from zoopraxis.errors import VideoError
from zoopraxis.video import open_video

KINDS = [
    *("h264-b", "h264-ts", "h264-avi", "h264-raw", "h264-open-gop-mkv", "h264-rotated-90"),
    *("hevc", "vp8", "vp9", "av1", "mpeg4-b-avi", "mpeg1-b", "mpeg2-b-ts", "mjpeg", "gif"),
]
IMAGES = ["jpg", "png", "bmp", "ppm", "tif", "webp"]


def read(video, counts):
    """Open a video and decode three of its frames."""
    try:
        with open_video(video, timeout=30) as opened:
            frames = opened.frames_at([0, len(opened) // 2, len(opened) - 1])
            assert np.all(np.diff(opened.timestamps) > 0)
    except VideoError as error:
        counts.refusal(error, Path(video).name)
        return
    assert frames.dtype == torch.uint8
    assert frames.shape == (3, 3, opened.height, opened.width)
    counts.read += 1


def video_campaign(kind, folder, times, record_property):
    path = videos.make(folder, kind)
    counts = Counts()
    for contents in damaged(path.read_bytes(), times):
        path.write_bytes(contents)
        read(path, counts)
    record_property(CAMPAIGN, f"{kind} videos: {counts}")
    assert counts.read > 0
    assert counts.refused > 0


def image_campaign(suffix, folder, times, record_property):
    frames = folder / "frames"
    frames.mkdir()
    for number in range(3):
        Image.fromarray(videos.numbered_frame(number)).save(frames / f"{number}.{suffix}")
    data = (frames / f"1.{suffix}").read_bytes()
    counts = Counts()
    for contents in damaged(data, times):
        (frames / f"1.{suffix}").write_bytes(contents)
        read(frames, counts)
    record_property(CAMPAIGN, f"{suffix} folders: {counts}")
    assert counts.refused > 0


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_videos_are_read_or_refused_by_name(kind, tmp_path, record_property):
    video_campaign(kind, tmp_path, 36, record_property)


@pytest.mark.parametrize("suffix", IMAGES)
def test_damaged_images_are_read_or_refused_by_name(suffix, tmp_path, record_property):
    image_campaign(suffix, tmp_path, 60, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_videos_are_read_or_refused_by_name(kind, tmp_path, record_property):
    video_campaign(kind, tmp_path, 1200, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", IMAGES)
def test_many_damaged_images_are_read_or_refused_by_name(suffix, tmp_path, record_property):
    image_campaign(suffix, tmp_path, 1200, record_property)
