"""Long films of one performer: what happens when, and the files."""

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from zoopraxis.cli import app
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError
from zoopraxis.theatre import Part, StrungSettings, film_group, make_strung
from zoopraxis.theatre.actions import FPS, FRAMES
from zoopraxis.video import open_video

SIZE = (96, 64)
PART = Part(actions=("sit_down", "stand_up"), performer=1, place=0.0, pauses=(4, 6, 2))


def test_pauses_stand_still_and_shift_the_actions():
    clip = film_group([PART], seed=3, size=SIZE, grain=False)
    assert len(clip.frames) == 2 * FRAMES + 12
    spoken = [(s.label, round(s.start * FPS), round(s.end * FPS)) for s in clip.segments]
    assert spoken == [("sit_down", 4, 4 + FRAMES), ("stand_up", 10 + FRAMES, 10 + 2 * FRAMES)]
    nose = clip.joints[:, 0, 0, 1]  # y
    seated = nose[4 + FRAMES : 10 + FRAMES]
    assert np.ptp(seated) < 1.5  # pixels: but for the camera
    assert np.ptp(nose[:4]) < 1.5
    assert seated.mean() - nose[:4].mean() > 6


def test_without_pauses_nothing_changes():
    plain = film_group([Part(actions=("wave",), performer=1, place=0.0)], seed=3, size=SIZE)
    none = Part(actions=("wave",), performer=1, place=0.0, pauses=(0, 0))
    np.testing.assert_array_equal(film_group([none], seed=3, size=SIZE).frames, plain.frames)


@pytest.mark.parametrize("pauses", [(1,), (1, 2), (1, -1, 0)])
def test_pauses_that_do_not_fit(pauses):
    part = Part(actions=("wave", "walk"), performer=1, place=0.0, pauses=pauses)
    with pytest.raises(DataError, match="the pauses of 2 actions are"):
        film_group([part], seed=0)


@pytest.mark.parametrize("wrong", [{"acts": 0}, {"pause": 0}, {"seed": -1}, {"size": (33, 64)}])
def test_settings_that_cannot_be(wrong):
    with pytest.raises(DataError):
        StrungSettings(**wrong)


def test_the_list_fills_every_film(tmp_path):
    settings = StrungSettings(acts=2, pause=0.4, size=SIZE)
    calls = []
    table = make_strung(
        tmp_path / "films",
        films=2,
        settings=settings,
        workers=1,
        progress=lambda *d: calls.append(d),
    )
    assert calls == [(1, 2), (2, 2)]
    samples = read_samples(table)
    assert len(samples) == 2 * (2 * 2 + 1)
    for path in sorted({sample.path for sample in samples}):
        rows = [sample for sample in samples if sample.path == path]
        assert len({row.group for row in rows}) == 1
        assert [row.start for row in rows[1:]] == [row.end for row in rows[:-1]]
        names = [samples.labels[row.label] for row in rows]
        assert names[::2] == ["idle"] * 3
        assert "idle" not in names[1::2]
        for row in rows[::2]:  # half to one and a half of the mean, to a frame
            assert 0.2 - 1 / FPS <= row.end - row.start <= 0.6 + 1 / FPS
        with open_video(path) as video:
            assert rows[0].start == 0
            assert rows[-1].end == pytest.approx(video.duration, abs=2e-3)
    before = (tmp_path / "films/film_0000.mp4").stat().st_mtime_ns
    text = table.read_text()
    make_strung(tmp_path / "films", films=2, settings=settings, workers=1)
    assert (tmp_path / "films/film_0000.mp4").stat().st_mtime_ns == before
    assert table.read_text() == text


def test_command(tmp_path):
    words = ["data", "strung", str(tmp_path / "films"), "--films", "1", "--acts", "1", "--pause"]
    result = CliRunner().invoke(app, [*words, "0.2", "--size", "96", "64", "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "1 films of 1 actions each" in result.output
    rows = list(csv.DictReader((tmp_path / "films/segments.csv").read_text().splitlines()))
    assert [row["label"] == "idle" for row in rows] == [True, False, True]
