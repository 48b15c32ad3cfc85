"""Evaluation of real files: views, bad videos, caches, and the page."""

import numpy as np
import pytest
import torch
from torch import nn

from videos import write_frames
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError
from zoopraxis.evaluation.evaluate import Evaluation, evaluate, read_evaluation
from zoopraxis.checkpoints.hub import OpenModel
from zoopraxis.evaluation.report import worst_clips, write_report
from zoopraxis.spec import ClipSpec

CLIP = ClipSpec(frames=4, resize=16, size=16, mean=(0.0,) * 3, std=(1.0,) * 3)


class Brightness(nn.Module):
    """Logits (dark, bright) from the mean pixel of a clip: right on grey videos by construction."""

    def forward(self, x):
        bright = x.mean(dim=(1, 2, 3, 4))
        return torch.stack([0.5 - bright, bright - 0.5], dim=1) * 20


NET = OpenModel(Brightness(), "brightness", CLIP, ("dark", "bright"))


@pytest.fixture
def folder(tmp_path):
    for label, level in (("dark", 40), ("bright", 210)):
        for number in range(2):
            frames = np.full((12, 32, 32, 3), level + 10 * number, np.uint8)
            (tmp_path / "data" / label).mkdir(parents=True, exist_ok=True)
            write_frames(tmp_path / "data" / label / f"{number}.mp4", frames)
    return tmp_path / "data"


def test_scores_are_those_of_the_model(folder):
    result = evaluate(NET, read_samples(folder), views=3)

    assert result.logits.shape == (4, 3, 2)
    assert result.summary()["top1"] == 1.0
    assert result.confusion().tolist() == [[2, 0], [0, 2]]
    assert result.by_views() == {1: 1.0, 2: 1.0, 3: 1.0}


def test_unreadable_videos_count_and_are_listed(folder):
    (folder / "dark" / "broken.mp4").write_bytes(b"no video")

    result = evaluate(NET, read_samples(folder), views=2)

    assert list(result.unread) == ["dark/broken.mp4"]
    assert result.summary()["top1"] == 4 / 5
    assert result.summary()["videos"] == 5


def test_labels_are_matched_by_name(folder):
    (folder / "bright").rename(folder / "a_bright_one")

    with pytest.raises(DataError, match=r"labels that brightness does not know.*'a_bright_one'"):
        evaluate(NET, read_samples(folder))


def test_kept_logits_spare_the_work_and_another_evaluation_is_refused(folder, tmp_path):
    keep = tmp_path / "logits.npz"
    first = evaluate(NET, read_samples(folder), views=2, keep=keep)
    for path in folder.rglob("*.mp4"):  # nothing is read again
        path.write_bytes(b"")

    again = evaluate(NET, read_samples(folder), views=2, keep=keep)

    assert np.array_equal(again.logits, first.logits)
    assert not again.unread
    assert read_evaluation(keep).summary() == first.summary()
    with pytest.raises(DataError, match="its views differ"):
        evaluate(NET, read_samples(folder), views=3, keep=keep)


def test_a_stopped_evaluation_goes_on(folder, tmp_path):
    keep = tmp_path / "logits.npz"
    whole = evaluate(NET, read_samples(folder), views=2, keep=keep)
    half = whole.logits.copy()
    half[2:] = np.nan
    Evaluation(**{**whole.__dict__, "logits": half}).save(keep)

    again = evaluate(NET, read_samples(folder), views=2, keep=keep)

    np.testing.assert_array_equal(again.logits, whole.logits)


def fake(logits, truth, **fields):
    n, views, k = logits.shape
    defaults = {
        "model": "m",
        "labels": tuple("abc"[:k]),
        "names": tuple(f"v{i}" for i in range(n)),
        "paths": tuple(f"missing{i}.mp4" for i in range(n)),
        "crops": 1,
        "unread": {},
        "views": views,
    }
    return Evaluation(truth=truth, logits=logits.astype(np.float32), **{**defaults, **fields})


def test_fewer_views_span_the_video():
    # only the views at either end of four are right
    right, wrong = [5.0, 0.0], [0.0, 1.0]
    result = fake(np.array([[right, wrong, wrong, wrong]]), (0,))

    assert result.scores(views=4, mode="mean_logit").argmax() == 0
    assert result.scores(views=1, mode="mean_logit").argmax() == 1  # the middle


def test_the_surest_mistakes_come_first():
    logits = np.array([[[3.0, 0, 0]], [[0, 9.0, 0]], [[0, 0, 5.0]], [[0, 4.0, 0]]])
    mistakes = worst_clips(fake(logits, (0, 0, 0, 0)))

    assert [m.name for m in mistakes] == ["v1", "v2", "v3"]
    assert (mistakes[0].true, mistakes[0].guess) == ("a", "b")


def test_the_page_holds_everything_itself(folder, tmp_path):
    (folder / "dark" / "broken.mp4").write_bytes(b"no video")
    (folder / "bright" / "0.mp4").rename(folder / "dark" / "bright_in_truth.mp4")
    result = evaluate(NET, read_samples(folder), views=2)

    page = write_report(result, tmp_path / "report.html", title="A < B", pairs=[(0, 1)])

    text = page.read_text()
    assert "A &lt; B" in text
    assert "within reversed pairs" in text
    assert "dark/broken.mp4" in text
    assert "dark/bright_in_truth.mp4" in text
    assert text.count("data:image/jpeg") == 1  # the one mistake's film strip
    assert "http" not in text.split("</style>")[1]
