"""Skeletons of videos: Keypoint R-CNN as it is, and people who are told."""

import sys
from functools import partial

import numpy as np
import pytest
import torch
from torchvision.models import detection

from zoopraxis.errors import CheckpointError, DataError, DownloadError, VideoError, ZoopraxisError
from zoopraxis.inputs import Heatmap, Media, Skeleton
from zoopraxis.prediction.poses import (
    ESTIMATORS,
    KeypointRCNN,
    Poses,
    RTMPose,
    find_estimator,
)
from zoopraxis.prediction.skeleton_overlay import draw_skeletons, write_skeleton_overlay
from zoopraxis.prediction.skeletons import (
    extract_skeletons,
    find_skeletons,
    read_skeletons,
    write_skeletons,
)
from zoopraxis.video import ArrayVideo, open_video, write_video
from zoopraxis.workers import run_jobs

WIDTH, HEIGHT = 64, 48


def a_video(num_frames):
    return ArrayVideo(
        torch.zeros(num_frames, 3, HEIGHT, WIDTH, dtype=torch.uint8), fps=10.0, name="blank"
    )


class Told:
    """People at known places: of each call, the next list of left edges."""

    name = "told"

    def __init__(self, *frames):
        self.frames = iter(frames)

    def __call__(self, frame):
        lefts = np.array(next(self.frames), np.float64)
        boxes = np.stack([lefts, lefts * 0 + 2, lefts + 6, lefts * 0 + 20], axis=1)
        joints = np.full((len(lefts), 17, 3), 0.9)
        joints[..., 0], joints[..., 1] = lefts[:, None] + np.linspace(0, 6, 17), 10.0
        return Poses(joints=joints, boxes=boxes, scores=np.full(len(lefts), 0.9))


def test_one_person_is_read_as_a_network_expects(tmp_path):
    file = tmp_path / "walk.npz"
    write_skeletons(file, find_skeletons(a_video(4), Told([8], [10], [], [14])))

    with Skeleton(layout="coco-17").open(Media(path=file)) as track:
        assert (track.fps, track.num_frames) == (10.0, 4)
        joints = track.joints  # (N, P, J, 3)
    assert joints.shape == (4, 1, 17, 3)
    assert joints[1, 0, 0].tolist() == pytest.approx([10 / WIDTH - 0.5, 10 / HEIGHT - 0.5, 0.9])
    assert not joints[2].any()
    found = read_skeletons(file)
    assert found.joints[0, 3, 16].tolist() == pytest.approx([20, 10, 0.9], abs=1e-4)
    assert found.boxes[0, 3].tolist() == [14, 2, 20, 20]
    assert (found.size, found.every, found.estimator) == ((WIDTH, HEIGHT), 1, "told")
    with Heatmap().open(Media(path=file)) as track:
        assert track.num_frames == 4


def test_people_keep_their_places_while_their_scores_change_places():
    pytest.importorskip("supervision")
    # the second comes one frame later, is found first from then on, and stays; ByteTrack numbers
    # who comes later when it has seen them twice
    frames = [[5], [40, 6], [41, 7], [42, 8], [43]]
    found = find_skeletons(a_video(9), Told(*frames), every=2)

    assert found.fps == 5.0
    assert found.joints.shape == (2, 5, 17, 3)
    assert found.joints[..., 0, 0].tolist() == [[5, 6, 7, 8, 0], [0, 0, 41, 42, 43]]
    assert found.boxes[..., 0].tolist() == [[5, 6, 7, 8, 0], [0, 0, 41, 42, 43]]


def test_thirty_people(tmp_path):
    pytest.importorskip("supervision")
    video = ArrayVideo(torch.zeros(3, 3, HEIGHT, 400, dtype=torch.uint8), fps=10.0, name="crowd")
    lefts = 12.0 * np.arange(30)
    found = find_skeletons(video, Told(lefts, lefts + 1, lefts + 2))
    write_skeletons(tmp_path / "crowd.npz", found)

    assert found.joints.shape == (30, 3, 17, 3)
    assert sorted(found.joints[:, 2, 0, 0]) == pytest.approx(lefts + 2)
    with Skeleton(layout="coco-17", people=2).open(Media(path=tmp_path / "crowd.npz")) as track:
        assert track.joints.shape == (3, 30, 17, 3)


def test_one_frame():
    found = find_skeletons(a_video(1), Told([3]))
    assert (found.joints.shape, found.fps) == ((1, 1, 17, 3), 10.0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights whose scores are all above 0.5."""
    torch.manual_seed(0)
    network = detection.keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None)
    with torch.no_grad():
        network.roi_heads.box_predictor.cls_score.bias.copy_(torch.tensor([-1.0, 2.0]))
    file = tmp_path_factory.mktemp("weights") / "own.pth"
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture
def small(monkeypatch):
    """Let torchvision's networks see small frames and few people: the same path, in seconds."""
    build = detection.keypointrcnn_resnet50_fpn
    settings = {
        "min_size": 64,
        "max_size": 96,
        "box_detections_per_img": 3,
        "rpn_post_nms_top_n_test": 20,
    }
    monkeypatch.setattr(
        detection, "keypointrcnn_resnet50_fpn", lambda **options: build(**settings, **options)
    )


def test_keypoint_rcnn_gives_joints_in_pixels_of_the_frame(weights, small):
    estimate = find_estimator(str(weights))
    frame = torch.randint(0, 256, (3, 120, 160), dtype=torch.uint8)

    found = estimate(frame)

    assert 0 < len(found.joints) <= 3
    assert found.joints.shape[1:] == (17, 3)
    x1, y1, x2, y2 = (side[:, None] for side in found.boxes.T)
    assert (found.boxes[:, 0::2].max(), found.boxes[:, 1::2].max()) <= (160, 120)
    x, y, scores = np.moveaxis(found.joints, -1, 0)  # each (n, 17)
    assert ((x >= x1 - 1) & (x <= x2 + 1) & (y >= y1 - 1) & (y <= y2 + 1)).all()
    assert ((scores > 0) & (scores <= 1)).all()
    assert (np.diff(found.scores) <= 0).all()
    assert len(find_estimator(str(weights), min_score=1.0)(frame).joints) == 0
    again = KeypointRCNN(file=str(weights))(frame)
    np.testing.assert_array_equal(again.joints, found.joints)


def test_videos_are_extracted_resumed_and_drawn(weights, small, tmp_path):
    video = tmp_path / "noise.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (3, 96, 128, 3), dtype=np.uint8)
    write_video(video, ((i / 10, frame) for i, frame in enumerate(noise)), fps=10)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    names, places = [str(video), str(bad)], [tmp_path / "out/noise", tmp_path / "out/bad"]
    estimator = find_estimator(str(weights))

    good, failed = extract_skeletons(names, places, estimator=estimator, every=2, workers=1)

    assert good.count >= 1
    assert isinstance(failed.error, VideoError)
    found = read_skeletons(good.file)
    assert found.joints.shape[1:] == (2, 17, 3)
    told = Told()  # would raise if it were asked
    told.name = estimator.name
    assert extract_skeletons(names[:1], places[:1], estimator=told, every=2, workers=1) == [good]
    (other,) = extract_skeletons(names[:1], places[:1], estimator=told, every=1, workers=1)
    assert isinstance(other.error, DataError)
    assert "every 2 frames, and" in other.error.problem

    drawn = write_skeleton_overlay(video, tmp_path / "drawn.mp4", found)
    with open_video(drawn) as opened:
        assert opened.num_frames == 3
    with pytest.raises(VideoError, match="skeletons of 2 frames, every 2"):
        write_skeleton_overlay(noise[:1].transpose(0, 3, 1, 2), tmp_path / "no.mp4", found)


def test_nobody_is_said_every_time(tmp_path):
    video = tmp_path / "blank.mp4"
    blank = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    write_video(video, ((i / 10, blank) for i in range(3)), fps=10)
    for estimator in (Told([], [], []), Told()):  # the second time it is not asked
        (result,) = extract_skeletons(
            [str(video)], [tmp_path / "blank"], estimator=estimator, workers=1
        )
        assert "nobody in any of the 3 frames" in result.error.problem
    with pytest.raises(VideoError, match="nobody in any frame"):
        Skeleton(layout="coco-17").open(Media(path=tmp_path / "blank.npz"))


def test_bones_and_boxes_are_drawn_in_a_colour_for_each_person():
    joints, boxes = np.zeros((2, 17, 3)), np.zeros((2, 4))
    joints[0, [11, 13]] = [[20.5, 10.5, 1], [20.5, 30.5, 1]]  # hip and knee
    joints[1, [11, 13]] = [[50.5, 10.5, 1], [50.5, 30.5, 0.1]]  # the knee is not clear
    boxes[1] = [40, 5, 60, 40]
    picture = np.zeros((48, 80, 3), np.uint8)

    drawn = draw_skeletons(picture, joints, boxes)

    assert not picture.any()
    assert drawn[20, 20].any()
    assert not drawn[20, 50].any()
    assert drawn[20, 60].any()  # an edge of the box
    assert (drawn[20, 20] != drawn[20, 60]).any()


def test_estimators_by_name(tmp_path):
    for name in ESTIMATORS:
        assert find_estimator(name).name.startswith(name)
    names = [partial(getattr, find_estimator(name), "name") for name in ESTIMATORS]
    in_processes = dict(run_jobs(names, workers=2))
    assert [in_processes[number] for number in range(len(names))] == [name() for name in names]
    assert find_estimator("rtmlib", min_score=0.5) == RTMPose(min_score=0.5)
    with pytest.raises(ZoopraxisError, match="no estimator of poses, and no file") as caught:
        find_estimator("rtmlip")
    assert "rtmlib" in caught.value.hint
    with pytest.raises(ZoopraxisError, match=r"lowest score is 1\.5"):
        find_estimator("torchvision", min_score=1.5)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="holds no Keypoint R-CNN"):
        find_estimator(str(tmp_path / "other.pth"))(torch.zeros(3, 8, 8, dtype=torch.uint8))


def test_missing_weights_say_where_they_belong(tmp_path, monkeypatch):
    def no_network(*_args, **_options):
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    with pytest.raises(DownloadError, match="cannot be downloaded: no network") as caught:
        KeypointRCNN()(torch.zeros(3, 32, 32, dtype=torch.uint8))
    assert f"{tmp_path}/hub/checkpoints/keypointrcnn_resnet50_fpn_coco" in caught.value.problem
    assert "name a file" in caught.value.hint


def test_rtmlib_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(ZoopraxisError, match="found by rtmlib") as caught:
        RTMPose()(torch.zeros(3, 32, 32, dtype=torch.uint8))
    assert "zoopraxis[pose]" in caught.value.hint
