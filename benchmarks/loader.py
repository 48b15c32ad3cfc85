"""Clips a second that training is fed, beside what the decoder alone allows.

    python benchmarks/loader.py
    python benchmarks/loader.py --rounds 5 --model x3d_s FOLDER

Without FOLDER it films the theatre at 340x256. Two worker processes of the training loader read,
resize, crop, flip and collate clips, which are unpacked here, as training does; two others decode
as many clips of the same list and do nothing else: seek to the key frame before, decode up to the
last frame, convert the frames of the clip to RGB. They take turns of ten epochs. Printed are
clips a second of wall-clock time, and both ratios, ours over bare decoding by the clock, and bare
decoding over ours by processor time: 0.85 is the bar.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from zoopraxis import model_spec, open_video
from zoopraxis.data.dataset import Batch
from zoopraxis.data.samples import SampleList, read_samples
from zoopraxis.explain.latency import processor_name
from zoopraxis.inputs import ClipSpec
from zoopraxis.inputs.base import map_inputs
from zoopraxis.theatre import Settings, make_theatre
from zoopraxis.training.build import make_feeds
from zoopraxis.training.recipe import read_recipe
from zoopraxis.training.sampler import Shard

WORKERS, BATCH, EPOCHS = 2, 8, 10  # epochs of a turn


class Decoded(Dataset[int]):
    """Clips that are decoded and thrown away."""

    def __init__(self, samples: SampleList, clip: ClipSpec) -> None:
        self.paths = [sample.path for sample in samples]
        self.lengths = []
        for path in self.paths:
            with open_video(path) as video:
                self.lengths.append(video.num_frames)
        self.steps = clip.sampling.stride * np.arange(clip.sampling.num_frames)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> int:
        """Decode one clip at a random place; return the number of its frames."""
        rng = np.random.default_rng()
        start = int(rng.integers(max(1, self.lengths[index] - int(self.steps[-1]))))
        with av.open(self.paths[index]) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            tick = 1 / (stream.average_rate * stream.time_base)  # type: ignore[operator]
            wanted = [int((start + step) * tick) for step in self.steps.tolist()]
            container.seek(wanted[0], stream=stream)
            taken = 0
            for frame in container.decode(stream):
                if frame.pts is not None and frame.pts >= wanted[taken]:
                    frame.to_ndarray(format="rgb24")
                    taken += 1
                    if taken == len(wanted):
                        break
        return taken


def main() -> None:
    """Print both speeds and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="Folder of classes, or a list.")
    parser.add_argument("--model", default="r2plus1d_18", help="Whose clips are read.")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder
        if folder is None:
            folder = Path(name) / "theatre"
            make_theatre(folder, clips_per_class=8, settings=Settings(size=(340, 256)))
        samples = read_samples(str(folder))
        clip = model_spec(options.model).clip
        recipe = read_recipe(
            "finetune",
            [f"data.train={folder}", f"data.workers={WORKERS}", f"train.batch_size={BATCH}"],
        )
        bare = Decoded(samples, clip)
        cpu, layout = torch.device("cpu"), torch.contiguous_format

        def unpack(batch: Batch) -> None:
            map_inputs(batch.inputs, cpu, layout, packed=clip.input)

        by_processor, ours, theirs = [], [], []
        for _ in range(options.rounds):
            feeds = make_feeds(recipe, clip, samples, None, shard=Shard())
            fed = _cost(feeds.train, unpack)
            decoded = _cost(DataLoader(bare, BATCH, num_workers=WORKERS, persistent_workers=True))
            by_processor.append(decoded[0] / fed[0])
            ours.append(EPOCHS * len(samples) / fed[1])
            theirs.append(EPOCHS * len(samples) / decoded[1])
    print(f"{processor_name()}: {len(samples)} clips of {options.model}, {WORKERS} workers")
    print(f"training is fed {statistics.median(ours):.1f} clips/s; decoding: ", end="")
    print(f"{statistics.median(theirs):.1f}")
    by_clock = [a / b for a, b in zip(ours, theirs, strict=True)]
    for name, ratios in (("by the clock", by_clock), ("by processor time", by_processor)):
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"ratio {name}: {statistics.median(ratios):.2f} ({spread})")


def _cost(batches: Any, unpack: Callable[[Any], Any] = lambda _: None) -> tuple[float, float]:
    """Processor and wall-clock seconds of some epochs, here and in the workers, which then end."""
    began, before = time.perf_counter(), _processor()
    for _ in range(EPOCHS):
        for batch in batches:
            unpack(batch)
    wall = time.perf_counter() - began
    batches._iterator = None  # ends the workers: only then is their time counted
    return _processor() - before, wall


def _processor() -> float:
    spent = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


if __name__ == "__main__":
    main()
