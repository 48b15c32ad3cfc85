"""Videos of texture whose motion is known."""

import cv2
import numpy as np

from zoopraxis.video import Video, open_video


def texture(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    """Smooth noise (H, W), uint8, from 0 to 255."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def drifting(
    height: int, width: int, *, step: tuple[int, int], frames: int, seed: int = 0
) -> np.ndarray:
    """Frames (T, H, W) of texture that moves by whole pixels, x and y, in each."""
    dx, dy = step
    margin_x, margin_y = abs(dx) * frames, abs(dy) * frames
    whole = texture(height + 2 * margin_y, width + 2 * margin_x, seed=seed)
    return np.stack(
        [whole[margin_y - dy * t :, margin_x - dx * t :][:height, :width] for t in range(frames)]
    )


def as_video(frames: np.ndarray) -> Video:
    """Grey frames (T, H, W) as a video."""
    return open_video(np.repeat(frames[:, None], 3, axis=1))  # (T, 3, H, W)
