"""Draw the picture of docs/trajectories.md: ``python docs/make_trajectories_picture.py``."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from numpy.typing import NDArray

from zoopraxis.theatre.film import film
from zoopraxis.trajectories.extract import PARTS, TrajectorySettings, extract_trajectories
from zoopraxis.video import open_video

IMAGES = Path(__file__).parent / "images"
ACTION, SEED, FRAME = "wave", 3, 20
Rows = NDArray[np.float32]


def paths(dense: Rows) -> NDArray[np.float32]:
    """Points (N, 16, 2) of dense trajectories: displacements in pixels, around their mean."""
    steps = dense[:, PARTS["trajectory"]].reshape(-1, 15, 2) * dense[:, 5, None, None]
    points = np.concatenate([np.zeros_like(steps[:, :1]), steps.cumsum(axis=1)], axis=1)
    around: Rows = points - points.mean(axis=1, keepdims=True) + dense[:, None, 1:3]
    return around


def draw(path: Path) -> None:
    """Trajectories that end in one frame, with and without those of the camera."""
    # The camera pans by 3 pixels a frame, in a window of a larger film.
    clip = film(ACTION, seed=SEED, performer=5, size=(480, 300))
    frames = np.stack([f[40:280, 3 * t : 3 * t + 320] for t, f in enumerate(clip.frames)])
    frames = np.ascontiguousarray(frames.transpose(0, 3, 1, 2))  # (T, 3, H, W)
    dense, improved = (
        extract_trajectories(open_video(frames), settings=TrajectorySettings(camera=camera))
        for camera in ("none", "homography")
    )
    # Both follow the same points; improved trajectories are some of the dense ones.
    kept = {row.tobytes() for row in improved[:, :7]}
    panels = {
        "dense: every point that moves": dense,
        "improved: not those that move with the camera": dense[
            [row.tobytes() in kept for row in dense[:, :7]]
        ],
    }
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    for panel, (title, rows) in zip(axes, panels.items(), strict=True):
        panel.imshow(frames[FRAME].transpose(1, 2, 0))
        here = paths(rows[rows[:, 0] == FRAME])
        panel.plot(*here.transpose(2, 1, 0), color="lime", linewidth=0.6)
        panel.plot(*here[:, -1].T, "o", color="red", markersize=1.5)
        panel.set_title(title, fontsize=10)
        panel.set(xlim=(0, 319), ylim=(239, 0), xticks=[], yticks=[])
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    draw(IMAGES / "trajectories.png")
