"""Draw the pictures of docs/convolutions.md: ``python docs/make_convolutions_pictures.py``."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
import torch

from zoopraxis.checkpoints.inflate import inflate_weight

IMAGES = Path(__file__).parent / "images"
KERNELS = {
    "2D: 1x3x3": [(1, 3, 3)],
    "3D: 3x3x3": [(3, 3, 3)],
    "(2+1)D: 1x3x3, then 3x1x1": [(1, 3, 3), (3, 1, 1)],
    "pointwise: 1x1x1": [(1, 1, 1)],
}
GROUPS = {"full: 1 group": 1, "grouped: 3 groups": 3, "depth-wise: 6 groups": 6}
CHANNELS = 6
EDGES = torch.tensor([[-3.0, 0.0, 3.0], [-6.0, 0.0, 6.0], [-3.0, 0.0, 3.0]])


def draw_kernels(path: Path) -> None:
    """What a kernel sees: frames to the right, pixels in the plane."""
    colours = ("#4c72b0cc", "#dd8452cc")
    figure = plt.figure(figsize=(11, 3))
    for index, (title, kernels) in enumerate(KERNELS.items()):
        axes = figure.add_subplot(1, len(KERNELS), index + 1, projection="3d")
        for kernel, colour in zip(kernels, colours, strict=False):
            filled = np.zeros((3, 3, 3), dtype=bool)
            low = [(3 - size) // 2 for size in kernel]
            filled[tuple(slice(a, a + size) for a, size in zip(low, kernel, strict=True))] = True
            axes.voxels(filled, facecolors=colour, edgecolor="white")
        axes.set(xlim=(0, 3), ylim=(0, 3), zlim=(0, 3), xticks=[], yticks=[], zticks=[])
        axes.set_xlabel("time", labelpad=-12)
        axes.set_title(title, fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_inflation(path: Path) -> None:
    """One filter of an image network, and the three frames it becomes, in both ways."""
    flat = EDGES[None, None]
    repeated, centred = (inflate_weight(flat, 3, init=init)[0, 0] for init in ("repeat", "centre"))
    panels = [EDGES, None, *repeated, None, *centred]
    titles = {0: "2D filter", 3: "repeated, divided by 3", 7: "or in the centre"}
    times = dict(zip((2, 3, 4, 6, 7, 8), ("before", "this frame", "after") * 2, strict=True))
    widths = [1.0 if panel is not None else 0.3 for panel in panels]
    figure, row = plt.subplots(1, len(panels), figsize=(11, 1.9), width_ratios=widths)
    for index, (axes, panel) in enumerate(zip(row, panels, strict=True)):
        if panel is None:
            axes.axis("off")
            continue
        axes.imshow(panel, cmap="RdBu_r", vmin=-8, vmax=8)
        for (y, x), value in np.ndenumerate(panel.numpy()):
            axes.text(x, y, f"{value:g}", ha="center", va="center", fontsize=9)
        axes.set_title(titles.get(index, ""), fontsize=10)
        axes.set_xlabel(times.get(index, ""), fontsize=9)
        axes.set(xticks=[], yticks=[])
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_groups(path: Path) -> None:
    """Which channels in (below) reach which channels out (above)."""
    figure, row = plt.subplots(1, len(GROUPS), figsize=(9, 2.4))
    for axes, (title, groups) in zip(row, GROUPS.items(), strict=True):
        size = CHANNELS // groups
        for come in range(CHANNELS):
            for go in range(CHANNELS):
                if come // size == go // size:
                    axes.plot([come, go], [0, 1], color=f"C{come // size}", linewidth=1)
        for height in (0, 1):
            axes.plot(range(CHANNELS), [height] * CHANNELS, "o", color="black")
        axes.set_title(title, fontsize=10)
        axes.set_xlim(-1, CHANNELS)  # room between the panels
        axes.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    draw_kernels(IMAGES / "kernels.png")
    draw_inflation(IMAGES / "inflation.png")
    draw_groups(IMAGES / "groups.png")
