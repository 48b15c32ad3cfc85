"""The theatre: synthetic actions, filmed to real video files, with ground truth.

`make_theatre` fills a folder, `film` shoots a single clip into memory, `contact_sheet` shows
what there is.
"""

from zoopraxis.data.theatre.actions import ACTIONS, REVERSED
from zoopraxis.data.theatre.figure import COCO
from zoopraxis.data.theatre.film import Clip, film
from zoopraxis.data.theatre.make import Settings, make_theatre
from zoopraxis.data.theatre.sheet import contact_sheet

__all__ = [
    "ACTIONS",
    "COCO",
    "REVERSED",
    "Clip",
    "Settings",
    "contact_sheet",
    "film",
    "make_theatre",
]
