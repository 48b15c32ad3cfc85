"""Files of trajectories: what is read is what was extracted, a stopped run resumes."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from videos import write_frames
from zoopraxis.errors import DataError, VideoError
from zoopraxis.trajectories.extract import extract_trajectories
from zoopraxis.trajectories.settings import TrajectorySettings
from zoopraxis.trajectories.store import (
    Summary,
    extract_files,
    read_trajectories,
    save_trajectories,
    summarise,
)
from zoopraxis.video import open_video

DENSE = TrajectorySettings(camera="none", scales=1)


def test_a_file_holds_what_is_extracted(theatre, tmp_path):
    video = theatre / "push" / "0.mp4"
    expected = torch.from_numpy(extract_trajectories(video, settings=DENSE))

    (done,) = extract_files([str(video)], [tmp_path / "a" / "0"], settings=DENSE)

    stored = read_trajectories(done.file)
    assert done.count == len(expected) > 50
    assert summarise(done.file) == Summary(
        count=done.count, num_frames=33, size=video.stat().st_size, settings=DENSE
    )
    assert stored.settings == DENSE
    assert torch.equal(stored.values[:, :10], expected[:, :10])
    assert torch.equal(stored.values[:, 10:], expected[:, 10:].half().float())
    with open_video(video) as opened:
        assert np.array_equal(stored.times, opened.timestamps)


def test_a_finished_video_is_kept_and_a_missing_one_is_extracted(theatre, tmp_path):
    videos = [str(theatre / "wave" / f"{n}.mp4") for n in range(2)]
    places = [tmp_path / f"{n}" for n in range(2)]
    counts = []
    before = extract_files(videos, places, settings=DENSE, workers=1)
    (tmp_path / "0.safetensors").unlink()
    kept = (tmp_path / "1.safetensors").stat().st_mtime_ns

    after = extract_files(
        videos, places, settings=DENSE, workers=1, progress=lambda *done: counts.append(done)
    )

    assert after == before
    assert (tmp_path / "1.safetensors").stat().st_mtime_ns == kept
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.safetensors", "1.safetensors"]
    assert counts == [(1, 2), (2, 2)]


def test_trajectories_of_other_settings_or_another_video_are_not_taken_for_them(theatre, tmp_path):
    video, other = (str(theatre / "wave" / f"{n}.mp4") for n in range(2))  # 33 frames both
    extract_files([video], [tmp_path / "0"], settings=DENSE, workers=1)

    (settings,) = extract_files([video], [tmp_path / "0"], settings=TrajectorySettings())
    (another,) = extract_files([other], [tmp_path / "0"], settings=DENSE)

    assert "camera='none'" in settings.error.problem
    assert "of another video" in another.error.problem
    assert "remove it" in another.error.hint


def test_a_video_without_motion_and_one_that_cannot_be_read(tmp_path):
    write_frames(tmp_path / "still.mp4", np.full((20, 48, 64, 3), 90, np.uint8))
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    videos = [str(tmp_path / "bad.mp4"), str(tmp_path / "still.mp4")]

    bad, still = extract_files(videos, [tmp_path / "a", tmp_path / "b"], settings=DENSE, workers=1)

    assert isinstance(bad.error, VideoError)
    assert (still.error, still.count) == (None, 0)
    assert read_trajectories(still.file).values.shape == (0, 436)


def test_a_segment_has_the_trajectories_that_lie_in_it(tmp_path):
    values = np.zeros((4, 436), np.float32)
    values[:, 0] = [15, 16, 20, 39]  # from frame 0, 1, 5, 24
    save_trajectories(tmp_path / "a.safetensors", values, times=np.arange(40) / 10, settings=DENSE)
    stored = read_trajectories(tmp_path / "a.safetensors")

    def frames(start, end):
        return stored.within(start, end)[:, 0].tolist()

    assert frames(None, None) == [15, 16, 20, 39]
    assert frames(None, 1.6) == [15]
    assert frames(0.1, 2.05) == [16, 20]
    assert frames(2.5, None) == []
    assert frames(2.4, None) == [39]


@pytest.mark.parametrize("read", [read_trajectories, summarise])
def test_what_holds_no_trajectories(read, tmp_path):
    file = tmp_path / "a.safetensors"
    with pytest.raises(DataError, match="no file"):
        read(file)
    file.write_bytes(b"nothing")
    with pytest.raises(DataError, match="holds no trajectories that were extracted here"):
        read(file)
    save_file({"descriptors": torch.zeros(3, 4)}, file)
    with pytest.raises(DataError, match="holds no trajectories that were extracted here"):
        read(file)


def test_a_truncated_file(tmp_path):
    file = tmp_path / "a.safetensors"
    save_trajectories(file, np.zeros((9, 436), np.float32), times=np.zeros(20), settings=DENSE)
    file.write_bytes(file.read_bytes()[:-7])

    for read in (read_trajectories, summarise):
        with pytest.raises(DataError, match=r"a.safetensors holds no trajectories"):
            read(file)
