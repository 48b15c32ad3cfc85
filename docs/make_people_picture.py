"""Draw docs/images/people.jpg: moments of a film of a group, each person with box and label.

python docs/make_people_picture.py RUN FILM.mp4

RUN is a network trained on people, as docs/people.md does; the boxes lie beside the film.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from zoopraxis.prediction.box_overlay import draw_boxes
from zoopraxis.prediction.overlay import enlarged
from zoopraxis.prediction.people import predict_people
from zoopraxis.regions import read_boxes
from zoopraxis.video import open_video

MOMENTS = (1.0, 3.2, 5.4, 7.6)  # seconds
WIDTH = 560


def main(run: str, film: str) -> None:
    """Draw the moments in two rows."""
    boxes = read_boxes(Path(film).with_suffix(".boxes.csv"))
    shown = predict_people(film, run, boxes, window=2.2, step=0.55).labelled()
    with open_video(film) as video:
        numbers = [int(np.searchsorted(video.timestamps, moment)) for moment in MOMENTS]
        scale = WIDTH / video.width
        pictures = [
            draw_boxes(picture, shown, number, scale=scale)
            for number, (_, picture) in enumerate(enlarged(video, width=WIDTH, progress=None))
            if number in numbers
        ]
    sheet = np.concatenate([np.concatenate(pictures[i : i + 2], axis=1) for i in (0, 2)])
    Image.fromarray(sheet).save(Path(__file__).parent / "images/people.jpg", quality=82)


if __name__ == "__main__":
    main(*sys.argv[1:])
