"""Time and error of TV-L1 flow, beside OpenCV's solver, and error of every method of flow.

    python benchmarks/bench_tvl1.py
    python benchmarks/bench_tvl1.py --rounds 5 --json tvl1.json VIDEO VIDEO

The bar, set before the solver was written, is 8 times OpenCV's speed with the same errors. The
floor of an iteration at 320x240 is 64 bytes for each pixel, 4.9 MB, 0.1 ms at 50 GB/s; the warps
and the median filters are OpenCV's in both.

Both solvers take turns on the same pairs of frames; the ratio is of the two times in one round.
Endpoint errors, in pixels, are against the true flow of a film of `zoopraxis.theatre`, occluded
pixels included; grain and light vary between its frames. Videos have no true flow: their error is
the mean difference, in grey levels, of the first frame and the second warped back by the flow.

On an AMD EPYC (family 26) with one thread, on cores that others used as well: 15.3 times OpenCV's
speed (12.5 to 17.6), endpoint errors 1.9585 and 1.9568 pixels, mean difference 0.02 pixels. Ours
uses one thread for a pair of frames; ``--threads`` is for OpenCV's.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from zoopraxis import open_video
from zoopraxis.explain.latency import processor_name
from zoopraxis.flow import METHODS, TVL1, flow_method
from zoopraxis.flow.base import Frame, grey, no_flow, planes
from zoopraxis.theatre.film import film

Flow = NDArray[np.float32]
Method = Callable[[Frame, Frame], Flow]

ACTIONS = ("stand_up", "walk", "wave", "run")


@dataclass(frozen=True)
class Pair:
    """Two frames (H, W, 3) in order, where they are from, and their true flow if it is known."""

    origin: str
    first: Frame
    second: Frame
    truth: Flow | None


def filmed(pairs: int) -> Iterator[Pair]:
    """Yield pairs of frames of every action's film, 320x240."""
    for action in ACTIONS:
        clip = film(action, seed=3, performer=5, size=(320, 240))
        truth = clip.flow().astype(np.float32)  # (T-1, 2, H, W)
        for t in np.linspace(0, len(truth) - 1, pairs + 2).astype(int)[1:-1]:
            yield Pair("theatre", clip.frames[t], clip.frames[t + 1], truth[t])


def recorded(path: str, pairs: int) -> Iterator[Pair]:
    """Yield pairs of neighbouring frames of a video, 240 pixels on the shorter side."""
    with open_video(path) as video:
        for t in np.linspace(0, len(video) - 1, pairs + 2).astype(int)[1:-1]:
            first, second = video.frames_at([t, t + 1], resize=240).permute(0, 2, 3, 1).numpy()
            yield Pair(Path(path).name, first, second, None)


def opencv(first: Frame, second: Frame) -> Flow:
    """Compute TV-L1 flow (2, H, W) with OpenCV's solver and its default parameters."""
    solver = cv2.optflow.DualTVL1OpticalFlow.create()
    return planes(solver.calc(grey(first), grey(second), no_flow(first)))


def endpoint_error(a: Flow, b: Flow) -> float:
    """Mean distance, in pixels, of two flows (2, H, W)."""
    return float(np.sqrt(((a - b) ** 2).sum(axis=0)).mean())


def photometric_error(pair: Pair, flow: Flow) -> float:
    """Mean difference, in grey levels, of the first frame and the second warped back."""
    x, y = flow + np.mgrid[: flow.shape[1], : flow.shape[2]][::-1].astype(np.float32)
    second = grey(pair.second).astype(np.float32)
    warped = cv2.remap(second, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(np.abs(warped - grey(pair.first)).mean())


def error(pair: Pair, flow: Flow) -> float:
    """Endpoint error where the true flow is known, else photometric error."""
    if pair.truth is None:
        return photometric_error(pair, flow)
    return endpoint_error(flow, pair.truth)


def timed(method: Method, pair: Pair) -> tuple[float, Flow]:
    """Return the seconds that the flow of a pair takes, and the flow."""
    start = time.perf_counter()
    flow = method(pair.first, pair.second)
    return time.perf_counter() - start, flow


def compare(pairs: list[Pair], rounds: int) -> dict[str, float]:
    """Run both solvers in turn on pairs of one origin."""
    solvers: dict[str, Method] = {"ours": TVL1().between, "opencv": opencv}
    times: dict[str, list[float]] = {name: [] for name in solvers}
    errors: dict[str, list[float]] = {name: [] for name in solvers}
    differences = []
    for number in range(rounds):
        for pair in pairs:
            flows = {}
            for name in sorted(solvers, reverse=number % 2 == 1):
                seconds, flows[name] = timed(solvers[name], pair)
                times[name].append(seconds)
            if number == 0:
                for name, flow in flows.items():
                    errors[name].append(error(pair, flow))
                differences.append(endpoint_error(flows["ours"], flows["opencv"]))
    ratios = [b / a for a, b in zip(times["ours"], times["opencv"], strict=True)]
    return {
        "ours_ms": statistics.median(times["ours"]) * 1e3,
        "opencv_ms": statistics.median(times["opencv"]) * 1e3,
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "ours_error": statistics.fmean(errors["ours"]),
        "opencv_error": statistics.fmean(errors["opencv"]),
        "difference": statistics.fmean(differences),
    }


def accuracy(pairs: list[Pair], rounds: int) -> dict[str, dict[str, float]]:
    """Measure every method against the true flow."""
    table = {
        "no flow": {"error": statistics.fmean(error(p, planes(no_flow(p.first))) for p in pairs)}
    }
    for name in METHODS:
        runs = [timed(flow_method(name).between, pair) for pair in pairs * rounds]
        errors = [error(pair, flow) for pair, (_, flow) in zip(pairs, runs, strict=False)]
        ms = statistics.median(seconds for seconds, _ in runs) * 1e3
        table[name] = {"error": statistics.fmean(errors), "ms": ms}
    return table


def main() -> None:
    """Print the comparison, then the table of methods."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("videos", nargs="*", help="videos to compare the solvers on as well")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of frames of each video")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    films = list(filmed(args.pairs))
    sets = [films, *(list(recorded(path, args.pairs)) for path in args.videos)]
    TVL1().between(films[0].first, films[0].second)  # compiles
    print(f"{processor_name()}, {args.threads} thread(s) of OpenCV, {args.rounds} rounds")
    result: dict[str, object] = {"processor": processor_name(), "threads": args.threads}
    compared = {}
    for pairs in sets:
        name, (height, width) = pairs[0].origin, pairs[0].first.shape[:2]
        got = compared[name] = compare(pairs, args.rounds)
        print(
            f"{name}, {width}x{height}: OpenCV {got['opencv_ms']:.0f} ms, ours "
            f"{got['ours_ms']:.1f} ms, ratio {got['ratio']:.1f} "
            f"({got['ratio_low']:.1f} to {got['ratio_high']:.1f}); "
            f"error {got['opencv_error']:.4f} and {got['ours_error']:.4f} "
            f"{'pixels' if pairs[0].truth is not None else 'grey levels'}, "
            f"mean difference {got['difference']:.4f} pixels"
        )
    table = accuracy(films, args.rounds)
    print("\nmethod      endpoint error, pixels    ms")
    for name, row in table.items():
        print(f"{name:12}{row['error']:22.4f}{row.get('ms', 0):6.1f}")
    if args.json is not None:
        result |= {"solvers": compared, "methods": table}
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
