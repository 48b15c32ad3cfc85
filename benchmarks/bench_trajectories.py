"""Agreement of trajectories with the authors' program, their speed, and where the time goes.

    python benchmarks/bench_trajectories.py
    python benchmarks/bench_trajectories.py --reference ROWS.gz VIDEO
    python benchmarks/bench_trajectories.py --frames 100 --threads 2 VIDEO VIDEO

Without a video, films of `zoopraxis.theatre` at 320x240 are timed. ROWS.gz is what the authors'
program prints for a video. The bars, set before this was written: the number of trajectories within
5 % of the authors', 85 % of theirs matched by frame, scale and position within a pixel, descriptors
with a median cosine of 0.95 for each part; and 25 frames a second at 320x240 on two cores.

On person01_boxing_d1_uncomp.avi of the release (KTH, 160x120, 360 frames): 2002 trajectories;
theirs are 2001, 1996 of which match, with a median cosine of 0.99996 or more for every part.

On an AMD EPYC (family 26), on cores that others used as well, 16.7 to 23.5 frames in a second of
processor time at 320x240, so 33 to 47 a second on two cores that are free.

Processor time of a stage is of one thread, so that other work on the machine changes it little.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from zoopraxis.theatre.film import film
from zoopraxis.trajectories import extract, tracking
from zoopraxis.trajectories.extract import PARTS, TrajectorySettings, extract_trajectories
from zoopraxis.video import ArrayVideo, Video, open_video

Rows = NDArray[np.float32]

ACTIONS = ("walk", "wave")
STAGES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "polynomial expansion": (extract, ("_expansions",)),
    "flow": (extract, ("flow_pyramid",)),
    "local features": (extract, ("find_features",)),
    "homography": (extract, ("find_homography",)),
    "warp": (extract, ("stabilise",)),
    "where tracks may start": (extract, ("candidates",)),
    "descriptors": (tracking, ("add_descriptors",)),
    "tracks": (tracking.Tracks, ("advance", "finish", "start")),
}
"""Functions of each stage; the tracks' include the descriptors."""


def films() -> list[Video]:
    """Films of the theatre, 320x240."""
    clips = [film(action, seed=3, performer=5, size=(320, 240)) for action in ACTIONS]
    return [in_memory(torch.from_numpy(clip.frames).permute(0, 3, 1, 2)) for clip in clips]


def in_memory(frames: torch.Tensor) -> Video:
    """Frames (T, 3, H, W) as a video."""
    return ArrayVideo(frames, fps=25, timeout=60)


def match(theirs: Rows, ours: Rows) -> list[tuple[int, int]]:
    """Pairs of rows with one frame and one scale whose means are within a pixel, nearest first."""
    pairs = []
    for i, row in enumerate(theirs):
        same = (ours[:, 0] == row[0]) & (np.abs(ours[:, 6] - row[6]) < 0.01)
        distance = np.linalg.norm(ours[:, 1:3] - row[1:3], axis=1)
        pairs += [(distance[j], i, j) for j in np.flatnonzero(same & (distance <= 1))]
    left, right, found = set(), set(), []
    for _, i, j in sorted(pairs):
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            found.append((i, int(j)))
    return found


def agreement(theirs: Rows, ours: Rows) -> dict[str, float]:
    """Counts, the part of theirs that has a match, and cosines of the matched rows."""
    pairs = match(theirs, ours)
    result = {"theirs": len(theirs), "ours": len(ours), "matched": len(pairs) / len(theirs)}
    i, j = np.array(pairs, int).reshape(-1, 2).T
    for name, columns in PARTS.items():
        if name != "info":
            a, b = theirs[i, columns].astype(float), ours[j, columns].astype(float)
            cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            result[f"{name}, median cosine"] = float(np.median(cosines))
            result[f"{name}, least cosine"] = float(cosines.min())
    return result


def timed(function: Callable[..., Any], spent: dict[str, float], stage: str) -> Callable[..., Any]:
    """Add the processor time of a function, in this thread, to a stage."""

    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent[stage] = spent.get(stage, 0.0) + time.thread_time() - start

    return call


def stages(video: Video, settings: TrajectorySettings) -> dict[str, float]:
    """Milliseconds of processor time that each stage takes for a frame."""
    spent: dict[str, float] = {}
    originals = []
    for stage, (owner, names) in STAGES.items():
        for name in names:
            originals.append((owner, name, getattr(owner, name)))
            setattr(owner, name, timed(getattr(owner, name), spent, stage))
    start = time.process_time()
    extract_trajectories(video, settings=settings, threads=1)
    total = time.process_time() - start
    for owner, name, function in originals:
        setattr(owner, name, function)
    spent["tracks"] -= spent["descriptors"]
    spent["the rest"] = total - sum(spent.values())
    return {stage: 1e3 * value / len(video) for stage, value in spent.items()}


def frames_a_second(
    video: Video, settings: TrajectorySettings, threads: int
) -> tuple[float, float]:
    """Frames in a second of time and of processor time."""
    start, cpu = time.perf_counter(), time.process_time()
    extract_trajectories(video, settings=settings, threads=threads)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return len(video) / seconds, len(video) / cpu


def main() -> None:
    """Print the agreement, then for each video the speed and the time of every stage."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("videos", nargs="*", help="the default are films of the theatre")
    parser.add_argument("--reference", type=Path, help="rows of the authors' program for VIDEO")
    parser.add_argument("--frames", type=int, default=100, help="frames to time, from the first")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    improved = TrajectorySettings()
    result: dict[str, Any] = {}
    if args.reference is not None:
        theirs = np.loadtxt(args.reference, dtype=np.float32)
        result["agreement"] = agreement(theirs, extract_trajectories(args.videos[0]))
        for name, value in result["agreement"].items():
            print(f"{name:28}{value:12.6g}")
    videos = films()
    if args.videos:
        videos = []
        for path in args.videos:
            with open_video(path) as video:
                videos.append(in_memory(video.frames_at(range(min(args.frames, len(video))))))
    extract_trajectories(in_memory(videos[0].frames_at([0, 1])))  # compiles
    for name, video in zip(args.videos or ACTIONS, videos, strict=True):
        print(f"\n{Path(name).name}, {video.width}x{video.height}, {len(video)} frames")
        spent = stages(video, improved)
        for stage, milliseconds in spent.items():
            print(f"{stage:28}{milliseconds:8.2f} ms a frame")
        speed: dict[str, float] = {}
        for kind, settings in (("improved", improved), ("dense", replace(improved, camera="none"))):
            speed[kind], cpu = frames_a_second(video, settings, args.threads)
            print(
                f"{kind:28}{speed[kind]:8.1f} frames a second with {args.threads} threads "
                f"({cpu:.1f} in a second of processor time)"
            )
        result[Path(name).name] = {"stages": spent, "frames a second": speed}
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
