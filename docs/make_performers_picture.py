"""Draw docs/images/performers.jpg: a film of three performers, with their boxes and joints.

python docs/make_performers_picture.py
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from zoopraxis.theatre import Part, film_group

PARTS = [
    Part(actions=("wave", "sit_down"), performer=1, place=-1.2),
    Part(actions=("walk", "open_door"), performer=5, place=0.1),
    Part(actions=("pick_up", "put_down"), performer=9, place=1.3),
]
COLORS = ((230, 60, 50), (40, 150, 60), (50, 90, 220))
FRAMES = (4, 18, 42, 56)


def main() -> None:
    """Draw the picture."""
    clip = film_group(PARTS, seed=4, size=(480, 270))
    shown = []
    for number in FRAMES:
        frame = clip.frames[number].copy()
        for person, color in enumerate(COLORS):
            x0, y0, x1, y1 = clip.person_boxes[number, person].astype(int).tolist()
            cv2.rectangle(frame, (x0, y0), (x1, y1), color, 1, cv2.LINE_AA)
            for x, y, visible in clip.joints[number, person]:
                center = round(float(x)), round(float(y))
                cv2.circle(frame, center, 3, color, -1 if visible else 1, cv2.LINE_AA)
        shown.append(frame)
    picture = np.vstack([np.hstack(shown[:2]), np.hstack(shown[2:])])
    Image.fromarray(picture).save(Path(__file__).parent / "images/performers.jpg", quality=85)


if __name__ == "__main__":
    main()
