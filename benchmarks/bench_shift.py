"""Cost of temporal shifts over the bare 2D network, in the fast, plain and published forms.

    python benchmarks/bench_shift.py

Prediction, written before the first run: with one thread, TSM's shift that writes each value once
adds 2 to 5 % to ResNet-50, the published form (zeros, then three copies) twice that; Gate-Shift
adds 5 to 10 % to BN-Inception here and 30 to 60 % in the published form (volumes, a 3D
convolution, zero tensors and concatenation). Ratios are within one run; the order of the forms
changes from round to round, and the smallest time of each is reported. The results are in
docs/order.md.

The plain forms are those that explain the papers in `zoopraxis.models.tsm` and
`zoopraxis.models.gsm`.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from unittest.mock import patch

import torch
from torch import Tensor

from peers import published_shift
from zoopraxis import create_model
from zoopraxis.explain.latency import processor_name
from zoopraxis.models import gsm, tsm

Forms = Mapping[str, AbstractContextManager[object]]


def published_gate_shift(module: gsm.GateShift, x: Tensor, num_frames: int) -> Tensor:
    """Gate-Shift as published: on volumes, with shifts by concatenating zeros."""
    gate = module.gate
    volume = x.view(-1, num_frames, *x.shape[1:]).transpose(1, 2).contiguous()  # (B, C, T, H, W)
    normed = torch.nn.functional.batch_norm(
        volume, gate.norm.running_mean, gate.norm.running_var, gate.norm.weight, gate.norm.bias
    ).relu()
    gates = torch.nn.functional.conv3d(normed, gate.weight, gate.bias, padding=1, groups=2).tanh()
    halves = []
    for index, half in enumerate(volume.chunk(2, dim=1)):
        moving = gates[:, index : index + 1] * half  # (B, C/2, T, H, W)
        zero = torch.zeros_like(moving[:, :, :1])
        parts = (moving[:, :, 1:], zero) if index == 0 else (zero, moving[:, :, :-1])
        mixed = torch.cat(parts, dim=2) + (half - moving)
        pairs = (
            torch.unflatten(mixed, 1, (2, -1)).transpose(1, 2).contiguous()
        )  # (B, C/4, 2, T, H, W)
        halves.append(pairs.flatten(1, 2))
    return torch.cat(halves, dim=1).transpose(1, 2).contiguous().view_as(x)


CASES: Mapping[str, tuple[str, str, Forms]] = {
    "TSM, ResNet-50": (
        "tsn_r50_8",
        "tsm_r50_8",
        {
            "fast": nullcontext(),
            "plain": patch.object(tsm, "fast_shift", tsm.shift),
            "published": patch.object(tsm, "fast_shift", published_shift),
        },
    ),
    "Gate-Shift, BN-Inception": (
        "tsn_bninception_8",
        "gsm_bninception_8",
        {
            "fast": nullcontext(),
            "plain": patch.object(gsm.FrameGate, "forward", gsm.Gate.forward),
            "published": patch.object(gsm.GateShift, "forward", published_gate_shift),
        },
    ),
}


def seconds(step: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Return the smallest time of each form; every round runs all forms in another order."""
    best = dict.fromkeys(step, float("inf"))
    orders = itertools.cycle(itertools.permutations(step))
    for order in itertools.islice(orders, rounds):
        for name in order:
            start = time.perf_counter()
            step[name]()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def steps(
    bare: str, ours: str, forms: Forms, clip: Tensor, *, train: bool
) -> dict[str, Callable[[], None]]:
    """Return a step of the bare 2D network, and one of ours with each form."""
    networks = {name: create_model(name).train(train) for name in (bare, ours)}

    def run(name: str, form: AbstractContextManager[object]) -> None:
        with form, torch.set_grad_enabled(train):
            out = networks[name](clip)
            if train:
                out.sum().backward()

    return {
        "2D network": partial(run, bare, nullcontext()),
        **{key: partial(run, ours, form) for key, form in forms.items()},
    }


def main() -> None:
    """Print the table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clip = torch.randn(1, 3, 8, options.pixels, options.pixels)
    size, threads = f"8 frames of {options.pixels} pixels", f"{options.threads} thread(s)"
    print(f"{processor_name()}: {size}, {threads}, best of {options.rounds}")
    for (name, (bare, ours, forms)), train in itertools.product(CASES.items(), (False, True)):
        best = seconds(steps(bare, ours, forms, clip, train=train), options.rounds)
        base = best["2D network"]
        ratios = "  ".join(f"{form} {best[form] / base:.3f}" for form in forms)
        kind = "forward and backward" if train else "forward"
        print(f"{name}, {kind}: 2D network 1 ({base * 1e3:.0f} ms)  {ratios}")


if __name__ == "__main__":
    main()
