"""Does time matter? Accuracy on clips played reversed, shuffled, frozen, sub-sampled and faster.

A network that reads the order of frames answers otherwise when the order changes; one that averages
over frames cannot. On actions that are each other reversed, such as folding and unfolding, the
first turns a reversed clip of one into the other (Pickup et al., Seeing the Arrow of Time, CVPR
2014; Huang et al., What Makes a Video a Video, CVPR 2018; Sudhakaran et al., Gate-Shift Networks,
CVPR 2020). How far single frames get on a data set is its static bias (Li et al., RESOUND, ECCV
2018).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import DataError, ModelNotFoundError, RecipeError
from zoopraxis.evaluation.compare import ClassChange, class_changes
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.evaluation.paired import Interval, Paired, paired, wilson
from zoopraxis.evaluation.result import Evaluation
from zoopraxis.evaluation.runs import aligned
from zoopraxis.inputs.playback import FORWARDS, Playback
from zoopraxis.metrics import Labels, Scores, answers, pair_accuracy
from zoopraxis.models.registry import model_spec

__all__ = [
    "PLAYS",
    "ROUNDING",
    "Diagnosis",
    "Effect",
    "Flip",
    "StaticBias",
    "diagnose",
    "static_bias",
]

PLAYS = (
    Playback(order="reversed"),
    Playback(order="shuffled"),
    Playback(order="frozen"),
    Playback(order="subsampled"),
    Playback(order="sped_up"),
)
"""How clips are played, besides forwards."""

ROUNDING = 1e-5
"""Difference that float32 sums over the same frames in another order may make of a probability.

Of scores above 1 it is relative."""


@dataclass(frozen=True)
class Flip:
    """A class whose videos, played otherwise, are predicted as another.

    Parameters
    ----------
    label : str
        True class.
    becomes : str
        The class, other than the true one, that most of them are then predicted as.
    count, videos : int
        Videos predicted so, and all of the class.
    mutual : bool
        Whether most of the other class's become this one: "Folding something" and "Unfolding
        something".
    example : int
        Number of the first video predicted so, of those that were correct forwards where there
        are any.
    """

    label: str
    becomes: str
    count: int
    videos: int
    mutual: bool
    example: int


@dataclass(frozen=True)
class Effect:
    """What playing clips otherwise does to a network.

    Parameters
    ----------
    name : str
        How they are played: `Playback.name`.
    labels : tuple of str
        K classes.
    truth : ndarray of shape (N,)
        True classes.
    forwards, played : ndarray of shape (N,)
        Predicted classes; -1 for none.
    largest : float
        Largest change of any score of any video; NaN if none could be read.
    """

    name: str
    labels: tuple[str, ...]
    truth: Labels
    forwards: Labels
    played: Labels
    largest: float

    @cached_property
    def pairs(self) -> Paired:
        """On which videos the network is correct forwards, and played so."""
        return paired(self.forwards == self.truth, self.played == self.truth)

    @property
    def accuracy(self) -> float:
        """Fraction of videos predicted correctly."""
        return float((self.played == self.truth).mean())

    @property
    def interval(self) -> Interval:
        """Interval of 95 % of the accuracy."""
        return wilson(int((self.played == self.truth).sum()), len(self.truth))

    @property
    def changed(self) -> float:
        """Fraction of videos predicted as another class than forwards."""
        return float((self.played != self.forwards).mean())

    @property
    def changed_interval(self) -> Interval:
        """Interval of 95 % of that fraction."""
        return wilson(int((self.played != self.forwards).sum()), len(self.truth))

    def by_class(self) -> list[ClassChange]:
        """Compare each class that occurs with itself forwards, the largest loss first."""
        changes = class_changes(
            self.labels, self.truth, self.forwards == self.truth, self.played == self.truth
        )
        return sorted(changes, key=lambda change: change.pairs.change)

    def flips(self) -> list[Flip]:
        """Say for each class which other one its videos become, the most frequent first.

        Counted are videos whose prediction changed.
        """
        count = len(self.labels)
        moved = (self.played != self.forwards) & (self.played != self.truth) & (self.played >= 0)
        table = np.zeros((count, count), np.int64)
        np.add.at(table, (self.truth[moved], self.played[moved]), 1)
        most = table.argmax(axis=1)
        found = []
        for k in np.flatnonzero(table.any(axis=1)).tolist():
            other = int(most[k])
            became = np.flatnonzero(moved & (self.truth == k) & (self.played == other))
            correct = became[self.forwards[became] == k]
            found.append(
                Flip(
                    label=self.labels[k],
                    becomes=self.labels[other],
                    count=int(table[k, other]),
                    videos=int((self.truth == k).sum()),
                    mutual=bool(table[other].any() and most[other] == k),
                    example=int((correct if len(correct) else became)[0]),
                )
            )
        return sorted(found, key=lambda flip: -flip.count / flip.videos)


@dataclass(frozen=True)
class StaticBias:
    """How far single frames get on a data set, against a network that reads time.

    Parameters
    ----------
    static, temporal : str
        Names of the networks.
    pairs : Paired
        On which videos the static one (first) and the temporal one (second) are correct.
    chance : float
        Accuracy of always giving the most frequent class.
    by_class : tuple of ClassChange
        From the static network to the temporal one; the class that needs time most first.
    """

    static: str
    temporal: str
    pairs: Paired
    chance: float
    by_class: tuple[ClassChange, ...]

    @property
    def static_accuracy(self) -> float:
        """Accuracy of the static network."""
        return (self.pairs.both + self.pairs.first) / self.pairs.count

    @property
    def temporal_accuracy(self) -> float:
        """Accuracy of the temporal network."""
        return (self.pairs.both + self.pairs.second) / self.pairs.count

    @property
    def score(self) -> float | None:
        """Part of the temporal network's lead over chance that the static one has as well.

        1 where time adds nothing, 0 where single frames tell nothing; None where the temporal
        network has no lead.
        """
        lead = self.temporal_accuracy - self.chance
        return (self.static_accuracy - self.chance) / lead if lead > 0 else None

    @property
    def representation_bias(self) -> float | None:
        """Bias towards static representations, in nats: log(accuracy / chance), after RESOUND.

        0 where single frames tell nothing; None where the static network is never correct.
        """
        return log(self.static_accuracy / self.chance) if self.static_accuracy else None


@dataclass(frozen=True)
class Diagnosis:
    """What a network makes of time, on one list of videos.

    Parameters
    ----------
    model : str
        Its name.
    order_sensitive : bool or None
        What its entry in the zoo declares; None of a network that is no entry, or whose input is
        changes between frames, such as flow, which reversed are others and not in another order.
    forwards : Evaluation
        Of clips as they are.
    played : mapping of str to Evaluation
        Of clips played otherwise, by `Playback.name`.
    refused : mapping of str to str
        How clips of this kind of input cannot be played, and why.
    pairs : tuple of (int, int)
        Classes that are each other reversed.
    mode : str or None
        How views are aggregated.
    bias : StaticBias, optional
        Of the data set, where a single-frame network was given.
    """

    model: str
    order_sensitive: bool | None
    forwards: Evaluation
    played: Mapping[str, Evaluation]
    refused: Mapping[str, str]
    pairs: tuple[tuple[int, int], ...]
    mode: str | None
    bias: StaticBias | None = None

    @cached_property
    def effects(self) -> dict[str, Effect]:
        """Effect of each way of playing, "forwards" first, which changes nothing."""
        ahead = self.forwards.scores(mode=self.mode)
        found = answers(ahead)
        runs = {FORWARDS.name: self.forwards, **self.played}
        effects = {}
        for name, run in runs.items():
            scores = run.scores(mode=self.mode)
            effects[name] = Effect(
                name=name,
                labels=self.forwards.labels,
                truth=self.forwards.classes,
                forwards=found,
                played=_settled(scores, found),
                largest=_largest(scores - ahead),
            )
        return effects

    @property
    def within_pairs(self) -> dict[str, float]:
        """Accuracy when only the two classes of a pair are allowed, by way of playing.

        50 % for any network that ignores order, on clips that are exactly each other reversed.
        """
        runs = {FORWARDS.name: self.forwards, **self.played} if self.pairs else {}
        return {
            name: pair_accuracy(run.scores(mode=self.mode), run.classes, self.pairs)
            for name, run in runs.items()
        }

    @property
    def contradictions(self) -> list[str]:
        """Ways of playing that change an answer, of a network declared to ignore order."""
        return [
            name
            for name, effect in self.effects.items()
            if name.startswith(("reversed", "shuffled"))
            and self.order_sensitive is False
            and effect.changed
        ]

    def summary(self) -> dict[str, Any]:
        """Give everything as plain JSON, fractions of 1."""
        within = self.within_pairs
        plays = {
            name: {
                "top1": effect.accuracy,
                "interval": effect.interval,
                **effect.pairs.facts(),
                "answers_changed": effect.changed,
                "answers_changed_interval": effect.changed_interval,
                "largest_score_change": None if np.isnan(effect.largest) else effect.largest,
                "within_pairs": within.get(name),
                "by_class": [change.facts() for change in effect.by_class()],
            }
            for name, effect in self.effects.items()
        }
        reverse = self.effects.get("reversed")
        bias = self.bias
        return {
            "model": self.model,
            "trained": self.forwards.trained,
            "order_sensitive": self.order_sensitive,
            "contradictions": self.contradictions,
            "videos": len(self.forwards.names),
            "unreadable": dict(self.forwards.unread),
            "plays": plays,
            "refused": dict(self.refused),
            "flips": [
                {k: v for k, v in vars(flip).items() if k != "example"}
                for flip in (reverse.flips() if reverse else ())
            ],
            "static_bias": None
            if bias is None
            else {
                "static": bias.static,
                "temporal": bias.temporal,
                "static_top1": bias.static_accuracy,
                "temporal_top1": bias.temporal_accuracy,
                "chance": bias.chance,
                "score": bias.score,
                "representation_bias": bias.representation_bias,
                **bias.pairs.facts(),
                "by_class": [change.facts() for change in bias.by_class],
            },
        }


def _settled(scores: Scores, forwards: Labels) -> Labels:
    """Predicted classes (N,) of clips played otherwise, where rounding changes none.

    The answer given forwards stands where its score is within `ROUNDING` of the highest: a mean
    over the same frames in another order differs in its last bits.
    """
    highest = scores.max(axis=1, keepdims=True)  # (N, 1)
    near = scores >= highest - ROUNDING * np.maximum(1, abs(highest))  # (N, K)
    rows = np.arange(len(scores))
    stands = np.where(forwards >= 0, near[rows, forwards], near.sum(axis=1) > 1)  # -1: a tie
    return np.where(stands, forwards, answers(scores))


def _largest(change: NDArray[np.float64]) -> float:
    read = change[~np.isnan(change).any(axis=1)]
    return float(abs(read).max()) if read.size else float("nan")


def diagnose(
    net: OpenModel,
    samples: SampleList,
    *,
    static: OpenModel | None = None,
    plays: Sequence[Playback] = PLAYS,
    pairs: Sequence[tuple[str, str]] = (),
    views: int = 1,
    crops: int = 1,
    mode: str | None = None,
    device: str | torch.device = "cpu",
    batch_size: int = 8,
    workers: int = 0,
    keep: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Test a network on clips played forwards and otherwise.

    In float32: half precision rounds more than the difference that is looked for.

    Parameters
    ----------
    net : OpenModel
        The network.
    samples : SampleList
        Labelled with the network's labels, one each.
    static : OpenModel, optional
        A network of the same classes that sees single frames: with it the static bias of the
        list is told.
    plays : sequence of Playback, default=PLAYS
        How clips are played. What cannot be of the network's kind of input is left out, and
        listed in `Diagnosis.refused`.
    pairs : sequence of (str, str)
        Labels that are each other reversed.
    views, crops, device, batch_size, workers
        As for `zoopraxis.evaluation.evaluate.evaluate`.
    mode : str, optional
        How views are aggregated (`zoopraxis.prediction.aggregate.MODES`).
    keep : Path, optional
        Folder with the logits of each way of playing in a folder of its own, which
        `zoopraxis compare` reads; a diagnosis that was stopped resumes.
    progress : callable, optional
        Called with what is tested, the number of videos done, and of all.
    say : callable, optional
        Called with a line when kept logits are resumed, as by `evaluate`.

    Returns
    -------
    Diagnosis

    Raises
    ------
    DataError
        As of `evaluate`; or a video has several labels, a pair is of unknown labels, or the
        static network has other classes.
    """
    if samples.multi_label:
        raise DataError(
            f"{samples.root} gives videos several labels",
            "diagnose a list with one label for each video",
        )
    numbers = {label: number for number, label in enumerate(net.labels)}
    unknown = [label for pair in pairs for label in pair if label not in numbers]
    if unknown:
        raise DataError(
            f"{net.name} knows no class {unknown[0]!r}", f"it knows {', '.join(net.labels[:8])}..."
        )

    if static is not None and static.labels != net.labels:
        raise DataError(
            f"{static.name} has other classes than {net.name}, or in another order",
            "train both on the same classes: data.labels lists them",
        )

    def test(tested: OpenModel, play: Playback, name: str) -> Evaluation:
        return evaluate(
            tested,
            samples,
            views=views,
            crops=crops,
            device=device,
            batch_size=batch_size,
            workers=workers,
            keep=keep / name.replace(" ", "_") if keep else None,
            play=play,
            progress=(lambda done, total: progress(name, done, total)) if progress else None,
            say=say,
        )

    refused = {}
    for play in plays:
        try:
            net.clip.input.check_playback(play)
        except RecipeError as error:
            refused[play.name] = error.problem
    forwards = test(net, FORWARDS, FORWARDS.name)
    played = {p.name: test(net, p, p.name) for p in plays if p.name not in refused}
    bias = None
    if static is not None:
        bias = static_bias(forwards, test(static, FORWARDS, "static"), mode=mode)
    return Diagnosis(
        model=net.name,
        order_sensitive=_declared(net),
        forwards=forwards,
        played=played,
        refused=refused,
        pairs=tuple((numbers[a], numbers[b]) for a, b in pairs),
        mode=mode,
        bias=bias,
    )


def _declared(net: OpenModel) -> bool | None:
    if not net.clip.input.items_stand_alone:
        return None
    try:
        return model_spec(net.config.name).order_sensitive
    except ModelNotFoundError:
        return None


def static_bias(temporal: Evaluation, static: Evaluation, *, mode: str | None = None) -> StaticBias:
    """Measure how far single frames get on a data set.

    Parameters
    ----------
    temporal : Evaluation
        Of a network that reads time.
    static : Evaluation
        Of one that sees single frames, on the same videos.
    mode : str, optional
        How views are aggregated.

    Raises
    ------
    DataError
        The evaluations do not hold the same videos, classes and truth.
    """
    temporal, static = aligned([temporal, static])
    truth = temporal.classes
    first, second = (answers(run.scores(mode=mode)) == truth for run in (static, temporal))
    changes = class_changes(temporal.labels, truth, first, second)
    return StaticBias(
        static=static.model,
        temporal=temporal.model,
        pairs=paired(first, second),
        chance=float(np.bincount(truth).max() / len(truth)),
        by_class=tuple(sorted(changes, key=lambda change: -change.pairs.change)),
    )
