"""Actions of people in frames: predicted as AVA wants them, and scored by its rule.

The rule is that of AVA's evaluation (github.com/activitynet/ActivityNet,
``Evaluation/get_ava_performance.py``), Pascal VOC's average precision for each action: boxes of all
moments are sorted by their scores; one is right if, among the true boxes of its action and moment,
that which it overlaps most is overlapped by an intersection over union of 0.5 or more, and by no
box with a higher score before it. Precision at each recall is the highest of those at that recall
and above, the area below it is the average precision, and its mean over the actions that occur the
result.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.data.labels import label_names
from zoopraxis.data.samples import SampleList
from zoopraxis.data.sets.ava import ACTION_IDS, AvaBoxes, AvaPeople, Moment
from zoopraxis.errors import DataError, VideoError
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.regions import box_iou

__all__ = ["AvaScore", "predict_ava", "score_ava"]


@dataclass(frozen=True, kw_only=True)
class AvaScore:
    """Average precision of every action.

    Parameters
    ----------
    average_precision : mapping of str to float
        By the action's name, in [0, 1]; NaN where it does not occur.
    moments : int
        Number of moments that have true boxes.
    """

    average_precision: Mapping[str, float]
    moments: int

    @property
    def mean(self) -> float:
        """mAP: the mean over the actions that occur."""
        return float(np.nanmean(list(self.average_precision.values())))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; null for an action that does not occur."""
        each = {
            name: None if np.isnan(value) else value
            for name, value in self.average_precision.items()
        }
        return {"mAP": self.mean, "moments": self.moments, "average_precision": each}


def score_ava(
    truth: AvaBoxes,
    found: AvaBoxes,
    *,
    excluded: Collection[Moment] = (),
    per_moment: int | None = 50,
    min_iou: float = 0.5,
) -> AvaScore:
    """Compute the average precision of AVA's 60 evaluated actions; others are left out.

    Parameters
    ----------
    truth, found : AvaBoxes
        True boxes, and predicted ones with scores. What is found in a moment without truth is
        wrong.
    excluded : collection of (str, int)
        Moments that do not count.
    per_moment : int or None, default=50
        Of each moment, only so many predicted pairs of box and action count, those with the
        highest scores: 50 in AVA's evaluation, all (None) in that of PySlowFast and mmaction2.
    min_iou : float, default=0.5
        The least intersection over union of a box that is right.

    Raises
    ------
    DataError
        No true box is left.
    """
    rows_of: dict[tuple[int, Moment], list[int]] = defaultdict(list)
    counts = dict.fromkeys(ACTION_IDS, 0)
    for row in _counted(truth, excluded):
        action = int(truth.actions[row])
        rows_of[action, truth.moments[row]].append(row)
        counts[action] += 1
    if not rows_of:
        raise DataError(
            "there are no true boxes of evaluated actions", "check the excluded moments"
        )
    kept = _counted(found, excluded)
    kept = kept[np.argsort(-found.scores[kept], kind="stable")]  # (n,), the highest first
    used: dict[Moment, int] = defaultdict(int)
    hits: dict[int, list[bool]] = {action: [] for action in ACTION_IDS}
    taken: set[int] = set()
    for row in kept.tolist():
        moment, action = found.moments[row], int(found.actions[row])
        used[moment] += 1
        if per_moment is not None and used[moment] > per_moment:
            continue
        true = rows_of.get((action, moment))
        hit = False
        if true:
            pair = torch.from_numpy(found.boxes[row][None]), torch.from_numpy(truth.boxes[true])
            overlaps = box_iou(*pair)[0].numpy()  # (number of true boxes,)
            best = int(overlaps.argmax())
            hit = bool(overlaps[best] >= min_iou) and true[best] not in taken
            if hit:
                taken.add(true[best])
        hits[action].append(hit)
    values = [_average_precision(np.array(hits[action]), counts[action]) for action in ACTION_IDS]
    return AvaScore(
        average_precision=dict(zip(label_names("ava"), values, strict=True)),
        moments=len({moment for _, moment in rows_of}),
    )


def _counted(boxes: AvaBoxes, excluded: Collection[Moment]) -> NDArray[np.intp]:
    """Rows whose action is evaluated, and whose moment is not excluded."""
    evaluated = np.isin(boxes.actions, ACTION_IDS)
    there = np.array([moment not in excluded for moment in boxes.moments], bool)
    return np.flatnonzero(evaluated & there)


def _average_precision(hits: NDArray[np.bool_], count: int) -> float:
    """Area below the precision of n predictions, the highest score first, for ``count`` truths."""
    if count == 0:
        return float("nan")
    right = np.cumsum(hits)  # (n,)
    precision = right / np.arange(1, len(hits) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]  # at this recall and above
    return float(highest[hits.astype(bool)].sum() / count)  # recall grows by 1 / count at a hit


def predict_ava(
    net: OpenModel,
    people: AvaPeople,
    *,
    device: str | torch.device = "cpu",
    workers: int = 0,
    keep: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> AvaBoxes:
    """Score all actions of every person of a list, by the sigmoid of one clip.

    Parameters
    ----------
    net : OpenModel
        A network whose labels are AVA's actions, all or some.
    people : AvaPeople
        Of `zoopraxis.data.sets.ava.ava_people`.
    device, workers, keep, progress, say
        As for `zoopraxis.evaluation.evaluate.evaluate`, which resumes.

    Raises
    ------
    DataError
        The network has other labels.
    VideoError
        A clip cannot be read.
    """
    id_of = dict(zip(label_names("ava"), ACTION_IDS, strict=True))
    foreign = [label for label in net.labels if label not in id_of]
    if foreign:
        raise DataError(
            f"{net.name} has {len(foreign)} labels that AVA does not have, the first "
            f"{foreign[0]!r}",
            "train one on the list of `zoopraxis ava list`, whose labels are AVA's names",
        )
    # what is true has no part in it
    samples = tuple(replace(sample, label=()) for sample in people.samples)
    asked = SampleList(samples=samples, labels=net.labels, root=people.samples.root)
    result = evaluate(
        net,
        asked,
        views=1,
        device=device,
        workers=workers,
        keep=keep,
        progress=progress,
        say=say,
    )
    if result.unread:
        name, problem = next(iter(result.unread.items()))
        raise VideoError(
            f"{len(result.unread)} of {len(samples)} clips cannot be read; the first, {name}: "
            f"{problem}",
            "check --offset and the videos; what could be read is kept, and not read again",
        )
    scores = result.scores(mode="mean_sigmoid")  # (N, K)
    count = len(net.labels)
    return AvaBoxes(
        moments=tuple(moment for moment in people.moments for _ in range(count)),
        boxes=np.repeat([sample.box for sample in samples], count, axis=0).astype(np.float64),
        actions=np.tile([id_of[label] for label in net.labels], len(samples)).astype(np.int64),
        scores=scores.ravel().astype(np.float64),
    )
