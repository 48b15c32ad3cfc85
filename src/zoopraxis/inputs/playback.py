"""How a clip is played: forwards, or in a way that a network which reads time must notice.

Playing is arithmetic on the indices (V, T) of a clip, between sampling and reading, so that it
holds for every kind of input whose items stand alone. Where an item is itself a change from one
frame to the next (optical flow, differences, motion vectors), other indices would not give what the
video played so would show: only "reversed" is known for those, by
`zoopraxis.inputs.base.Input.reverse`.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import Literal, get_args

import numpy as np

from zoopraxis.errors import RecipeError
from zoopraxis.inputs.sampling import NOTHING, Indices

__all__ = ["FORWARDS", "ORDERS", "Order", "Playback", "rearranged"]

Order = Literal["forwards", "reversed", "shuffled", "frozen", "subsampled", "sped_up"]
ORDERS: tuple[Order, ...] = get_args(Order)
_MOST = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Playback:
    """How the clips of a video are played.

    Parameters
    ----------
    order : str, default="forwards"
        "forwards" as filmed; "reversed" backwards; "shuffled" the items of each clip in random
        order; "frozen" the middle item alone, repeated; "subsampled" every ``factor``-th item,
        each held for ``factor`` items; "sped_up" clips of the video of every ``factor``-th item,
        which is ``factor`` times as fast.
    factor : int, default=2
        Of "subsampled" and "sped_up": from 2.
    seed : int, default=0
        Of "shuffled".
    """

    order: Order = "forwards"
    factor: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise RecipeError(
                f"a clip cannot be played {self.order!r:.40}", f"known: {', '.join(ORDERS)}"
            )
        for name, least in (("factor", 2), ("seed", 0)):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not whole or not least <= value <= _MOST:
                raise RecipeError(
                    f"{name} must be a whole number from {least} to {_MOST}, not {value!r:.40}",
                    "factor is how many times fewer, or faster, the frames are",
                )

    @property
    def name(self) -> str:
        """All that counts: "reversed", "sped_up 2x", "shuffled", "shuffled 1" with seed 1."""
        if self.order in ("subsampled", "sped_up"):
            return f"{self.order} {self.factor}x"
        return f"shuffled {self.seed}" if self.order == "shuffled" and self.seed else self.order

    @property
    def speed(self) -> int:
        """Every how many items of the track there is one in the video that is played."""
        return self.factor if self.order == "sped_up" else 1


FORWARDS = Playback()


def rearranged(indices: Indices, play: Playback, *, sample: int = 0) -> Indices:
    """Indices of clips as they are played: those of "reversed" and "sped_up" are left as they are.

    The first is a matter of the kind of input, the second of sampling.

    Parameters
    ----------
    indices : ndarray of int64, shape (V, T)
        Of clips played forwards.
    play : Playback
        How they are played.
    sample : int, default=0
        Number of the video in its list. With ``play.seed`` it decides the order of a shuffled
        clip; every view is shuffled on its own.

    Returns
    -------
    ndarray of int64, shape (V, T)

    # 0123456: frozen 3333333, subsampled 2x 0022446, subsampled 3x 0003336
    """
    length = indices.shape[1]
    if play.order == "shuffled":
        rng = np.random.default_rng([play.seed, sample])
        order: Indices = rng.permuted(indices, axis=1)
        return order
    if play.order == "frozen":
        shown = [view[view != NOTHING] for view in indices]
        return np.repeat([view[len(view) // 2 : len(view) // 2 + 1] for view in shown], length, 1)
    if play.order == "subsampled":
        return indices[:, np.arange(length) // play.factor * play.factor]
    return indices
