"""Draw the pictures of docs/motion.md, and print its table of flow without the camera's motion.

python docs/make_motion_pictures.py
"""

from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from numpy.typing import NDArray

from zoopraxis.flow import flow_method
from zoopraxis.flow.base import Frame
from zoopraxis.flow.picture import flow_picture, wheel
from zoopraxis.theatre.film import film

IMAGES = Path(__file__).parent / "images"
SIZE = (320, 240)
NAMES = {"dis": "DIS", "farneback": "Farnebäck", "tvl1": "TV-L1"}

Flow = NDArray[np.float32]


def endpoint_error(a: Flow, b: Flow) -> float:
    """Mean distance of two flows (2, H, W), in pixels."""
    return float(np.hypot(*(a - b)).mean())


def draw_row(path: Path, panels: dict[str, NDArray[np.uint8]], *, full: float) -> None:
    """Draw pictures (H, W, 3) in a row, and the legend of the colours after them."""
    legend = wheel(100, full=full)
    widths = [SIZE[0]] * len(panels) + [120]
    inches = sum(widths) / 130
    figure, row = plt.subplots(1, len(widths), figsize=(inches, 2.3), width_ratios=widths)
    for axes, (title, picture) in zip(row, [*panels.items(), ("", legend)], strict=True):
        axes.imshow(picture)
        axes.set_title(title, fontsize=9)
        axes.axis("off")
    figure.subplots_adjust(left=0.003, right=0.997, bottom=0.01, top=0.9, wspace=0.02)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_methods(path: Path) -> None:
    """A frame of the theatre, its true flow, and what each method finds."""
    clip = film("stand_up", seed=3, performer=5, size=SIZE)
    first, second, truth = clip.frames[14], clip.frames[15], clip.flow()[14].astype(np.float32)
    panels = {"frame": first, "true flow": flow_picture(truth, full=4)}
    for method, name in NAMES.items():
        flow = flow_method(method).between(first, second)
        error = endpoint_error(flow, truth)
        panels[f"{name}: {error:.2f} px off"] = flow_picture(flow, full=4)
    draw_row(path, panels, full=4)


def wall(seed: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Texture (H, W, 3) in coarse and fine detail, as a real wall has."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.normalize(
            cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), sigma),
            np.zeros(size, np.float32), 0, 1, cv2.NORM_MINMAX,
        )
        for sigma in (1.5, 6, 20)
    ]  # fmt: skip
    light = 0.3 * layers[0] + 0.3 * layers[1] + 0.4 * layers[2]  # (H, W)
    warm: NDArray[np.float32] = light[..., None] * np.array([1.0, 0.9, 0.75], np.float32)
    return warm


def panning() -> tuple[Frame, Frame, Flow]:
    """Two frames of a performer whom a camera passes, and the motion on the wall behind."""
    clip = film("stand_up", seed=3, performer=5, size=SIZE, grain=False)
    body = [i for i, layer in enumerate(clip.layers[14]) if layer.kind == "body"]
    backdrop = wall(0, (SIZE[1] + 40, SIZE[0] + 40))
    frames = []
    for t in (14, 15):
        person = np.isin(clip.tops[t], body)[..., None]
        still = np.where(person, clip.frames[t], 255 * backdrop[20:-20, 20:-20])
        scene = 255 * backdrop
        scene[20:-20, 20:-20] = still
        # the camera pans by 5 pixels, and rolls by a degree
        camera = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), t - 14, 1.0)
        camera[:, 2] -= camera[:, :2] @ (20, 20) + (t - 14) * np.array([5, 0])
        view = cv2.warpAffine(scene, camera, SIZE, flags=cv2.INTER_CUBIC)
        frames.append(np.clip(view + 0.5, 0, 255).astype(np.uint8))
    truth = np.where(np.isin(clip.tops[14], body), clip.flow()[14].astype(np.float32), 0)
    return frames[0], frames[1], truth


def draw_warped(path: Path) -> None:
    """Flow of a panning scene as it is, and without the motion of the camera."""
    first, second, truth = panning()
    plain, warped = (flow_method(m).between(first, second) for m in ("tvl1", "warped:tvl1"))
    panels = {
        "frame": first,
        "TV-L1": flow_picture(plain, full=8),
        f"warped TV-L1: {endpoint_error(warped, truth):.2f} px off": flow_picture(warped, full=8),
        "true motion on the wall": flow_picture(truth, full=8),
    }
    draw_row(path, panels, full=8)


def print_table() -> None:
    """Print the errors of each method in the panning scene, as it is and warped."""
    first, second, truth = panning()
    still = np.hypot(*truth) == 0
    print("| | everywhere | wall | performer |\n|---|---|---|---|")
    rows = {"no flow": 0 * truth}
    for name in NAMES:
        for method in (name, f"warped:{name}"):
            rows[f"`{method}`"] = flow_method(method).between(first, second)
    for name, flow in rows.items():
        off = np.hypot(*(flow - truth))
        print(f"| {name} | {off.mean():.2f} | {off[still].mean():.2f} | {off[~still].mean():.2f} |")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    print_table()
    draw_methods(IMAGES / "flow_methods.png")
    draw_warped(IMAGES / "flow_warped.png")
