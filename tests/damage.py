"""Campaigns of damage: files broken in the same ways every time, and counts of what became of them.

A campaign in `make test` damages each file some dozen times, the slow one of `make test-all` some
thousand times. The counts stand at the end of the report of pytest.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from zoopraxis.errors import ZoopraxisError

__all__ = ["CAMPAIGN", "Counts", "damaged"]

CAMPAIGN = "campaigns of damage"  # what a test records under it, `conftest` prints


class Counts:
    """How many files were read, and how many refused."""

    def __init__(self) -> None:
        self.read = 0
        self.refused = 0

    def refusal(self, error: ZoopraxisError, name: str, never: Iterable[str] = ()) -> None:
        """Count an error, which must name the file, and hold none of the texts ``never``."""
        assert name in error.problem
        assert not any(text in str(error) for text in never)
        self.refused += 1

    def __str__(self) -> str:
        return f"{self.read + self.refused} files: {self.read} read, {self.refused} refused"


def damaged(data: bytes, times: int) -> Iterator[bytes]:
    """Damage a file: bits flipped, ends cut off, ranges zeroed or filled, parts spliced."""
    random = np.random.default_rng(len(data))
    early = max(1, min(len(data), 400))  # headers are where the claims stand
    for k in range(times):
        at, other = (int(n) for n in random.integers(0, early if k % 2 else len(data), 2))
        size = int(random.integers(1, 17))
        bad = bytearray(data)
        match k % 6:
            case 0 | 1:
                bad[at] ^= 1 << int(random.integers(8))
            case 2:
                del bad[at:]
            case 3:
                bad[at : at + size] = bytes(size)
            case 4:
                bad[at : at + size] = b"\xff" * size
            case 5:
                bad[at:at] = data[other : other + 4 * size]
        yield bytes(bad)
