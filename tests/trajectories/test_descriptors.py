"""Histograms along tracks are those that counting pixel by pixel gives."""

import cv2
import numpy as np

from moving import texture
from zoopraxis.trajectories.descriptors import DESCRIPTOR, add_descriptors
from zoopraxis.trajectories.settings import BINS

HEIGHT, WIDTH = 70, 90


def counted(dx, dy, *, bins, left, top, least=-1.0):
    """Histogram of one patch, as the paper defines it: cells in x, then y, then bins."""
    directions = bins - 1 if least >= 0 else bins
    cells = np.zeros((2, 2, bins))
    for y in range(32):
        for x in range(32):
            vx, vy = float(dx[top + y, left + x]), float(dy[top + y, left + x])
            cell = cells[x // 16, y // 16]
            length = np.hypot(vx, vy)
            if length <= least:
                cell[-1] += 1
                continue
            position = np.degrees(np.arctan2(vy, vx)) % 360 / 360 * directions
            lower = int(position)
            cell[lower % directions] += length * (1 - (position - lower))
            cell[(lower + 1) % directions] += length * (position - lower)
    cells += 0.05
    return np.sqrt(cells / cells.sum()).ravel()


def difference(image, axis):
    """Right minus left, or below minus above; zero at the edges."""
    image = image.astype(float)
    out = np.zeros_like(image)
    if axis == "x":
        out[:, 1:-1] = image[:, 2:] - image[:, :-2]
    else:
        out[1:-1] = image[2:] - image[:-2]
    return out


def scene():
    rng = np.random.default_rng(3)
    flow = rng.normal(0, 15, (2, HEIGHT, WIDTH)).astype(np.float32)
    return texture(HEIGHT, WIDTH), np.stack([cv2.GaussianBlur(f, (0, 0), 3) for f in flow])


def test_every_part_is_counted_where_the_patch_is():
    grey, flow = scene()
    # inside; rounded down and up; beyond each edge, where the patch is moved inwards
    points = np.array([[40, 30], [40.4, 30.6], [3, 5], [88.7, 68.2], [1, 66]], np.float32)
    corners = [(24, 14), (24, 15), (0, 0), (58, 38), (0, 38)]
    spans = np.array([0, 1, 2, 0, 1], np.int32)
    slots = np.array([5, 0, 3, 1, 2], np.int32)
    descriptors = np.zeros((6, DESCRIPTOR), np.float32)

    add_descriptors(grey, flow, points=points, spans=spans, slots=slots, descriptors=descriptors)

    components = {
        "hog": (difference(grey, "x"), difference(grey, "y")),
        "hof": (flow[0], flow[1]),
        "mbhx": (difference(flow[0], "x"), difference(flow[0], "y")),
        "mbhy": (difference(flow[1], "x"), difference(flow[1], "y")),
    }
    expected = np.zeros_like(descriptors)
    for (left, top), span, slot in zip(corners, spans, slots, strict=True):
        first = 0
        for name, (dx, dy) in components.items():
            bins = BINS[name]
            least = 0.4 if name == "hof" else -1.0
            values = counted(dx, dy, bins=bins, left=left, top=top, least=least)
            at = first + span * len(values)
            expected[slot, at : at + len(values)] = values
            first += 3 * len(values)
    np.testing.assert_allclose(descriptors, expected, atol=2e-4)
    assert (np.abs(flow).max(axis=0) < 0.4).any()  # the last bin of HOF was of use


def test_steps_are_added():
    grey, flow = scene()
    arguments = {
        "points": np.array([[40, 30]], np.float32),
        "spans": np.array([1], np.int32),
        "slots": np.array([0], np.int32),
    }
    once, twice = np.zeros((2, 1, DESCRIPTOR), np.float32)

    add_descriptors(grey, flow, **arguments, descriptors=once)
    for _ in range(2):
        add_descriptors(grey, flow, **arguments, descriptors=twice)

    assert once.any()
    np.testing.assert_array_equal(twice, 2 * once)


def test_a_small_patch_far_from_the_first_row_of_a_large_frame_is_as_exact():
    """An integral image of float32 would be off by some per cent here."""
    small = texture(32, 32)
    grey = np.full((2000, 1500), 0, np.uint8)
    grey[::2, ::3] = 255  # gradients everywhere, which an integral image would add up
    grey[1800:1864, 1400:1464] = 0
    grey[1816:1848, 1416:1448] = small
    alone = np.zeros((64, 64), np.uint8)
    alone[16:48, 16:48] = small
    far, near = np.zeros((2, 1, DESCRIPTOR), np.float32)
    spans = slots = np.zeros(1, np.int32)

    for frame, point, out in ((grey, (1432, 1832), far), (alone, (32, 32), near)):
        add_descriptors(
            frame, np.zeros((2, *frame.shape), np.float32),
            points=np.array([point], np.float32), spans=spans, slots=slots, descriptors=out,
        )  # fmt: skip

    np.testing.assert_allclose(far, near, atol=1e-4)
