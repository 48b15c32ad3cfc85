"""Predict with an exported file, without torch: importing it takes longer than the prediction.

The straight line of `zoopraxis.prediction.pipeline` in arrays, for networks that see RGB frames.
Decoding, sampling, crops and aggregation are the same functions; only the few lines that make a
clip of frames stand here again, and give the same numbers.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoopraxis.engine.compiled import Compiled
from zoopraxis.errors import CheckpointError
from zoopraxis.inputs.augment import Draw
from zoopraxis.inputs.base import Media, segment_range, view_indices, view_times
from zoopraxis.inputs.kinds import clip_from_dict
from zoopraxis.inputs.rgb import RGB
from zoopraxis.inputs.sampling import Sampling
from zoopraxis.prediction.aggregate import Prediction

__all__ = ["FrameNetwork", "frame_network", "predict_exported", "prepare_frames"]


@dataclass(frozen=True, kw_only=True)
class FrameNetwork:
    """A compiled network that sees RGB frames.

    Parameters
    ----------
    compiled : Compiled
        What computes it.
    name : str
        How reports call it.
    labels : tuple of str
        Its K classes.
    sampling : Sampling
        Which frames make its clip.
    frames : RGB
        How they become its input.
    """

    compiled: Compiled
    name: str
    labels: tuple[str, ...]
    sampling: Sampling
    frames: RGB


def frame_network(compiled: Compiled, path: str | Path) -> FrameNetwork | None:
    """Return an exported network that sees RGB frames; None where it sees something else.

    Raises
    ------
    CheckpointError
        The configuration in the file is damaged.
    """
    where = f"{path}: clip"
    try:
        about = json.loads(compiled.text or "")
        labels, clip = tuple(map(str, about["labels"])), about["clip"]
        kind = clip["input"]["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} does not say what network it holds: {error!r}", "export it again"
        ) from error
    if kind != RGB.kind:
        return None
    whole = clip_from_dict(clip, where=where, error=CheckpointError)
    return FrameNetwork(
        compiled=compiled,
        name=str(path),
        labels=labels,
        sampling=whole.sampling,
        frames=whole.input,  # type: ignore[arg-type]
    )


def predict_exported(
    media: Media,
    net: FrameNetwork,
    *,
    longest: float = float("inf"),
    views: int = 1,
    crops: int = 1,
    mode: str = "mean_probability",
    top: int = 5,
) -> Prediction | None:
    """Predict the action in a video; parameters and errors as of `pipeline.predict`.

    Parameters
    ----------
    longest : float, default=inf
        Seconds; of a longer video, or segment, None is returned and nothing is decoded.
    """
    with net.frames.open(media) as track:
        ((start, end),) = view_times(track, np.asarray([segment_range(track, media)]))
        if end - start > longest:
            return None
        indices = view_indices(track, media, net.sampling, views=views)  # (V, T)
        draws = net.frames.crops(track, crops)
        frames = track.arrays_at(indices, resize=draws[0].scaled)  # (V, T, H, W, 3)
        times = [time for time in view_times(track, indices) for _ in draws]
        name = track.name
    logits = [
        net.compiled(prepare_frames(clip, draw, net.frames)[None])
        for clip in frames
        for draw in draws
    ]  # each (1, K)
    return Prediction.from_logits(
        np.concatenate(logits),
        video=name,
        model=net.name,
        labels=net.labels,
        times=times,
        mode=mode,
        top=top,
    )


def prepare_frames(frames: NDArray[np.uint8], draw: Draw, kind: RGB) -> NDArray[np.float32]:
    """Crop, flip and normalise frames (T, H, W, 3), as `RGB.prepare`: (3, T, S, S)."""
    top, left, height, width = draw.box
    x = frames[:, top : top + height, left : left + width]  # (T, S, S, 3)
    if draw.flip:
        x = x[:, :, ::-1]
    if kind.channel_order == "bgr":
        x = x[..., ::-1]
    x = np.ascontiguousarray(x.transpose(3, 0, 1, 2))  # (3, T, S, S)
    std, mean = (np.array(v, np.float64)[:, None, None, None] for v in (kind.std, kind.mean))
    scale, offset = (kind.value_range / std).astype(np.float32), (mean / std).astype(np.float32)
    return x.astype(np.float32) / np.float32(255) * scale - offset
