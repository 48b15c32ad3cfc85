"""Probes: each is right where its answer is known, and trained on nothing that it is tested on."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import LinearSVC

from feature_files import write_features
from zoopraxis.data.samples import read_samples
from zoopraxis.errors import DataError, TrainingError
from zoopraxis.evaluation import probe as module
from zoopraxis.evaluation.attentive import attentive_scores
from zoopraxis.evaluation.fusion import fuse
from zoopraxis.evaluation.probe import knn_scores, linear_svm, logistic_scores, probe
from zoopraxis.evaluation.protocols import by_folds, by_lists, leave_one_out
from zoopraxis.evaluation.runs import read_run

LABELS = ("a", "b", "c", "d")


def clusters(count=80, spread=0.4, seed=0):
    """Vectors around one direction for each class, and their classes."""
    rng = np.random.default_rng(seed)
    classes = np.arange(count) % 4
    x = np.abs(np.eye(8)[classes] + spread * rng.standard_normal((count, 8)))
    return x.astype(np.float32), classes


@pytest.fixture
def features(tmp_path):
    x, classes = clusters()
    groups = [f"g{n // 4 % 10}" for n in range(len(classes))]
    return write_features(tmp_path / "f", {"pooled": x}, classes, labels=LABELS, groups=groups)


def test_the_svm_is_linear_on_vectors_of_length_one():
    x, classes = clusters()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)

    scores = linear_svm(x[:60], classes[:60], x[60:], 0)

    direct = [
        LinearSVC(C=c, random_state=0, max_iter=100_000).fit(unit[:60], classes[:60])
        for c in (0.01, 0.1, 1.0, 10.0, 100.0)
    ]
    differences = [np.abs(svm.decision_function(unit[60:]) - scores).max() for svm in direct]
    assert min(differences) < 2e-2
    # longer vectors of the same direction score the same
    longer = linear_svm(x[:60], classes[:60], 7 * x[60:], 0)
    np.testing.assert_allclose(longer, scores, rtol=1e-5)


def test_c_is_chosen():
    x, classes = clusters()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    inner = StratifiedKFold(5, shuffle=True, random_state=0)
    grid = [0.01, 0.1, 1.0, 10.0, 100.0]
    model = LogisticRegression(max_iter=1000)
    measured = [
        cross_val_score(clone(model).set_params(C=c), unit, classes, cv=inner) for c in grid
    ]
    means = [float(m.mean()) for m in measured]

    chosen = module._choose_penalty(model, x, classes, 0)

    assert len(set(means)) > 1
    assert chosen == grid[int(np.argmax(means))]
    # a single video of a class leaves nothing to choose on
    assert module._choose_penalty(LinearSVC(), x[:4], classes[:4], 0) == 1.0


def test_two_classes():
    x, classes = clusters()
    two = classes < 2

    scores = linear_svm(x[two], classes[two], x[two], 0)

    assert scores.shape == (40, 2)
    np.testing.assert_allclose(scores[:, 0], -scores[:, 1])
    assert (scores.argmax(1) == classes[two]).mean() > 0.9


def test_logistic_regression_gives_probabilities():
    x, classes = clusters()

    scores = logistic_scores(x[:60], classes[:60], x[60:], 0)

    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    assert (scores.argmax(1) == classes[60:]).mean() > 0.8


def test_neighbours_vote():
    x, classes = clusters()

    scores = knn_scores(x[:60], classes[:60], x[60:], 0)

    for vector, row in zip(x[60:], scores, strict=True):
        cosine = [float(v @ vector / np.linalg.norm(v) / np.linalg.norm(vector)) for v in x[:60]]
        votes = np.zeros(4)
        for n in sorted(range(60), key=lambda n: -cosine[n])[:20]:
            votes[classes[n]] += np.exp(cosine[n] / 0.07)
        np.testing.assert_allclose(row, votes / votes.sum(), rtol=1e-4, atol=1e-6)


def test_the_attentive_probe_sees_what_the_mean_does_not():
    """Two channels light up in one cell, or in two: their means are the same."""
    rng = np.random.default_rng(0)
    classes = np.arange(120) % 2
    maps = np.zeros((120, 1, 4, 1, 2, 2), np.float32)  # (N, V, C, T, H, W)
    for video, label in zip(maps, classes, strict=True):
        first, second = rng.choice(4, 2, replace=False)
        video[0, 0].flat[first] = 1
        video[0, 1].flat[first if label else second] = 1
    means = maps.mean(axis=(1, 3, 4, 5))

    scores = attentive_scores(maps[:80], classes[:80], maps[80:], 0)

    np.testing.assert_array_equal(means, means[:1].repeat(120, axis=0))
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    assert (scores.argmax(1) == classes[80:]).mean() > 0.9


def test_the_attentive_probe_repeats_itself():
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((12, 1, 4, 1, 2, 2)).astype(np.float32)

    first, second = (attentive_scores(maps, np.arange(12) % 3, maps, 5) for _ in range(2))

    np.testing.assert_array_equal(first, second)


def test_folds_share_no_group(features):
    rounds = by_folds(features, folds=5)

    tested = np.concatenate([test for ((_, test),) in rounds])
    assert sorted(tested) == list(range(80))
    for ((train, test),) in rounds:
        groups = [{features.groups[n] for n in side} for side in (train, test)]
        assert not groups[0] & groups[1]


def test_leave_one_out(features):
    (pairs,) = leave_one_out(features)

    assert len(pairs) == 80
    for n, (train, test) in enumerate(pairs):
        assert test.tolist() == [n]
        assert sorted([*train, n]) == list(range(80))


def test_few_videos_of_each_class(features, monkeypatch):
    seen = []

    def watched(train, classes, test, seed):
        seen.append(tuple(classes.tolist()))
        drawn.append(train)
        return linear_svm(train, classes, test, seed)

    drawn = []
    monkeypatch.setitem(module.PROBES, "svm", watched)
    result = probe(features, by_folds(features), layer="pooled", shots=(1, 5, None), draws=3)

    counts = [np.bincount(classes).tolist() for classes in seen]
    assert counts[:15] == [[1] * 4] * 15  # three draws of five folds
    assert counts[15:30] == [[5] * 4] * 15
    assert sum(map(sum, counts[30:])) == 4 * 80
    assert not np.array_equal(drawn[0], drawn[5])  # the draws differ
    one, five, everything = result.points
    assert (one.shots, five.shots, everything.shots) == (1, 5, None)
    assert len(one.values) == 3
    assert len(everything.values) == 5
    assert one.low <= one.top1 <= one.high
    assert one.top1 < everything.top1
    assert everything.top1 > 0.8
    assert everything.top3 >= everything.top1


def test_one_draw_has_no_interval(features):
    (pair,) = by_folds(features)[:1]

    (point,) = probe(features, [pair], layer="pooled", shots=(2,), draws=1).points

    assert point.low is None
    assert point.high is None


def test_too_few_videos_for_the_shots(features):
    with pytest.raises(DataError, match="'a' has 16 training videos, and 17 shots"):
        probe(features, by_folds(features), layer="pooled", shots=(17,))


def test_a_class_without_training_videos(features):
    train = np.flatnonzero(features.classes > 0)
    with pytest.raises(TrainingError, match="'a'"):
        probe(features, [((train, np.arange(4)),)], layer="pooled")


def test_vectors_for_the_attentive_probe(features):
    with pytest.raises(DataError, match="--keep maps"):
        probe(features, by_folds(features), layer="pooled", kind="attentive")


@pytest.mark.parametrize("kind", ["svm", "logistic", "knn"])
def test_scores_fuse(features, tmp_path, kind):
    result = probe(features, by_folds(features)[:1], layer="pooled", kind=kind)
    other = probe(features, by_folds(features)[:1], layer="pooled", kind="knn")
    for n, one in enumerate((result, other)):
        one.evaluations[0].save(tmp_path / f"{n}" / "logits-x.npz")

    runs = [read_run(tmp_path / f"{n}") for n in range(2)]
    fused = fuse(runs, mode=result.mode)

    assert runs[0].summary(mode=result.mode)["top1"] == pytest.approx(result.points[0].top1)
    assert fused.names == result.evaluations[0].names
    assert fused.summary(mode="sum_logit")["top1"] > 0.7


def lists_of(features, tmp_path, *parts):
    """Lists of some of the videos."""
    found = []
    for number, part in enumerate(parts):
        lines = [f"{features.paths[n]},{features.labels[features.classes[n]]}" for n in part]
        path = tmp_path / f"list{number}.csv"
        path.write_text("path,label\n" + "\n".join(lines))
        found.append(read_samples(path, labels=features.labels))
    return found


def test_official_splits(tmp_path):
    x, classes = clusters()
    paths = [str(tmp_path / f"v{n}") for n in range(80)]
    features = write_features(tmp_path / "f", {"pooled": x}, classes, labels=LABELS, paths=paths)
    parts = [range(40), range(40, 80), range(20, 70), range(20)]
    one, two, three, four = lists_of(features, tmp_path, *parts)

    rounds = by_lists(features, [(one, two), (three, four)])
    result = probe(features, rounds, layer="pooled")

    assert [(len(a), len(b)) for ((a, b),) in rounds] == [(40, 40), (50, 20)]
    assert len(result.evaluations) == 2
    each = [e.summary(mode=result.mode)["top1"] for e in result.evaluations]
    assert result.points[0].top1 == pytest.approx(np.mean(each))
    with pytest.raises(DataError, match="v20 is in"):
        by_lists(features, [(one, three)])


def test_a_split_of_videos_without_features(features, tmp_path):
    one, two = lists_of(features, tmp_path, range(40), range(40, 80))

    with pytest.raises(DataError, match="40 videos without features"):
        by_lists(features, [(one, two)])
