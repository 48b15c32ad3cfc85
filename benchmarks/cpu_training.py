"""Processor time of a step of training on a CPU: ours as it is, in fast forms, and the peer's.

    python benchmarks/cpu_training.py
    python benchmarks/cpu_training.py r2plus1d_small gsm_small --clips 16 --keep-memory

A step is forward, backward and SGD with momentum in float32, on one thread; `zoopraxis train`
trains in fast forms where it runs on a CPU. The peer is torchvision's or PyTorchVideo's network;
where it is not installed, or there is none, the ratio is to ours as it is. All take turns. Prints a
line of JSON for each network: seconds a step (the least of the rounds), ratios, and the peak of
resident memory of all together.
"""

import argparse
import json
import resource
import sys
import time

import torch
from torch import Tensor, nn

from peers import PEERS, with_weights
from zoopraxis import create_model, model_spec
from zoopraxis.engine.allocator import keep_memory
from zoopraxis.engine.fast_forms import in_fast_forms
from zoopraxis.explain.latency import processor_name

CLASSES = 400


def main() -> None:
    """Measure each network and print its line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", default=["r2plus1d_18", "x3d_s"])
    parser.add_argument("--clips", type=int, default=2, help="In a batch.")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--keep-memory", action="store_true", help="As the commands do.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.keep_memory:
        keep_memory()
    for name in options.models:
        seconds = measured(name, clips=options.clips, rounds=options.rounds)
        first = next(iter(seconds.values()))
        line = {
            "model": name,
            "processor": processor_name(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "seconds": seconds,
            "ratio": {form: first / value for form, value in seconds.items()},
            "peak, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        print(json.dumps(line), flush=True)


def measured(name: str, *, clips: int, rounds: int) -> dict[str, float]:
    """Return the least processor time of a step of each form."""
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {}
    ours = create_model(name, num_classes=CLASSES)
    if name in PEERS:
        try:
            networks["peer"] = PEERS[name].build()
        except ImportError as missing:
            print(f"{name}: the peer is not installed ({missing})", file=sys.stderr)
        else:
            ours = with_weights(name, networks["peer"])
    networks["as it is"] = ours
    networks["fast forms"] = in_fast_forms(ours)
    clip = model_spec(name).clip.example(batch=clips, seed=1)
    batch = clip if isinstance(clip, tuple) else (clip,)
    targets = torch.arange(clips) % CLASSES
    optimizers = {
        form: torch.optim.SGD(network.train().parameters(), lr=1e-3, momentum=0.9)
        for form, network in networks.items()
    }
    times: dict[str, list[float]] = {form: [] for form in networks}
    for _ in range(1 + rounds):
        for form, network in networks.items():
            began = time.process_time()
            step(network, optimizers[form], batch, targets)
            times[form].append(time.process_time() - began)
    return {form: min(found[1:]) for form, found in times.items()}  # the first warms up


def step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    clips: tuple[Tensor, ...],
    targets: Tensor,
) -> None:
    """Learn from one batch."""
    loss = nn.functional.cross_entropy(network(*clips), targets)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


if __name__ == "__main__":
    main()
