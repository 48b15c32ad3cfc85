"""Processor time of whole commands: importing torch, and predicting with exported networks.

    zoopraxis export x3d_s x3d_s.xml --to openvino
    python benchmarks/cold_start.py clip.mp4 x3d_s.xml x3d_s

The commands take turns; printed are the least and the greatest of the rounds, with the wall clock's
least. A first round, which is not counted, lets Python keep what it compiles.
"""

import argparse
import os
import resource
import subprocess
import sys
import time

from zoopraxis.explain.latency import processor_name

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("video")
parser.add_argument("models", nargs="+", help="What `predict --model` takes.")
parser.add_argument("--rounds", type=int, default=3)
options = parser.parse_args()

commands = {"import torch": ["-c", "import torch"]}
for model in options.models:
    commands[model] = ["-m", "zoopraxis", "predict", options.video, "--model", model]
times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
for counted in [False] + [True] * options.rounds:
    for name, words in commands.items():
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment)
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if counted:
            times[name].append((used, wall))
print(processor_name())
for name, found in times.items():
    seconds, walls = [pair[0] for pair in found], [pair[1] for pair in found]
    print(f"{name}: {min(seconds):.2f} to {max(seconds):.2f} s, wall clock {min(walls):.2f} s")
