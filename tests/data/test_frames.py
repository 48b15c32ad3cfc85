"""Folders of JPEG files with their times: what the reader of folders makes of them."""

import json

import numpy as np
import pytest

from videos import UNEVEN, make, numbers_of, write
from zoopraxis.data.frames import extract_frames
from zoopraxis.errors import DataError, VideoError
from zoopraxis.video import open_video


def extracted(path, out, **settings):
    (found,) = extract_frames([str(path)], [out], workers=1, **settings)
    return found


def test_every_frame_keeps_its_number_and_time(tmp_path):
    found = extracted(make(tmp_path, "h264-variable-rate"), tmp_path / "out")

    assert found.count == 40
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == [*(f"{n:05d}.jpg" for n in range(1, 41)), "frames.json"]
    with (
        open_video(found.file) as video,
        open_video(tmp_path / "h264-variable-rate.mp4") as source,
    ):
        assert numbers_of(video.frames_at(np.arange(40))) == list(range(40))
        np.testing.assert_allclose(video.timestamps, np.array(UNEVEN[:40]) / 1000, atol=1e-9)
        assert (video.fps, video.duration) == (source.fps, source.duration)


@pytest.mark.parametrize(
    ("fps", "expected"),
    [(25, range(40)), (5, range(0, 40, 5)), (10, [0, 2, 5, 7] * 4), (50, np.repeat(range(40), 2))],
)
def test_a_rate_takes_the_frame_that_is_shown_at_each_time(fps, expected, tmp_path):
    found = extracted(make(tmp_path, "h264-b"), tmp_path / "out", fps=fps)
    expected = np.array(expected)
    if fps == 10:
        expected = expected + np.repeat(10 * np.arange(4), 4)

    with open_video(found.file) as video:
        assert numbers_of(video.frames_at(np.arange(found.count))) == expected.tolist()
        np.testing.assert_allclose(video.timestamps, np.arange(found.count) / fps)
        assert video.fps == fps


def test_size_and_quality(tmp_path):
    source = make(tmp_path, "h264-rotated-90")
    small = extracted(source, tmp_path / "small", short=24)
    same = extracted(source, tmp_path / "same", short=256, quality=30)
    fine = extracted(source, tmp_path / "fine")

    sizes = []
    for found in (small, same, fine):
        with open_video(found.file) as video:
            sizes.append((video.height, video.width))
    assert sizes == [(24, 32), (48, 64), (48, 64)]
    bytes_of = [(tmp_path / name / "00001.jpg").stat().st_size for name in ("same", "fine")]
    assert bytes_of[0] < bytes_of[1]


def test_what_is_done_is_kept_and_what_has_changed_is_done_again(tmp_path):
    source, out = write(tmp_path / "a.mp4", frames=5), tmp_path / "out"
    extracted(source, out)
    stamp = (out / "00001.jpg").stat().st_mtime_ns
    assert extracted(source, out).count == 5
    assert (out / "00001.jpg").stat().st_mtime_ns == stamp

    write(source, frames=3)

    assert extracted(source, out).count == 3
    assert len(list(out.glob("*.jpg"))) == 3
    assert {p.name for p in tmp_path.iterdir()} == {"a.mp4", "out"}
    assert "'quality': 95" in extracted(source, out, quality=90).error.problem
    (out / "frames.json").unlink()
    assert "no frames that were extracted" in extracted(source, out).error.problem


def test_a_damaged_video_leaves_nothing(tmp_path):
    source = make(tmp_path, "h264-b")
    data = bytearray(source.read_bytes())
    data[4000:5000] = bytes(1000)
    source.write_bytes(data)

    found = extracted(source, tmp_path / "out")

    assert isinstance(found.error, VideoError)
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_times_that_do_not_fit_the_frames_are_refused(tmp_path):
    out = tmp_path / "out"
    extracted(write(tmp_path / "a.mp4", frames=5), out)
    told = json.loads((out / "frames.json").read_text())

    for wrong in (
        {**told, "timestamps": told["timestamps"][:4]},
        {**told, "timestamps": told["timestamps"][::-1]},
        {**told, "fps": 0},
        {"fps": 25},
        [],
    ):
        (out / "frames.json").write_text(json.dumps(wrong))
        with pytest.raises(VideoError, match=r"frames\.json"):
            open_video(out)


@pytest.mark.parametrize("wrong", [{"fps": 0}, {"short": -1}, {"quality": 101}])
def test_settings_out_of_range_are_refused(wrong, tmp_path):
    with pytest.raises(DataError, match=next(iter(wrong))):
        extracted("a.mp4", tmp_path / "out", **wrong)
