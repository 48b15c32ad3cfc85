"""Frames to input: resize, crop, flip, colours, normalise; one random draw per clip.

A draw (`Draw`, plain numbers) is made by ``draw_augment`` and carried out by ``apply_draw``, so
that what is random can be tested by tables. All frames of a clip share it: a crop that moved
from frame to frame would look like a moving camera.

Resizing is bilinear with antialiasing where it shrinks, rounded to uint8 like PIL, which the
official two-stream, TSN and TSM code uses. PySlowFast does not antialias: its inputs differ
slightly. Where official code rounds differently, the functions say whose rounding they have.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zoopraxis.errors import RecipeError, ShapeError, ZoopraxisError
from zoopraxis.sampling import groups
from zoopraxis.spec import ClipSpec

__all__ = [
    "Augment",
    "Box",
    "Draw",
    "apply_draw",
    "corner_positions",
    "crop_boxes",
    "draw_augment",
    "prepare_test",
    "prepare_train",
    "resize_frames",
    "scaled_size",
]

Size = tuple[int, int]  # (height, width)
Box = tuple[int, int, int, int]  # (top, left, height, width)

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, the weights of red, green and blue


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What is random in a training clip.

    Parameters
    ----------
    crop : {"scale_jitter", "multi_scale_corner", "resized", "random", "center"}
        ``scale_jitter``: the shorter side is resized to a random size, and a random square
        cropped (VGG, PySlowFast; the default). ``multi_scale_corner``: after resizing, a crop
        of random height and width at one of a few fixed positions (TSN, section 3.2).
        ``resized``: a random part of random area and shape (Inception). ``random``: a random
        square after resizing. ``center``: as in testing.
    jitter : (float, float), default=(1, 1.25)
        Scale jitter, in units of ``ClipSpec.resize``: 256 to 320 pixels for 256.
    scales : tuple of float, default=(1, 0.875, 0.75, 0.66)
        Multi-scale crops, in units of the shorter side.
    max_distort : int, default=1
        Steps in ``scales`` by which a multi-scale crop's height and width may differ.
    positions : {13, 5}, default=13
        Of multi-scale crops: corners and centre, or also the points between them.
    area : (float, float), default=(0.08, 1)
        Resized crops, in units of the frame's area.
    ratio : (float, float), default=(3/4, 4/3)
        Width by height of resized crops.
    flip : float, default=0.5
        Probability of a horizontal flip.
    left_right : tuple of (int, int), default=()
        Pairs of classes that a flip turns into each other ("swipe left", "swipe right").
    brightness, contrast, saturation : float, default=0
        Strength v of a factor drawn from [1 - v, 1 + v]; they come in random order.
    """

    crop: Literal["scale_jitter", "multi_scale_corner", "resized", "random", "center"] = (
        "scale_jitter"
    )
    jitter: tuple[float, float] = (1.0, 1.25)
    scales: tuple[float, ...] = (1.0, 0.875, 0.75, 0.66)
    max_distort: int = 1
    positions: Literal[13, 5] = 13
    area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    left_right: tuple[tuple[int, int], ...] = ()
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def relabel(self, label: int, *, flipped: bool) -> int:
        """Label of a clip after a flip."""
        swap = dict(self.left_right) | {right: left for left, right in self.left_right}
        return swap.get(label, label) if flipped else label


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One draw of an `Augment`.

    Parameters
    ----------
    scaled : (int, int)
        Height and width to which frames are resized first.
    box : (int, int, int, int)
        Top, left, height and width of the crop in the resized frame; it is then resized to S.
    flip : bool, default=False
        Left and right change places.
    colour : tuple of (str, float), default=()
        Changes in order: ("contrast", 0.9), ...
    """

    scaled: Size
    box: Box
    flip: bool = False
    colour: tuple[tuple[str, float], ...] = ()


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


def draw_augment(size: Size, clip: ClipSpec, augment: Augment, *, rng: np.random.Generator) -> Draw:
    """Draw the crop, flip and colours of one clip.

    Parameters
    ----------
    size : (int, int)
        Height and width of the decoded frames.
    clip, augment, rng
        As for `prepare_train`.
    """
    scaled, box = _CROPS[augment.crop](size, clip, augment, rng)
    strengths = {k: getattr(augment, k) for k in ("brightness", "contrast", "saturation")}
    colour = [(k, float(rng.uniform(1 - v, 1 + v))) for k, v in strengths.items() if v]
    order = rng.permutation(len(colour))
    return Draw(
        scaled=scaled,
        box=box,
        flip=bool(rng.random() < augment.flip),
        colour=tuple(colour[i] for i in order),
    )


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


def scaled_size(size: Size, resize: int | Size) -> Size:
    """Height and width after resizing.

    Parameters
    ----------
    size : (int, int)
        Before.
    resize : int or (int, int)
        The shorter side, the longer being rounded down (PySlowFast, torchvision); or both.

    # 240x320 to 128: 128x170       1080x1920 to 256: 256x455
    """
    if not isinstance(resize, int):
        return resize
    shorter = min(size)
    return (size[0] * resize // shorter, size[1] * resize // shorter)


def crop_boxes(size: Size, crop: int, crops: int) -> list[tuple[Box, bool]]:
    """List the crops of testing as (box, flipped).

    Parameters
    ----------
    size : (int, int)
        Height and width of the resized frames.
    crop : int
        S.
    crops : {1, 3, 5, 10}
        1: the centre, rounded as torchvision's CenterCrop. 3: along the longer side, from the
        start to the end, the centre rounded up (PySlowFast's ``uniform_crop``). 5: corners and
        centre (torchvision's FiveCrop). 10: those, then flipped (Krizhevsky et al., 2012).

    Raises
    ------
    ShapeError
        The frames are smaller than the crop.
    ZoopraxisError
        There are no such crops.
    """
    down, right = _room(size, crop)
    centre = (round(down / 2), round(right / 2))
    # (H - S) / 2 is rounded to the nearest even number by torchvision, and up by PySlowFast.
    up = (math.ceil(down / 2), math.ceil(right / 2))
    along = [(0, up[1]), up, (down, up[1])] if down > right else [(up[0], 0), up, (up[0], right)]
    five = [(0, 0), (0, right), (down, 0), (down, right), centre]
    table = {1: [centre], 3: along, 5: five, 10: five * 2}
    if crops not in table:
        raise ZoopraxisError(f"there is no test with {crops} crops", "choose 1, 3, 5 or 10")
    return [((*place, crop, crop), i >= 5) for i, place in enumerate(table[crops])]


def corner_positions(size: Size, box: Size, positions: Literal[13, 5]) -> list[Size]:
    """List the (top, left) of TSN's fixed crops: corners, centre, and the points between.

    In steps of a quarter of the room, rounded down: the last corner can miss the edge by three
    pixels, as in the official ``fill_fix_offset``.
    """
    down, right = (size[0] - box[0]) // 4, (size[1] - box[1]) // 4
    steps = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    between = [(2, 0), (2, 4), (4, 2), (0, 2), (1, 1), (1, 3), (3, 1), (3, 3)]
    chosen = steps + between if positions == 13 else steps
    return [(down * y, right * x) for y, x in chosen]


def _room(size: Size, crop: int) -> Size:
    """Pixels by which the frame is taller and wider than the crop."""
    if min(size) < crop:
        raise ShapeError(
            f"frames of {size[0]}x{size[1]} pixels are smaller than the crop of {crop}",
            "give ClipSpec a resize that is at least its size",
        )
    return (size[0] - crop, size[1] - crop)


def _center(size: Size, clip: ClipSpec, _: Augment, __: np.random.Generator) -> tuple[Size, Box]:
    """Crop as in testing."""
    scaled = scaled_size(size, clip.resize)
    return scaled, crop_boxes(scaled, clip.size, 1)[0][0]


def _random(size: Size, clip: ClipSpec, _: Augment, rng: np.random.Generator) -> tuple[Size, Box]:
    """Crop a random square after resizing."""
    scaled = scaled_size(size, clip.resize)
    return scaled, _random_square(scaled, clip.size, rng)


def _random_square(size: Size, crop: int, rng: np.random.Generator) -> Box:
    """Place a square, every position as likely."""
    down, right = _room(size, crop)
    return (int(rng.integers(0, down + 1)), int(rng.integers(0, right + 1)), crop, crop)


def _scale_jitter(
    size: Size, clip: ClipSpec, augment: Augment, rng: np.random.Generator
) -> tuple[Size, Box]:
    """Crop a random square after resizing at random (PySlowFast, uniform in the shorter side)."""
    factor = rng.uniform(*augment.jitter)
    if isinstance(clip.resize, int):
        scaled = scaled_size(size, round(factor * clip.resize))
    else:
        scaled = (round(factor * clip.resize[0]), round(factor * clip.resize[1]))
    return scaled, _random_square(scaled, clip.size, rng)


def _multi_scale_corner(
    size: Size, clip: ClipSpec, augment: Augment, rng: np.random.Generator
) -> tuple[Size, Box]:
    """Crop one of some sizes at one of some positions (TSN's GroupMultiScaleCrop)."""
    scaled = scaled_size(size, clip.resize)
    sides = [int(min(scaled) * scale) for scale in augment.scales]
    sides = [clip.size if abs(side - clip.size) < 3 else side for side in sides]
    shapes = [
        (height, width)
        for i, height in enumerate(sides)
        for j, width in enumerate(sides)
        if abs(i - j) <= augment.max_distort
    ]
    shape = shapes[rng.integers(len(shapes))]
    places = corner_positions(scaled, shape, augment.positions)
    return scaled, (*places[rng.integers(len(places))], *shape)


def _resized(
    size: Size, _: ClipSpec, augment: Augment, rng: np.random.Generator
) -> tuple[Size, Box]:
    """Crop a part of random area and shape (Inception; ten tries, then the largest fit)."""
    for _try in range(10):
        area = rng.uniform(*augment.area) * size[0] * size[1]
        ratio = math.exp(rng.uniform(*np.log(augment.ratio)))
        height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if 0 < height <= size[0] and 0 < width <= size[1]:
            top = int(rng.integers(0, size[0] - height + 1))
            return size, (top, int(rng.integers(0, size[1] - width + 1)), height, width)
    low, high = augment.ratio
    height = min(size[0], round(size[1] / low))
    width = min(size[1], round(size[0] * high))
    return size, ((size[0] - height) // 2, (size[1] - width) // 2, height, width)


_Crop = Callable[[Size, ClipSpec, Augment, np.random.Generator], tuple[Size, Box]]
_CROPS: Mapping[str, _Crop] = {
    "center": _center,
    "random": _random,
    "scale_jitter": _scale_jitter,
    "multi_scale_corner": _multi_scale_corner,
    "resized": _resized,
}


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
