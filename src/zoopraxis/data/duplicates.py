"""Videos that look the same: re-encoded, resized, or cut a little differently."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zoopraxis.data.examine import Looks
from zoopraxis.flow.kernels import compiled

__all__ = ["look_alikes"]

# Of 64 bits of each of 8 frames. Strongly compressed copies of 128 pixels differ from films of the
# theatre in 2.6 to 7.0 bits a frame, and from clips of a camera in 0.8 to 7.2; other films in 11.3
# and more, other clips in 18.1 and more (benchmarks/look_alikes.py).
DIFFERENT_BITS = 8 * 8
# Clips of one scene look alike but for what moves; of copies that moves alike.
SAME_MOTION = 0.8
STILL = 1.5  # grey levels: what moves less cannot be compared


def look_alikes(looks: Sequence[Looks | None]) -> list[tuple[int, int]]:
    """Pairs of videos that show the same, each with the first of those that it is like.

    Two videos are compared by 8 frames at the same fractions of their lengths: the mean Hamming
    distance of their perceptual hashes is at most 8 of 64 bits (pHash: the signs of the 64 lowest
    frequencies of the discrete cosine transform, against their median), and their changes in time
    are correlated by 0.8 or more. A part of a longer video is not found.

    Parameters
    ----------
    looks : sequence of Looks or None
        Of N videos; None is like no other.

    Returns
    -------
    list of (int, int)
        Indices (first, later), ascending by the later one.
    """
    known = [k for k, one in enumerate(looks) if one is not None]
    seen = [one for one in looks if one is not None]
    if len(seen) < 2:
        return []
    hashes = np.stack([one.hashes for one in seen])  # (N, 8)
    found: dict[int, int] = {}
    for later, earlier in _near(hashes, DIFFERENT_BITS):
        if later not in found and _moves_alike(seen[earlier].stills, seen[later].stills):
            found[later] = earlier
    return [(known[found[later]], known[later]) for later in sorted(found)]


def _moves_alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two series of pictures (8, h, w) change alike in time."""
    a, b = (v.astype(np.float64) - v.mean(axis=0) for v in (one, other))
    strength = np.sqrt((a**2).mean()), np.sqrt((b**2).mean())
    if max(strength) < STILL / 2:
        return True  # two pictures that stand still
    if min(strength) == 0:
        return False
    return bool((a * b).mean() / (strength[0] * strength[1]) >= SAME_MOTION)


def _near(hashes: NDArray[np.uint64], limit: int) -> list[tuple[int, int]]:
    """Pairs (later, earlier) of rows whose bits differ in ``limit`` places at most."""
    room = max(4 * len(hashes), 1024)
    while True:
        pairs = np.empty((room, 2), np.int64)
        count = _find(hashes, limit, pairs)
        if count <= room:
            return [(int(later), int(earlier)) for later, earlier in pairs[:count]]
        room = count


@compiled
def _find(hashes: NDArray[np.uint64], limit: int, pairs: NDArray[np.int64]) -> int:
    """Compare all rows with those before; of 8 words, two tell most pairs apart."""
    count = 0
    for later in range(1, len(hashes)):
        for earlier in range(later):
            differ = np.int64(0)
            for k in range(hashes.shape[1]):
                x = hashes[later, k] ^ hashes[earlier, k]
                # number of ones, by halves (Warren, Hacker's Delight, section 5-1)
                x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
                x = (x & np.uint64(0x3333333333333333)) + (
                    (x >> np.uint64(2)) & np.uint64(0x3333333333333333)
                )
                x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
                differ += np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
                if differ > limit:
                    break
            if differ <= limit:
                if count < len(pairs):
                    pairs[count, 0], pairs[count, 1] = later, earlier
                count += 1
    return count
