"""Do region graphs help with detected boxes? On the theatre, with a detector that is trained here.

`benchmarks/region_graphs.py` gives the graphs the true boxes of performer and object. Nobody has
those of a video of their own, and what needs no weights finds too few. So this trains a small
Faster R-CNN, from scratch, on the true boxes of the training performers, and has it find those of
all videos:

    python benchmarks/detected_regions.py --out runs/detected_regions --seeds 5

films the theatre; trains the detector and writes it to ``detector.safetensors``; prints how well it
finds performers and objects it has not seen; runs `zoopraxis boxes` with it, and with selective
search; trains the small I3D alone, and with graphs of true, detected and proposed boxes, on each
seed; and prints three Markdown tables and the paired differences. What is finished is kept, and an
interrupted run resumes, the detector at its last epoch.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from region_graphs import print_table, run, split_pairs
from zoopraxis.data.samples import Sample, read_samples
from zoopraxis.prediction.detectors import (
    DetectorConfig,
    create_detector,
    find_detector,
    save_detector,
)
from zoopraxis.regions import FrameBoxes, box_iou, read_boxes
from zoopraxis.regions.extract import find_boxes
from zoopraxis.theatre.make import Settings, make_theatre
from zoopraxis.video import open_video

CONFIG = DetectorConfig(
    network="fasterrcnn_mobilenet_v3_large_320_fpn",
    classes=("person", "object"),
    min_size=192,  # the theatre's frames enlarged: cells of the features are 32 pixels apart
    max_size=256,
)
FEWER = {  # regions of an image in a training step, which are most of its cost
    "rpn_pre_nms_top_n_train": 300,
    "rpn_post_nms_top_n_train": 100,
    "rpn_batch_size_per_image": 64,
    "box_batch_size_per_image": 16,
}
BATCH, LEARNING_RATE = 8, 1e-3
EVERY = 4  # frames from one that is learned from, or tested, to the next: others look the same
OVERLAP = 0.5
BASELINE = "global average"
ARMS = {  # network of `region_graphs.NETWORKS`, whose boxes, and how many of each frame
    BASELINE: ("global average", "true", 2),
    "region graphs, true boxes": ("region graphs", "true", 2),
    "region graphs, detected boxes": ("region graphs", "detected", 3),
    "region graphs, selective search": ("region graphs", "proposed", 10),
}

Example = tuple[Tensor, dict[str, Tensor]]


def main() -> None:
    """Film, train the detector, detect, train the networks, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/detected_regions"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6, help="of the detector")
    parser.add_argument("--every", type=int, default=3, help="frames, of `zoopraxis boxes`")
    options = parser.parse_args()
    out: Path = options.out
    settings = Settings(performers=24, boxes=True)
    theatre = make_theatre(out / "theatre", clips_per_class=24, settings=settings)
    lists = {"true": split_pairs(theatre, out / "true")}
    detector = out / "detector.safetensors"
    if not detector.exists():
        train_detector(list(read_samples(lists["true"][0])), detector, epochs=options.epochs)
    print_quality(detector, list(read_samples(lists["true"][1])), out / "held_out.json")
    for name, found_by in (("detected", str(detector)), ("proposed", "selective_search")):
        detect(found_by, out / "true" / "pairs.csv", out / f"{name}_boxes", every=options.every)
        lists[name] = split_pairs(out / f"{name}_boxes" / "clips.csv", out / name)
    table: dict[str, list[list[float]]] = {name: [] for name in ARMS}
    for seed in range(options.seeds):
        for arm, (network, boxes, number) in ARMS.items():
            changes = [f"clip.num_boxes={number}"]
            table[arm].append(run(network, lists[boxes], seed=seed, changes=changes))
    print_coverage(lists)
    print_table(table, lists["true"])
    if options.seeds > 1:
        print_differences({arm: [row[0] for row in rows] for arm, rows in table.items()})


def train_detector(samples: list[Sample], file: Path, *, epochs: int) -> None:
    """Train a detector on the true boxes of clips, and write it; resumes at the last epoch."""
    examples = [example for sample in samples for example in examples_of(sample)]
    torch.manual_seed(0)
    network = create_detector(CONFIG, **FEWER).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, fused=True)
    steps = len(examples) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, epochs * steps)
    parts: dict[str, Any] = {"network": network, "optimizer": optimizer, "schedule": schedule}
    unfinished = file.with_suffix(".pt")
    first = 0
    if unfinished.exists():
        state = torch.load(unfinished, weights_only=True)
        first = state["epoch"]
        for name, part in parts.items():
            part.load_state_dict(state[name])
    print(f"detector: {len(examples)} frames, {epochs} epochs of {steps} steps", flush=True)
    for epoch in range(first, epochs):
        rng = np.random.default_rng(epoch)
        order = rng.permutation(len(examples))
        losses = []
        for step in range(steps):
            chosen = [examples[i] for i in order[step * BATCH : (step + 1) * BATCH]]
            batch = [mirrored(some) if rng.random() < 0.5 else some for some in chosen]
            images, targets = zip(*batch, strict=True)
            loss = sum(network([image.float() / 255 for image in images], list(targets)).values())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"detector, epoch {epoch + 1}: loss {statistics.mean(losses):.3f}", flush=True)
        state = {name: part.state_dict() for name, part in parts.items()}
        torch.save({"epoch": epoch + 1, **state}, unfinished.with_suffix(".part"))
        unfinished.with_suffix(".part").replace(unfinished)
    save_detector(file, network, CONFIG)
    unfinished.unlink()


def examples_of(sample: Sample) -> list[Example]:
    """Every fourth frame of a clip, and the targets that torchvision's networks take."""
    truth = read_boxes(sample.boxes)
    with open_video(sample.path) as video:
        looked = np.arange(0, video.num_frames, EVERY)
        frames = video.frames_at(looked)  # (T, 3, H, W)
    examples = []
    for frame, at in zip(frames, looked.tolist(), strict=True):
        rows = truth.in_frame(at)
        labels = [1 + CONFIG.classes.index(truth.labels[i]) for i in rows]
        boxes = torch.from_numpy(truth.boxes[rows]).float()
        examples.append((frame, {"boxes": boxes, "labels": torch.tensor(labels)}))
    return examples


def mirrored(example: Example) -> Example:
    """Flip a frame and its boxes from left to right."""
    frame, target = example
    x1, y1, x2, y2 = target["boxes"].unbind(-1)
    width = frame.shape[-1]
    boxes = torch.stack([width - x2, y1, width - x1, y2], dim=-1)
    return frame.flip(-1), {**target, "boxes": boxes}


def print_quality(file: Path, samples: list[Sample], kept: Path) -> None:
    """Print, of each class, how many boxes of held-out performers are found, and the AP."""
    if not kept.exists():
        detector = find_detector(str(file), min_score=0.05)  # AP needs those of low scores too
        matched: dict[str, list[tuple[float, bool]]] = {name: [] for name in CONFIG.classes}
        there = dict.fromkeys(CONFIG.classes, 0)
        for sample in samples:
            with open_video(sample.path) as video:
                found = find_boxes(video, detector, every=EVERY)
            truth = read_boxes(sample.boxes)
            for at in found.looked.tolist():
                for name in CONFIG.classes:
                    expected = boxes_of(truth, name, at)[0]
                    there[name] += len(expected)
                    matched[name] += match(*boxes_of(found, name, at), expected)
        kept.write_text(json.dumps({"matched": matched, "there": there}))
    facts = json.loads(kept.read_text())
    print("\n| held-out performers | boxes | found, score from 0.3 | of these true | AP at 0.5 |")
    print("|---|---|---|---|---|")
    for name, total in facts["there"].items():
        scores, true = (np.array(column) for column in zip(*facts["matched"][name], strict=True))
        sure = scores >= 0.3
        recall, precision = true[sure].sum() / total, true[sure].mean()
        ap = average_precision(scores, true.astype(bool), total)
        print(f"| {name} | {total} | {recall:.1%} | {precision:.1%} | {ap:.1%} |", flush=True)


def boxes_of(boxes: FrameBoxes, label: str, at: float) -> tuple[Tensor, list[float]]:
    """Boxes (n, 4) of a class in one frame, the highest score first, and their scores."""
    rows = [i for i in boxes.in_frame(at) if boxes.labels[i] == label]
    return torch.from_numpy(boxes.boxes[rows]), boxes.scores[rows].tolist()


def match(boxes: Tensor, scores: list[float], truth: Tensor) -> list[tuple[float, bool]]:
    """Score of each box, and whether it is the first to overlap its true one by 0.5 or more."""
    free = [True] * len(truth)
    matched = []
    for overlaps, score in zip(box_iou(boxes, truth).tolist(), scores, strict=True):
        best = max(range(len(truth)), key=overlaps.__getitem__, default=-1)
        correct = best >= 0 and overlaps[best] >= OVERLAP and free[best]
        if correct:
            free[best] = False
        matched.append((score, correct))
    return matched


def average_precision(scores: NDArray[np.float64], true: NDArray[np.bool_], total: int) -> float:
    """Area under precision over recall, precision made to fall (Pascal VOC, from 2010 on)."""
    hits = true[np.argsort(-scores, kind="stable")]
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    return float(highest[hits].sum() / total)


def detect(detector: str, videos: Path, out: Path, *, every: int) -> None:
    """Find the boxes of all videos, as anyone would."""
    words = ["boxes", videos, out, "--detector", detector, "--every", every]
    subprocess.run([sys.executable, "-m", "zoopraxis", *map(str, words)], check=True)


def print_coverage(lists: dict[str, list[Path]]) -> None:
    """Print in how many held-out frames the boxes overlap the true ones.

    Those that the graphs are given, and all that were found. Frames are those in which boxes were
    looked for; overlap is an intersection over union of 0.5.
    """
    truth = list(read_samples(lists["true"][1]))
    print(f"\n| held-out frames covered | {' | '.join(CONFIG.classes)} |")
    print("|---" * (1 + len(CONFIG.classes)) + "|")
    for arm, (network, source, number) in ARMS.items():
        if network == BASELINE:
            continue
        given: list[list[bool]] = []
        found: list[list[bool]] = []
        for sample, other in zip(truth, read_samples(lists[source][1]), strict=True):
            if not Path(sample.path).samefile(other.path):
                raise SystemExit(f"{lists[source][1]} is not the split of {lists['true'][1]}")
            true, boxes = read_boxes(sample.boxes), read_boxes(other.boxes)
            for at in boxes.looked.tolist():
                of_frame = torch.from_numpy(boxes.boxes[boxes.in_frame(at)])
                expected = [boxes_of(true, name, at)[0] for name in CONFIG.classes]
                close = [box_iou(of_frame, some) >= OVERLAP for some in expected]
                given.append([bool(some[:number].any()) for some in close])
                found.append([bool(some.any()) for some in close])
        for which, covered in ((f"the first {number}", given), ("all", found)):
            parts = (f"{part:.1%}" for part in np.mean(covered, axis=0))
            print(f"| {arm}, {which} | {' | '.join(parts)} |")


def print_differences(accuracy: dict[str, list[float]]) -> None:
    """Print the mean paired difference of each arm over the seeds, in points, and Student's t."""
    print(f"\nminus {BASELINE}, in points:")
    for arm, values in accuracy.items():
        differences = [100 * (a - b) for a, b in zip(values, accuracy[BASELINE], strict=True)]
        mean, spread = statistics.mean(differences), statistics.stdev(differences)
        if spread:
            t = mean / (spread / math.sqrt(len(differences)))
            print(f"{arm}: {mean:+.1f} ± {spread:.1f}, t = {t:.1f}")


if __name__ == "__main__":
    main()
