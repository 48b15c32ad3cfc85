"""Evaluate a model on a list of videos: several views and crops of each, decoded once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoopraxis.checkpoints.saved import OpenModel
from zoopraxis.data.samples import SampleList
from zoopraxis.errors import DataError, VideoError, ZoopraxisError
from zoopraxis.evaluation.identity import evaluation_key
from zoopraxis.evaluation.result import Evaluation, read_evaluation
from zoopraxis.evaluation.views import load_views
from zoopraxis.inputs.conventions import check_views, usual_views
from zoopraxis.inputs.playback import FORWARDS, Playback
from zoopraxis.prediction.pipeline import Precision, run

__all__ = ["evaluate"]

_SAVE_EVERY = 50  # videos


def evaluate(
    net: OpenModel,
    samples: SampleList,
    *,
    views: int | None = None,
    crops: int = 1,
    device: str | torch.device = "cpu",
    precision: Precision = "float32",
    batch_size: int = 8,
    workers: int = 0,
    keep: Path | None = None,
    play: Playback = FORWARDS,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Evaluation:
    """Run a model over all videos of a list.

    Parameters
    ----------
    net : OpenModel
        Of `zoopraxis.checkpoints.saved.open_model`.
    samples : SampleList
        Labelled with the model's labels, in any order.
    views : int, optional
        Clips over each video; by default 10, or the number that the clip's convention fixes.
    crops : int, default=1
        Crops of each clip.
    device, precision, batch_size
        As for `zoopraxis.prediction.pipeline.run`.
    workers : int, default=0
        Processes that decode while the model runs.
    keep : Path, optional
        Folder of the logits, ``logits-<key>.npz``: written as the work proceeds, and an
        evaluation that was stopped resumes, and tries again what could not be read. The key is
        `evaluation_key`, so that nothing else is ever found there.
    play : Playback, default=FORWARDS
        How every clip is played: `zoopraxis.inputs.playback.Playback`.
    progress : callable, optional
        Called with the number of videos done, and of all.
    say : callable, optional
        Called with a line when kept logits are resumed, or those that are there are of another
        evaluation.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        The list has labels that the model does not know, or none of its videos can be read.
    RecipeError
        Clips of this kind of input cannot be played so, or the clip's convention has another number
        of views.
    CheckpointError, ZoopraxisError
        The model's output for a video is not finite; or the windows of its crops are averaged for
        one label a video, and the list has several.
    """
    truth = _in_model_order(samples, net)
    if samples.multi_label and net.windows.endswith("softmax"):
        raise ZoopraxisError(
            "the windows of crops are averaged by softmax, and the list has several labels a video",
            "average them by sigmoid (--mode mean_sigmoid or max_sigmoid)",
        )
    if views is None:
        views = usual_views(net.clip.sampling.convention, otherwise=10)
    net.clip.input.check_playback(play)
    check_views(net.clip.sampling.convention, views)
    key = evaluation_key(net, samples, views=views, crops=crops, precision=precision, play=play)
    kept = keep / f"logits-{key[:12]}.npz" if keep else None
    count = len(samples)
    resumed = _resumed(kept, key, say) or Evaluation(
        model=net.name,
        labels=net.labels,
        names=tuple(s.name for s in samples),
        paths=tuple(s.path for s in samples),
        truth=truth,
        logits=np.full((count, views * crops, len(net.labels)), np.nan, np.float32),
        views=views,
        crops=crops,
        unread={},
        key=key,
        done=np.zeros(count, dtype=bool),
        trained=net.trained,
    )
    logits, done = resumed.logits, resumed.has_logits.copy()
    unread: dict[str, str] = {}

    def result() -> Evaluation:
        return replace(resumed, logits=logits, done=done.copy(), unread=dict(unread))

    left = np.flatnonzero(~done).tolist()
    loader = load_views(
        samples, net.clip, left, views=views, crops=crops, play=play, workers=workers
    )
    try:
        for number, item in enumerate(loader, start=1):
            sample = samples[item.sample]
            try:
                if item.problem:
                    raise VideoError(item.problem)
                logits[item.sample] = run(
                    net.model,
                    item.inputs,
                    device=device,
                    precision=precision,
                    batch_size=batch_size,
                    video=sample.name,
                ).numpy()
                done[item.sample] = True
            except VideoError as error:
                unread[sample.name] = error.problem
            if kept and number % _SAVE_EVERY == 0:
                result().save(kept)
            if progress:
                progress(count - len(left) + number, count)
    finally:  # what was done before an error need not be done again
        if kept and left and done.any():
            result().save(kept)
    if not done.any():
        name, problem = next(iter(unread.items()))
        raise DataError(
            f"none of the {count} videos of {samples.root} can be read; the first, {name}: "
            f"{problem}",
            "check the paths in the list, and that these are videos",
        )
    return result()


def _resumed(kept: Path | None, key: str, say: Callable[[str], None] | None) -> Evaluation | None:
    """Evaluation that was begun, None if this one was not."""
    if kept is None:
        return None
    if not kept.exists():
        others = sorted(kept.parent.glob("logits-*.npz"))
        if others and say:
            say(
                f"{kept.parent} holds {len(others)} evaluation(s) of other weights, settings or "
                "videos: starting from scratch"
            )
        return None
    found = read_evaluation(kept)
    if found.key != key:
        raise DataError(f"{kept} holds another evaluation", "remove it, or choose another --out")
    if say:
        say(f"resuming from {kept}")
    return found


def _in_model_order(samples: SampleList, net: OpenModel) -> tuple[Any, ...]:
    """True classes as indices into the model's labels."""
    if len(samples) == 0:
        raise DataError(f"{samples.root} lists no videos", "choose other groups, or another list")
    index_of = {label: index for index, label in enumerate(net.labels)}
    foreign = [label for label in samples.labels if label not in index_of]
    if foreign:
        raise DataError(
            f"{samples.root} has {len(foreign)} labels that {net.name} does not know, "
            f"the first {foreign[0]!r}",
            f"the model knows: {', '.join(net.labels[:8])}...",
        )
    order = [index_of[label] for label in samples.labels]
    return tuple(
        tuple(order[k] for k in s.label) if isinstance(s.label, tuple) else order[s.label]
        for s in samples
    )
