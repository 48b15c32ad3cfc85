"""Columns have the authors' order; settings refuse what they cannot be, and have a key."""

import json

import pytest

from zoopraxis.errors import ZoopraxisError
from zoopraxis.records import build
from zoopraxis.trajectories.settings import COLUMNS, PARTS, TrajectorySettings


def test_parts_cover_the_columns_in_the_authors_order():
    assert {name: (s.start, s.stop) for name, s in PARTS.items()} == {
        "info": (0, 10),
        "trajectory": (10, 40),
        "hog": (40, 136),
        "hof": (136, 244),
        "mbhx": (244, 340),
        "mbhy": (340, 436),
    }
    assert len(COLUMNS) == len(set(COLUMNS)) == 436
    assert COLUMNS[10:12] == ("dx0", "dy0")
    assert COLUMNS[136 + 9] == "hof_t0_x0_y1_0"  # nine bins of a cell, then the cell below
    assert COLUMNS[136 + 36] == "hof_t1_x0_y0_0"


def test_the_key_holds_every_setting():
    settings = TrajectorySettings(camera="none", stride=10, scales=4)

    assert build(TrajectorySettings, json.loads(settings.key)) == settings
    assert settings.key != TrajectorySettings().key


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"camera": "homografy"}, "camera of trajectories is 'homografy'"),
        ({"people": "yes"}, "people of trajectories is 'yes'"),
        ({"stride": 0}, "stride of trajectories is 0"),
        ({"scales": 2.5}, r"scales of trajectories is 2\.5"),
    ],
)
def test_bad_settings_are_refused(values, problem):
    with pytest.raises(ZoopraxisError, match=problem):
        TrajectorySettings(**values)
