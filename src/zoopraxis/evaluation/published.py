"""A published accuracy and what was measured here, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

from zoopraxis.inputs.conventions import usual_views
from zoopraxis.spec import Protocol, Weights

__all__ = ["Comparison", "compare_published", "open_parts"]

REMARK = (
    "The videos may differ from those of the published test: lists lose videos over the years, "
    "and others resize and re-encode them."
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The published numbers of a checkpoint beside those measured here, in percent.

    Parameters
    ----------
    weights : str
        Name of the checkpoint.
    published_by, measured_by : Protocol
        How either was measured.
    published, measured : mapping of str to float
        By the name of what is measured, as in `Evaluation.summary`; the same names in both.
    """

    weights: str
    published_by: Protocol
    measured_by: Protocol
    published: Mapping[str, float]
    measured: Mapping[str, float]

    @property
    def remarks(self) -> list[str]:
        """What is to be known before the two are compared, in sentences."""
        other = (
            []
            if self.measured_by == self.published_by
            else [f"Measured by another protocol: {self.measured_by}."]
        )
        none = [] if self.published else ["No accuracy is published for such videos."]
        return [*none, *other, *open_parts(self.measured_by), REMARK]

    def rows(self) -> list[tuple[str, float, float, float]]:
        """List what is measured: name, measured, published, and by how much the first is more."""
        return [
            (name, self.measured[name], value, self.measured[name] - value)
            for name, value in self.published.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        names = ("measured", "published", "difference")
        return {
            "weights": self.weights,
            "protocol": str(self.published_by),
            **{name: dict(zip(names, values, strict=True)) for name, *values in self.rows()},
            "remarks": self.remarks,
        }


def compare_published(
    summary: Mapping[str, float], weights: Weights, protocol: Protocol
) -> Comparison:
    """Compare an evaluation with the published numbers of a checkpoint.

    Parameters
    ----------
    summary : mapping of str to float
        Of `Evaluation.summary`: fractions of 1. What is not defined, NaN, is left out.
    weights : Weights
        The checkpoint, of `zoopraxis.prediction.protocol.published`.
    protocol : Protocol
        By which it was evaluated.
    """
    both = [name for name in weights.published if not isnan(summary.get(name, nan))]
    return Comparison(
        weights=weights.name,
        published_by=weights.protocol or Protocol(),
        measured_by=protocol,
        published={name: weights.published[name] for name in both},
        measured={name: 100 * summary[name] for name in both},
    )


def open_parts(protocol: Protocol) -> list[str]:
    """Say, in sentences, what of a protocol is not stated, and what no option follows.

    # The protocol does not state the crops; as usual here: the centre.
    """
    views = usual_views(protocol.convention or "", otherwise=10)
    parts = [
        ("the number of clips", f"{views}", protocol.views),
        ("the crops", "the centre", protocol.crops),
        ("their size", "the model's", protocol.size),
        ("the rule for the frames", "ours", protocol.convention),
        ("how scores are aggregated", "the mean of the probabilities", protocol.mode),
    ]
    if protocol.views == protocol.crops == 1:
        parts.pop()  # there is one score
    left = [(what, taken) for what, taken, stated in parts if stated is None]
    lines = []
    if left:
        named, taken = (", ".join(words) for words in zip(*left, strict=True))
        lines.append(f"The protocol does not state {named}; as usual here: {taken}.")
    if protocol.note:
        lines.append(f"The protocol says, for which there is no option: {protocol.note}.")
    return lines
