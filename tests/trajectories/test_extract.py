"""Trajectories of motion that is known; of none; and of videos that are hardly any."""

import numpy as np
import pytest

from moving import as_video, drifting, texture
from videos import write
from zoopraxis.errors import DataError, VideoError
from zoopraxis.theatre.film import film
from zoopraxis.trajectories.extract import (
    COLUMNS,
    PARTS,
    TrajectorySettings,
    extract_trajectories,
)
from zoopraxis.video import open_video

DENSE = TrajectorySettings(camera="none")
IMPROVED = TrajectorySettings()
COLUMN = {name: number for number, name in enumerate(COLUMNS)}


def of(rows, name):
    return rows[:, COLUMN[name]]


def with_square(background, *, step, side, frames, start):
    """Put a square of texture that moves by whole pixels over frames (T, H, W)."""
    result = background.copy()
    square = texture(side, side, seed=7)
    for t in range(frames):
        x, y = start[0] + step[0] * t, start[1] + step[1] * t
        result[t, y : y + side, x : x + side] = square
    return result


def test_tracks_follow_texture_that_drifts():
    rows = extract_trajectories(as_video(drifting(96, 128, step=(3, 1), frames=20)), settings=DENSE)

    inner = rows[
        (of(rows, "scale") == 1)
        & (abs(of(rows, "mean_x") - 64) < 30)
        & (abs(of(rows, "mean_y") - 48) < 20)
    ]
    assert len(inner) > 50
    assert set(of(rows, "frame")) == {15, 16, 17, 18, 19}
    steps = inner[:, PARTS["trajectory"]].reshape(-1, 15, 2)
    # Each of 15 steps is a fifteenth of the way.
    np.testing.assert_allclose(
        steps, np.broadcast_to([3, 1] / np.sqrt(10) / 15, steps.shape), atol=2e-3
    )
    np.testing.assert_allclose(of(inner, "length"), 15 * np.sqrt(10), rtol=0.01)
    # 16 points that are 3 and 1 pixels apart
    np.testing.assert_allclose(of(inner, "std_x"), 3 * np.arange(16).std(), rtol=0.02)
    np.testing.assert_allclose(of(inner, "std_y"), np.arange(16).std(), rtol=0.02)
    np.testing.assert_allclose(of(inner, "x_position"), of(inner, "mean_x") / 128, rtol=1e-5)
    np.testing.assert_allclose(of(inner, "y_position"), of(inner, "mean_y") / 96, rtol=1e-5)
    np.testing.assert_allclose(of(inner, "t_position"), (of(inner, "frame") - 7.5) / 20, rtol=1e-5)
    # 18 degrees are 0.41 of the way from bin 0 to bin 1, and nothing hardly moves.
    hof = inner[:, PARTS["hof"]].reshape(-1, 12, 9) ** 2
    share = hof[..., 1] / (hof[..., 0] + hof[..., 1])
    assert np.median(share) == pytest.approx(np.degrees(np.arctan2(1, 3)) / 45, abs=0.02)
    assert hof[..., 2:].max() < 0.1 * hof[..., :2].min()


def test_every_square_of_the_grid_with_structure_starts_a_track():
    frames = with_square(
        np.full((16, 96, 128), 90, np.uint8), step=(2, 0), side=40, frames=16, start=(30, 30)
    )

    rows = extract_trajectories(as_video(frames), settings=DENSE)

    finest = rows[of(rows, "scale") == 1]
    start_x = of(finest, "mean_x") - 15  # half of 15 steps of 2 pixels
    start_y = of(finest, "mean_y")
    inside = [(x, y) for x in range(32, 70, 5) for y in range(32, 70, 5)]
    near = [np.hypot(start_x - x, start_y - y).min() < 0.5 for x, y in inside]
    assert np.mean(near) > 0.9
    assert np.all((start_x > 25) & (start_x < 75) & (start_y > 25) & (start_y < 75))


def test_a_camera_that_pans_over_a_still_scene_leaves_nothing():
    frames = drifting(120, 160, step=(-4, 1), frames=20)

    dense = extract_trajectories(as_video(frames), settings=DENSE)
    improved = extract_trajectories(as_video(frames), settings=IMPROVED)

    assert len(dense) > 500
    assert len(improved) == 0


def test_what_moves_before_a_panning_camera_is_left():
    frames = with_square(
        drifting(120, 160, step=(-2, 0), frames=18), step=(3, 0), side=40, frames=18, start=(30, 40)
    )

    def on_square(rows, distance):
        x = 50 + 3 * (of(rows, "frame") - 7.5)
        return (abs(of(rows, "mean_x") - x) < distance) & (abs(of(rows, "mean_y") - 60) < distance)

    dense = extract_trajectories(as_video(frames), settings=DENSE)
    improved = extract_trajectories(as_video(frames), settings=IMPROVED)

    assert len(improved) > 100
    assert on_square(dense, 26).mean() < 0.25
    assert on_square(improved, 26).mean() > 0.5
    # The path is that in the video; the displacements are those over the scene, 5 pixels a frame.
    core = improved[on_square(improved, 10) & (of(improved, "scale") == 1)]
    assert len(core) > 5
    np.testing.assert_allclose(of(core, "length"), 45, rtol=0.02)
    motion = core[:, PARTS["trajectory"]].reshape(-1, 15, 2)
    np.testing.assert_allclose(motion, np.broadcast_to([1 / 15, 0], motion.shape), atol=2e-3)


def test_people_who_fill_the_frame_are_not_the_camera():
    frames, side = 18, 104
    video = with_square(
        np.repeat(texture(120, 144)[None], frames, axis=0), step=(2, 0), side=side, frames=frames,
        start=(5, 8),
    )  # fmt: skip
    boxes = [[(5 + 2 * t, 8, 109 + 2 * t, 112)] for t in range(frames)]

    blind = extract_trajectories(as_video(video), settings=IMPROVED)
    told = extract_trajectories(
        as_video(video), settings=TrajectorySettings(people="file"), people=boxes
    )

    def num_on_square(rows):
        x = 57 + 2 * (of(rows, "frame") - 7.5)
        return np.sum((abs(of(rows, "mean_x") - x) < 40) & (abs(of(rows, "mean_y") - 60) < 40))

    assert num_on_square(blind) < 20  # the camera seems to follow the square
    assert num_on_square(told) > 400


def test_boxes_may_be_a_file_or_a_mapping(tmp_path):
    frames = with_square(
        drifting(96, 128, step=(1, 0), frames=16), step=(3, 0), side=32, frames=16, start=(20, 30)
    )
    boxes = {t: [(20 + 3 * t, 30, 52 + 3 * t, 62)] for t in range(16)}
    lines = [f"{t} {' '.join(map(str, b[0]))} 0.9" for t, b in boxes.items()]
    (tmp_path / "boxes.txt").write_text("\n".join(lines) + "\n")
    settings = TrajectorySettings(people="file")

    mapped = extract_trajectories(as_video(frames), settings=settings, people=boxes)
    read = extract_trajectories(as_video(frames), settings=settings, people=tmp_path / "boxes.txt")

    assert len(mapped) > 0
    np.testing.assert_array_equal(mapped, read)


@pytest.mark.parametrize(
    ("settings", "people", "problem"),
    [
        (TrajectorySettings(people="file"), None, "boxes are missing"),
        (IMPROVED, [[]], "boxes are given"),
        (TrajectorySettings(people="file"), [[]] * 3, "4 frames, and there are boxes of 3"),
        (TrajectorySettings(people="file"), {1: [(1, 2, 3, 4, 0.9)]}, "boxes of frame 1 are"),
        (TrajectorySettings(people="file"), {2: [(1, 2, np.nan, 4)]}, "boxes of frame 2 are"),
    ],
)
def test_boxes_that_do_not_fit_are_refused(settings, people, problem):
    with pytest.raises(DataError, match=problem):
        extract_trajectories(
            as_video(drifting(40, 40, step=(1, 0), frames=4)), settings=settings, people=people
        )


def test_people_are_found_by_opencv_if_asked_for():
    clip = film("walk", seed=3, performer=5, size=(160, 120))
    frames = np.ascontiguousarray(clip.frames[:17].transpose(0, 3, 1, 2))  # (T, 3, H, W)

    found = extract_trajectories(open_video(frames), settings=TrajectorySettings(people="opencv"))
    everything = extract_trajectories(open_video(frames))

    assert np.isfinite(found).all()
    assert len(found) > 100
    assert found.shape != everything.shape or np.any(found != everything)


@pytest.mark.parametrize("settings", [DENSE, IMPROVED], ids=["dense", "improved"])
@pytest.mark.parametrize(
    "frames",
    [
        np.full((20, 64, 64), 128, np.uint8),
        np.zeros((20, 64, 64), np.uint8),
        drifting(64, 64, step=(1, 0), frames=1),
        drifting(64, 64, step=(3, 0), frames=15),
        np.repeat(texture(64, 64)[None], 20, axis=0),
    ],
    ids=["one colour", "black", "one frame", "one frame too few", "still"],
)
def test_nothing_moves(frames, settings):
    rows = extract_trajectories(as_video(frames), settings=settings)

    assert rows.shape == (0, 436)
    assert rows.dtype == np.float32


@pytest.mark.parametrize("size", [(33, 32), (61, 97), (255, 37), (64, 64)], ids=str)
def test_numbers_are_finite_at_every_size(size):
    frames = drifting(*size, step=(1, 1), frames=18)
    frames[9:, :12, :12] = 0  # something that comes and jumps
    frames[12:, -12:, -12:] = 255

    rows = np.concatenate(
        [
            extract_trajectories(as_video(frames), settings=settings)
            for settings in (DENSE, IMPROVED)
        ]
    )

    assert np.isfinite(rows).all()
    assert len(rows) > 0
    assert np.all((rows[:, 7:10] >= 0) & (rows[:, 7:10] <= 0.999))
    # The mean of five unit vectors without negative numbers has a squared length from 1/5 to 1.
    for name, cells in (("hog", 32), ("hof", 36), ("mbhx", 32), ("mbhy", 32)):
        energy = (rows[:, PARTS[name]].reshape(len(rows), 3, cells) ** 2).sum(axis=2)
        assert np.all((energy > 0.1999) & (energy < 1.0001))


def test_frames_smaller_than_a_patch_are_refused():
    with pytest.raises(VideoError, match="frames are 80x31"):
        extract_trajectories(as_video(drifting(31, 80, step=(1, 0), frames=20)))


def test_rows_do_not_depend_on_threads_and_progress_is_told(tmp_path):
    clip = write(tmp_path / "clip.mp4", frames=20)
    told = []

    one = extract_trajectories(clip, threads=1, progress=lambda *done: told.append(done))
    three = extract_trajectories(str(clip), threads=3)

    assert len(one) > 0
    np.testing.assert_array_equal(one, three)
    assert told == [(n, 20) for n in range(1, 21)]


def test_fewer_scales_and_a_wider_grid():
    frames = drifting(96, 128, step=(3, 1), frames=16)

    everything = extract_trajectories(as_video(frames), settings=DENSE)
    finest = extract_trajectories(
        as_video(frames), settings=TrajectorySettings(camera="none", scales=1)
    )
    wide = extract_trajectories(
        as_video(frames), settings=TrajectorySettings(camera="none", scales=1, stride=10)
    )

    assert sorted(set(of(everything, "scale").round(2))) == [1, 1.41, 2, 2.83]
    assert set(of(finest, "scale")) == {1}
    assert 3 < len(finest) / len(wide) < 5
