"""How many of the theatre's performers a detector of people finds, and how long they are followed.

The labels of `zoopraxis people` cannot be better than its boxes. On films of the theatre, the true
boxes and tracks are known:

    zoopraxis data groups data/groups --films 6 --performers 3 --size 320 180 --seed 2
    python benchmarks/detected_people.py data/groups

looks at every second frame, as `zoopraxis people` does, and prints a Markdown table: how many of
the true boxes a detected one covers with an intersection over union of 0.5, how many of the
detected ones cover a true one, and the numbers of tracks (ByteTrack) and of people.
"""

import argparse
from pathlib import Path

import torch

from zoopraxis.prediction.detectors import find_detector
from zoopraxis.regions import FrameBoxes, box_iou, read_boxes
from zoopraxis.regions.extract import find_boxes
from zoopraxis.regions.track import link_boxes, only_people
from zoopraxis.video import open_video

OVERLAP = 0.5


def main() -> None:
    """Detect, compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path, help="folder of `zoopraxis data groups`")
    parser.add_argument("--detector", default="opencv")
    parser.add_argument("--scores", type=float, nargs="+", default=[0.0, 0.5, 1.0])
    parser.add_argument("--every", type=int, default=2)
    options = parser.parse_args()
    # detected once with the lowest score, and chosen from
    detector = find_detector(options.detector, min_score=min(options.scores))
    films = []
    for file in sorted(options.films.glob("*.mp4")):
        with open_video(file) as video:
            found = only_people(find_boxes(video, detector, every=options.every))
            films.append((found, read_boxes(file.with_suffix(".boxes.csv")), video.fps))
    print(f"| {options.detector}, lowest score | found | correct | tracks | people |")
    print("|---|---|---|---|---|")
    for score in options.scores:
        covered = there = right = detected = tracks = people = 0
        for found, truth, fps in films:
            kept = found.chosen(found.scores >= score)
            linked = link_boxes(kept, fps=fps / options.every).tracks
            tracks += len(set(linked[linked >= 0].tolist()))
            people += len(set(truth.tracks.tolist()))
            for at in kept.looked.tolist():
                overlaps = box_iou(in_frame(kept, at), in_frame(truth, at))  # (found, true)
                covered += int((overlaps >= OVERLAP).any(dim=0).sum())
                right += int((overlaps >= OVERLAP).any(dim=1).sum())
                detected, there = detected + overlaps.shape[0], there + overlaps.shape[1]
        share = f"{100 * right / detected:.1f} %" if detected else "none"
        print(
            f"| {score:g} | {100 * covered / there:.1f} % of {there} | {share} of {detected} | ",
            end="",
        )
        print(f"{tracks} | {people} |")


def in_frame(boxes: FrameBoxes, at: float) -> torch.Tensor:
    """Boxes (n, 4) of one frame."""
    return torch.from_numpy(boxes.boxes[boxes.in_frame(at)])


if __name__ == "__main__":
    main()
