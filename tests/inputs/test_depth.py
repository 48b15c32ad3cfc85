"""Depth: read from every form it comes in, and what of it is shown."""

import cv2
import numpy as np
import pytest
import scipy.io
import torch

from videos import write
from zoopraxis.errors import RecipeError, VideoError
from zoopraxis.inputs import Depth, Media


@pytest.fixture
def depth():
    """Seven images of 20 x 30: nothing, but a person 2 m away that walks one pixel each."""
    images = np.zeros((7, 20, 30), np.uint16)
    for number, image in enumerate(images):
        image[4:14, 8 + number : 12 + number] = 2000
        image[6, 8 + number] = 1500  # a hand
    return images


def opened(path, **settings):
    return Depth(resize=20, size=20, **settings).open(Media(path=path))


def store(depth, path):
    if path.suffix == ".npy":
        np.save(path, depth)
    elif path.suffix == ".npz":
        np.savez(path, depth=depth)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"depth": depth.transpose(1, 2, 0)})
    else:
        path.mkdir()
        for number, image in enumerate(depth, start=1):
            cv2.imwrite(str(path / f"MDepth-{number:08d}.png"), image)
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.mat", "a"])
def test_forms_of_depth(name, depth, tmp_path):
    with opened(store(depth, tmp_path / name)) as track:
        assert (track.num_frames, track.height, track.width) == (7, 20, 30)
        assert (track.fps, track.duration) == (15.0, 7 / 15)
        assert np.array_equal(track.depth_at(np.array([6, 0])), depth[[6, 0]])


def test_a_video_is_depth_in_its_first_channel(tmp_path):
    with opened(write(tmp_path / "a.avi", "mpeg4", frames=5), near=0.0, far=255.0) as track:
        first = track.source.frames_at([3])[:, 0]
        assert np.array_equal(track.depth_at(np.array([3])), first)


def test_near_is_one_and_what_is_far_or_unmeasured_nothing(depth):
    depth[:, 0, 0], depth[:, 0, 1] = 100, 9000
    kind = Depth(resize=20, size=20, near=1000.0, far=3000.0)
    track = kind.open(Media(path=depth_file(depth)))

    shown = track.images_at(np.array([[0]]), resize=(20, 30))[0, 0, 0]

    assert shown[6, 8] == 0.75  # 1500
    assert shown[5, 9] == 0.5  # 2000
    assert shown[0, :3].tolist() == [1, 0, 0]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def depth_file(depth):
    np.save("depth.npy", depth)
    return "depth.npy"


def test_the_square_around_what_is_measured(depth):
    track = opened(depth_file(depth), around="foreground")

    assert (track.height, track.width) == (10, 10)  # columns 8 to 17, rows 4 to 13
    assert np.array_equal(track.depth_at(np.array([0, 6])), depth[[0, 6], 4:14, 8:18])
    tall = depth[:, :, :14].copy()  # columns 8 to 13: as wide on both sides
    track = opened(depth_file(tall), around="foreground")
    (first,) = track.depth_at(np.array([0]))
    assert np.flatnonzero(first.any(axis=0)).tolist() == [2, 3, 4, 5]


def test_depth_from_the_middle_of_the_foreground_is_the_same_wherever_one_stands(depth):
    kind = Depth(resize=20, size=20, near=-600.0, far=600.0, origin="foreground")
    farther = np.where(depth > 0, depth + 1000, 0).astype(np.uint16)

    shown = [
        kind.open(Media(path=depth_file(d))).images_at(np.array([[2]]), resize=(20, 30))
        for d in (depth, farther)
    ]

    assert shown[0].max() == pytest.approx(1100 / 1200)
    assert torch.equal(*shown)


def test_at_the_pace_of_motion_a_pause_takes_no_time(depth):
    paused = np.concatenate([depth[:4], *[depth[3:4]] * 20, depth[4:]])

    track = opened(depth_file(paused), pace="motion")

    assert track.num_frames == len(paused)
    still = [np.array_equal(image, depth[3]) for image in track.depth_at(np.arange(27))]
    assert sum(still) < 8
    with pytest.raises(VideoError, match="paced by motion"):
        Depth(pace="motion").open(Media(path="depth.npy", start=0.0, end=0.2))


@pytest.mark.parametrize("settings", [{"around": "foreground"}, {"pace": "motion"}])
def test_nothing_measured_is_black(settings):
    track = opened(depth_file(np.zeros((3, 8, 9), np.uint16)), **settings)

    assert not track.images_at(np.array([[0, 1, 2]]), resize=(8, 9)).any()


@pytest.mark.parametrize(
    "values", [np.zeros((2, 3)), np.zeros((0, 3, 3)), np.array(["a"]), np.zeros((2, 2, 3, 3))]
)
def test_what_is_no_depth_is_refused(values):
    with pytest.raises(VideoError, match=r"depth\.npy: depth of shape"):
        opened(depth_file(values))


def test_broken_files_are_named(tmp_path, depth):
    for name in ("a.mat", "a.npy", "a.npz"):
        (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(VideoError, match=rf"{name}: holds no depth"):
            opened(tmp_path / name)
    folder = store(depth, tmp_path / "images")
    (folder / "MDepth-00000003.png").write_bytes(b"nothing")
    track = opened(folder)
    with pytest.raises(VideoError, match=r"MDepth-00000003\.png: not a complete image"):
        track.depth_at(np.array([1, 2]))
    cv2.imwrite(str(folder / "MDepth-00000003.png"), depth[0, :9])
    with pytest.raises(VideoError, match="another size"):
        track.depth_at(np.array([1, 2]))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"near": 5.0, "far": 5.0}, "no range of depth"),
        ({"around": "person"}, "around must be frame or foreground"),
    ],
)
def test_what_is_no_setting_is_refused(settings, match):
    with pytest.raises(RecipeError, match=match):
        Depth(**settings)
