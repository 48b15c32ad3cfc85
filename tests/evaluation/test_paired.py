"""Intervals and tests of paired accuracies, against published numbers and by counting."""

from itertools import product

import numpy as np
import pytest

from zoopraxis.errors import ShapeError
from zoopraxis.evaluation.paired import Paired, holm, paired, wilson


@pytest.mark.parametrize(  # Newcombe, Statistics in Medicine 1998, 17:857, table I, method 3
    ("correct", "count", "expected"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_score_interval(correct, count, expected):
    np.testing.assert_allclose(wilson(correct, count), expected, atol=6e-5)
    low, high = wilson(count - correct, count)
    np.testing.assert_allclose((1 - high, 1 - low), expected, atol=6e-5)


def test_the_ends_of_the_score_interval():
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_interval_of_a_change():
    # Newcombe, Statistics in Medicine 1998, 17:2635, table III, method 10: 36, 12, 2, 0
    found = Paired(both=36, first=2, second=12, neither=0)
    assert found.change == 0.2
    np.testing.assert_allclose(found.interval, (0.0569, 0.3404), atol=6e-5)

    back = Paired(both=36, first=12, second=2, neither=0)
    np.testing.assert_allclose(back.interval, (-0.3404, -0.0569), atol=6e-5)


def test_the_interval_of_no_change_has_a_width_and_its_middle_at_zero():
    low, high = Paired(both=58, first=0, second=0, neither=42).interval

    assert low == pytest.approx(-high)
    assert 0 < high < 0.05


def test_the_interval_holds_the_true_change_as_often_as_it_says():
    rng = np.random.default_rng(0)
    chances = [0.5, 0.15, 0.05, 0.3]
    tables = rng.multinomial(80, chances, size=2000)
    held = 0
    for table in tables.tolist():
        low, high = Paired(*table).interval
        held += low <= chances[2] - chances[1] <= high

    assert 0.935 < held / len(tables) < 0.975  # 95 %


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 4), (3, 5), (4, 4), (7, 1)])
def test_mcnemar_counts_the_tosses(first, second):
    tosses = list(product((0, 1), repeat=first + second))
    uneven = abs(first - second)
    extreme = sum(abs(2 * sum(toss) - len(toss)) >= uneven for toss in tosses)

    assert Paired(5, first, second, 3).p_value == pytest.approx(extreme / len(tosses), rel=1e-12)


def test_mcnemar_of_many_videos():
    # normal approximation with a correction for continuity: z = (200 - 1) / sqrt(20000)
    assert Paired(0, 9900, 10100, 0).p_value == pytest.approx(0.15937, abs=2e-4)


def test_pairs_are_counted():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 50)) < 0.5

    found = paired(first, second)

    assert (found.both + found.first, found.both + found.second) == (first.sum(), second.sum())
    assert found.change == pytest.approx(second.mean() - first.mean())
    with pytest.raises(ShapeError):
        paired(first, second[1:])


def test_holm_by_hand():
    # sorted 0.005 0.01 0.03 0.04, times 4 3 2 1: 0.02 0.03 0.06 0.04, which may not fall
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
