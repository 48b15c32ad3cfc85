"""A network that follows a video, beside the same network on sliding clips.

    python benchmarks/streaming.py --network r3d_18 --every 4 --seconds 60

Both predict every so many frames of a video of 30 frames a second, of noise that is in memory
already. Sliding clips run the network on the last clip, again and again; the follower computes
each frame once. They take turns, a stretch of video after the other, and the ratio is of their
processor times in each. Prediction, written before the first run: r3d_18 runs a clip of 16 frames
for every 4, and following computes each frame once, but for the last stage, which runs at two
phases: 3 times. The goal is 2.5.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from zoopraxis import create_model, model_spec
from zoopraxis.prediction.streaming import StreamingNetwork

FPS = 30
STRETCH = 2  # seconds


def main() -> None:
    """Print the times, their ratios, and what is kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", default="r3d_18")
    parser.add_argument("--every", type=int, default=4, help="Frames between predictions.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, dest="place")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape = model_spec(options.network).clip.shape
    model = create_model(options.network).eval()
    follower = StreamingNetwork(model, shape, every=options.every)
    length = shape[1]
    random = torch.Generator().manual_seed(0)
    seen = torch.zeros(1, shape[0], length, *shape[2:])
    times: list[tuple[float, float]] = []
    for _ in range(0, options.seconds, STRETCH):
        new = torch.randn(
            1,
            shape[0],
            STRETCH * FPS // options.every * options.every,
            *shape[2:],
            generator=random,
        )
        follow = slide = 0.0
        for start in range(0, new.shape[2], options.every):
            frames = new[:, :, start : start + options.every]
            seen = torch.cat([seen, frames], dim=2)[:, :, -length:]
            follow += _seconds(partial(follower.push, frames))
            slide += _seconds(partial(_predicted, model, seen))
        times.append((follow, slide))
    ratios = [slide / follow for follow, slide in times[1:]]  # the first is warm-up
    facts = {
        "network": options.network,
        "every": options.every,
        "step": follower.step,
        "receptive_field": follower.receptive_field,
        "following_s": sum(follow for follow, _ in times),
        "sliding_s": sum(slide for _, slide in times),
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
    }
    print(json.dumps(facts, indent=1))
    if options.place:
        options.place.write_text(json.dumps(facts, indent=1))


def _predicted(model: torch.nn.Module, clip: Tensor) -> Tensor:
    with torch.inference_mode():
        out: Tensor = model(clip)
    return out


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
