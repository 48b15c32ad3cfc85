"""Fusion of evaluated networks: by hand, by name, and without a look at the test's truth."""

from dataclasses import replace

import numpy as np
import pytest

from zoopraxis.errors import DataError
from zoopraxis.evaluation.fusion import fuse, fuse_by_svm, weights_from
from zoopraxis.evaluation.result import Evaluation
from zoopraxis.evaluation.runs import read_run

LABELS = ("sit", "stand")
NAMES = ("a.mp4", "b.mp4", "c.mp4", "d.mp4")
TRUTH = (0, 0, 1, 1)
# probabilities of sit: each network alone is right on two of the four
RGB, FLOW = (0.9, 0.4, 0.7, 0.3), (0.2, 0.9, 0.2, 0.6)


def evaluation(sit, *, names=NAMES, truth=TRUTH, model="rgb"):
    """Evaluation of one view that gives these probabilities to sit."""
    first = np.array(sit, np.float32)
    return Evaluation(
        model=model,
        labels=LABELS,
        names=names,
        paths=names,
        truth=truth,
        logits=np.log(np.stack([first, 1 - first], axis=1))[:, None],
        views=1,
        crops=1,
        unread={},
        key=model,
    )


@pytest.fixture
def runs():
    return [evaluation(RGB), evaluation(FLOW, model="flow")]


@pytest.fixture
def held_out():
    """Of the same networks: RGB is right on all, flow on one of three."""
    names, truth = ("x.mp4", "y.mp4", "z.mp4"), (0, 1, 0)
    return [
        evaluation((0.6, 0.4, 0.6), names=names, truth=truth),
        evaluation((0.3, 0.85, 0.9), names=names, truth=truth, model="flow"),
    ]


def test_accuracy_by_hand(runs):
    # equal: sit has 0.55, 0.65, 0.45, 0.45: all right; 3 to 1: 0.725, 0.525, 0.575, 0.375
    assert [run.summary()["top1"] for run in runs] == [0.5, 0.5]
    assert fuse(runs).summary()["top1"] == 1.0
    fused = fuse(runs, weights=[3, 1])
    assert fused.summary()["top1"] == 0.75
    np.testing.assert_allclose(fused.scores()[:, 0], [0.725, 0.525, 0.575, 0.375], rtol=1e-6)


def test_videos_are_matched_by_name(runs):
    rgb, flow = runs
    order = [2, 0, 3, 1]
    other = replace(
        flow,
        names=tuple(NAMES[i] for i in order),
        paths=tuple(NAMES[i] for i in order),
        truth=tuple(TRUTH[i] for i in order),
        logits=flow.logits[order],
    )
    shuffled = fuse([rgb, other])

    assert shuffled.names == NAMES
    np.testing.assert_array_equal(shuffled.logits, fuse(runs).logits)
    assert shuffled.key == fuse(runs).key != fuse(runs, weights=[3, 1]).key


def test_weights_are_chosen_on_held_out_videos(runs, held_out):
    # y is right from a weight w of RGB with 0.4 w + 0.85 (1 - w) < 0.5, which is 0.78, and x from
    # 0.67: 0.8, 0.9 or 1, whose middle is chosen
    weights = weights_from(held_out, runs)
    assert weights == (0.9, 0.1)

    blind = [replace(run, truth=(1, 1, 0, 0), logits=-run.logits) for run in runs]
    assert weights_from(held_out, blind) == weights


def test_held_out_videos_are_not_tested_on(runs, held_out):
    names = ("x.mp4", "b.mp4", "z.mp4")
    seen = [replace(run, paths=names) for run in held_out]  # named from another list
    for choose in (weights_from, fuse_by_svm):
        with pytest.raises(DataError, match=r"1 held-out videos are among .*: b\.mp4"):
            choose(seen, runs)
        with pytest.raises(DataError, match="1 held-out runs for 2 runs"):
            choose(held_out[:1], runs)
        with pytest.raises(DataError, match="the held-out runs are of flow, rgb"):
            choose(held_out[::-1], runs)


def test_files_of_one_name_in_two_folders_are_two_videos(runs, held_out):
    alike = [replace(run, names=NAMES[:3]) for run in held_out]  # paths differ
    assert weights_from(alike, runs) == weights_from(held_out, runs)


def test_an_svm_trained_on_held_out_videos(runs):
    names, truth = ("w.mp4", "x.mp4", "y.mp4", "z.mp4"), (0, 1, 0, 1)
    held_out = [
        evaluation((0.9, 0.1, 0.9, 0.1), names=names, truth=truth),
        evaluation((0.5,) * 4, names=names, truth=truth, model="flow"),
    ]
    backwards = [replace(run, truth=tuple(1 - k for k in run.truth)) for run in held_out]

    fused, opposite = fuse_by_svm(held_out, runs), fuse_by_svm(backwards, runs)

    # RGB is right on every held-out video, and flow says nothing: the SVM follows RGB
    assert fused.scores().argmax(axis=1).tolist() == runs[0].scores().argmax(axis=1).tolist()
    assert (opposite.scores().argmax(axis=1) == 1 - fused.scores().argmax(axis=1)).all()


def test_an_unreadable_video_is_an_error_and_named(runs, held_out):
    rgb, flow = runs
    logits = flow.logits.copy()
    logits[1] = np.nan
    flow = replace(flow, logits=logits, unread={"b.mp4": "no flow"})

    for fused in (fuse([rgb, flow]), fuse_by_svm(held_out, [rgb, flow])):
        assert fused.unread == {"b.mp4": "no flow"}
        assert np.isnan(fused.scores()).any(axis=1).tolist() == [False, True, False, False]
    assert fuse([rgb, flow]).summary()["top1"] == 0.75


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("a.mp4", "b.mp4", "c.mp4", "e.mp4")}, r"flow lacks 1 of the 4 .*: d\.mp4"),
        ({"labels": ("sit", "walk")}, "first that differ are 'stand' and 'walk'"),
        ({"truth": (0, 1, 1, 1)}, r"b\.mp4 is 'sit' for rgb, and 'stand' for flow"),
        ({"truth": ((0,), (0,), (1,), (0, 1))}, "several labels"),
        ({"done": np.array([True, True, False, True])}, r"was stopped: it lacks 1 .* c\.mp4"),
    ],
)
def test_runs_that_do_not_fit_together(runs, change, message):
    with pytest.raises(DataError, match=message):
        fuse([runs[0], replace(runs[1], **change)])


def test_one_run_is_not_fused(runs):
    with pytest.raises(DataError, match="1 run cannot be fused"):
        fuse(runs[:1])


def test_runs_are_read_from_folders_and_files(runs, tmp_path):
    runs[0].save(tmp_path / "rgb" / "logits-1.npz")
    for path in (tmp_path / "rgb", tmp_path / "rgb" / "logits-1.npz"):
        np.testing.assert_array_equal(read_run(path).logits, runs[0].logits)

    runs[1].save(tmp_path / "rgb" / "logits-2.npz")
    with pytest.raises(DataError, match="holds 2 evaluations"):
        read_run(tmp_path / "rgb")
    with pytest.raises(DataError, match="holds 0 evaluations"):
        read_run(tmp_path)


def test_plain_scores(runs, tmp_path):
    probabilities = runs[1].scores()
    parts = {"names": NAMES, "truth": TRUTH, "labels": LABELS}
    np.savez(tmp_path / "flow.npz", scores=probabilities, **parts)
    np.savez(tmp_path / "svm.npz", scores=[[2.0, -1], [0, 3], [-4, 1], [1, 1]], **parts)

    flow, svm = read_run(tmp_path / "flow.npz"), read_run(tmp_path / "svm.npz")

    np.testing.assert_allclose(flow.scores(), probabilities, rtol=1e-6)
    assert fuse([runs[0], flow]).summary()["top1"] == 1.0
    # raw scores stay what they are
    assert svm.scores(mode="sum_logit").tolist() == [[2, -1], [0, 3], [-4, 1], [1, 1]]
    summed = fuse([svm, svm], weights=[1, 3], mode="sum_logit")
    assert summed.scores(mode="sum_logit")[0].tolist() == [2, -1]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"names": NAMES}, "no truth"),
        ({"names": NAMES[:3], "truth": TRUTH}, "does not hold the scores"),
        ({"names": ("a.mp4",) * 4, "truth": TRUTH}, "does not hold the scores"),
        ({"names": NAMES, "truth": (0, 0, 1, 2)}, "does not hold the scores"),
        ({"names": NAMES, "truth": TRUTH, "labels": ("sit",)}, "does not hold the scores"),
        ({"names": np.array(NAMES, dtype=object), "truth": TRUTH}, "cannot be read"),
    ],
)
def test_plain_files_that_hold_no_scores(parts, message, tmp_path):
    np.savez(tmp_path / "x.npz", scores=np.eye(2)[[0, 1, 0, 1]], **parts)
    with pytest.raises(DataError, match=message):
        read_run(tmp_path / "x.npz")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        read_run(tmp_path / "x.npz")
    with pytest.raises(DataError, match="no file"):
        read_run(tmp_path / "y.npz")
