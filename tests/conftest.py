"""Tiny videos to train on: a square that moves right, or left."""

from pathlib import Path

import av
import numpy as np
import pytest

CLASSES = ("left", "right")
CLIPS = 8  # of each class


def write_video(path: Path, frames: np.ndarray) -> None:
    """Write uint8 frames (T, H, W, 3) as H.264."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def moving_square(label: str, seed: int) -> np.ndarray:
    """Frames (12, 36, 48, 3) of a bright square on noise."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 60, (12, 36, 48, 3), dtype=np.uint8)
    top = int(rng.integers(4, 20))
    for t, frame in enumerate(frames):
        left = 3 * t if label == "right" else 33 - 3 * t
        frame[top : top + 12, left : left + 12] = 220
    return frames


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of classes with 8 clips each."""
    root = tmp_path_factory.mktemp("videos")
    for number in range(CLIPS):
        for label in CLASSES:
            clip = root / label / f"{number}.mp4"
            write_video(clip, moving_square(label, seed=number))
    return root
