"""Processor time of a network as it is, by each engine, and of its peer: one clip, in turns.

    python benchmarks/cpu_engines.py r2plus1d_18 s3d [--engines torch openvino] [--rounds 3]

The peer is torchvision's or PyTorchVideo's network of the same paper, run eagerly; ours then takes
its weights. Where it is not installed, or has none, ours is compared with itself as it is. Prints a
line of JSON a network: seconds of processor time on one thread (the least of the rounds), ratios to
the peer, and differences of the outputs over the largest; and the geometric mean of the ratios.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from dataclasses import replace

import torch
from torch import nn

from peers import PEERS, with_weights
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.engine.allocator import keep_memory
from zoopraxis.engine.optimize import optimize

parser = argparse.ArgumentParser()
parser.add_argument("models", nargs="+")
parser.add_argument("--engines", nargs="+", default=["torch"])
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--keep-memory", action="store_true", help="For the peers too.")
options = parser.parse_args()
torch.set_num_threads(1)
if options.keep_memory:
    keep_memory()

ratios: dict[str, list[float]] = {}
for name in options.models:
    torch.manual_seed(0)
    net = open_model(name)
    networks: dict[str, nn.Module] = {}
    if name in PEERS:
        try:
            networks["peer"] = PEERS[name].build().eval()
        except ImportError as missing:
            print(f"{name}: the peer is not installed ({missing})", file=sys.stderr)
        else:
            net = replace(net, model=with_weights(name, networks["peer"]).eval())
    example = net.clip.example(seed=1)
    clip = example if isinstance(example, tuple) else (example,)
    networks["as it is"] = net.model
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
    first = next(iter(networks))
    ratio = {key: least[first] / value for key, value in least.items()}
    for key, value in ratio.items():
        ratios.setdefault(key, []).append(value)
    result = {
        "model": name,
        "clip": list(clip[0].shape),
        "processor": platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "seconds": least,
        "ratio": ratio,
        "difference": {
            key: float((out - wanted).abs().max() / wanted.abs().max())
            for key, out in outputs.items()
        },
    }
    print(json.dumps(result), flush=True)
means = {key: statistics.geometric_mean(values) for key, values in ratios.items()}
print(json.dumps({"geometric mean": means}))
