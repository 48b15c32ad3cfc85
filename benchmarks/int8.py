"""Processor time of one clip in float32 and in int8, by OpenVINO or ONNX Runtime.

    python benchmarks/int8.py
    python benchmarks/int8.py r3d_18 x3d_s --to onnx

On one thread, with random weights calibrated on noise: speed depends on neither. What the accuracy
becomes, `zoopraxis export NAME OUT --to openvino --precision int8 --calibrate LIST` prints. Both
take turns. Prints a line of JSON for each network: seconds a clip (the least of the rounds), their
ratio, and the largest difference of the outputs, over the largest output.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoopraxis.checkpoints.saved import OpenModel, open_model
from zoopraxis.engine.compiled import SUFFIXES, compile_exported
from zoopraxis.engine.export import export_model, export_quantized
from zoopraxis.explain.latency import processor_name


class Noise:
    """Clips of noise, as a network takes them."""

    def __init__(self, net: OpenModel, count: int) -> None:
        self.net, self.count = net, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        return (arrays(self.net, seed) for seed in range(self.count))


def arrays(net: OpenModel, seed: int) -> tuple[NDArray[Any], ...]:
    """Return one clip of noise."""
    clip = net.clip.example(seed=seed)
    return tuple(x.numpy() for x in (clip if isinstance(clip, tuple) else (clip,)))


def main() -> None:
    """Measure each network and print its line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", default=["r3d_18", "r2plus1d_18", "x3d_s"])
    parser.add_argument("--to", choices=["openvino", "onnx"], default="openvino")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for name in options.models:
        torch.manual_seed(0)
        net = open_model(name)
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, word + SUFFIXES[options.to]) for word in ("float32", "int8")]
            export_model(net, paths[0], to=options.to)
            export_quantized(net, paths[1], to=options.to, clips=Noise(net, 2))
            exact, small = (compile_exported(path, threads=1) for path in paths)
        clip = arrays(net, 9)
        wanted, got = exact(*clip), small(*clip)
        times: list[tuple[float, float]] = []
        for _ in range(options.rounds):
            stamps = [time.process_time()]
            for compiled in (exact, small):
                compiled(*clip)
                stamps.append(time.process_time())
            times.append((stamps[1] - stamps[0], stamps[2] - stamps[1]))
        wide, narrow = (min(column) for column in zip(*times, strict=True))
        line = {
            "model": name,
            "processor": processor_name(),
            "to": options.to,
            "seconds": {"float32": wide, "int8": narrow},
            "ratio": wide / narrow,
            "difference": float(np.abs(got - wanted).max() / np.abs(wanted).max()),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
