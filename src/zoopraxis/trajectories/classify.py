"""Linear SVMs on the Fisher vectors of trajectories, one class against the rest.

Wang and Schmid, ICCV 2013, "Feature encoding": the Fisher vectors of all kinds of descriptors, each
of length 1, are concatenated; C is 100.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from sklearn.svm import SVC
from torch import Tensor

from zoopraxis.checkpoints.config import hash_weights
from zoopraxis.checkpoints.read import read_safetensors
from zoopraxis.errors import CheckpointError, ShapeError, TrainingError
from zoopraxis.files import write_atomically
from zoopraxis.records import build
from zoopraxis.trajectories.fisher import DESCRIPTORS, TrajectoryEncoder
from zoopraxis.trajectories.settings import TrajectorySettings

__all__ = ["TrajectoryClassifier", "check_classes", "fit_svm", "open_classifier", "save_classifier"]

HEADER = "zoopraxis.trajectory_classifier"  # key of the identity in the file's header
MODEL = "model.safetensors"  # in the folder of a training


@dataclass(frozen=True, kw_only=True, eq=False)
class TrajectoryClassifier:
    """Names the action of a video by its trajectories.

    Parameters
    ----------
    labels : tuple of str
        Names of the K classes.
    encoder : TrajectoryEncoder
        Of the Fisher vectors, with the settings of the trajectories.
    weights : mapping of str to Tensor
        Of the SVMs: (K, length of the Fisher vector) for each kind of descriptor.
    bias : Tensor of shape (K,)
        Of the SVMs.
    training : mapping
        How it was trained: plain JSON, which decides nothing.
    """

    labels: tuple[str, ...]
    encoder: TrajectoryEncoder
    weights: Mapping[str, Tensor]
    bias: Tensor
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> TrajectorySettings:
        """How the trajectories are extracted."""
        return self.encoder.settings

    def scores(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Score the Fisher vectors of a video.

        Parameters
        ----------
        vectors : mapping of str to Tensor
            What `TrajectoryEncoder.encode` gives.

        Returns
        -------
        Tensor of shape (K,)
            Signed distances from the planes, in units of the margin: no probabilities.
        """
        parts = [self.weights[name] @ vectors[name] for name in DESCRIPTORS]  # (K,) each
        return torch.stack([*parts, self.bias]).sum(dim=0)

    def state(self) -> dict[str, Tensor]:
        """Give the tensors of encoder and SVMs."""
        weights = {f"{name}.svm": self.weights[name] for name in DESCRIPTORS}
        return {**self.encoder.state(), **weights, "bias": self.bias}

    @property
    def key(self) -> str:
        """Hash of all that decides the scores, and of the labels."""
        values = [self.settings.key, self.labels, hash_weights(self.state())]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def check_classes(classes: Sequence[int], labels: Sequence[str]) -> None:
    """Refuse what cannot be separated.

    Raises
    ------
    TrainingError
        A label has no video, or there is only one.
    """
    missing = [label for k, label in enumerate(labels) if k not in set(classes)]
    if missing:
        raise TrainingError(
            f"{len(missing)} of {len(labels)} classes have no video, the first: {missing[0]!r}",
            "add videos of them, or leave them out",
        )
    if len(labels) < 2:
        raise TrainingError(
            f"all videos show {', '.join(map(repr, labels)) or 'nothing'}",
            "train on videos of two classes or more",
        )


def fit_svm(
    gram: NDArray[np.float64],
    classes: Sequence[int],
    *,
    labels: Sequence[str],
    penalty: float = 100.0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Fit linear SVMs, one class against the rest, in the dual: videos are fewer than dimensions.

    Parameters
    ----------
    gram : ndarray of shape (N, N)
        Inner products of the videos' vectors.
    classes : sequence of int
        Class of each video.
    labels : sequence of str
        Names of the K classes.
    penalty : float, default=100.0
        C: the cost of an error.
    progress : callable, optional
        Called with the number of classes done and their total.

    Returns
    -------
    duals : Tensor of shape (K, N)
        The weights of class k are ``duals[k] @ vectors``.
    bias : Tensor of shape (K,)

    Raises
    ------
    TrainingError
        A label has no video, or there is only one.
    """
    check_classes(classes, labels)
    truth = np.asarray(classes)
    duals, bias = np.zeros((len(labels), len(truth))), np.zeros(len(labels))
    for k in range(len(labels)):
        svm = SVC(C=penalty, kernel="precomputed").fit(gram, truth == k)
        duals[k, svm.support_], bias[k] = svm.dual_coef_[0], svm.intercept_[0]
        if progress is not None:
            progress(k + 1, len(labels))
    return torch.from_numpy(duals).float(), torch.from_numpy(bias).float()


def save_classifier(path: Path, classifier: TrajectoryClassifier) -> None:
    """Write a classifier to one safetensors file, atomically; its identity is in the header."""
    state = classifier.state()
    values = {
        "settings": json.loads(classifier.settings.key),
        "labels": classifier.labels,
        "sha256": hash_weights(state),
        "training": dict(classifier.training),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(state, metadata={HEADER: json.dumps(values)}))


def open_classifier(path: str | Path) -> TrajectoryClassifier:
    """Read what `save_classifier` wrote, or that of a training's folder.

    Raises
    ------
    CheckpointError
        The file is missing, damaged or of another kind.
    """
    path = Path(path)
    path = path / MODEL if path.is_dir() else path
    if not path.is_file():
        raise CheckpointError(
            f"no file {path}", "`zoopraxis trajectories train` writes one into its OUT"
        )
    state, header = read_safetensors(path)
    try:
        values = json.loads(header[HEADER])
        labels, training = tuple(map(str, values["labels"])), dict(values["training"])
        settings = build(
            TrajectorySettings, values["settings"], where=f"{path}: settings", error=CheckpointError
        )
        if values["sha256"] != hash_weights(state):
            raise ValueError("its tensors are not those that its header describes")
        classifier = TrajectoryClassifier(
            labels=labels,
            encoder=TrajectoryEncoder.from_state(state, settings),
            weights={name: state[f"{name}.svm"] for name in DESCRIPTORS},
            bias=state["bias"],
            training=training,
        )
        _check_shapes(classifier)
    except (KeyError, TypeError, ValueError, ShapeError) as error:
        reason = error.problem if isinstance(error, ShapeError) else error
        raise CheckpointError(
            f"{path} holds no classifier of trajectories: {reason}",
            "`zoopraxis trajectories train` writes them; networks are opened by "
            "`zoopraxis predict` and `evaluate`",
        ) from error
    return classifier


def _check_shapes(classifier: TrajectoryClassifier) -> None:
    """Refuse tensors that do not fit one another, by using them."""
    try:
        scores = classifier.scores(classifier.encoder.encode(torch.zeros(2, 436)))
    except RuntimeError as error:
        raise ShapeError(str(error)) from error
    if scores.shape != (len(classifier.labels),):
        raise ShapeError(f"{scores.shape} scores for {len(classifier.labels)} labels")
