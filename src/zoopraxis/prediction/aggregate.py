"""From the logits of several views to one prediction, by named rules.

They are computed by numpy: a prediction of an exported file needs no torch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from zoopraxis.errors import ShapeError, ZoopraxisError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from zoopraxis.inputs.base import Times

__all__ = ["MODES", "Prediction", "aggregate", "aggregate_array"]

Scores = NDArray[np.float32]


def _softmax(logits: Scores) -> Any:
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def _sigmoid(logits: Scores) -> Scores:
    return np.exp(-np.logaddexp(np.float32(0), -logits))  # no overflow, whatever the sign


def _mean_probability(logits: Scores) -> Any:
    """Average the softmax of the views: the usual test protocol."""
    return _softmax(logits).mean(-2)


def _mean_logit(logits: Scores) -> Any:
    """Average the logits, then softmax: TSN's consensus before the softmax."""
    return _softmax(logits.mean(-2))


def _sum_logit(logits: Scores) -> Any:
    """Sum the logits: not probabilities; the ranking is that of ``mean_logit``."""
    return logits.sum(-2)


def _max_probability(logits: Scores) -> Any:
    """Take each class's highest probability over the views."""
    return _softmax(logits).max(-2)


def _vote(logits: Scores) -> Any:
    """Count the views whose best class it is, as a fraction."""
    winners = logits.argmax(-1)[..., None] == np.arange(logits.shape[-1])  # (..., V, K)
    return winners.mean(-2, dtype=np.float32)


def _mean_sigmoid(logits: Scores) -> Any:
    """Average the sigmoid of the views: several labels may be true (Charades)."""
    return _sigmoid(logits).mean(-2)


def _max_sigmoid(logits: Scores) -> Any:
    """Take each label's highest sigmoid over the views: the protocol of Charades."""
    return _sigmoid(logits).max(-2)


def _mean_given(logits: Scores) -> Any:
    """Average the outputs of a model that ends with its own softmax or sigmoid."""
    given = logits[~np.isnan(logits)]  # NaN would compare as if it were in range
    if given.size and (given.min() < 0 or given.max() > 1 + 1e-4):
        raise ZoopraxisError(
            f"mode 'mean_given' expects probabilities, but the model gives "
            f"{given.min():.3g} to {given.max():.3g}",
            "for logits choose 'mean_probability'",
        )
    return logits.mean(-2)


MODES: Mapping[str, Callable[[Scores], Any]] = {
    "mean_probability": _mean_probability,
    "mean_logit": _mean_logit,
    "sum_logit": _sum_logit,
    "max_probability": _max_probability,
    "vote": _vote,
    "mean_sigmoid": _mean_sigmoid,
    "max_sigmoid": _max_sigmoid,
    "mean_given": _mean_given,
}


def aggregate(logits: Tensor, *, mode: str = "mean_probability") -> Tensor:
    """Aggregate the logits of several views to one score per class.

    Parameters
    ----------
    logits : Tensor of shape (..., V, K)
        One row per view (and crop). NaN stands for a video that could not be read.
    mode : str, default="mean_probability"
        A key of ``MODES``.

    Returns
    -------
    Tensor of shape (..., K)
        float32, on the CPU. NaN where a view has one, whatever the mode.

    Raises
    ------
    ShapeError
        There is no view.
    ZoopraxisError
        The mode is unknown, or ``mean_given`` is given logits.
    """
    import torch

    return torch.from_numpy(aggregate_array(_as_array(logits), mode=mode))


def aggregate_array(logits: Scores, *, mode: str = "mean_probability") -> Scores:
    """Aggregate an array (..., V, K) as `aggregate`, without torch."""
    if mode not in MODES:
        raise ZoopraxisError(f"unknown mode {mode!r}", f"known: {', '.join(MODES)}")
    if logits.ndim < 2 or logits.shape[-2] == 0:
        raise ShapeError(f"logits of shape {tuple(logits.shape)} are not (..., V, K) with V >= 1")
    unread = np.isnan(logits).any(-1).any(-1, keepdims=True)  # (..., 1)
    with np.errstate(invalid="ignore"):  # infinite logits: NaN, which is what they are worth
        scores = MODES[mode](logits.astype(np.float32, copy=False))
    # The greatest of NaNs is the first: a vote would give an unreadable video to class 0.
    return np.where(unread, np.float32("nan"), scores)


def _as_array(logits: Tensor | Scores) -> Scores:
    return logits if isinstance(logits, np.ndarray) else logits.detach().float().cpu().numpy()


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The prediction of a model for a video.

    Parameters
    ----------
    video : str
        The video.
    model : str
        The model.
    mode : str
        How the views were aggregated: a key of ``MODES``.
    labels : tuple of str
        The classes with the highest scores, the highest first.
    scores : tuple of float
        Their scores.
    times : tuple of (float, float)
        Seconds [start, end) that each view covers.
    logits : Tensor or ndarray of shape (V, K)
        The model's output for each view; an array where it was computed without torch.
    trained : bool, default=True
        False for random weights, whose predictions mean nothing.
    lag : float, optional
        Of a live video: seconds from the last frame of the view to this prediction.
    dropped : int, optional
        Of a live video: frames since it was opened that came too fast to be looked at.
    """

    video: str
    model: str
    mode: str
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    times: tuple[Times, ...]
    logits: Tensor | Scores = field(repr=False, compare=False)
    trained: bool = True
    lag: float | None = None
    dropped: int | None = None

    @classmethod
    def from_logits(
        cls,
        logits: Tensor | Scores,
        *,
        video: str,
        model: str,
        labels: Sequence[str],
        times: Sequence[Times],
        mode: str = "mean_probability",
        top: int = 5,
        trained: bool = True,
        lag: float | None = None,
        dropped: int | None = None,
    ) -> Self:
        """Aggregate logits (V, K) to the ``top`` best classes.

        Raises
        ------
        ShapeError
            ``labels`` are not K, or ``times`` not V.
        ZoopraxisError
            A logit is not finite.
        """
        if logits.shape != (len(times), len(labels)):
            raise ShapeError(
                f"{model} gave logits {tuple(logits.shape)} for {len(times)} views "
                f"and {len(labels)} labels",
                "check the labels in the JSON beside the weights",
            )
        rows = _as_array(logits)  # (V, K)
        if not np.isfinite(rows).all():
            raise ZoopraxisError(
                f"{video}: {model} gave logits that are NaN or infinite",
                "`zoopraxis.prediction.finite.first_not_finite` finds the module",
            )
        scores = aggregate_array(rows, mode=mode)  # (K,)
        best = np.argsort(-scores, kind="stable")[:top].tolist()
        return cls(
            video=video,
            model=model,
            mode=mode,
            labels=tuple(labels[k] for k in best),
            scores=tuple(scores[best].tolist()),
            times=tuple(times),
            logits=logits,
            trained=trained,
            lag=lag,
            dropped=dropped,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        best = zip(self.labels, self.scores, strict=True)
        views = zip(self.times, self.logits.tolist(), strict=True)
        live = {} if self.lag is None else {"lag": self.lag, "dropped": self.dropped or 0}
        return {
            "video": self.video,
            "model": self.model,
            "trained": self.trained,
            "mode": self.mode,
            **live,
            "top": [{"label": label, "score": score} for label, score in best],
            "views": [{"start": a, "end": b, "logits": row} for (a, b), row in views],
        }

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(self.to_dict())
