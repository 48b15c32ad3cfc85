"""Re-encoding of many videos: resumed, kept or done again, and what is bad is named."""

from pathlib import Path

import pytest

from videos import X264, write
from zoopraxis.data.resize import gain, resize_videos
from zoopraxis.errors import DataError, VideoError
from zoopraxis.video import Encoding, open_video
from zoopraxis.video.extraction import Extracted, places


@pytest.fixture
def videos(tmp_path):
    for label in ("run", "walk"):
        (tmp_path / "in" / label).mkdir(parents=True)
        write(tmp_path / "in" / label / "0.avi", "mpeg4", frames=6)
    return [str(tmp_path / "in" / label / "0.avi") for label in ("run", "walk")]


def resized(videos, out, **settings):
    encoding = Encoding(**{"short": 24, "gop": 4, **settings})
    return resize_videos(videos, places(videos, out), encoding=encoding, workers=1)


def test_what_is_done_is_kept_and_what_has_changed_is_done_again(videos, tmp_path):
    out = tmp_path / "out"
    first = resized(videos, out)
    assert first == [
        Extracted(video=videos[0], file=str(out / "run" / "0.mp4"), count=6),
        Extracted(video=videos[1], file=str(out / "walk" / "0.mp4"), count=6),
    ]
    before = [(out / label / "0.mp4").stat().st_mtime_ns for label in ("run", "walk")]
    write(tmp_path / "in" / "walk" / "0.avi", "mpeg4", frames=9)

    again = resized(videos, out)

    after = [(out / label / "0.mp4").stat().st_mtime_ns for label in ("run", "walk")]
    assert [r.count for r in again] == [6, 9]
    assert after[0] == before[0]
    assert after[1] != before[1]
    with open_video(again[1].file) as video:
        assert (video.num_frames, video.height, video.width) == (9, 24, 32)
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == ["0.mp4", "0.mp4"]


def test_what_was_made_otherwise_is_not_overwritten(videos, tmp_path):
    resized(videos, tmp_path / "out")
    (tmp_path / "out" / "walk" / "0.mp4").write_bytes(b"somebody's")

    other, foreign = resized(videos, tmp_path / "out", gop=5)

    assert isinstance(other.error, DataError)
    assert "'gop': 4" in other.error.problem
    assert "is no video that was resized" in foreign.error.problem
    assert (tmp_path / "out" / "walk" / "0.mp4").read_bytes() == b"somebody's"


def test_a_folder_is_not_resized_into_itself(tmp_path):
    video = write(tmp_path / "a.mp4", frames=3)
    before = video.read_bytes()

    (found,) = resized([str(video)], tmp_path)

    assert "is no video that was resized" in found.error.problem
    assert video.read_bytes() == before


def test_bad_videos_are_named_and_stop_no_other(videos, tmp_path):
    (tmp_path / "in" / "run" / "0.avi").write_text("no video")
    missing = str(tmp_path / "in" / "walk" / "1.avi")

    bad, good, gone = resized([*videos, missing], tmp_path / "out")

    assert isinstance(bad.error, VideoError)
    assert videos[0] in bad.error.problem
    assert good.count == 6
    assert gone.error.problem == f"{missing}: cannot be read: No such file or directory"


def test_interlaced_video_is_said_and_remembered(tmp_path):
    options = {**X264, "flags": "+ildct+ilme", "x264-params": "tff=1"}
    video = str(write(tmp_path / "a.mp4", options=options, frames=3))

    notes = [resized([video], tmp_path / "out")[0].note for _ in range(2)]

    assert notes == ["interlaced, and was not deinterlaced"] * 2


def test_gain_is_measured_on_what_was_done(videos, tmp_path):
    results = [*resized(videos, tmp_path / "out"), Extracted(video="bad", error=VideoError("bad"))]

    found = gain(results)

    assert found.bytes_before == sum(Path(video).stat().st_size for video in videos)
    assert found.bytes_after == sum(p.stat().st_size for p in (tmp_path / "out").rglob("*.mp4"))
    assert found.seconds_before > 0
    assert found.seconds_after > 0
    assert gain(results[2:]) == (0, 0, 0, 0)
