"""Boxes that move with their frames: white boxes on black must stay where the boxes say."""

import numpy as np
import pytest
import torch

from zoopraxis.data.dataset import ClipDataset, collate
from zoopraxis.data.samples import Sample, SampleList
from zoopraxis.errors import RecipeError, VideoError
from zoopraxis.inputs import ClipSpec, Media, Regions, Sampling
from zoopraxis.inputs.augment import Augment
from zoopraxis.inputs.base import map_inputs
from zoopraxis.regions import FrameBoxes, write_boxes
from zoopraxis.training.loss import mixup
from zoopraxis.video import open_video

H, W, FRAMES = 48, 64, 10
KIND = Regions(resize=48, size=40, mean=(0.0,), std=(1.0,), num_boxes=3)


def written(tmp_path, frames, boxes, **more):
    file = tmp_path / "boxes.csv"
    write_boxes(file, FrameBoxes.of(np.array(frames), np.array(boxes, float), **more))
    return str(file)


@pytest.fixture
def media(tmp_path):
    """A white box that moves four pixels to the right from frame to frame, and its box."""
    video = torch.zeros(FRAMES, 3, H, W, dtype=torch.uint8)
    boxes = [(4 * t + 4, 12, 4 * t + 20, 30) for t in range(FRAMES)]
    for frame, (x1, y1, x2, y2) in zip(video, boxes, strict=True):
        frame[:, y1:y2, x1:x2] = 255
    return Media(path=open_video(video, fps=10.0), boxes=written(tmp_path, range(FRAMES), boxes))


def prepared(kind, media, indices, draw=None):
    with kind.open(media) as track:
        draw = draw or kind.crops(track, 1)[0]
        return kind.prepare(kind.read(track, np.array([indices]), draw), draw)


@pytest.mark.parametrize("crop", ["center", "scale_jitter", "resized", "multi_scale_corner"])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_boxes_lie_around_what_they_lay_around(media, crop, flip):
    with KIND.open(media) as track:
        for seed in range(8):
            augment = Augment(crop=crop, flip=flip)
            draw = KIND.draw(track, augment, rng=np.random.default_rng(seed))
            indices = np.array([[1, 5, 8]])
            clip, boxes, mask = KIND.prepare(KIND.read(track, indices, draw), draw)
            for t in range(3):
                white = (clip[0, 0, t] > 0.5).nonzero()  # (n, 2), y and x
                if mask[0, t, 0]:
                    low, high = white.min(dim=0).values, white.max(dim=0).values + 1
                    seen = [*low.flip(0).tolist(), *high.flip(0).tolist()]
                    assert boxes[0, t, 0].tolist() == pytest.approx(seen, abs=1.0)
                else:
                    assert len(white) <= 80  # a strip of less than a pixel, enlarged
    assert draw.flip == bool(flip)


def test_shapes_are_those_that_were_said(media):
    inputs = prepared(KIND, media, [0, 1, 2, 3])

    assert [x.shape[1:] for x in inputs] == list(KIND.shapes(4))
    assert [x.shape for x in KIND.example(4, batch=2)] == [(2, *s) for s in KIND.shapes(4)]
    clip = ClipSpec(sampling=Sampling(num_frames=4), input=KIND)
    assert clip.shapes == KIND.shapes(4)


def test_frames_without_boxes_are_masked(tmp_path, media):
    # looked at frames 0 and 9 only, and nothing in 9
    file = written(tmp_path, [0], [(0, 0, 20, 20)], looked=np.array([0, 9]))
    kind = KIND.change(reach=0.2)

    _, boxes, mask = prepared(kind, Media(path=media.path, boxes=file), [0, 2, 3, 9])

    assert mask[0].tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert not boxes[0, 2:].any()


def test_a_video_without_any_box(tmp_path, media):
    file = written(tmp_path, [], np.zeros((0, 4)))

    _, boxes, mask = prepared(KIND, Media(path=media.path, boxes=file), [0, 1])

    assert not mask.any()
    assert not boxes.any()


def test_of_thirty_people_the_most_certain_are_kept(tmp_path, media):
    boxes = [(10 + n / 10, 10, 30, 30) for n in range(30)]
    file = written(tmp_path, [0] * 30, boxes, scores=np.linspace(0.1, 0.9, 30))

    _, boxes, mask = prepared(KIND, Media(path=media.path, boxes=file), [0])

    assert mask.tolist() == [[[1, 1, 1]]]
    # the crop begins at x = 12
    torch.testing.assert_close(boxes[0, 0, :, 0], torch.tensor([0.9, 0.8, 0.7]))


def test_boxes_outside_and_without_area(tmp_path, media):
    outside, point, partly = (-50, 0, -20, 20), (30, 30, 30, 30), (-50, -50, 32, 24)
    file = written(tmp_path, [0] * 3, [outside, point, partly], scores=np.array([0.9, 0.8, 0.7]))

    _, boxes, mask = prepared(KIND, Media(path=media.path, boxes=file), [0])

    assert mask.tolist() == [[[0, 0, 1]]]
    assert boxes[0, 0, 2].tolist() == [0, 0, 20, 20]


def test_times_are_those_of_the_frames(tmp_path, media):
    file = tmp_path / "times.csv"
    file.write_text("time,x1,y1,x2,y2\n0.0,12,4,22,14\n0.5,22,4,32,14\n")

    _, boxes, _ = prepared(KIND, Media(path=media.path, boxes=str(file)), [0, 2, 3, 7])

    assert boxes[0, :, 0, 0].tolist() == [0, 0, 10, 10]


def test_no_boxes_and_those_of_another_video_are_errors(tmp_path, media):
    with pytest.raises(VideoError, match="no boxes, and 'regions' input needs them") as caught:
        KIND.open(Media(path=media.path))
    assert "zoopraxis boxes" in caught.value.hint
    file = written(tmp_path, [FRAMES], [(0, 0, 1, 1)])
    with pytest.raises(VideoError, match=r"boxes of frame 10, and .* ends with frame 9"):
        KIND.open(Media(path=media.path, boxes=file))


@pytest.mark.parametrize("changes", [{"num_boxes": 0}, {"reach": -1.0}, {"reach": float("nan")}])
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(RecipeError, match="out of range"):
        Regions(**changes)


def test_several_tensors_go_through_batches_devices_and_backwards(media):
    sample = Sample(path="", boxes=media.boxes, label=0, group="", name="a")
    sample = Sample(**{**vars(sample), "path": media.path})
    samples = SampleList(samples=(sample,) * 2, labels=("moves",), root="")
    data = ClipDataset(samples, ClipSpec(sampling=Sampling(num_frames=4), input=KIND))

    batch = collate([data[0, 0], data[0, 1]])
    clip, boxes, mask = map_inputs(batch.inputs, torch.device("cpu"), torch.channels_last_3d)
    back = KIND.reverse(batch.inputs)

    assert (clip.shape, boxes.shape, mask.shape) == ((2, 3, 4, 40, 40), (2, 4, 3, 4), (2, 4, 3))
    assert clip.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(back[1][:, 0], boxes[:, -1])
    assert all(torch.equal(x, y) for x, y in zip(KIND.reverse(back), batch.inputs, strict=True))


def test_boxes_are_not_mixed():
    inputs, targets = KIND.example(2, batch=2), torch.eye(2)
    with pytest.raises(RecipeError, match=r"train\.mixup = 0\.2 mixes clips.*3 tensors"):
        mixup(inputs, targets, alpha=0.2, rng=np.random.default_rng(0))
