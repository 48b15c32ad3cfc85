"""From the logits of several views to one prediction, by named rules."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from zoopraxis.errors import ShapeError, ZoopraxisError

__all__ = ["MODES", "Prediction", "Times", "aggregate"]

Times = tuple[float, float]  # [start, end) in seconds


def _mean_probability(logits: Tensor) -> Tensor:
    """Average the softmax of the views: the usual test protocol."""
    return logits.softmax(-1).mean(-2)


def _mean_logit(logits: Tensor) -> Tensor:
    """Average the logits, then softmax: TSN's consensus before the softmax."""
    return logits.mean(-2).softmax(-1)


def _sum_logit(logits: Tensor) -> Tensor:
    """Sum the logits: not probabilities; the ranking is that of ``mean_logit``."""
    return logits.sum(-2)


def _max_probability(logits: Tensor) -> Tensor:
    """Take each class's highest probability over the views."""
    return logits.softmax(-1).amax(-2)


def _vote(logits: Tensor) -> Tensor:
    """Count the views whose best class it is, as a fraction."""
    winners = torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1])  # (..., V, K)
    return winners.float().mean(-2)


def _mean_sigmoid(logits: Tensor) -> Tensor:
    """Average the sigmoid of the views: several labels may be true (Charades)."""
    return logits.sigmoid().mean(-2)


def _max_sigmoid(logits: Tensor) -> Tensor:
    """Take each label's highest sigmoid over the views: the protocol of Charades."""
    return logits.sigmoid().amax(-2)


def _mean_given(logits: Tensor) -> Tensor:
    """Average the outputs of a model that ends with its own softmax or sigmoid."""
    given = logits[~logits.isnan()]  # NaN would compare as if it were in range
    if given.numel() and (given.min() < 0 or given.max() > 1 + 1e-4):
        raise ZoopraxisError(
            f"mode 'mean_given' expects probabilities, but the model gives "
            f"{given.min():.3g} to {given.max():.3g}",
            "for logits choose 'mean_probability'",
        )
    return logits.mean(-2)


MODES: Mapping[str, Callable[[Tensor], Tensor]] = {
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
        NaN where a view has one, whatever the mode.

    Raises
    ------
    ShapeError
        There is no view.
    ZoopraxisError
        The mode is unknown, or ``mean_given`` is given logits.
    """
    if mode not in MODES:
        raise ZoopraxisError(f"unknown mode {mode!r}", f"known: {', '.join(MODES)}")
    if logits.ndim < 2 or logits.shape[-2] == 0:
        raise ShapeError(f"logits of shape {tuple(logits.shape)} are not (..., V, K) with V >= 1")
    unread = logits.isnan().any(-1).any(-1)  # (...)
    # The greatest of NaNs is the first: a vote would give an unreadable video to class 0.
    return MODES[mode](logits.float()).masked_fill(unread[..., None], float("nan"))


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
    logits : Tensor of shape (V, K)
        The model's output for each view.
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
    logits: Tensor = field(repr=False, compare=False)
    trained: bool = True
    lag: float | None = None
    dropped: int | None = None

    @classmethod
    def from_logits(
        cls,
        logits: Tensor,
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
        if not torch.isfinite(logits).all():
            raise ZoopraxisError(
                f"{video}: {model} gave logits that are NaN or infinite",
                "`zoopraxis.prediction.finite.first_not_finite` finds the module",
            )
        scores = aggregate(logits, mode=mode)  # (K,)
        best = scores.sort(descending=True, stable=True).indices[:top].tolist()
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
