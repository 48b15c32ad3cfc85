"""What reading and splitting a long list costs beside the floor: its lines through `csv.reader`.

    python benchmarks/bench_lists.py

The floor is `csv.reader` on the same text, and one `Sample` constructed for each line, with the
collection of cycles off. Prediction, written before the rewrite: reading should take no more than
twice the floor, and splitting no longer than reading. Processor time, best of the rounds, which
take turns.

At a million lines: reading 2.1 times the floor with commas and 2.3 with spaces, splitting 2.6,
looking for missing files 1.6, where the floor is 1.5 us a line. In another run, on a busy machine
(2.7 us), reading Parquet took 1.84 times the floor, and commas 1.88. What reading adds are the
paths (a `Path` for each had taken longer than all of it), where each line stands, and the check
that no video is listed twice; what splitting adds is a loop over the groups in plain Python, which
is faster than numpy on the class or two of each.
"""

import argparse
import csv
import gc
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from zoopraxis.data.samples import Sample, read_samples
from zoopraxis.data.splits import split_by_group
from zoopraxis.data.write import write_list
from zoopraxis.explain.latency import processor_name


def floor(text: str) -> None:
    """Parse the text and construct a sample for every line."""
    gc.disable()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    made = [Sample(path=path, label=0, group=path, name=path) for path, _ in rows]
    gc.enable()
    assert len(made) == len(rows)  # noqa: S101 - keeps them until here


def seconds(call: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Print the time of each step as a ratio to the floor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    lines = [f"videos/clip_{i:07}.mp4,{i % args.classes}" for i in range(args.lines)]
    text = "\n".join(lines) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        listed, spaced = Path(folder) / "list.csv", Path(folder) / "list.txt"
        parquet = Path(folder) / "list.parquet"
        listed.write_text(text)
        spaced.write_text(text.replace(",", " "))
        samples = read_samples(listed)
        given = [line.partition(",") for line in lines]
        write_list(
            parquet, {"path": [p for p, _, _ in given], "label": [(n,) for _, _, n in given]}
        )
        steps: dict[str, Callable[[], object]] = {
            "floor": lambda: floor(text),
            "read, commas": lambda: read_samples(listed),
            "read, spaces": lambda: read_samples(spaced),
            "read, Parquet": lambda: read_samples(parquet),
            "split": lambda: split_by_group(samples),
            "missing": samples.missing,
        }
        best = dict.fromkeys(steps, float("inf"))
        for _ in range(args.rounds):
            for name, call in steps.items():
                best[name] = min(best[name], seconds(call))
    print(processor_name())
    for name, took in best.items():
        micro = 1e6 * took / args.lines
        print(f"{name:14} {took / best['floor']:5.2f} x the floor, {micro:6.2f} us a line")


if __name__ == "__main__":
    main()
