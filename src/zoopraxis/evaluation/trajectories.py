"""Evaluate a classifier of trajectories on a list of videos."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from zoopraxis.data.samples import SampleList
from zoopraxis.errors import DataError, ZoopraxisError
from zoopraxis.evaluation.identity import sample_identity
from zoopraxis.evaluation.result import Evaluation
from zoopraxis.trajectories.classify import TrajectoryClassifier
from zoopraxis.trajectories.vectors import Part, Progress, encode_parts, parts_of, read_vectors

__all__ = ["evaluate_trajectories"]

MODE = "sum_logit"
"""How the scores are aggregated: as they are, for distances from planes are no logits."""


def evaluate_trajectories(
    classifier: TrajectoryClassifier,
    samples: SampleList,
    out: Path,
    *,
    name: str = "trajectories",
    workers: int | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Evaluation:
    """Score all videos of a list, and keep the scores.

    Parameters
    ----------
    classifier : TrajectoryClassifier
        What is evaluated.
    samples : SampleList
        Labelled with the classifier's labels (``read_samples(..., labels=classifier.labels)``).
    out : Path
        Folder of the scores, ``logits-<key>.npz``, and of trajectories and Fisher vectors, which
        a later run finds finished.
    name : str, default="trajectories"
        How reports call the classifier.
    workers, progress, say
        As for `zoopraxis.trajectories.training.train_classifier`.

    Returns
    -------
    Evaluation
        One view of each video. The scores are distances from planes: aggregate them with the mode
        ``sum_logit``, which leaves them as they are.

    Raises
    ------
    DataError
        The list has other labels, trajectories extracted with other settings, or no video that
        can be read.
    """
    if samples.labels != classifier.labels:
        raise DataError(
            f"{samples.root} has the labels {', '.join(samples.labels[:8])}, and {name} "
            f"{', '.join(classifier.labels[:8])}",
            "read the list with the labels of the model",
        )
    found, _ = parts_of(
        samples,
        out / "trajectories",
        settings=classifier.settings,
        workers=workers,
        progress=progress,
    )
    unread = {
        sample.name: error.problem
        for sample, error in zip(samples, found, strict=True)
        if isinstance(error, ZoopraxisError)
    }
    parts = {n: part for n, part in enumerate(found) if isinstance(part, Part)}
    if not parts:
        problem = next(iter(unread.values()), "it lists none")
        raise DataError(
            f"none of the {len(samples)} videos of {samples.root} can be read; the first: "
            f"{problem}",
            "check the paths in the list, and that these are videos",
        )
    files = encode_parts(
        classifier.encoder, list(parts.values()), out / "fisher", progress=progress, say=say
    )
    logits = np.full((len(samples), 1, len(samples.labels)), np.nan, np.float32)  # (N, 1, K)
    for n, file in zip(parts, files, strict=True):
        vectors = {
            kind: torch.from_numpy(read_vectors([file], kind)[0]) for kind in classifier.weights
        }
        logits[n, 0] = classifier.scores(vectors).numpy()
    values = [classifier.key, samples.labels, [sample_identity(sample) for sample in samples]]
    key = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    result = Evaluation(
        model=name,
        labels=samples.labels,
        names=tuple(sample.name for sample in samples),
        paths=tuple(sample.path for sample in samples),
        truth=tuple(sample.label for sample in samples),
        logits=logits,
        views=1,
        crops=1,
        unread=unread,
        key=key,
    )
    result.save(out / f"logits-{key[:12]}.npz")
    return result
