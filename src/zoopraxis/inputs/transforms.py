"""Frames to input: resize, crop, flip, colours, normalise.

Resizing is bilinear with antialiasing where it shrinks, rounded to uint8 like PIL, which the
official two-stream, TSN and TSM code uses. PySlowFast does not antialias: its inputs differ
slightly.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoopraxis.inputs.augment import Augment, Draw, draw_augment
from zoopraxis.inputs.crops import Size, crop_boxes, scaled_size
from zoopraxis.errors import RecipeError, ShapeError
from zoopraxis.inputs.sampling import groups
from zoopraxis.spec import ClipSpec

__all__ = ["apply_draw", "prepare_test", "prepare_train", "resize_frames"]

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, the weights of red, green and blue


def prepare_train(
    frames: Tensor, clip: ClipSpec, augment: Augment, *, rng: np.random.Generator
) -> Tensor:
    """Make the inputs of a network in training from decoded frames.

    Parameters
    ----------
    frames : Tensor of shape (V, T, C, H, W)
        uint8 pixels in RGB, or flow: uint8 with 128 for none, or float in the model's units.
    clip : ClipSpec
        What the model eats.
    augment : Augment
        What is random. One with ``left_right`` needs ``draw_augment`` and ``apply_draw``, so
        that the label follows the flip.
    rng : numpy.random.Generator
        One draw per clip.

    Returns
    -------
    Tensor of shape (V, C, T, S, S), float32

    Raises
    ------
    RecipeError
        Flips would change labels, which this function does not see.
    ShapeError
        The frames do not fit the clip's modality, or are smaller than its crop.
    """
    if augment.left_right:
        raise RecipeError(
            "prepare_train cannot swap the labels of flipped clips (Augment.left_right is set)",
            "call draw_augment, apply_draw, and augment.relabel(label, flipped=draw.flip)",
        )
    size = (frames.shape[-2], frames.shape[-1])
    draws = [draw_augment(size, clip, augment, rng=rng) for _ in frames]
    views = [apply_draw(view, clip, draw) for view, draw in zip(frames, draws, strict=True)]
    return torch.stack(views)  # (V, C, T, S, S)


def prepare_test(frames: Tensor, clip: ClipSpec, *, crops: int = 1) -> Tensor:
    """Make the inputs of a network in testing from decoded frames.

    Parameters
    ----------
    frames, clip
        As for `prepare_train`.
    crops : {1, 3, 5, 10}, default=1
        See `crop_boxes`.

    Returns
    -------
    Tensor of shape (V * crops, C, T, S, S), float32
        All crops of the first view, then of the second.

    Raises
    ------
    ShapeError
        The frames do not fit the clip's modality, or are smaller than its crop.
    """
    scaled = scaled_size((frames.shape[-2], frames.shape[-1]), clip.resize)
    frames = resize_frames(frames, scaled)  # (V, T, C, H', W')
    views = [
        apply_draw(view, clip, Draw(scaled=scaled, box=box, flip=flip))
        for view in frames
        for box, flip in crop_boxes(scaled, clip.size, crops)
    ]
    return torch.stack(views)  # (V * crops, C, T, S, S)


def apply_draw(frames: Tensor, clip: ClipSpec, draw: Draw) -> Tensor:
    """Carry out a draw on the frames (T, C, H, W) of one clip: float32 (C, T, S, S)."""
    _check(frames, clip, draw)
    top, left, height, width = draw.box
    x = resize_frames(frames, draw.scaled)  # (T, C, H', W')
    x = x[..., top : top + height, left : left + width]  # (T, C, h, w)
    x = resize_frames(x, (clip.size, clip.size))  # (T, C, S, S)
    if draw.flip:
        x = _flip(x, clip)
    pixels = x.dtype == torch.uint8
    x = x.contiguous().float()  # the decoder's memory runs along C: cheaper to turn as bytes
    x = x / 255 if pixels else x
    for name, factor in draw.colour:
        x = _COLOURS[name](x, factor)
    x = _normalise(x, clip, unit=clip.value_range if pixels else 1.0)
    return x.transpose(0, 1).contiguous()  # (C, T, S, S)


def _check(frames: Tensor, clip: ClipSpec, draw: Draw) -> None:
    """Refuse frames that the clip's modality or the draw's crop cannot take."""
    channels = {"gray": (1, 3), "skeleton": ()}.get(clip.modality, (clip.channels,))
    if frames.ndim != 4 or frames.shape[1] not in channels:
        raise ShapeError(
            f"frames of shape {tuple(frames.shape)} are not (T, C, H, W) of a {clip.modality} clip",
            f"a {clip.modality} model takes C in {channels}",
        )
    if len(clip.mean) not in (1, clip.channels) or len(clip.std) not in (1, clip.channels):
        raise ShapeError(
            f"{len(clip.mean)} means and {len(clip.std)} stds for {clip.channels} channels",
            "give ClipSpec one mean and one std, or one for each channel",
        )
    if draw.colour and clip.modality != "rgb":
        raise RecipeError(
            f"colours of a {clip.modality} clip cannot be jittered",
            "set brightness, contrast and saturation to 0",
        )


def _flip(x: Tensor, clip: ClipSpec) -> Tensor:
    """Swap left and right; what flows to the right then flows to the left."""
    x = x.flip(-1)
    if clip.modality not in ("flow", "rgb_flow"):
        return x
    at = clip.channels - 2  # horizontal flow, behind RGB if there is any
    right = x[:, at : at + 1]  # (T, 1, S, S)
    left = 255 - right if x.dtype == torch.uint8 else -right
    return torch.cat([x[:, :at], left, x[:, at + 1 :]], dim=1)


def _normalise(x: Tensor, clip: ClipSpec, *, unit: float) -> Tensor:
    """Bring (T', C, S, S) to the model's channels, mean and spread; 1 becomes ``unit`` before."""
    if clip.modality == "gray" and x.shape[1] == 3:
        x = _grey(x)  # (T, 1, S, S)
    if clip.channel_order == "bgr":
        x = x.flip(1)
    if clip.modality == "rgb_diff":
        runs, _ = groups(clip)
        x = x.reshape(runs, -1, *x.shape[1:]).diff(dim=1).flatten(0, 1)  # (T, C, S, S)
    std = torch.tensor(clip.std, dtype=torch.float64)[:, None, None]
    mean = torch.tensor(clip.mean, dtype=torch.float64)[:, None, None]
    return x * (unit / std).float() - (mean / std).float()


def resize_frames(frames: Tensor, size: Size) -> Tensor:
    """Resize (..., C, H, W) to a height and width; the same tensor if it has them.

    Bilinear, with antialiasing where it shrinks. uint8 stays uint8: rounded, and several times
    faster than float.
    """
    if frames.shape[-2:] == size:
        return frames
    x = frames.reshape(-1, *frames.shape[-3:])  # (N, C, H, W)
    x = F.interpolate(x, size=size, mode="bilinear", antialias=True)
    return x.reshape(*frames.shape[:-2], *size)


def _grey(x: Tensor) -> Tensor:
    """Weigh RGB (T, 3, H, W) to one channel (T, 1, H, W)."""
    return (x * x.new_tensor(GREY)[:, None, None]).sum(dim=1, keepdim=True)


def _brightness(x: Tensor, factor: float) -> Tensor:
    """Blend with black."""
    return (x * factor).clamp(0, 1)


def _contrast(x: Tensor, factor: float) -> Tensor:
    """Blend with the clip's mean grey; one mean per clip, so that nothing flickers."""
    return torch.lerp(_grey(x).mean(), x, factor).clamp(0, 1)


def _saturation(x: Tensor, factor: float) -> Tensor:
    """Blend with the grey picture."""
    return torch.lerp(_grey(x).expand_as(x), x, factor).clamp(0, 1)


_COLOURS: Mapping[str, Callable[[Tensor, float], Tensor]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
}
