"""Whole videos by their timelines: a network that is right by construction, and kept scores."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from colours import opened
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.evaluation.timeline_page import write_timeline_report
from zoopraxis.evaluation.timelines import evaluate_timelines
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.prediction.timeline import Hysteresis
from zoopraxis.theatre.make import encode

CLIP = ClipSpec(
    sampling=Sampling(num_frames=2),
    input=RGB(resize=16, size=16, mean=(0.0,) * 3, std=(1.0,) * 3),
)
LABELS = ("black", "grey", "white")
LEVELS = {"black": 0, "grey": 128, "white": 255}


class Levels(nn.Module):
    """Logits (black, grey, white) by the distance of a clip's mean to theirs."""

    def __init__(self, gain=40.0):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.seen = 0  # clips

    def forward(self, x):
        self.seen += len(x)
        levels = torch.tensor([0.0, 0.5, 1.0])
        return -((x.mean(dim=(1, 2, 3, 4))[:, None] - levels) ** 2) * self.gain


def network(gain=40.0, labels=LABELS):
    model = Levels(gain)
    net = opened(model, "levels", CLIP, labels)
    return replace(net, config=net.config.of_weights(model.state_dict()))


def film(path, *parts, fps=10):
    """Write a video of (level, seconds)."""
    frames = [
        np.full((32, 32, 3), LEVELS[level], np.uint8)
        for level, seconds in parts
        for _ in range(round(seconds * fps))
    ]
    path.write_bytes(encode(np.stack(frames), fps=fps))


@pytest.fixture
def listed(tmp_path):
    """Two videos: black, grey, black, white; and white, black."""
    film(tmp_path / "a.mp4", ("black", 2), ("grey", 2), ("black", 2), ("white", 2))
    film(tmp_path / "b.mp4", ("white", 3), ("black", 3))
    rows = ["a.mp4,2,4,grey", "a.mp4,6,,white", "a.mp4,0,2,black", "b.mp4,0,3,white"]
    (tmp_path / "list.csv").write_text("\n".join(["path,start,end,label", *rows]))
    return tmp_path / "list.csv"


def evaluate(net, path, **settings):
    defaults = {"none": "black", "window": 0.2, "step": 0.2}
    return evaluate_timelines(net, read_samples(path, labels=LABELS), **{**defaults, **settings})


def test_a_network_that_is_right_finds_every_segment(listed):
    result = evaluate(network(), listed)
    summary = result.summary()
    a, b = result.found
    assert [(s.start, s.end, s.label) for s in result.found[a]] == [
        (pytest.approx(2.0), pytest.approx(4.0), "grey"),
        (pytest.approx(6.0), pytest.approx(8.0), "white"),
    ]
    assert result.truth[a] == ((2.0, 4.0, "grey"), (6.0, pytest.approx(8.0), "white"))
    assert (len(result.times[a]), len(result.times[b])) == (80, 60)
    for name in ("map", "map@0.3", "map@0.7", "frame_accuracy", "edit", "f1@0.1", "f1@0.5"):
        assert summary[name] == 1, name
    assert (summary["videos"], summary["segments"], summary["predicted"]) == (2, 3, 3)


def test_false_segments_by_hand(listed):
    # in a, the list calls grey white and white grey: both are wrong
    text = listed.read_text().replace("grey", "x").replace("white", "grey").replace("x", "white")
    listed.write_text(text.replace("b.mp4,0,3,grey", "b.mp4,0,3,white"))
    result = evaluate(network(), listed)
    summary = result.summary()
    assert result.precision()["grey"].tolist() == [0] * 5
    # one of two is found, at the first or second rank
    assert result.precision()["white"][2] in (1 / 2, 1 / 2 * 1 / 2)
    assert summary["map@0.5"] == pytest.approx(result.precision()["white"][2] / 2)
    assert summary["frame_accuracy"] == pytest.approx((80 - 40 + 60) / 140)
    assert summary["edit"] == pytest.approx((0 + 1) / 2)  # a: both replaced
    assert summary["f1@0.5"] == pytest.approx(2 * 1 / (3 + 3))


def test_the_class_for_nothing_may_be_left_out(listed):
    result = evaluate(network(), listed, none="")
    assert {s.label for s in result.found[next(iter(result.found))]} == set(LABELS)
    assert set(result.precision()) == set(LABELS)  # the black segment is true now
    # black where the list says nothing is wrong: 4 of 8 s, and 3 of 6
    assert result.summary()["frame_accuracy"] == pytest.approx((60 + 30) / 140)


def test_a_rule_decides(listed):
    least = Hysteresis(high=0.5, low=0.5, shortest=2.5, none="black")
    result = evaluate(network(), listed, rule=least)
    assert [len(found) for found in result.found.values()] == [0, 1]  # only b's lasts 3 s
    with pytest.raises(DataError, match="the rule's none is ''"):
        evaluate(network(), listed, rule=replace(least, none=""))


def test_of_found_segments_that_overlap_the_likelier_labels_a_frame(listed):
    result = evaluate(network(gain=1.0), listed, rule=Hysteresis(high=0.0, low=0.0, none="black"))
    right = 0
    for name, found in result.found.items():
        assert len(found) == 2  # both classes, all the time
        likelier = max(found, key=lambda one: one.score).label
        right += sum(
            10 * (end - start) for start, end, label in result.truth[name] if label == likelier
        )
    assert result.frames().accuracy == pytest.approx(right / 140)


def test_kept_scores_spare_the_work_and_serve_another_rule(listed, tmp_path):
    net, said = network(), []
    first = evaluate(net, listed, keep=tmp_path / "out", say=said.append)
    seen = net.model.seen
    rule = Hysteresis(high=0.5, low=0.5, none="black")
    again = evaluate(net, listed, keep=tmp_path / "out", rule=rule, say=said.append)
    assert net.model.seen == seen
    assert again.summary() == first.summary()
    assert said == [f"the scores of 2 of 2 videos were kept in {tmp_path / 'out'}"]


@pytest.mark.parametrize(
    ("gain", "settings"),
    [(30.0, {}), (40.0, {"window": 0.3}), (40.0, {"step": 0.1}), (40.0, {"crops": 3})],
)
def test_other_weights_or_windows_find_nothing_kept(gain, settings, listed, tmp_path):
    evaluate(network(), listed, keep=tmp_path / "out")
    net = network(gain)
    evaluate(net, listed, keep=tmp_path / "out", **settings)
    assert net.model.seen > 0
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_another_file_of_the_same_name_is_scored_again(listed, tmp_path):
    evaluate(network(), listed, keep=tmp_path / "out")
    film(tmp_path / "b.mp4", ("black", 4), ("white", 3))
    net = network()
    result = evaluate(net, listed, keep=tmp_path / "out")
    assert net.model.seen == 35  # windows of b alone
    assert [s.start for s in result.found[str(tmp_path / "b.mp4")]] == [pytest.approx(4)]


def test_what_is_kept_may_be_damaged(listed, tmp_path):
    evaluate(network(), listed, keep=tmp_path / "out")
    damaged = sorted((tmp_path / "out").iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(DataError, match=damaged.name):
        evaluate(network(), listed, keep=tmp_path / "out")


def test_progress_grows_to_one(listed):
    calls = []
    evaluate(network(), listed, progress=calls.append)
    assert calls == sorted(calls)
    assert calls[-1] == 1
    assert len(calls) > 2


def test_unreadable_videos_count_as_missed(listed, tmp_path):
    (tmp_path / "b.mp4").write_bytes(b"no video")
    result = evaluate(network(), listed)
    assert list(result.unread) == [str(tmp_path / "b.mp4")]
    assert result.precision()["white"].tolist() == [0.5] * 5  # one of two
    assert result.summary()["frame_accuracy"] == 1
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match="none of the 2 videos"):
        evaluate(network(), listed)


def test_a_segment_outside_its_file_is_named_with_its_line(listed):
    listed.write_text(listed.read_text() + "\nb.mp4,8,9,white")
    with pytest.raises(DataError, match=r"list\.csv, line 6: .*\[8, 9\) s lies outside .*b\.mp4"):
        evaluate(network(), listed)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("path,start,end,label\na.mp4,0,1,pink", "pink"),
        (
            "path,start,end,x1,y1,x2,y2,label\na.mp4,0,1,0,0,1,1,grey",
            "line 2: a segment with a box",
        ),
        (
            "path,start,end,flow,label\na.mp4,0,1,f,grey\na.mp4,1,2,g,grey",
            "line 3: .* has other files beside it than in .*line 2",
        ),
    ],
)
def test_lists_without_timelines(rows, problem, listed):
    listed.write_text(rows)
    samples = read_samples(listed)
    with pytest.raises(DataError, match=problem):
        evaluate_timelines(network(), samples)


def test_a_class_for_nothing_that_is_none_of_the_models(listed):
    with pytest.raises(ZoopraxisError, match="has no class 'blak'"):
        evaluate(network(), listed, none="blak")


def test_the_page(listed, tmp_path):
    result = evaluate(network(), listed)
    page = write_timeline_report(result, tmp_path / "page.html", title="a < b").read_text()
    assert "a &lt; b" in page
    assert page.count("<img") == 2  # a picture of each video
    assert "<td>grey</td><td>100.0 %</td>" in page
    random = replace(result, trained=False, unread={"c.mp4": "torn"})
    page = write_timeline_report(random, tmp_path / "page.html").read_text()
    assert "random weights" in page
    assert "torn" in page
