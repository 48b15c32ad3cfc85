"""Training and inference on a GPU: ours in its forms, beside its peers as they come.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --networks r3d_18 x3d_s --forms plain compile --json gpu.json

A peer is torchvision's or PyTorchVideo's network of the same paper, run eagerly under bf16
autocast as their training scripts do. Ours takes the peer's weights, so the first thing printed is
how far the outputs are apart. Forms: "plain" is autocast alone, as the peer's; "last" keeps
activations channels-last; "compile" is that and ``torch.compile``; "graph" captures the step in a
CUDA graph besides. All take turns, round by round; ratios are of times in one round, and what is
printed is their median and range. The floor of a step is three times the forward pass's
multiply-accumulates over the rate of a large bf16 matrix product, measured first.

Prediction, written before the first run on a GPU: convolutions of 18-layer networks are bound by
arithmetic, norms and activations by memory, half of the time each; compiling fuses the latter:
1.8 times for training. Without a GPU the same runs on the processor, with smaller batches.

On a Mac, `python benchmarks/gpu.py --json mps.json` runs on its GPU (PyTorch's device mps), all
forms but "graph"; --forms plain last leaves out compiling, which is young there.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from peers import PEERS, difference, with_weights
from zoopraxis import create_model, model_spec
from zoopraxis.explain.latency import processor_name
from zoopraxis.models import model_size

FORMS = ("plain", "last", "compile", "graph")
Step = Callable[[], Tensor]


def main() -> None:
    """Print a table of every network's forms, for training and for inference."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5, help="Steps of one form in one round.")
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    parser.add_argument("--device", default=accelerator.type if accelerator else "cpu")
    parser.add_argument("--batch", type=int, help="Clips in a batch instead of the network's.")
    parser.add_argument("--json", type=Path, dest="place")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.backends.cudnn.benchmark = True
    rate = _peak(device)
    name = processor_name(options.device)
    print(f"{name}, torch {torch.__version__}, bf16 matrix product {rate / 1e12:.1f} TFLOP/s")
    rows: list[dict[str, Any]] = []
    for network in options.networks:
        for work in ("training", "inference"):
            torch.compiler.reset()
            rows += list(_measured(network, work, options=options, device=device, rate=rate))
        if options.place:
            found = {"device": name, "torch": torch.__version__, "tflops": rate / 1e12}
            options.place.write_text(json.dumps(found | {"rows": rows}, indent=1))


def _peak(device: torch.device) -> float:
    """Rate of a bf16 matrix product, in operations a second."""
    size = 1024 if device.type == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(8):
        times.append(_seconds(lambda: a @ b, device, steps=5))
    return 2 * size**3 / min(times)


def _seconds(step: Step, device: torch.device, *, steps: int) -> float:
    """Mean time of a step, the device's work included."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    began = time.perf_counter()
    for _ in range(steps):
        step()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return (time.perf_counter() - began) / steps


def _measured(
    network: str, work: str, *, options: argparse.Namespace, device: torch.device, rate: float
) -> Iterator[dict[str, Any]]:
    """Measure the forms of one network beside its peer; yield and print a row of each."""
    peer = PEERS[network]
    try:
        theirs = peer.build()
    except ImportError as missing:
        print(f"{network}: the peer is not installed ({missing})", file=sys.stderr)
        return
    sampling, kind = model_spec(network).clip.sampling, model_spec(network).clip.input
    size = min(int(kind.size), 224)  # PyTorchVideo pools 7 x 7 positions
    batch = options.batch or (1 if device.type == "cpu" else peer.batch)
    shape = (batch, 3, sampling.num_frames, size, size)
    clips = torch.randn(shape, device=device)
    targets = torch.randint(400, (batch,), device=device)

    ours = with_weights(network, theirs)
    theirs, ours = theirs.to(device), ours.to(device)
    error = difference(theirs, ours, clips[:2])

    begin = _training if work == "training" else _inference
    steps: dict[str, Step] = {"peer": begin(theirs, clips, targets)}
    for form in options.forms:
        if form == "graph" and device.type != "cuda":
            continue
        copy = create_model(network, num_classes=400)
        copy.load_state_dict(ours.state_dict())
        copy = copy.to(device)
        x = clips
        if form != "plain":
            copy = copy.to(memory_format=torch.channels_last_3d)
            x = clips.to(memory_format=torch.channels_last_3d)
        written: Any = copy
        if form in ("compile", "graph"):
            written = torch.compile(copy, dynamic=False)
        step = begin(written, x, targets)
        steps[form] = _captured(step) if form == "graph" else step
    for step in steps.values():  # cuDNN's choices, compiling
        _seconds(step, device, steps=3)
    times: dict[str, list[float]] = {form: [] for form in steps}
    for _ in range(options.rounds):
        for form, step in steps.items():
            times[form].append(_seconds(step, device, steps=options.steps))
    floor = (3 if work == "training" else 1) * 2 * _macs(network, size) * batch / rate
    for form, found in times.items():
        ratios = [a / b for a, b in zip(times["peer"], found, strict=True)]
        middle = statistics.median(found)
        yield {
            "network": network,
            "work": work,
            "form": form,
            "batch": batch,
            "ms": 1000 * middle,
            "ratio": statistics.median(ratios),
            "low": min(ratios),
            "high": max(ratios),
            "of_floor": middle / floor,
            "error": error,
        }
        print(
            f"{network:12} {work:9} {form:7} batch {batch:2}  {1000 * middle:8.2f} ms  "
            f"{batch / middle:7.0f} clips/s  x{statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})  {middle / floor:.1f} floors  "
            f"outputs differ by {error:.1e}",
            flush=True,
        )


def _training(model: Any, clips: Tensor, targets: Tensor) -> Step:
    """Forward, backward and an update by SGD with momentum, under bf16 autocast."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def step() -> Tensor:
        with torch.autocast(clips.device.type, torch.bfloat16):
            loss = nn.functional.cross_entropy(model(clips).float(), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    return step


def _inference(model: Any, clips: Tensor, _: Tensor) -> Step:
    """Forward, under bf16 autocast."""
    model.eval()

    def step() -> Tensor:
        with torch.inference_mode(), torch.autocast(clips.device.type, torch.bfloat16):
            out: Tensor = model(clips)
        return out

    return step


def _captured(step: Step) -> Step:
    """Capture a step in a CUDA graph, after the warm-up that capture asks for."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = step()

    def replay(_: Step = step) -> Tensor:  # whose network and clips the graph's addresses are of
        graph.replay()
        return out

    return replay


def _macs(network: str, size: int) -> float:
    """Multiply-adds of one clip of a size."""
    counted: int = model_spec(network).clip.input.size
    return 1e9 * model_size(network).gmacs * (size / counted) ** 2


if __name__ == "__main__":
    main()
