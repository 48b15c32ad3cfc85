"""Train a classifier of trajectories: sample, fit, encode, separate; every step is kept.

The protocol of Wang and Schmid, ICCV 2013, "Feature encoding".
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from zoopraxis.checkpoints.read import read_safetensors
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import CheckpointError, DataError, TrainingError, ZoopraxisError
from zoopraxis.files import write_atomically
from zoopraxis.trajectories.classify import (
    MODEL,
    TrajectoryClassifier,
    check_classes,
    fit_svm,
    save_classifier,
)
from zoopraxis.trajectories.fisher import DESCRIPTORS, TrajectoryEncoder, fit_trajectories
from zoopraxis.trajectories.settings import TrajectorySettings
from zoopraxis.trajectories.vectors import (
    Part,
    Progress,
    encode_parts,
    parts_of,
    read_vectors,
    sample_rows,
)

__all__ = ["TrainingProtocol", "train_classifier"]

ENCODER = "encoder.safetensors"
HEADER = "zoopraxis.trajectory_encoder"  # key of what the encoder was fitted to


@dataclass(frozen=True, kw_only=True)
class TrainingProtocol:
    """How a classifier is trained; the default values are the paper's.

    Parameters
    ----------
    components : int, default=256
        Gaussians of each mixture, K.
    sample : int, default=256000
        Trajectories to which PCA and mixtures are fitted.
    penalty : float, default=100.0
        C of the SVMs.
    seed : int, default=0
        Of the sample, and of the initialisation of the mixtures.

    Raises
    ------
    TrainingError
        A value is out of its range.
    """

    components: int = 256
    sample: int = 256_000
    penalty: float = 100.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("components", "sample"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} is {getattr(self, name)}", "give 1 or more")
        if not 0 < self.penalty < float("inf"):
            raise TrainingError(f"C is {self.penalty}", "give a number greater than 0")


def train_classifier(
    samples: SampleList,
    out: Path,
    *,
    protocol: TrainingProtocol = TrainingProtocol(),
    settings: TrajectorySettings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> TrajectoryClassifier:
    """Train a classifier, or resume it, and write it to ``out``.

    Parameters
    ----------
    samples : SampleList
        Videos with one label each, with the column ``trajectories`` of an extraction or without:
        then they are extracted.
    out : Path
        Folder of the model (``model.safetensors``), and of what a later run finds finished:
        ``trajectories``, ``encoder.safetensors``, ``fisher``.
    protocol : TrainingProtocol
        How.
    settings : TrajectorySettings, optional
        Of the trajectories. The default is those of the files that the list names.
    workers : int, optional
        Processes that extract. The default is the number of cores.
    progress : callable, optional
        Called with what is being done, the number done, and the total.
    say : callable, optional
        Called with a line where something is resumed, or a video has no trajectories.

    Returns
    -------
    TrajectoryClassifier

    Raises
    ------
    DataError
        A video cannot be read, or has several labels.
    TrainingError
        There are too few trajectories, a class has no video, or there is only one.
    """
    if samples.multi_label:
        raise DataError(
            f"{samples.root} has several labels a video", "give a list with one label a video"
        )
    classes = [int(str(sample.label)) for sample in samples]
    check_classes(classes, samples.labels)
    found, settings = parts_of(
        samples, out / "trajectories", settings=settings, workers=workers, progress=progress
    )
    parts = _all_read(found)
    encoder = _encoder(parts, out, protocol, settings, progress, say)
    files = encode_parts(encoder, parts, out / "fisher", progress=progress, say=say)
    gram = np.zeros((len(files), len(files)))
    for name in DESCRIPTORS:  # of one kind at a time, all videos fit into memory
        vectors = read_vectors(files, name)  # (N, 2 K D)
        gram += vectors @ vectors.T
    duals, bias = fit_svm(
        gram,
        classes,
        labels=samples.labels,
        penalty=protocol.penalty,
        progress=progress and (lambda done, total: progress("separating", done, total)),
    )
    classifier = TrajectoryClassifier(
        labels=samples.labels,
        encoder=encoder,
        weights={name: duals @ torch.from_numpy(read_vectors(files, name)) for name in DESCRIPTORS},
        bias=bias,
        training={**vars(protocol), "videos": len(samples)},
    )
    save_classifier(out / MODEL, classifier)
    return classifier


def _all_read(found: list[Part | ZoopraxisError]) -> list[Part]:
    """Parts, if every video could be read."""
    errors = [error for error in found if isinstance(error, ZoopraxisError)]
    if errors:
        raise DataError(
            f"{len(errors)} of {len(found)} videos have no trajectories, the first: "
            f"{errors[0].problem}",
            "mend them or take them out of the list; the others are kept",
        )
    return [part for part in found if isinstance(part, Part)]


def _encoder(
    parts: list[Part],
    out: Path,
    protocol: TrainingProtocol,
    settings: TrajectorySettings,
    progress: Progress | None,
    say: Callable[[str], None] | None,
) -> TrajectoryEncoder:
    """Fit the encoder, or read the one that was fitted to the same sample."""
    path = out / ENCODER
    asked = replace(protocol, penalty=1.0)  # which decides nothing here
    values = [settings.key, vars(asked), [part.identity() for part in parts]]
    key = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    try:
        state, header = read_safetensors(path)
        if header.get(HEADER) == key:
            if say is not None:
                say(f"resuming from {path}")
            return TrajectoryEncoder.from_state(state, settings)
    except (CheckpointError, KeyError):  # not there, or of no use: it is fitted again
        pass
    encoder = fit_trajectories(
        sample_rows(parts, size=protocol.sample, seed=protocol.seed),
        settings=settings,
        components=protocol.components,
        seed=protocol.seed,
        progress=progress and (lambda done, total: progress("fitting", done, total)),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(encoder.state(), metadata={HEADER: key}))
    return encoder
