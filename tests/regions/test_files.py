"""Files of boxes: read, written, and what is wrong with them."""

import numpy as np
import pytest

from zoopraxis.errors import DataError, VideoError
from zoopraxis.regions import FrameBoxes, read_boxes, write_boxes

TEXT = """frame,x1,y1,x2,y2,score,label,track
4,1,2,3,4,0.5,person,7
0,10,20,30,40,0.25,box,
0,0,0,5,5,0.75,person,7
2,,,,,,,
"""


def test_a_file_is_read_by_frame_the_highest_score_first(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT)

    found = read_boxes(tmp_path / "a.csv")

    assert found.looked.tolist() == [0, 2, 4]
    assert found.boxes[found.in_frame(0)].tolist() == [[0, 0, 5, 5], [10, 20, 30, 40]]
    assert [found.labels[i] for i in found.in_frame(0)] == ["person", "box"]
    assert found.tracks[found.in_frame(0)].tolist() == [7, -1]
    assert not len(found.in_frame(2))  # looked at, and nothing found


def test_what_is_written_is_read(tmp_path):
    rng = np.random.default_rng(0)
    boxes = FrameBoxes.of(
        np.array([3, 0, 3]),
        np.sort(rng.uniform(0, 99, (3, 2, 2)), axis=1).reshape(3, 4).round(2),
        scores=np.array([0.5, 0.25, 0.125]),
        labels=("a, b", "", 'c"'),
        tracks=np.array([1, 0, -1]),
        looked=np.arange(5),
    )

    write_boxes(tmp_path / "a.csv", boxes)
    again = read_boxes(tmp_path / "a.csv")

    for name in ("at", "boxes", "scores", "tracks", "looked"):
        np.testing.assert_array_equal(getattr(again, name), getattr(boxes, name))
    assert again.labels == boxes.labels == ("", "a, b", 'c"')


def test_columns_may_be_missing_and_times_be_seconds(tmp_path):
    (tmp_path / "a.csv").write_text("x1,y1,x2,y2,time\n1,2,3,4,0.52\n")

    found = read_boxes(tmp_path / "a.csv")

    assert (found.unit, found.at.tolist(), found.scores.tolist()) == ("time", [0.52], [1.0])
    assert (found.labels, found.tracks.tolist()) == (("",), [-1])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("0,1,nan,3,4", r"a\.csv, line 3: the box is 1, nan, 3, 4, which is not finite"),
        ("0,1,2,inf,4", "line 3: the box is 1, 2, inf, 4, which is not finite"),
        ("0,10,2,3,4", "line 3: the corners of the box 10, 2, 3, 4 are in another order"),
        ("-1,1,2,3,4", "line 3: the frame is -1"),
        ("0.5,1,2,3,4", "line 3: the frame is 0.5"),
        ("0,one,2,3,4", "line 3: could not convert string to float: 'one'"),
        ("0,1,2", "line 3"),
    ],
)
def test_a_line_that_is_no_box_is_named(tmp_path, line, problem):
    (tmp_path / "a.csv").write_text(f"frame,x1,y1,x2,y2\n0,1,2,3,4\n{line}\n")
    with pytest.raises(VideoError, match=problem):
        read_boxes(tmp_path / "a.csv")


def test_files_that_hold_no_boxes(tmp_path):
    (tmp_path / "a.csv").write_text("path,label\n")
    with pytest.raises(VideoError, match="columns path, label are not those of boxes"):
        read_boxes(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(VideoError, match=r"b\.csv: the boxes cannot be read"):
        read_boxes(tmp_path / "b.csv")
    with pytest.raises(VideoError, match=r"c\.csv: the boxes cannot be read"):
        read_boxes(tmp_path / "c.csv")


def test_boxes_that_are_not_finite_are_not_written(tmp_path):
    boxes = FrameBoxes.of(np.array([0]), np.array([[0, 0, np.nan, 1]]))
    with pytest.raises(DataError, match="a box is not finite"):
        write_boxes(tmp_path / "a.csv", boxes)
    assert not list(tmp_path.iterdir())
