"""Processor time of a network as it is, by each engine, and of its peer: one clip, in turns.

    python benchmarks/cpu_engines.py r2plus1d_18 s3d [--engines torch openvino] [--rounds 3]

The peer is torchvision's or PyTorchVideo's network of the same paper, or TSM as published, run
eagerly, and by OpenVINO from its own conversion; ours then takes its weights. Where the peer is not
installed, or there is none, ours is compared with itself as it is. Prints a line of JSON for each
network: seconds of processor time on one thread (the least of the rounds), ratios to the peer, and
differences of the outputs from ours as it is; and at the end the geometric means of the ratios.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from peers import PEERS, apart, with_weights
from zoopraxis.checkpoints.saved import open_model
from zoopraxis.engine.allocator import keep_memory
from zoopraxis.engine.optimize import ENGINES, optimize
from zoopraxis.explain.latency import processor_name

PEER = "peer"
CONVERTED = "peer by OpenVINO"
HINTS = {"float32": "f32", "bfloat16": "bf16"}


def main() -> None:
    """Measure, print a line for each network, and the means."""
    options = parse()
    torch.set_num_threads(1)
    if options.keep_memory:
        keep_memory()
    ratios: dict[str, list[float]] = {}
    for name in options.models:
        result = measured(name, options)
        print(json.dumps(result), flush=True)
        for key, value in result["ratio"].items():
            ratios.setdefault(key, []).append(value)
        gc.collect()
    means = {key: statistics.geometric_mean(values) for key, values in ratios.items()}
    print(json.dumps({"geometric mean": means}))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(PEERS))
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["torch"])
    parser.add_argument(
        "--precision", choices=HINTS, default="float32", help="Of OpenVINO's arithmetic."
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep-memory", action="store_true", help="For the peers too.")
    return parser.parse_args()


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return processor times, ratios and differences of one network."""
    torch.manual_seed(0)
    net = open_model(name)
    networks: dict[str, Callable[..., Tensor]] = {}
    example = net.clip.example(seed=1)
    clip = example if isinstance(example, tuple) else (example,)
    if name in PEERS:
        try:
            peer = PEERS[name].build().eval()
        except ImportError as missing:
            print(f"{name}: the peer is not installed ({missing})", file=sys.stderr)
        else:
            net = replace(net, model=with_weights(name, peer).eval())
            networks[PEER] = peer
            if "openvino" in options.engines:
                networks[CONVERTED] = by_openvino(peer, clip, precision=options.precision)
    networks["as it is"] = net.model
    for engine in options.engines:
        precision = options.precision if engine == "openvino" else "float32"
        networks[engine] = optimize(
            net.model, example, engine=engine, precision=precision, threads=1
        )
    with torch.inference_mode():
        outputs = {key: network(*clip) for key, network in networks.items()}
        times: dict[str, list[float]] = {key: [] for key in networks}
        for _ in range(options.rounds):
            for key, network in networks.items():
                start = time.process_time()
                network(*clip)
                times[key].append(time.process_time() - start)
    least = {key: min(values) for key, values in times.items()}
    first = next(iter(networks))
    return {
        "model": name,
        "clip": list(clip[0].shape),
        "processor": processor_name(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "seconds": least,
        "ratio": {key: least[first] / value for key, value in least.items()},
        "difference": {key: apart(out, outputs["as it is"]) for key, out in outputs.items()},
    }


def by_openvino(
    network: nn.Module, clip: tuple[Tensor, ...], *, precision: str
) -> Callable[..., Tensor]:
    """Let OpenVINO convert a network and run it, as its documentation shows."""
    import openvino

    model = openvino.convert_model(network, example_input=clip)
    model.reshape({port: list(x.shape) for port, x in zip(model.inputs, clip, strict=True)})
    compiled = openvino.Core().compile_model(
        model,
        "CPU",
        {"INFERENCE_PRECISION_HINT": HINTS[precision], "INFERENCE_NUM_THREADS": 1},
    )
    return lambda *inputs: torch.from_numpy(compiled([x.numpy() for x in inputs])[0].copy())


if __name__ == "__main__":
    main()
