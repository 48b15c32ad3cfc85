"""Labels on pictures: where they are, and what they leave alone."""

import numpy as np
import pytest
import torch

from videos import numbers_of, write
from zoopraxis.errors import VideoError
from zoopraxis.prediction.aggregate import Prediction
from zoopraxis.prediction.overlay import COLOURS, draw, rows_at, write_overlay
from zoopraxis.prediction.timeline import Segment, Timeline
from zoopraxis.video import open_video

GREY = np.full((360, 480, 3), 90, dtype=np.uint8)
SPANS = ((0.0, 0.25, "walk"), (0.25, 1.0, "run"))


def prediction():
    return Prediction(
        video="v",
        model="m",
        mode="mean_probability",
        labels=("walk", "run", "sit", "fall"),
        scores=(0.7, 0.2, 0.06, 0.04),
        times=(),
        logits=torch.zeros(0, 4),
    )


def timeline():
    parts = (
        Segment(start=0.0, end=0.4, label="walk", score=0.9),
        Segment(start=0.4, end=1.6, label="run", score=0.5),
    )
    return Timeline(video="v", model="m", segments=parts)


def test_the_picture_above_the_panel_is_untouched():
    drawn = draw(GREY, (("walk", 0.7),), SPANS)
    assert (drawn[:300] == 90).all()
    assert (drawn[-40:] != 90).any()
    assert (GREY == 90).all()


def test_three_rows_take_three_times_the_room_of_one():
    def changed(rows):
        return int((draw(GREY, rows, SPANS) != 90).any(axis=(1, 2)).sum())

    one, three = (changed((("walk", 0.5),) * n) for n in (1, 3))
    assert three - one == 2 * 28  # text of 16 pixels, lines of 28


def test_bars_are_as_long_as_scores():
    def reach(score):
        row = draw(GREY, (("", score),))[-30].astype(int)  # (W, 3), beside the text
        blue = row[:, 2] - row[:, 0] > 40
        return int(blue.sum())

    assert reach(0.5) == pytest.approx(232, abs=4)  # half of 480 - 2 * 8
    assert reach(0.25) == pytest.approx(116, abs=4)


def test_the_strip_shows_the_labels_and_the_time():
    strip = draw(GREY, (("walk", 0.7),), SPANS, now=0.5)[-1]
    assert tuple(strip[60]) == COLOURS[0]
    assert tuple(strip[400]) == COLOURS[1]
    assert tuple(strip[240]) == (255, 255, 255)
    plain = draw(GREY, (("walk", 0.7),), now=0.5)[-1]
    assert tuple(plain[200]) == COLOURS[0]
    assert tuple(plain[280]) == (60, 64, 72)


def test_long_labels_leave_room_for_the_score():
    short = draw(GREY, (("a", 0.5),))[:, 425:]
    long = draw(GREY, (("a very long label " * 20, 0.5),))[:, 425:]
    assert (short == long).all()  # "50%" begins at 437


def test_scores_that_are_no_probabilities():
    drawn = draw(GREY, (("a", 14.0), ("b", -3.0)))
    assert (drawn != 90).any()


def test_rows_of_a_moment():
    assert rows_at(prediction(), 1.0) == (("walk", 0.7), ("run", 0.2), ("sit", 0.06))
    assert rows_at(timeline(), 0.39) == (("walk", 0.9),)
    assert rows_at(timeline(), 0.4) == (("run", 0.5),)


def test_small_videos_are_enlarged_and_keep_their_frames_and_times(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=40)
    told = []
    out = write_overlay(path, tmp_path / "out.mp4", timeline(), progress=told.append)
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []
    assert told[-1] == 1
    with open_video(path) as video, open_video(out) as drawn:
        assert (drawn.width, drawn.height, drawn.codec) == (480, 360, "h264")
        np.testing.assert_allclose(drawn.timestamps, video.timestamps, atol=1e-3)
        frames = drawn.frames_at([0, 9, 10, 39])
    assert numbers_of(frames) == [0, 9, 10, 39]
    # 0.4 s into the video, walking becomes running; the bar changes its colour
    bars = frames[:, :, -34, 20].float()  # (N, 3)
    assert (bars[1] - bars[0]).abs().max() < 20
    assert (bars[2] - bars[1]).abs().max() > 60


def test_odd_sizes_become_even(tmp_path):
    video = torch.zeros(3, 3, 35, 501, dtype=torch.uint8)
    with open_video(write_overlay(video, tmp_path / "o.mp4", prediction())) as drawn:
        assert (drawn.num_frames, drawn.width % 2, drawn.height % 2) == (3, 0, 0)


def test_a_name_with_a_colon_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video = torch.zeros(3, 3, 36, 64, dtype=torch.uint8)
    with open_video(write_overlay(video, "10:30:00.mp4", prediction())) as drawn:
        assert drawn.num_frames == 3
    assert [path.name for path in tmp_path.iterdir()] == ["10:30:00.mp4"]


def test_a_missing_video_leaves_nothing_behind(tmp_path):
    with pytest.raises(VideoError):
        write_overlay(tmp_path / "none.mp4", tmp_path / "o.mp4", prediction())
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_shown_where_nothing_was_predicted(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=40)
    part = Timeline(
        video="v", model="m", segments=(Segment(start=0.4, end=0.8, label="run", score=0.5),)
    )
    assert rows_at(part, 0.2) == rows_at(part, 0.8) == ()
    with open_video(write_overlay(path, tmp_path / "out.mp4", part)) as drawn:
        frames = drawn.frames_at([5, 15, 25]).float()  # before, within and after
    bars = frames[:, :, -34, 20]  # (N, 3): in the panel's row of text
    assert (bars[1] - bars[0]).abs().max() > 30
    strip = frames[1, :, -2, ::10].T  # (W / 10, 3): of 1.6 s, a quarter to a half
    blue = (strip[:, 2] - strip[:, 0] > 60).nonzero()[:, 0] * 10
    assert (blue.min().item(), blue.max().item()) == (
        pytest.approx(120, abs=20),
        pytest.approx(240, abs=20),
    )


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=4)
    (tmp_path / "taken").write_text("")
    with pytest.raises(VideoError, match=r"o\.mp4 cannot be written"):
        write_overlay(path, tmp_path / "taken" / "o.mp4", prediction())
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(VideoError, match=r"folder\.mp4 cannot be written"):
        write_overlay(path, tmp_path / "folder.mp4", prediction())
    assert not list(tmp_path.glob(".*"))


def test_folders_are_made(tmp_path):
    path = write(tmp_path / "numbers.mp4", frames=4)
    assert write_overlay(path, tmp_path / "a" / "b" / "o.mp4", prediction()).is_file()
