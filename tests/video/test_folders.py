"""A folder of images is one video: of one series, in order, with none missing."""

import cv2
import numpy as np
import pytest

from videos import numbered_frame, numbers_of
from zoopraxis.errors import VideoError
from zoopraxis.video import open_video


def images(folder, *names):
    """Write images numbered 0, 1, 2 ... in the order given."""
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.ascontiguousarray(numbered_frame(number)[:, :, ::-1]))


def numbers(folder):
    with open_video(folder) as video:
        return numbers_of(video.frames_at(np.arange(video.num_frames)))


@pytest.mark.parametrize(
    "names",
    [
        ["img_00001.png", "img_00002.png", "img_00003.png"],
        ["frame8.png", "frame9.png", "frame10.png"],
        ["0.png", "1.png", "2.png"],
        ["0001_left.png", "0002_left.png"],
        ["video2_0009.png", "video2_0010.png"],
        ["img_00010.png", "img_00020.png", "img_00030.png"],  # every tenth frame was extracted
        ["0000000005.png", "0000000006.png"],
        ["9.5.png", "10.25.png", "10.5.png"],  # seconds
        ["1403636579763555584.png", "1403636579813555456.png", "1403636579813555457.png"],
        ["only.png"],
        ["flow_x_1.png", "flow_x_2.png"],  # asked for flow, one gets flow
    ],
    ids=lambda names: names[0],
)
def test_the_last_number_orders_the_frames(names, tmp_path):
    images(tmp_path, *names)
    assert numbers(tmp_path) == list(range(len(names)))


@pytest.mark.parametrize("prefix", ["img_", "image_", "frame", ""])
def test_flow_beside_the_frames_is_left_out(prefix, tmp_path):
    frames = [f"{prefix}{i:05d}.png" for i in (1, 2, 3)]
    images(tmp_path, *frames, *[f"flow_{a}_{i:05d}.png" for a in "xy" for i in (1, 2)])
    assert numbers(tmp_path) == [0, 1, 2]


def test_hidden_files_are_left_out(tmp_path):
    images(tmp_path, "1.png", "2.png")
    (tmp_path / "._1.png").write_bytes(b"attributes of macOS")
    (tmp_path / ".3.png").write_bytes(b"")
    assert numbers(tmp_path) == [0, 1]


@pytest.mark.parametrize(
    "names",
    [
        ["a_0001.png", "a_0002.png", "b_0001.png"],
        ["cam1_0001.png", "cam2_0001.png"],
        ["1_0001.png", "2_0001.png"],
        ["0001_left.png", "0001_right.png"],
        ["flow_x_1.png", "flow_y_1.png"],
        ["img_0001.png", "cover.png"],
        ["first.png", "second.png"],
    ],
    ids=lambda names: names[-1],
)
def test_two_videos_in_one_folder_are_refused_by_name(names, tmp_path):
    images(tmp_path, *names)
    with pytest.raises(VideoError, match=f"^{tmp_path}: .*are not one video") as raised:
        open_video(tmp_path)
    assert raised.match(names[0])
    assert raised.match(names[-1])


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["img_00001.png", "img_00002.png", "img_00004.png"], "img_00003.png"),
        (["8.png", "9.png", "11.png", "12.png", "14.png"], "10.png"),
        (["0000_a.png", "0010_a.png", "0030_a.png"], "0020_a.png"),
    ],
)
def test_a_missing_frame_is_named(names, missing, tmp_path):
    images(tmp_path, *names)
    with pytest.raises(VideoError, match=f"^{tmp_path}: {missing} is missing"):
        open_video(tmp_path)


@pytest.mark.parametrize("names", [["1.png", "1.jpg"], ["img_1.png", "img_01.png", "img_2.png"]])
def test_one_frame_given_twice_is_refused(names, tmp_path):
    images(tmp_path, *names)
    with pytest.raises(VideoError, match="are the same frame"):
        open_video(tmp_path)
