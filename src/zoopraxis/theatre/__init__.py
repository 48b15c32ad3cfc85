"""The theatre: synthetic actions, filmed to real video files, with ground truth.

`make_theatre` fills a folder, `film` renders a single clip in memory, and `contact_sheet` shows
a film strip of each action.
"""

from zoopraxis.theatre.actions import ACTIONS, REVERSED
from zoopraxis.theatre.figure import COCO
from zoopraxis.theatre.film import Clip, film
from zoopraxis.theatre.make import Settings, make_theatre
from zoopraxis.theatre.sheet import contact_sheet

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
