"""Throughput of two trainings on the same cores, by how long waiting threads spin.

    python benchmarks/bench_sharing.py

Prediction, written before the first run: one training is not affected; of two at once each should
run at half the speed, but runs at a quarter with GNU OpenMP's default spinning (GOMP_SPINCOUNT
unset), which occupies the core that the awaited thread needs; with 1000 spins most of the half is
regained. Clips per second of each process, best of the rounds; the settings alternate.

On two cores: alone 72.2 unset and 73.3 with 1000 spins; two at once 14.1 and 11.4 unset, 41.0 and
33.6 with 1000 spins, so nothing is lost. The command line sets 1000 unless the environment has a
value.
"""

import argparse
import os
import subprocess
import sys
import time

from zoopraxis.explain.latency import processor_name

SETTINGS = (None, "1000")


def train_for(seconds: float) -> float:
    """Train a small R(2+1)D on noise; return clips per second."""
    import torch

    from zoopraxis import create_model, model_spec

    model = create_model("r2plus1d_small", num_classes=12).train()
    clips = torch.randn(16, *model_spec("r2plus1d_small").clip.shape)
    for _ in range(2):
        model(clips).sum().backward()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        model(clips).sum().backward()
        steps += 1
    return steps * len(clips) / (time.perf_counter() - start)


def measure(setting: str | None, processes: int, seconds: float) -> list[float]:
    """Return the clips per second of each of several simultaneous processes."""
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environment |= {"GOMP_SPINCOUNT": setting} if setting else {}
    command = [sys.executable, __file__, "--train", str(seconds)]
    running = [
        # each in its own session, as Linux divides the cores by session
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        for _ in range(processes)
    ]
    return [float(process.communicate()[0]) for process in running]


def main() -> None:
    """Print a line for each number of processes and setting."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--train", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.train is not None:
        print(train_for(args.train))
        return
    print(processor_name())
    for processes in (1, 2):
        best = {setting: [0.0] for setting in SETTINGS}
        for _ in range(args.rounds):
            for setting in SETTINGS:
                best[setting] = max(
                    best[setting], measure(setting, processes, args.seconds), key=sum
                )
        for setting, speeds in best.items():
            shown = ", ".join(f"{speed:.1f}" for speed in speeds)
            print(f"{processes} at once, GOMP_SPINCOUNT {setting or 'unset'}: {shown} clips/s")


if __name__ == "__main__":
    main()
