"""Is one accuracy really higher than another? Intervals, and tests on the same videos.

Two networks, or one network on clips played in two ways, are correct or not on the same N videos.
What tells them apart are the videos on which only one of the two is correct.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import ShapeError

__all__ = ["Interval", "Paired", "holm", "paired", "wilson"]

Interval = tuple[float, float]
_Z = 1.959963984540054  # of 95 %


def wilson(correct: int, count: int) -> Interval:
    """Interval of 95 % of a fraction: the score interval of Wilson (JASA 1927).

    Parameters
    ----------
    correct : int
        Successes.
    count : int
        Trials; of none, the interval is (0, 1).

    >>> low, high = wilson(81, 263)
    >>> print(f"{low:.4f} {high:.4f}")
    0.2553 0.3662
    """
    if count == 0:
        return 0.0, 1.0
    rate = correct / count
    middle = (rate + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    reach = _Z * sqrt(rate * (1 - rate) / count + _Z**2 / (4 * count**2)) / (1 + _Z**2 / count)
    low = middle - reach if correct else 0.0  # exact, where rounding is not
    return low, middle + reach if correct < count else 1.0


@dataclass(frozen=True)
class Paired:
    """Two answers to each of N videos, by which of the two are correct.

    Parameters
    ----------
    both, first, second, neither : int
        Videos on which both are correct, only the first, only the second, or neither.
    """

    both: int
    first: int
    second: int
    neither: int

    @property
    def count(self) -> int:
        """Number of videos N."""
        return self.both + self.first + self.second + self.neither

    @property
    def change(self) -> float:
        """Accuracy of the second minus that of the first, NaN without videos."""
        return (self.second - self.first) / self.count if self.count else float("nan")

    def facts(self) -> dict[str, Any]:
        """Give plain JSON, of one video or more."""
        return {
            "videos": self.count,
            "change": self.change,
            "change_interval": self.interval,
            "gained": self.second,
            "lost": self.first,
            "p_value": self.p_value,
        }

    @property
    def p_value(self) -> float:
        """Exact two-sided McNemar test: of the chance of a split as uneven, were both as accurate.

        The discordant videos are then flips of a fair coin (McNemar, Psychometrika 1947).
        """
        tosses = self.first + self.second
        ways = tail = 1  # whole numbers, however large: exact
        for k in range(min(self.first, self.second)):
            ways = ways * (tosses - k) // (k + 1)  # tosses choose k + 1
            tail += ways
        total: int = 2**tosses
        return min(1.0, 2 * tail / total)

    @property
    def interval(self) -> Interval:
        """Interval of 95 % of the change: method 10 of Newcombe (Statistics in Medicine 1998).

        It joins the score intervals of both accuracies by their correlation, and so, unlike the
        plain one, has a width where all videos agree.
        """
        n = self.count
        if n == 0:
            return -1.0, 1.0
        ahead, after = self.both + self.first, self.both + self.second
        (low_1, high_1), (low_2, high_2) = wilson(ahead, n), wilson(after, n)
        rate_1, rate_2 = ahead / n, after / n
        product = float(self.both * self.neither - self.first * self.second)
        if product > 0:  # corrected for continuity
            product = max(product - n / 2, 0)
        scale = sqrt(ahead * (n - ahead) * after * (n - after))
        phi = product / scale if scale else 0.0
        up, down = high_2 - rate_2, rate_2 - low_2
        drop, rise = rate_1 - low_1, high_1 - rate_1
        below = sqrt(max(down**2 - 2 * phi * down * rise + rise**2, 0.0))
        above = sqrt(max(drop**2 - 2 * phi * drop * up + up**2, 0.0))
        return max(-1.0, self.change - below), min(1.0, self.change + above)


def paired(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Count which of two answers to N videos are correct.

    Parameters
    ----------
    first, second : ndarray of bool, shape (N,)
        Whether the answers to each video are correct.

    >>> found = paired(np.array([True, True, True, False]), np.array([True, False, False, False]))
    >>> found.change, found.p_value
    (-0.5, 0.5)
    """
    if first.shape != second.shape or first.ndim != 1:
        raise ShapeError(f"answers to {first.shape} and to {second.shape} videos are no pairs")
    return Paired(
        both=int((first & second).sum()),
        first=int((first & ~second).sum()),
        second=int((second & ~first).sum()),
        neither=int((~first & ~second).sum()),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of several tests, so that one in 20 *sets* of tests errs at 0.05.

    Holm, Scandinavian Journal of Statistics 1979: the smallest of m is multiplied by m, the next by
    m - 1, and none becomes smaller than one before it.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted
