"""AVA's files: boxes, actions, moments that do not count, and the list for training."""

import numpy as np
import pytest

from zoopraxis.data.labels import label_names
from zoopraxis.data.samples import read_samples
from zoopraxis.data.sets.ava import (
    ACTION_IDS,
    ava_people,
    read_ava,
    read_excluded,
    write_ava,
)
from zoopraxis.data.write import write_samples
from zoopraxis.errors import DataError

LINES = """\
-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1
-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,12,1
-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,2,1
-5KQ66BBWC4,0903,0.500,0.100,0.900,0.900,79,0
-5KQ66BBWC4,0904,,,,,,
zlVkeKC6Ha8,1000,0.100,0.200,0.300,0.400,2,7
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "ava.csv").write_text(LINES)
    return tmp_path / "ava.csv"


@pytest.fixture
def videos(tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("-5KQ66BBWC4.mkv", "zlVkeKC6Ha8.mp4", "notes.txt"):
        (tmp_path / "videos" / name).touch()
    return tmp_path / "videos"


def test_ids_stand_beside_the_names():
    assert len(ACTION_IDS) == len(set(ACTION_IDS)) == len(label_names("ava")) == 60
    id_of = dict(zip(label_names("ava"), ACTION_IDS, strict=True))
    some = ("bend/bow (at the waist)", "crouch/kneel", "stand", "walk", "carry/hold (an object)")
    assert [id_of[name] for name in some] == [1, 3, 12, 14, 17]
    assert (id_of["talk to (e.g., self, a person, a group)"], id_of["watch (a person)"]) == (79, 80)


def test_boxes_are_read(file):
    boxes = read_ava(file)

    assert boxes.moments[0] == ("-5KQ66BBWC4", 902)
    assert boxes.boxes[3].tolist() == [0.5, 0.1, 0.9, 0.9]
    assert boxes.actions.tolist() == [80, 12, 2, 79, 2]
    assert boxes.scores.tolist() == [1] * 5  # a person's number is no score


def test_results_are_written_and_read(file, tmp_path):
    boxes = read_ava(file)
    found = read_ava(file, scored=True)
    assert found.scores.tolist() == [1, 1, 1, 0, 7]

    write_ava(tmp_path / "again.csv", boxes)
    again = read_ava(tmp_path / "again.csv", scored=True)

    assert again.moments == boxes.moments
    np.testing.assert_array_equal(again.boxes, boxes.boxes)
    np.testing.assert_array_equal(again.actions, boxes.actions)
    assert (tmp_path / "again.csv").read_text().startswith("-5KQ66BBWC4,0902,0.0770,")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a,0902,0.1,0.1,0.5", "5 columns"),
        ("a,0902,0.5,0.1,0.1,0.5,3,1", "corners are in another order"),
        ("a,0902.5,0.1,0.1,0.5,0.5,3,1", r"second is 0902\.5"),
        ("a,0902,0.1,0.1,0.5,nan,3,1", "not finite"),
        ("video_id,middle_frame_timestamp,x1,y1,x2,y2,action_id,person_id", "could not convert"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, problem):
    (tmp_path / "bad.csv").write_text(f"a,0902,0.1,0.1,0.5,0.5,3,1\n{line}\n")
    with pytest.raises(DataError, match=problem) as caught:
        read_ava(tmp_path / "bad.csv")
    assert "bad.csv, line 2" in caught.value.problem


def test_excluded_moments(tmp_path):
    (tmp_path / "no.csv").write_text("a,0902\nb,1000\n")
    assert read_excluded(tmp_path / "no.csv") == {("a", 902), ("b", 1000)}
    (tmp_path / "no.csv").write_text("a,0902\nb\n")
    with pytest.raises(DataError, match="line 2"):
        read_excluded(tmp_path / "no.csv")


def test_a_clip_of_each_person_with_all_actions(file, videos, tmp_path):
    people = ava_people(read_ava(file), videos, seconds=3, offset=900)

    # 2 is not evaluated: the person of zlVkeKC6Ha8 has no other action
    assert people.moments == (("-5KQ66BBWC4", 902), ("-5KQ66BBWC4", 903))
    first = people.samples[0]
    assert (first.start, first.end, first.box) == (0.5, 3.5, (0.077, 0.151, 0.283, 0.811))
    names = [people.samples.labels[label] for label in first.label]
    assert names == ["stand", "watch (a person)"]

    write_samples(tmp_path / "train.jsonl", people.samples)
    again = read_samples(tmp_path / "train.jsonl", labels=label_names("ava"))
    assert [(s.path, s.start, s.end, s.box, s.label, s.group) for s in again] == [
        (s.path, s.start, s.end, s.box, s.label, s.group) for s in people.samples
    ]


def test_what_is_left_out_and_refused(file, videos, tmp_path):
    boxes = read_ava(file)
    left = ava_people(boxes, videos, excluded={("-5KQ66BBWC4", 902)})
    assert [moment[1] for moment in left.moments] == [903]
    with pytest.raises(DataError, match="none of AVA's 60"):
        ava_people(boxes, videos, excluded={("-5KQ66BBWC4", 902), ("-5KQ66BBWC4", 903)})
    with pytest.raises(DataError, match="would begin at -1"):
        ava_people(boxes, videos, offset=902)
    (videos / "-5KQ66BBWC4.mkv").unlink()
    with pytest.raises(DataError, match="no video -5KQ66BBWC4"):
        ava_people(boxes, videos)


def test_boxes_of_a_detector_have_no_actions(videos, tmp_path):
    (tmp_path / "found.csv").write_text("zlVkeKC6Ha8,1000,0.1,0.2,0.3,0.4,,0.97\n")
    boxes = read_ava(tmp_path / "found.csv", scored=True)
    assert (boxes.actions.tolist(), boxes.scores.tolist()) == ([-1], [0.97])
    (sample,) = ava_people(boxes, videos).samples
    assert sample.label == ()
