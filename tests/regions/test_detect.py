"""Detectors without weights, on drawn people and things whose boxes are known."""

import numpy as np
import pytest
import torch

from zoopraxis.regions import box_iou
from zoopraxis.regions.detect import Motion, People, SelectiveSearch
from zoopraxis.regions.extract import find_boxes
from zoopraxis.theatre import film
from zoopraxis.video import ArrayVideo


@pytest.fixture(scope="module")
def walk():
    """Three frames of a walk, and the walker's boxes."""
    clip = film("walk", seed=2, performer=2, size=(320, 240))
    frames = torch.from_numpy(clip.frames[:17:8].copy()).permute(0, 3, 1, 2)
    return frames, torch.from_numpy(clip.person_box[:17:8].copy()) + 0.5


def test_people_are_found_where_they_are(walk):
    frames, truth = walk

    found = [People()(frame) for frame in frames]

    for some, box in zip(found, truth, strict=True):
        overlap = box_iou(torch.from_numpy(some.boxes).float(), box[None])
        assert overlap[0, 0] > 0.7  # the most certain
        assert set(some.labels) == {"person"}
        assert sorted(some.scores, reverse=True) == some.scores.tolist()


def test_a_higher_score_finds_fewer(walk):
    frames, _ = walk
    counts = [len(People(min_score=score)(frames[0]).boxes) for score in (0.0, 1.0, 9.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] == 0


def test_nothing_is_found_in_grey():
    found = People()(torch.full((3, 40, 30), 128, dtype=torch.uint8))
    assert (found.boxes.shape, found.scores.shape, found.labels) == ((0, 4), (0,), ())


def test_boxes_of_a_video_are_those_of_every_few_frames(walk):
    frames, _ = walk
    video = ArrayVideo(torch.cat([frames, frames * 0 + 9]), fps=5.0, name="walk")

    boxes = find_boxes(video, People(min_score=0.5), every=2)

    assert boxes.looked.tolist() == [0, 2, 4]
    assert set(boxes.at) == {0, 2}  # frame 4 is grey


def test_what_moves_is_found_where_it_is():
    rng = np.random.default_rng(0)
    frames = rng.integers(60, 90, (40, 3, 96, 128)).astype(np.uint8)  # noise, about one level
    frames[:, :, 20:40, 90:120] = 200  # something that stays
    for n in range(40):
        frames[n, :, 50:80, 2 * n : 2 * n + 20] = 230
    video = ArrayVideo(torch.from_numpy(frames), fps=25.0, name="square")

    boxes = find_boxes(video, Motion(), every=5)

    assert boxes.looked.tolist() == boxes.at.tolist()  # one in each
    truth = np.stack([[2 * n, 50, 2 * n + 20, 80] for n in range(0, 40, 5)])
    overlaps = box_iou(torch.from_numpy(boxes.boxes), torch.from_numpy(truth.astype(float)))
    assert overlaps.diagonal().min() > 0.8
    assert boxes.scores.min() > 0.8
    assert set(boxes.labels) == {""}
    none = find_boxes(ArrayVideo(torch.from_numpy(frames[:1]), fps=25.0, name="one"), Motion())
    assert none.boxes.shape == (0, 4)


@pytest.mark.parametrize("enlarged", [1, 5])  # to 600 x 800 pixels, of which it sees 240 x 320
def test_selective_search_proposes_what_differs_from_its_surroundings(enlarged):
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 70, (3, 120, 160)).astype(np.uint8)
    things = np.array([[20, 30, 60, 80], [90, 50, 120, 90]])
    for (x1, y1, x2, y2), colour in zip(things, ((220, 40, 40), (80, 80, 80)), strict=True):
        picture[:, y1:y2, x1:x2] = np.reshape(colour, (3, 1, 1))
    frame = torch.from_numpy(picture.repeat(enlarged, axis=1).repeat(enlarged, axis=2))

    found = SelectiveSearch()(frame)

    overlaps = box_iou(torch.from_numpy(found.boxes), torch.from_numpy(enlarged * things).double())
    assert overlaps.max(dim=0).values.min() > 0.9
    assert overlaps[0, 0] > 0.9  # red on grey before grey on grey
    assert sorted(found.scores, reverse=True) == found.scores.tolist()
    assert found.scores[0] == pytest.approx(1.0)  # no colour in common
    again = SelectiveSearch()(frame)  # OpenCV's order is another each time
    np.testing.assert_array_equal(again.boxes, found.boxes)
    higher = SelectiveSearch(min_score=0.9)(frame)
    assert len(higher.boxes) == (found.scores > 0.9).sum() < len(found.boxes)


def test_selective_search_proposes_nothing_in_grey():
    found = SelectiveSearch()(torch.full((3, 40, 30), 128, dtype=torch.uint8))
    assert (found.boxes.shape, found.scores.shape, found.labels) == ((0, 4), (0,), ())
