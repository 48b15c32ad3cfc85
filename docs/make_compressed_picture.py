"""Draw the picture of docs/compressed.md: ``python docs/make_compressed_picture.py``."""

import tempfile
from pathlib import Path

import av
import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import hsv_to_rgb
from numpy.typing import NDArray

from zoopraxis.theatre.film import film
from zoopraxis.video._motion import accumulate, from_previous
from zoopraxis.video._motion_vectors import read_motion

IMAGES = Path(__file__).parent / "images"
SIZE = (340, 256)
GOP, FRAME = 12, 8  # frames from one I-frame to the next; the one that is shown
STEP = 16  # pixels between arrows: a macroblock of MPEG-4
LONGEST = 10.0  # pixels, shown in full colour


def encode(path: Path) -> None:
    """Encode a film of somebody who walks, as the papers encode theirs."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=15, options={"g": str(GOP)})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.bit_rate, stream.codec_context.thread_count = 4_000_000, 1
        for frame in film("walk", seed=7, performer=3, size=SIZE).frames[:GOP]:
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            out.mux(stream.encode(image))
        out.mux(stream.encode())


def coloured(vectors: NDArray[np.int32]) -> NDArray[np.float64]:
    """Direction of vectors (2, H, W) as the hue, length as the saturation: (H, W, 3)."""
    x, y = vectors
    hue = (np.arctan2(y, x) / (2 * np.pi)) % 1
    return hsv_to_rgb(np.stack([hue, np.hypot(x, y).clip(0, LONGEST) / LONGEST, 0 * hue + 1], -1))


def main() -> None:
    """Draw the six panels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.avi"
        encode(path)
        frames = list(read_motion(path))
    whole, single = list(accumulate(frames))[FRAME], list(from_previous(frames))[FRAME]

    panels = {
        "I-frame, number 0": whole.reference,
        f"P-frame, number {FRAME}, and its vectors": single.image,
        "motion vectors, from the frame before": coloured(single.vectors),
        "residual, from the frame before": (single.residual.transpose(1, 2, 0) + 128).clip(0, 255),
        "motion vectors, traced back to the I-frame": coloured(whole.vectors),
        "residual, from the I-frame": (whole.residual.transpose(1, 2, 0) + 128).clip(0, 255),
    }
    figure, grid = plt.subplots(3, 2, figsize=(7.4, 8.8))
    for axes, (title, panel) in zip(grid.flat, panels.items(), strict=True):
        axes.imshow(panel)
        axes.set_title(title, fontsize=10)
        axes.axis("off")
    y, x = np.mgrid[STEP // 2 : SIZE[1] : STEP, STEP // 2 : SIZE[0] : STEP]
    dx, dy = single.vectors[:, y, x]
    moved = np.hypot(dx, dy) > 0
    arrows = {"angles": "xy", "scale_units": "xy", "scale": 0.5, "width": 0.004}
    grid[0, 1].quiver(x[moved], y[moved], dx[moved], dy[moved], color="#ffd400", **arrows)
    figure.tight_layout()
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / "compressed.png", dpi=66)


if __name__ == "__main__":
    main()
