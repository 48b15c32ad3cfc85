"""Films with several performers: who stands where, does what and when, and the files."""

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.errors import DataError
from zoopraxis.theatre import GroupSettings, Part, film_group, make_groups
from zoopraxis.theatre.actions import FPS, FRAMES
from zoopraxis.video import open_video

SIZE = (192, 96)
PAIR = (
    Part(actions=("sit_down", "stand_up"), performer=1, place=-1.0),
    Part(actions=("wave", "walk"), performer=2, place=1.0),
)


@pytest.fixture(scope="module")
def clip():
    return film_group(PAIR, seed=3, size=SIZE, grain=False)


def test_shapes_and_segments(clip):
    assert clip.frames.shape == (2 * FRAMES, 96, 192, 3)
    assert clip.joints.shape == (2 * FRAMES, 2, 17, 3)
    assert clip.person_boxes.shape == clip.object_boxes.shape == (2 * FRAMES, 2, 4)
    spoken = [(s.person, s.label, round(s.start * FPS), round(s.end * FPS)) for s in clip.segments]
    assert spoken == [
        (0, "sit_down", 0, FRAMES),
        (0, "stand_up", FRAMES, 2 * FRAMES),
        (1, "wave", 0, FRAMES),
        (1, "walk", FRAMES, 2 * FRAMES),
    ]


def test_each_stands_at_its_place(clip):
    middles = clip.person_boxes[:FRAMES, :, 0::2].mean(axis=(0, 2))  # x of both
    expected = 95.5 + np.array([-1.0, 1.0]) * 96 / 2.2
    np.testing.assert_allclose(middles, expected, atol=22)


def test_joints_lie_in_their_own_boxes(clip):
    points, boxes = clip.joints, clip.person_boxes[:, :, None]
    inside = (points[..., :2] >= boxes[..., :2] - 3) & (points[..., :2] <= boxes[..., 2:] + 3)
    assert inside.all(axis=-1)[points[..., 2] > 0].all()


def test_the_second_of_a_pair_takes_up_where_the_first_ended(clip):
    # The same pose at the end of the one and the start of the other, but for the camera's motion.
    last, first = clip.joints[FRAMES - 1, 0, :, :2], clip.joints[FRAMES, 0, :, :2]
    assert np.abs(last - first).max() < 2
    np.testing.assert_allclose(clip.joints[0, 0, :, 1], clip.joints[-1, 0, :, 1], atol=12)
    seated = clip.joints[FRAMES - 1, 0, 0, 1] - clip.joints[0, 0, 0, 1]
    assert seated > 8  # pixels: the nose is lower


def test_a_change_to_one_part_leaves_the_other_as_it_is(clip):
    other = (PAIR[0], Part(actions=("push", "pull"), performer=7, place=1.0))
    again = film_group(other, seed=3, size=SIZE, grain=False)
    np.testing.assert_array_equal(again.joints[:, 0, :, :2], clip.joints[:, 0, :, :2])
    assert np.abs(again.joints[:, 1] - clip.joints[:, 1]).max() > 3


def test_a_performer_in_front_hides_one_behind():
    behind = Part(actions=("wave",), performer=1, place=0.0)
    alone = film_group([behind], seed=1, size=SIZE)
    both = film_group([behind, Part(actions=("wave",), performer=2, place=0.05)], seed=1, size=SIZE)
    np.testing.assert_array_equal(both.person_boxes[:, 0], alone.person_boxes[:, 0])
    assert both.joints[:, 0, :, 2].sum() < 0.7 * alone.joints[:, 0, :, 2].sum()


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([], "actions"),
        ([Part(actions=(), performer=0, place=0)], "actions"),
        ([PAIR[0], Part(actions=("wave",), performer=0, place=0)], "actions"),
        ([Part(actions=("swim",), performer=0, place=0)], "swim"),
        ([Part(actions=("fly",), performer=0, place=0)], "fly"),
    ],
)
def test_parts_that_cannot_be_filmed(parts, problem):
    with pytest.raises(DataError, match=problem):
        film_group(parts, seed=0)


@pytest.mark.parametrize(
    "wrong", [{"performers": 0}, {"performers": 31}, {"acts": 0}, {"seed": -1}, {"size": (33, 64)}]
)
def test_settings_that_cannot_be(wrong):
    with pytest.raises(DataError):
        GroupSettings(**wrong)


def test_the_files(tmp_path):
    settings = GroupSettings(performers=2, acts=1, size=SIZE)
    table = make_groups(tmp_path / "films", films=2, settings=settings, workers=1)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert {row["path"] for row in rows} == {"film_0000.mp4", "film_0001.mp4"}
    truth = np.load(tmp_path / "films/film_0000.npz")
    for row in rows[:2]:
        boxes = truth["person_boxes"][:, int(row["person"])]
        around = [*np.nanmin(boxes[:, :2], axis=0), *np.nanmax(boxes[:, 2:], axis=0)]
        sides = zip(("x1", "y1", "x2", "y2"), SIZE * 2, strict=True)
        got = [float(row[name]) * side for name, side in sides]
        np.testing.assert_allclose(got, around, atol=0.02)
    with open_video(tmp_path / "films/film_0001.mp4") as video:
        assert len(video.timestamps) == FRAMES
        assert float(rows[-1]["end"]) == pytest.approx(FRAMES / FPS, abs=1e-3)


def test_an_interrupted_run_resumes(tmp_path):
    settings = GroupSettings(performers=1, acts=1, size=SIZE)
    out = tmp_path / "films"
    make_groups(out, films=1, settings=settings, workers=1)
    before = (out / "film_0000.mp4").stat().st_mtime_ns
    calls = []
    table = make_groups(
        out, films=2, settings=settings, workers=1, progress=lambda *done: calls.append(done)
    )
    assert calls == [(2, 2)]
    assert (out / "film_0000.mp4").stat().st_mtime_ns == before
    assert len(table.read_text().splitlines()) == 3
    with pytest.raises(DataError, match="holds a theatre made with"):
        make_groups(out, films=2, settings=GroupSettings(performers=2), workers=1)


def test_command(tmp_path):
    arguments = ["data", "groups", str(tmp_path / "films"), "--films", "1", "--performers", "2"]
    arguments += ["--acts", "1", "--size", "96", "64", "--workers", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "1 films of 2 performers with 1 actions each" in result.output
    assert (tmp_path / "films/people.csv").is_file()
