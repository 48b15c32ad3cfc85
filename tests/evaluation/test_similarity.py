"""The twelve similarities, one by one, and what is decided by them."""

import math

import numpy as np
import pytest

from feature_files import write_features
from zoopraxis.data.pairs import VideoPair, read_pairs, write_pairs
from zoopraxis.errors import DataError, ShapeError
from zoopraxis.evaluation.similarity import (
    SIMILARITIES,
    draw_pairs,
    measure_similarity,
    similarities,
)

LABELS = tuple("abcdefgh")


def by_hand(a, b):
    """Table 3 of the paper, a line each."""
    a, b = ([v / math.sqrt(sum(w * w for w in x)) for v in x] for x in (a, b))
    pairs = list(zip(a, b, strict=True))
    root = math.sqrt
    return [
        sum(p * q for p, q in pairs),
        root(sum(p * q for p, q in pairs)),
        root(sum(root(p) * root(q) for p, q in pairs)),
        root(sum(p * q / (p + q) for p, q in pairs)),
        sum(p * q for p, q in pairs) / (root(sum(p * p for p in a)) * root(sum(q * q for q in b))),
        root(sum((p - q) ** 2 / (p + q) for p, q in pairs)),
        sum(abs(p - q) for p, q in pairs),
        root(sum((root(p) - root(q)) ** 2 for p, q in pairs)),
        root(sum((p - q) ** 2 for p, q in pairs)),
        (sum(p * math.log(p / q) for p, q in pairs) + sum(q * math.log(q / p) for p, q in pairs))
        / 2,
        sum(root(max(p, q)) / root(p + q) for p, q in pairs),
        sum(min(p, q) for p, q in pairs) / (sum(a) * sum(b)),
    ]


def features_of(tmp_path, *, informative=True):
    """Two layers of 8 actions, 6 videos each; unrelated to the actions if not informative."""
    rng = np.random.default_rng(0)
    classes = np.arange(48) % 8
    x = np.abs(np.eye(8)[classes] + 0.1 * rng.standard_normal((48, 8)))
    if not informative:
        x = rng.random((48, 8))
    return write_features(tmp_path / "f", {"one": x, "two": x**2}, classes, labels=LABELS)


def test_the_formulas():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 5, 7), dtype=np.float32)

    found = similarities(a, b)

    assert found.shape == (5, len(SIMILARITIES)) == (5, 12)
    for first, second, row in zip(a.tolist(), b.tolist(), found, strict=True):
        np.testing.assert_allclose(row, by_hand(first, second), rtol=1e-5)


def test_the_order_of_a_pair_does_not_count():
    a, b = np.random.default_rng(0).random((2, 5, 7), dtype=np.float32)

    np.testing.assert_allclose(similarities(a, b), similarities(b, a), rtol=1e-9)


def test_zeros_are_finite():
    a = np.array([[0, 1, 0], [0, 0, 0], [1, 1, 0]], np.float32)
    b = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0]], np.float32)

    found = similarities(a, b)

    assert np.isfinite(found).all()
    names = list(SIMILARITIES)
    assert found[2, names.index("cosine")] == pytest.approx(1)
    assert found[2, names.index("symmetric divergence")] == 0
    assert found[0, names.index("product")] == 0


def test_what_has_no_roots():
    with pytest.raises(DataError, match=r"-0.5.*none below 0"):
        similarities(np.full((1, 2), -0.5, np.float32), np.ones((1, 2), np.float32))
    with pytest.raises(ShapeError, match="make no pairs"):
        similarities(np.ones((1, 2), np.float32), np.ones((1, 3), np.float32))


def test_pairs_of_unseen_actions(tmp_path):
    features = features_of(tmp_path)

    pairs = draw_pairs(features, count=20, folds=4)

    label = dict(zip(features.names, features.classes.tolist(), strict=True))
    actions = {f: set() for f in range(4)}
    for pair in pairs:
        assert pair.first != pair.second
        assert pair.same == (label[pair.first] == label[pair.second])
        actions[pair.fold] |= {label[pair.first], label[pair.second]}
    assert sum(map(len, actions.values())) == 8  # each in one fold
    for f in range(4):
        of_fold = [p.same for p in pairs if p.fold == f]
        assert len(of_fold) == 20
        assert sum(of_fold) == 10
    assert len({(p.first, p.second) for p in pairs}) == len(pairs)


def test_told_apart(tmp_path):
    features = features_of(tmp_path)

    result = measure_similarity(
        features, draw_pairs(features, count=20, folds=4), layers=["one", "two"]
    )

    assert result.numbers == 24
    assert result.accuracy > 0.95
    assert result.auc > 0.95
    assert len(result.folds) == 4
    accuracies = [accuracy for accuracy, _ in result.folds]
    assert result.accuracy == pytest.approx(np.mean(accuracies))
    assert result.error == pytest.approx(np.std(accuracies, ddof=1) / 2)


def test_noise_tells_nothing(tmp_path):
    features = features_of(tmp_path, informative=False)

    result = measure_similarity(features, draw_pairs(features, folds=4), layers=["one"])

    assert 0.3 < result.accuracy < 0.7
    assert 0.3 < result.auc < 0.7


def test_pairs_in_a_file(tmp_path):
    pairs = draw_pairs(features_of(tmp_path), count=6, folds=2)

    write_pairs(tmp_path / "pairs.csv", pairs)

    assert read_pairs(tmp_path / "pairs.csv") == pairs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has the columns a, b"),
        ("", "has the columns"),
        ("first,second,same,fold\nx,y,1,0\nx,z,maybe,0\n", "line 3: same is 'maybe'"),
        ("first,second,same,fold\nx,y,1\n", "line 2: 3 cells under 4 columns"),
        ("first,second,same,fold\nx,y,1,0,2\n", "line 2: 5 cells under 4 columns"),
        ("first,second,same,fold\nx,y,1,\n", "line 2: .*fold ''"),
    ],
)
def test_files_that_hold_no_pairs(tmp_path, text, said):
    (tmp_path / "pairs.csv").write_text(text)

    with pytest.raises(DataError, match=said):
        read_pairs(tmp_path / "pairs.csv")


def test_pairs_that_cannot_be_measured(tmp_path):
    features = features_of(tmp_path)

    def pair(first, second, same, fold):
        return VideoPair(first=first, second=second, same=same, fold=fold)

    with pytest.raises(DataError, match=r"1 videos of the pairs have no features.*'v99'"):
        measure_similarity(features, [pair("v0", "v99", True, 0)], layers=["one"])
    with pytest.raises(DataError, match="1 folds"):
        measure_similarity(
            features, [pair("v0", "v8", True, 0), pair("v0", "v1", False, 0)], layers=["one"]
        )
    with pytest.raises(DataError, match="8 actions do not make 5 folds"):
        draw_pairs(features, folds=5)
