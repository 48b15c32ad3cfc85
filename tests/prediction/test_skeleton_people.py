"""What each of several people does, by a network that sees joints."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from colours import colours, opened
from zoopraxis.cli import app
from zoopraxis.errors import VideoError, ZoopraxisError
from zoopraxis.inputs import ClipSpec, Heatmap, Sampling, Skeleton
from zoopraxis.prediction.people import predict_people
from zoopraxis.prediction.skeleton_people import predict_skeleton_people
from zoopraxis.prediction.skeletons import VideoSkeletons, write_skeletons
from zoopraxis.regions import FrameBoxes
from zoopraxis.video import write_video

FRAMES, HEIGHT, WIDTH = 24, 80, 160


class Height(nn.Module):
    """Logits are how high the nose is, and how low, of clips (B, C, T, J, P)."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward_features(self, x):
        self.seen.append(x)
        return x

    def forward(self, x):
        y = self.forward_features(x)[:, 1, :, 0, 0].mean(dim=1)  # (B,)
        return torch.stack([-20 * y, 20 * y], dim=1)


def high_or_low(**options):
    kind = Skeleton(layout="coco-17", people=1, **options)
    clip = ClipSpec(sampling=Sampling(num_frames=2), input=kind)
    return opened(Height(), "height", clip, ("high", "low"))


def skeletons(every=1):
    """One who sits down half way, from the start, and one who is high from frame 8 to 15."""
    joints = np.zeros((2, FRAMES, 17, 3), np.float32)
    boxes = np.zeros((2, FRAMES, 4), np.float32)
    for person, start, end in ((0, 0, FRAMES), (1, 8, 16)):
        for n in range(start, end):
            y = 60 if person == 0 and n >= FRAMES // 2 else 10
            joints[person, n] = (20 + 100 * person, y, 0.9)
            boxes[person, n] = (10 + 100 * person, y - 8, 30 + 100 * person, y + 15)
    return VideoSkeletons(
        joints=joints[:, ::every],
        boxes=boxes[:, ::every],
        fps=25 / every,
        every=every,
        size=(WIDTH, HEIGHT),
        estimator="told",
    )


def film():
    return torch.zeros(FRAMES, 3, HEIGHT, WIDTH, dtype=torch.uint8)


@pytest.mark.parametrize("every", [1, 2])
def test_each_person_has_joints_and_times_of_his_own(every):
    net = high_or_low()

    result = predict_skeleton_people(film(), net, skeletons(every), smooth=1)

    assert [(s.person, s.label) for s in result.segments] == [
        (1, "high"),
        (1, "low"),
        (2, "high"),
    ]
    first, second, other = result.segments
    assert (first.start, second.end) == (0.0, pytest.approx(FRAMES / 25))
    assert first.end == second.start == pytest.approx(FRAMES / 2 / 25, abs=2 * every / 25)
    assert (other.start, other.end) == (pytest.approx(8 / 25), pytest.approx(16 / 25))
    assert other.box == pytest.approx((110 / WIDTH, 2 / HEIGHT, 130 / WIDTH, 25 / HEIGHT))
    seen = torch.cat(net.model.seen)  # (B, 3, T, J, 1)
    torch.testing.assert_close(seen[:, 0].unique(), torch.tensor([20 / 160, 120 / 160]) - 0.5)
    assert {label.split()[0] for label in result.labelled().labels} == {"1", "2"}


def test_a_result_does_not_depend_on_batches():
    one, many = (
        predict_skeleton_people(film(), high_or_low(), skeletons(), batch_size=size)
        for size in (1, 50)
    )
    assert one == many


def test_what_cannot_be_done_is_said():
    with pytest.raises(VideoError, match="colours expects 'rgb' input, and skeletons are given"):
        predict_skeleton_people(film(), colours(), skeletons())
    with pytest.raises(VideoError, match="ends with frame 3"):
        predict_skeleton_people(film()[:4], high_or_low(), skeletons())
    with pytest.raises(VideoError, match="paced by motion"):
        predict_skeleton_people(film(), high_or_low(pace="motion"), skeletons())
    with pytest.raises(ZoopraxisError, match="smooth is 2"):
        predict_skeleton_people(film(), high_or_low(), skeletons(), smooth=2)
    none = FrameBoxes.of(np.zeros(0, int), np.zeros((0, 4)))
    with pytest.raises(VideoError, match="height expects skeletons, and boxes are given"):
        predict_people(film(), high_or_low(), none)


def test_heatmaps_are_read_too():
    clip = ClipSpec(sampling=Sampling(num_frames=2), input=Heatmap(resize=8, size=8))

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3, 4))[:, :2]

        forward_features = forward

    result = predict_skeleton_people(film(), opened(Mean(), "mean", clip, "ab"), skeletons())
    assert result.persons == (1, 2)


@pytest.fixture
def files(tmp_path):
    pictures = ((n / 25, frame.movedim(0, -1).numpy()) for n, frame in enumerate(film()))
    write_video(tmp_path / "film.mp4", pictures, fps=25)
    write_skeletons(tmp_path / "film.npz", skeletons())
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["people", *map(str, words)])


def test_the_command(files):
    done = run(
        *(files / "film.mp4", "--model", "stgcn_plus_coco", "--skeletons", files / "film.npz"),
        *("--json", "--save", files / "drawn.mp4"),
    )
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert [entry["person"] for entry in facts["people"]] == [1, 2]
    assert (files / "drawn.mp4").exists()


def test_the_command_refuses_what_a_network_does_not_read(files):
    words = (files / "film.mp4", "--skeletons", files / "film.npz")
    done = run(*words, "--model", "test_tsn")
    assert "test_tsn does not read it" in str(done.exception)
    assert "--boxes or --detector" in str(done.exception)
    done = run(*words, "--model", "test_tsn", "--pose", "torchvision")
    assert "torchvision would find others" in str(done.exception)
    done = run(files / "film.mp4", "--detector", "opencv", "--model", "stgcn_plus_coco")
    assert "--skeletons or --pose" in str(done.exception)
