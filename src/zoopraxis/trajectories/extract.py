"""Extract dense or improved trajectories from a video."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from zoopraxis.flow.base import grey as to_grey
from zoopraxis.trajectories._farneback import expand, flow_pyramid
from zoopraxis.trajectories.camera import Features, find_features, find_homography, stabilise
from zoopraxis.trajectories.descriptors import PATCH
from zoopraxis.trajectories.sampling import STEP, candidates, scale_sizes
from zoopraxis.trajectories.settings import COLUMNS, LENGTH, PARTS, TrajectorySettings
from zoopraxis.trajectories.tracking import Tracks
from zoopraxis.video import Video, open_video
from zoopraxis.errors import VideoError

__all__ = ["COLUMNS", "PARTS", "TrajectorySettings", "extract_trajectories"]

Boxes = Sequence[NDArray[np.floating]] | Mapping[int, NDArray[np.floating]]
Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]


@dataclass
class Prepared:
    greys: list[Grey]
    expansions: list[Plane]
    structured: list[NDArray[np.bool_]]
    features: Features | None


def expand_pyramid(grey, sizes):
    image = grey.astype(np.float32)
    out = []
    for k, size in enumerate(sizes):
        sigma = (STEP**k - 1) * 0.5
        side = max(round(sigma * 5) | 1, 3)
        out.append(expand(np.asarray(cv2.resize(cv2.GaussianBlur(image, (side, side), sigma), size))))
    return out


def prepare(frame, sizes, settings):
    greys = [to_grey(frame)]
    for size in sizes[1:]:
        greys.append(np.asarray(cv2.resize(greys[-1], size), np.uint8))
    return Prepared(
        greys, expand_pyramid(greys[0], sizes), [candidates(g, settings.stride) for g in greys],
        find_features(greys[0], None) if settings.camera == "homography" else None,
    )


def move(first, second, sizes):
    flow = flow_pyramid(first.expansions, second.expansions, STEP)
    if first.features is None:
        return flow, flow
    h = find_homography(first.greys[0], first.features, second.features, flow[0], None)
    warped = stabilise(first.greys[0], second.greys[0], h)
    return flow, flow_pyramid(first.expansions, expand_pyramid(warped, sizes), STEP)


def extract_trajectories(
    video: str | Path | Video,
    *,
    settings: TrajectorySettings = TrajectorySettings(),  # noqa: B008 - frozen
    people: Boxes | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Extract."""
    if not isinstance(video, Video):
        with open_video(video) as opened:
            return extract_trajectories(opened, settings=settings, people=people, progress=progress)
    sizes = scale_sizes(video.width, video.height, scales=settings.scales, smallest=PATCH)
    tracks = [Tracks(scale=STEP**k, stride=settings.stride) for k in range(len(sizes))]
    first = None
    rows = []
    for number, frame in enumerate(video):
        second = prepare(np.ascontiguousarray(frame.permute(1, 2, 0).numpy()), sizes, settings)
        if first is not None:
            flow, stab = move(first, second, sizes)
            for k, t in enumerate(tracks):
                t.advance(first.greys[k], flow[k], stab[k])
                rows.append(t.finish(number))
        for k, t in enumerate(tracks):
            t.start(second.structured[k])
        first = second
    out = np.concatenate(rows) if rows else np.empty((0, len(COLUMNS)), np.float32)
    out[:, 7] = np.clip(out[:, 1] / video.width, 0, 0.999)
    out[:, 8] = np.clip(out[:, 2] / video.height, 0, 0.999)
    out[:, 9] = np.clip((out[:, 0] - LENGTH / 2) / video.num_frames, 0, 0.999)
    return out
