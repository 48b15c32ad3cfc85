"""Draw docs/images/joints.jpg: the joints and boxes of three performers at four moments.

python docs/make_joints_picture.py

They are the theatre's own, drawn as `zoopraxis skeletons extract --overlay` draws those it finds.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from zoopraxis.prediction.skeleton_overlay import draw_skeletons
from zoopraxis.theatre import Part, film_group

PARTS = (
    Part(actions=("wave",), performer=1, place=-1.1),
    Part(actions=("sit_down",), performer=2, place=0.0),
    Part(actions=("pick_up",), performer=3, place=1.1),
)
MOMENTS = (4, 12, 20, 28)  # frames
SCALE = 1.5


def main() -> None:
    """Draw the moments in two rows."""
    clip = film_group(PARTS, seed=5, size=(320, 180))
    pictures = []
    for n in MOMENTS:
        size = (int(320 * SCALE), int(180 * SCALE))
        picture = cv2.resize(clip.frames[n], size, interpolation=cv2.INTER_CUBIC)
        joints = clip.joints[n] + np.array([0.5, 0.5, 0], np.float32)  # centres of pixels to edges
        boxes = np.nan_to_num(clip.person_boxes[n] + 0.5)
        pictures.append(draw_skeletons(np.asarray(picture, np.uint8), joints, boxes, scale=SCALE))
    sheet = np.concatenate([np.concatenate(pictures[i : i + 2], axis=1) for i in (0, 2)])
    Image.fromarray(sheet).save(Path(__file__).parent / "images/joints.jpg", quality=82)


if __name__ == "__main__":
    main()
