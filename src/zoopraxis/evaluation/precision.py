"""What eight bits cost: the clips that calibrate a network, and its accuracy before and after."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import DataError
from zoopraxis.evaluation.evaluate import evaluate
from zoopraxis.evaluation.result import Evaluation
from zoopraxis.evaluation.views import load_views
from zoopraxis.inputs import ClipSpec

__all__ = ["ListedClips", "PrecisionChange", "precision_change", "spread"]

Progress = Callable[[int, int], None]


def spread(samples: SampleList, count: int) -> SampleList:
    """Keep ``count`` samples, evenly spaced over the list: lists are often sorted by class."""
    kept = np.unique(np.linspace(0, len(samples) - 1, min(count, len(samples))).round())
    return replace(samples, samples=tuple(samples[int(i)] for i in kept))


class ListedClips:
    """The central clip of each video of a list, read anew whenever it is iterated over.

    Parameters
    ----------
    samples : SampleList
        The videos.
    clip : ClipSpec
        The clip that the network expects.
    progress : callable, optional
        Called with the number of clips read, and of all, the first time.
    """

    def __init__(
        self, samples: SampleList, clip: ClipSpec, *, progress: Progress | None = None
    ) -> None:
        self.samples, self.clip, self.progress = samples, clip, progress

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        """Iterate over arrays (1, ...) for each input of the network.

        Raises
        ------
        DataError
            A video cannot be read.
        """
        # the centre is by our own rule: a convention may have more views, or another place
        clip = self.clip.change(convention="")
        loader = load_views(self.samples, clip, list(range(len(self))), views=1, crops=1)
        for number, item in enumerate(loader, start=1):
            if item.problem:
                raise DataError(
                    f"{self.samples[item.sample].path} cannot calibrate: {item.problem}",
                    "mend it or take it off the list; `zoopraxis data doctor` finds all such",
                )
            if self.progress is not None:
                self.progress(number, len(self))
            inputs = item.inputs if isinstance(item.inputs, tuple) else (item.inputs,)
            yield tuple(tensor.numpy() for tensor in inputs)
        self.progress = None


@dataclass(frozen=True, kw_only=True)
class PrecisionChange:
    """One clip of each video, by a network and by the same one in fewer bits.

    Parameters
    ----------
    before, after : Evaluation
        Of the same videos.
    """

    before: Evaluation
    after: Evaluation

    @property
    def facts(self) -> dict[str, Any]:
        """Give plain JSON.

        ``metric``, "top1" or "map", ``before`` and ``after`` it, all in [0, 1]; ``videos`` and
        how many are ``unread``, which count as errors; ``changed``, on how many the highest score
        is another class's; ``relative_error``, the largest difference of two logits, over the
        largest.
        """
        metric = "map" if self.before.multi_label else "top1"
        (wide, narrow), seen = (self.before.logits, self.after.logits), self.before.has_logits
        summary = self.before.summary()
        return {
            "videos": summary["videos"],
            "unread": summary["unread"],
            "metric": metric,
            "before": float(summary[metric]),
            "after": float(self.after.summary()[metric]),
            "changed": int((wide[seen, 0].argmax(1) != narrow[seen, 0].argmax(1)).sum()),
            "relative_error": float(np.abs(wide - narrow)[seen].max() / np.abs(wide[seen]).max()),
        }


def precision_change(
    net: OpenModel, small: OpenModel, samples: SampleList, *, progress: Progress | None = None
) -> PrecisionChange:
    """Evaluate a network and the same in fewer bits on the central clip of each video.

    Parameters
    ----------
    net, small : OpenModel
        The network, and what `zoopraxis.engine.export.open_exported` opens.
    samples : SampleList
        Labelled with the network's labels.
    progress : callable, optional
        Called with the number of evaluations done, and of all: two of each video.

    Raises
    ------
    DataError, ZoopraxisError
        As of `zoopraxis.evaluation.evaluate.evaluate`.
    """

    def run(model: OpenModel, begun: int) -> Evaluation:
        told = progress and (lambda done, count: progress(begun + done, 2 * count))
        return evaluate(model.with_clip(convention=""), samples, views=1, progress=told)

    return PrecisionChange(before=run(net, 0), after=run(small, len(samples)))
