"""Learning curves as a picture."""

import io
from collections.abc import Sequence
from pathlib import Path

from zoopraxis.files import write_atomically
from zoopraxis.training.state import Row

__all__ = ["draw_curves"]

PANELS = (  # title, columns of log.csv
    ("loss", ("train_loss", "val_loss")),
    ("accuracy", ("train_top1", "val_top1", "val_top5", "val_map")),
    ("learning rate", ("lr",)),
)


def draw_curves(history: Sequence[Row], path: Path) -> None:
    """Draw loss, accuracy and learning rate over the epochs.

    Parameters
    ----------
    history : sequence of dict
        Rows of log.csv, at least one.
    path : Path
        The PNG file.
    """
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(12, 3.5))
    figure.subplots_adjust(left=0.05, right=0.98, bottom=0.14, top=0.9)
    for axes, (title, columns) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for column in columns:
            points = [(row["epoch"], row[column]) for row in history if column in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", label=column)
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.axes[1].set_ylim(0, 1.02)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomically(path, picture.getvalue())
