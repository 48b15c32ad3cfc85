"""A small data set: clips of the theatre whose trajectories are there to be learned."""

import csv

import numpy as np
import pytest

from videos import write_frames
from zoopraxis.theatre import film
from zoopraxis.trajectories.settings import TrajectorySettings
from zoopraxis.trajectories.store import save_trajectories

ACTIONS = ("push", "wave")
SIZE = (96, 72)


@pytest.fixture(scope="session")
def theatre(tmp_path_factory):
    """Folder of classes with three clips each."""
    root = tmp_path_factory.mktemp("theatre")
    for action in ACTIONS:
        for seed in range(3):
            frames = film(action, seed=seed, performer=seed, size=SIZE).frames
            write_frames(root / action / f"{seed}.mp4", frames)
    return root


@pytest.fixture
def made(tmp_path):
    """List of videos whose trajectories are random numbers, apart by class; nothing is decoded."""
    rng = np.random.default_rng(0)
    rows = [("path", "label", "trajectories")]
    for label in range(3):
        for n in range(4):
            file = tmp_path / "made" / f"{label}_{n}.safetensors"
            values = rng.random((60 + n, 436), dtype=np.float32)
            values[:, 10 + label :: 3] += 0.5
            values[:, 0] = np.arange(len(values)) + 15  # frame of the last point
            save_trajectories(file, values, times=np.arange(90) / 10, settings=TrajectorySettings())
            rows.append((f"{label}_{n}.mp4", f"class {label}", str(file)))
    table = tmp_path / "list.csv"
    with table.open("w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    return table
