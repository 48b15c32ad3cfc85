"""Frames are turned and mirrored as the display matrix says, or the file is refused."""

import itertools
import subprocess
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from videos import HEIGHT, ONE, WIDTH, X264, ffmpeg, numbered_frame, turn, with_matrix, write
from zoopraxis.errors import VideoError
from zoopraxis.video import open_video

EIGHT = list(itertools.product((0, 90, 180, 270), (False, True)))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return write(tmp_path_factory.mktemp("plain") / "plain.mp4", options=X264, frames=3)


def upright(frames, rotation, mirrored):
    """Apply an orientation to frames (T, 3, H, W)."""
    frames = torch.rot90(frames, -rotation // 90, (2, 3))  # rot90 is counterclockwise
    return frames.flip(3) if mirrored else frames


@pytest.mark.parametrize("error", [-1, 0, 1])
@pytest.mark.parametrize(("rotation", "mirrored"), EIGHT)
def test_frames_are_turned_and_mirrored(rotation, mirrored, error, plain, tmp_path):
    with open_video(plain) as video:
        stored = video.frames_at([0, 1, 2])
    path = with_matrix(plain, tmp_path / "turned.mp4", turn(rotation, mirrored, error))
    with open_video(path) as video:
        assert (video.rotation, video.mirrored) == (rotation, mirrored)
        frames = video.frames_at([0, 1, 2])
        assert frames.shape[2:] == (video.height, video.width)
        assert torch.equal(frames, upright(stored, rotation, mirrored))


@pytest.mark.parametrize(("degrees", "rotation"), [(0.7, 0), (-0.7, 0), (89.4, 90), (180.6, 180)])
def test_a_tilt_below_a_degree_is_ignored(degrees, rotation, plain, tmp_path):
    with open_video(with_matrix(plain, tmp_path / "turned.mp4", turn(degrees))) as video:
        assert (video.rotation, video.mirrored) == (rotation, False)


@pytest.mark.parametrize(
    "linear",
    [turn(45), turn(2), turn(88, mirrored=True), [0, 0, 0, 0], [ONE, 0, ONE // 2, ONE]],
    ids=["45 degrees", "2 degrees", "88 degrees", "zeros", "shear"],
)
def test_other_matrices_are_refused_by_name(linear, plain, tmp_path):
    path = with_matrix(plain, tmp_path / "turned.mp4", linear)
    with pytest.raises(VideoError, match=f"^{path}: its display matrix .* is not a turn") as raised:
        open_video(path)
    assert raised.match("ffmpeg -display_rotation 0 -i FILE")


@pytest.mark.parametrize(("rotation", "mirrored"), EIGHT)
def test_ffmpeg_shows_the_same(rotation, mirrored, plain, tmp_path):
    path = with_matrix(plain, tmp_path / "turned.mp4", turn(rotation, mirrored))
    arguments = ["-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = subprocess.run([ffmpeg(), *arguments], capture_output=True, check=True).stdout
    with open_video(path) as video:
        frames = video.frames_at([0, 1, 2]).movedim(1, -1).numpy()  # (T, H, W, 3)
    difference = frames.astype(int) - np.frombuffer(shown, np.uint8).reshape(frames.shape)
    assert np.abs(difference).mean() < 2  # its scaler rounds otherwise; mirrored it would be 50


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("exif", range(1, 9))
def test_a_photograph_is_turned_as_its_exif_says(suffix, exif, tmp_path):
    # A single image is read by FFmpeg, a folder of images by OpenCV: they must agree.
    tags = Image.Exif()
    tags[0x112] = exif
    Image.fromarray(numbered_frame(5)).save(tmp_path / f"1.{suffix}", exif=tags)
    with open_video(tmp_path / f"1.{suffix}") as image, open_video(tmp_path) as folder:
        assert torch.equal(image.frames_at([0]), folder.frames_at([0]))
        assert image.mirrored == (exif in (2, 4, 5, 7))
        assert (image.width, image.height) == ((WIDTH, HEIGHT) if exif < 5 else (HEIGHT, WIDTH))


def test_pixel_shape_and_transfer_are_reported_and_not_applied(plain, tmp_path):
    # x264 writes what its parameters say into the stream.
    for transfer, ratio, expected in [
        ("smpte2084", "4/3", ("smpte2084", Fraction(4, 3))),
        ("arib-std-b67", "1/1", ("arib-std-b67", 1)),
        ("bt709", "2/3", ("bt709", Fraction(2, 3))),
    ]:
        parameters = f"{X264['x264-params']}:transfer={transfer}:sar={ratio}"
        path = write(tmp_path / "a.mp4", options={**X264, "x264-params": parameters}, frames=2)
        with open_video(path) as video:
            assert (video.width, video.height) == (WIDTH, HEIGHT)
            assert (video.transfer, video.sample_aspect_ratio) == expected
    with open_video(plain) as video:
        assert (video.transfer, video.sample_aspect_ratio) == ("unspecified", 1)


def test_pixels_of_a_turned_video_are_turned_too(tmp_path):
    options = {**X264, "x264-params": f"{X264['x264-params']}:sar=4/3"}
    path = write(tmp_path / "a.mov", options=options, frames=2, rotation=90)
    with open_video(path) as video:
        assert video.sample_aspect_ratio == Fraction(3, 4)
