"""Draw docs/images/regions.png: regions of a clip, and how their graphs link them.

python docs/make_regions_picture.py
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from zoopraxis.models.space_time_region_graph import spatial_temporal_graphs
from zoopraxis.prediction.overlay import COLOURS
from zoopraxis.theatre import film

FRAMES = (2, 14, 18, 22)
SIZE = (280, 210)
GAP = 14


def main() -> None:
    """Draw the frames in a row, boxes, and links to the next frame as wide as their weights."""
    clip = film("pick_up", seed=7, performer=3, size=SIZE)
    boxes = np.stack([clip.person_box[[*FRAMES]], clip.object_box[[*FRAMES]]], axis=1) + 0.5
    front, _ = spatial_temporal_graphs(torch.from_numpy(boxes)[None], torch.ones(1, len(FRAMES), 2))
    width, height = SIZE
    picture = np.full((height, len(FRAMES) * (width + GAP) - GAP, 3), 255, np.uint8)
    places = {}
    for t, number in enumerate(FRAMES):
        frame = clip.frames[number].copy()
        for thing in range(2):
            x1, y1, x2, y2 = np.rint(boxes[t, thing] - 0.5).astype(int).tolist()
            cv2.rectangle(frame, (x1, y1), (x2, y2), COLOURS[thing], 2)
            places[2 * t + thing] = (t * (width + GAP) + (x1 + x2) // 2, (y1 + y2) // 2)
        picture[:, t * (width + GAP) :][:, :width] = frame
    for i, j in front[0].nonzero().tolist():
        weight = float(front[0, i, j])
        thick = max(1, round(6 * weight))
        cv2.line(picture, places[i], places[j], (255, 255, 255), thick + 3, cv2.LINE_AA)
        colour = COLOURS[i % 2] if i % 2 == j % 2 else COLOURS[4]
        cv2.line(picture, places[i], places[j], colour, thick, cv2.LINE_AA)
    for node, place in places.items():
        cv2.circle(picture, place, 8, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, place, 6, COLOURS[node % 2], -1, cv2.LINE_AA)
    palette = Image.fromarray(picture).quantize(128)
    palette.save(Path(__file__).parent / "images/regions.png", optimize=True)


if __name__ == "__main__":
    main()
