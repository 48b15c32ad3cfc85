"""Tracks: who is the same person from frame to frame."""

import sys

import numpy as np
import pytest

from zoopraxis.errors import ZoopraxisError
from zoopraxis.regions import FrameBoxes
from zoopraxis.regions.track import link_boxes, only_people


def walkers(frames=12, **others):
    """Two people who walk towards each other in lanes of their own, without tracks."""
    at, boxes = [], []
    for n in range(frames):
        for x, y in ((5 * n, 0), (100 - 5 * n, 50)):
            at.append(n)
            boxes.append((x, y, x + 20, y + 40))
    return FrameBoxes.of(np.array(at), np.array(boxes, float), **others)


def test_each_person_keeps_a_number():
    linked = link_boxes(walkers(), fps=15)

    lanes = linked.boxes[:, 1] > 20
    first, second = set(linked.tracks[~lanes].tolist()), set(linked.tracks[lanes].tolist())
    assert len(first - {-1}) == len(second - {-1}) == 1
    assert first - {-1} != second - {-1}
    assert (linked.tracks >= 0).mean() > 0.9
    assert linked.boxes.tolist() == walkers().boxes.tolist()


def test_who_is_hidden_for_less_than_a_second_keeps_the_number():
    boxes = walkers()
    seen = boxes.chosen((boxes.at < 5) | (boxes.at > 7) | (boxes.boxes[:, 1] > 20))
    linked = link_boxes(seen, fps=15)

    lane = linked.boxes[:, 1] < 20
    assert len(set(linked.tracks[lane].tolist()) - {-1}) == 1


def test_nothing_found_is_no_track():
    none = FrameBoxes.of(np.zeros(0, int), np.zeros((0, 4)), looked=np.arange(3))
    assert len(link_boxes(none, fps=15).tracks) == 0


def test_things_are_no_people():
    labels = ("person", "chair") * 12
    kept = only_people(walkers(labels=labels))
    assert set(kept.labels) == {"person"}
    assert len(kept.looked) == 12


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ZoopraxisError, match="supervision") as raised:
        link_boxes(walkers(), fps=15)
    assert "pip install 'zoopraxis[tracking]'" in raised.value.hint
