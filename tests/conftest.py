"""Tiny videos to train on: a square that moves right, or left."""

from pathlib import Path

import numpy as np
import pytest
import torch

from videos import write_frames

HERE = Path(__file__).parent
ZOO = {"models", "weights", "layers"}  # folders of `src/zoopraxis` and of the tests
CLASSES = ("left", "right")
CLIPS = 8  # of each class


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
            write_frames(clip, moving_square(label, seed=number))
    return root


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that only a change of the networks or their weights can break."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.relative_to(HERE).parts[0] in ZOO:
            item.add_marker(pytest.mark.zoo)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded, such as what became of damaged files: a section a property."""
    sections: dict[str, list[str]] = {}
    for report in terminalreporter.getreports("passed"):
        if report.when == "call":
            for title, text in report.user_properties:
                sections.setdefault(title, []).append(text)
    for title, texts in sections.items():
        terminalreporter.section(title)
        for text in sorted(texts):
            terminalreporter.line(text)


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Give every test the same random weights and inputs, whatever ran before it."""
    torch.manual_seed(0)
