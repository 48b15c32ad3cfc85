"""Boxes on pictures: where they are, and what they leave alone."""

import numpy as np
import pytest
import torch

from zoopraxis.prediction.box_overlay import draw_boxes, write_box_overlay
from zoopraxis.prediction.overlay import COLOURS
from zoopraxis.regions import FrameBoxes
from zoopraxis.video import open_video

GREY = np.full((160, 200, 3), 90, dtype=np.uint8)
BOXES = FrameBoxes.of(
    np.array([0, 0]), np.array([[20, 30, 60, 150], [100, 40, 180, 90]]), tracks=np.array([0, 1])
)


def test_each_track_has_its_colour_and_its_edges():
    drawn = draw_boxes(GREY, BOXES, 0.0)

    assert tuple(drawn[140, 20]) == tuple(drawn[150, 40]) == COLOURS[0]
    assert tuple(drawn[70, 180]) == COLOURS[1]
    assert (drawn[100:145, 24:56] == 90).all()
    assert (drawn[:10] == 90).all()
    assert (GREY == 90).all()


def test_a_picture_may_be_larger_than_the_frame():
    drawn = draw_boxes(np.full((320, 400, 3), 90, np.uint8), BOXES, 0.0, scale=2.0)
    assert tuple(drawn[280, 40]) == COLOURS[0]


def test_boxes_far_outside_and_videos_without_any(tmp_path):
    far = FrameBoxes.of(np.array([0]), np.array([[-500.0, -500, 900, 900]]))
    assert draw_boxes(GREY, far, 0.0).shape == GREY.shape
    none = FrameBoxes.of(np.zeros(0, int), np.zeros((0, 4)))
    frames = torch.full((3, 3, 120, 160), 90, dtype=torch.uint8)

    with open_video(write_box_overlay(frames, tmp_path / "a.mp4", none)) as video:
        assert (video.num_frames, video.width) == (3, 480)
        assert (video.frames_at([1]).float() - 90).abs().max() < 4


@pytest.mark.parametrize("corner", [(20, 30), (170, 30), (-40, -20), (170, 155)])
def test_a_label_is_whole_wherever_the_box_is(corner):
    x, y = corner
    boxes = FrameBoxes.of(np.array([0]), np.array([[x, y, x + 60, y + 60]]), labels=("walk",))
    drawn = draw_boxes(GREY, boxes, 0.0)
    inside = draw_boxes(
        GREY, FrameBoxes.of(np.array([0]), np.array([[60, 60, 120, 120]]), labels=("walk",)), 0.0
    )
    # as many pixels of ink as of a label that has room on all sides
    assert (drawn < 80).all(axis=2).sum() == (inside < 80).all(axis=2).sum() > 40
