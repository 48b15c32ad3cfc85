"""Processor time of a network as it is, and run by each engine: one clip, taken in turns.

python benchmarks/cpu_engines.py r2plus1d_18 s3d [--engines torch openvino] [--rounds 3]

Prints a line of JSON a network: seconds of processor time on one thread (the least of the rounds),
ratios to the network as it is, and differences of the outputs over the largest.
"""

import argparse
import json
import platform
import time

import torch

from zoopraxis.checkpoints.saved import open_model
from zoopraxis.engine.optimize import optimize

parser = argparse.ArgumentParser()
parser.add_argument("models", nargs="+")
parser.add_argument("--engines", nargs="+", default=["torch"])
parser.add_argument("--rounds", type=int, default=3)
options = parser.parse_args()
torch.set_num_threads(1)

for name in options.models:
    torch.manual_seed(0)
    net = open_model(name)
    example = net.clip.example(seed=1)
    clip = example if isinstance(example, tuple) else (example,)
    networks: dict[str, torch.nn.Module] = {"as it is": net.model}
    for engine in options.engines:
        networks[engine] = optimize(net.model, example, engine=engine, threads=1)
    with torch.inference_mode():
        outputs = {key: network(*clip) for key, network in networks.items()}
        times: dict[str, list[float]] = {key: [] for key in networks}
        for _ in range(options.rounds):
            for key, network in networks.items():
                start = time.process_time()
                network(*clip)
                times[key].append(time.process_time() - start)
    wanted = outputs["as it is"]
    least = {key: min(values) for key, values in times.items()}
    result = {
        "model": name,
        "clip": list(clip[0].shape),
        "processor": platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "seconds": least,
        "ratio": {key: least["as it is"] / value for key, value in least.items()},
        "difference": {
            key: float((out - wanted).abs().max() / wanted.abs().max())
            for key, out in outputs.items()
        },
    }
    print(json.dumps(result), flush=True)
