"""Detectors on a drawn person whose box is known."""

import numpy as np
import pytest
import torch

from zoopraxis.errors import DownloadError, ZoopraxisError
from zoopraxis.regions import box_iou
from zoopraxis.regions.detect import DETECTORS, FasterRCNN, Motion, People, find_detector
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


def test_detectors_by_name():
    for name in DETECTORS:
        detector = find_detector(name)
        assert detector == find_detector(name)
        assert detector.name.startswith(name)
    assert find_detector("opencv", min_score=0.5) == People(min_score=0.5)
    with pytest.raises(ZoopraxisError, match="no detector called 'opencb'") as caught:
        find_detector("opencb")
    assert "opencv" in caught.value.hint
    with pytest.raises(ZoopraxisError, match="lowest score is nan"):
        find_detector("torchvision", min_score=float("nan"))


def test_missing_weights_say_where_they_belong(tmp_path, monkeypatch):
    def no_network(*_args, **_options):
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    with pytest.raises(DownloadError, match="cannot be downloaded: no network") as caught:
        FasterRCNN()(torch.zeros(3, 32, 32, dtype=torch.uint8))
    assert f"{tmp_path}/hub/checkpoints/fasterrcnn_resnet50_fpn_coco" in caught.value.problem
    assert "https://download.pytorch.org" in caught.value.hint


def test_faster_rcnn_gives_boxes_in_pixels_of_the_frame(monkeypatch):
    from torchvision.models import detection

    torch.manual_seed(0)
    network = detection.fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=64, max_size=96, box_score_thresh=0.0
    )
    names = detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    monkeypatch.setattr(
        "zoopraxis.regions.detect._faster_rcnn", lambda: (network.eval(), list(names))
    )
    frame = torch.randint(0, 256, (3, 120, 160), dtype=torch.uint8)

    found = FasterRCNN(min_score=0.0)(frame)

    assert len(found.boxes) == len(found.scores) == len(found.labels) > 0
    assert found.boxes.min() >= 0
    assert found.boxes[:, 0::2].max() <= 160
    assert found.boxes[:, 1::2].max() <= 120
    assert set(found.labels) <= set(names)


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
