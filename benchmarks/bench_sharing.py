"""What two trainings on the same cores cost each other, by how long waiting threads spin.

    python benchmarks/bench_sharing.py

Prediction, written before the first run: alone, a training does not care; two at once should get
half the speed each, and get a quarter with GNU OpenMP's own spinning (GOMP_SPINCOUNT unset), which
keeps a core from the thread that is waited for; 1000 turns give most of the half back. Clips a
second of each process, best of the rounds; the settings take turns.

On two cores: alone 72.2 unset and 73.3 with 1000 turns; two at once 14.1 and 11.4 unset, 41.0 and
33.6 with 1000 turns, so nothing is lost. The command line sets 1000 if the environment is silent.
"""

import argparse
import os
import subprocess
import sys
import time

SETTINGS = (None, "1000")


def train_for(seconds: float) -> float:
    """Train a small R(2+1)D on noise; clips a second."""
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
    """Clips a second of each of several processes at once."""
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environment |= {"GOMP_SPINCOUNT": setting} if setting else {}
    command = [sys.executable, __file__, "--train", str(seconds)]
    running = [
        # a session each: Linux shares the cores out by session
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
