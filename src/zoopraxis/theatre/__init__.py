"""The theatre: synthetic actions, filmed to real video files, with ground truth.

`make_theatre` fills a folder, `film` renders a single clip in memory, and `contact_sheet` shows
a film strip of each action. `make_groups` and `film_group` do the same with several performers in
a film, `make_strung` with several actions one after another and stillness between them.
"""

from zoopraxis.theatre.actions import ACTIONS, REVERSED
from zoopraxis.theatre.figure import COCO
from zoopraxis.theatre.film import Clip, film
from zoopraxis.theatre.group import GroupClip, Part, film_group
from zoopraxis.theatre.make import Settings, make_theatre
from zoopraxis.theatre.make_group import GroupSettings, make_groups
from zoopraxis.theatre.sheet import contact_sheet
from zoopraxis.theatre.strung import StrungSettings, make_strung

__all__ = [
    "ACTIONS",
    "COCO",
    "REVERSED",
    "Clip",
    "GroupClip",
    "GroupSettings",
    "Part",
    "Settings",
    "StrungSettings",
    "contact_sheet",
    "film",
    "film_group",
    "make_groups",
    "make_strung",
    "make_theatre",
]
