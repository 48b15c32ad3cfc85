"""The commands that messages recommend do what they promise."""

import subprocess

import numpy as np
import pytest

from videos import X264, ffmpeg, numbers_of, turn, with_matrix, write
from zoopraxis.errors import VideoError
from zoopraxis.video import _remedies, open_video
from zoopraxis.video._remedies import KEEP_INTACT, REENCODE, UPRIGHT, arguments, command

REMEDIES = {name: getattr(_remedies, name) for name in _remedies.__all__ if name.isupper()}
# Options that FFmpeg accepts for what it reads only, or that mean something else for writing.
READING = {"-fflags", "-display_rotation"}


@pytest.mark.parametrize("name", REMEDIES)
def test_options_stand_before_the_file_that_they_concern(name):
    words = arguments(REMEDIES[name], file="a b.mp4", out="c.mp4")
    assert words[-1] == "c.mp4"
    at = words.index("a b.mp4")
    assert words[at - 1] == "-i"
    assert READING & set(words[: at - 1]) == READING & set(words)
    assert not {"-map", "-c", "-c:v"} & set(words[:at])


def test_messages_print_them(tmp_path):
    path = cut(tmp_path, "flv")
    with pytest.raises(VideoError) as raised:
        open_video(path)
    assert raised.value.hint.endswith(command(KEEP_INTACT, out="REPAIRED.flv"))
    assert command(REENCODE) == "ffmpeg -i FILE -map 0:V:0 -c:v libx264 REPAIRED.mp4"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "flv"])
@pytest.mark.parametrize("remedy", [KEEP_INTACT, REENCODE], ids=["keep intact", "re-encode"])
def test_a_truncated_file_is_repaired(remedy, suffix, tmp_path):
    path = cut(tmp_path, suffix)
    with pytest.raises(VideoError, match="truncated or damaged"):
        open_video(path)
    out = run(remedy, path, tmp_path / f"repaired.{suffix}")
    with open_video(out) as video:
        numbers = numbers_of(video.frames_at(np.arange(video.num_frames)))
    # A B-frame whose second reference was cut off may be missing at the end.
    assert numbers[:40] == list(range(40))
    assert numbers == sorted(numbers)


def test_an_unreadable_display_matrix_is_dropped(tmp_path):
    plain = write(tmp_path / "a.mp4", options=X264, frames=3)
    path = with_matrix(plain, tmp_path / "turned.mp4", turn(45))
    with pytest.raises(VideoError, match="display matrix"):
        open_video(path)
    with open_video(run(UPRIGHT, path, tmp_path / "upright.mp4")) as video:
        assert (video.rotation, video.mirrored) == (0, False)
        assert numbers_of(video.frames_at([0, 1, 2])) == [0, 1, 2]


def cut(folder, suffix):
    """Write a file of 100 frames, and keep 60 %."""
    container = {"movflags": "+faststart"} if suffix == "mp4" else {}
    path = write(folder / f"cut.{suffix}", options=X264, frames=100, container=container)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return path


def run(remedy, path, out):
    words = arguments(remedy, file=str(path), out=str(out))
    subprocess.run(
        [ffmpeg(), "-v", "quiet", "-y", *words], stdin=subprocess.DEVNULL, check=True, timeout=60
    )
    return out
