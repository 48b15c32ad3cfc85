"""Kinds of input whose items are images: resize, crop, flip, colours, normalise.

Resizing is bilinear with antialiasing where it shrinks, rounded to uint8 like PIL, which the
official two-stream, TSN and TSM code uses. PySlowFast does not antialias: its inputs differ
slightly.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from zoopraxis.errors import RecipeError, ShapeError
from zoopraxis.inputs.augment import Augment, Draw, draw_augment
from zoopraxis.inputs.base import Input, Track
from zoopraxis.inputs.crops import Size, crop_boxes, scaled_size
from zoopraxis.video._resize import resize_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from torch import Tensor

__all__ = ["ImageInput", "ImageTrack", "apply_draw", "cut", "resize_frames", "to_unit"]

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, the weights of red, green and blue
LARGEST = 1 << 14  # pixels of a side


def _is_side(value: Any) -> bool:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    return whole and 1 <= value <= LARGEST


class ImageTrack(Track, Protocol):
    """A track whose items are images of one size."""

    height: int
    width: int


T = TypeVar("T", bound=ImageTrack)


@dataclass(frozen=True, kw_only=True)
class ImageInput(Input[T, Draw], Generic[T]):
    """What the kinds of input made of images share.

    Parameters
    ----------
    resize : int or (int, int), default=256
        Shorter side in pixels, or (height, width) regardless of the aspect ratio.
    size : int, default=224
        S, the side of the square crop in pixels.
    mean, std : tuple of float
        Normalisation, one value or one per channel, in units of ``value_range``.
    value_range : float, default=1.0
        Values are scaled to [0, value_range] before ``mean`` and ``std``: 1 or 255.
    """

    resize: int | Size = 256
    size: int = 224
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    value_range: float = 1.0

    channels: ClassVar[int]
    """C of the network's input."""
    has_colours: ClassVar[bool] = False
    """Whether brightness, contrast and saturation mean anything."""

    def __post_init__(self) -> None:
        sides = (self.resize,) if isinstance(self.resize, Integral) else self.resize
        if not isinstance(sides, tuple | list) or not all(map(_is_side, (*sides, self.size))):
            raise RecipeError(
                f"resize {self.resize!r:.60} and size {self.size!r:.60} are not pixels from 1 to "
                f"{LARGEST}",
                "size is one whole number; resize is one, or a height and a width",
            )
        numbers: tuple[tuple[str, tuple[Any, ...], float], ...] = (
            ("mean", self.mean, float("-inf")),
            ("std", self.std, 0.0),
            ("value_range", (self.value_range,), 0.0),
        )
        for name, given, above in numbers:
            if not all(isinstance(v, Real) and above < float(v) < float("inf") for v in given):
                raise RecipeError(
                    f"{name} = {getattr(self, name)!r:.80} cannot normalise {self.kind!r} input",
                    "give finite numbers; std and value_range above 0",
                )
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise ShapeError(
                    f"{name} has {len(values)} values for the {self.channels} channels of "
                    f"{self.kind!r} input",
                    f"give {name} one value, or one for each channel",
                )

    def shape(self, num_frames: int) -> tuple[int, int, int, int]:
        """Shape (C, T, S, S) of one clip."""
        return (self.channels, num_frames, self.size, self.size)

    def draw(self, track: T, augment: Augment, *, rng: np.random.Generator) -> Draw:
        """Draw the crop, flip and colours of one training clip."""
        draw = draw_augment((track.height, track.width), self, augment, rng=rng)
        if draw.colour and not self.has_colours:
            raise RecipeError(
                f"colours of {self.kind!r} input cannot be jittered",
                "set augment.brightness, contrast and saturation to 0",
            )
        return draw

    def crops(self, track: T, crops: int) -> list[Draw]:
        """List the crops of testing: `zoopraxis.inputs.crops.crop_boxes`."""
        scaled = self.scaled((track.height, track.width))
        boxes = crop_boxes(scaled, self.size, crops)
        return [Draw(scaled=scaled, box=box, flip=flip) for box, flip in boxes]

    def scaled(self, size: Size) -> Size:
        """Height and width to which testing resizes images of a size."""
        return scaled_size(size, self.resize)

    def normalise(self, x: Tensor) -> Tensor:
        """Normalise (T, C, S, S), whose values lie in [0, 1], by mean and deviation."""
        import torch

        std = torch.tensor(self.std, dtype=torch.float64)[:, None, None]
        mean = torch.tensor(self.mean, dtype=torch.float64)[:, None, None]
        scale, shift = (self.value_range / std).float(), (mean / std).float()
        return (x * scale.to(x.device)).sub_(shift.to(x.device))


def apply_draw(images: Tensor, draw: Draw, *, size: int) -> Tensor:
    """Resize, crop and flip the images of one clip, and jitter their colours.

    Parameters
    ----------
    images : Tensor of shape (T, C, H, W)
        uint8, or float.
    draw : Draw
        Where to crop, whether to flip, and how colours change.
    size : int
        S.

    Returns
    -------
    Tensor of shape (T, C, S, S), float32
        uint8 images are scaled to [0, 1].
    """
    x = to_unit(cut(images, draw, size=size))
    for name, factor in draw.colour:
        x = _COLOURS[name](x, factor)
    return x


def cut(images: Tensor, draw: Draw, *, size: int) -> Tensor:
    """Resize, crop and flip the images (T, C, H, W) of one clip: (T, C, S, S), as they are."""
    top, left, height, width = draw.box
    x = resize_frames(images, draw.scaled)  # (T, C, H', W')
    x = x[..., top : top + height, left : left + width]  # (T, C, h, w)
    x = resize_frames(x, (size, size))  # (T, C, S, S)
    # Decoded memory runs along C, the network's along (C, T, S, S): cheaper to transpose as bytes.
    x = x.transpose(0, 1).contiguous().transpose(0, 1)
    return x.flip(-1) if draw.flip else x


def to_unit(x: Tensor) -> Tensor:
    """Make floats of images; uint8 are scaled to [0, 1]."""
    import torch

    return x.float().div_(255) if x.dtype == torch.uint8 else x.float()


def resize_frames(frames: Tensor, size: Size) -> Tensor:
    """Resize (..., C, H, W) to a height and width; the same tensor if it has them.

    Bilinear, with antialiasing where it shrinks; uint8 stays uint8, rounded.
    """
    if frames.shape[-2:] == size:
        return frames
    x = resize_batch(frames.reshape(-1, *frames.shape[-3:]), size)  # (N, C, h, w)
    return x.reshape(*frames.shape[:-2], *size)


def stack_clips(clips: list[Tensor]) -> Tensor:
    """Stack clips (T, C, S, S) as the network takes them: (V, C, T, S, S)."""
    import torch

    if len(clips) == 1:  # nothing is copied where its memory runs so already
        return clips[0].transpose(0, 1).contiguous()[None]
    return torch.stack([clip.transpose(0, 1) for clip in clips])


def check_channels(raw: Any, channels: int, kind: str) -> None:
    """Refuse raw images that are not (V, T, C, H, W) of a number of channels."""
    if raw.ndim != 5 or raw.shape[2] != channels:
        raise ShapeError(
            f"images of shape {tuple(raw.shape)} are not (V, T, C, H, W) with C = {channels}",
            f"{kind!r} input takes C = {channels}",
        )


def grey(x: Tensor) -> Tensor:
    """Weigh RGB (T, 3, H, W) to one channel (T, 1, H, W)."""
    return (x * x.new_tensor(GREY)[:, None, None]).sum(dim=1, keepdim=True)


def _brightness(x: Tensor, factor: float) -> Tensor:
    """Blend with black."""
    return (x * factor).clamp(0, 1)


def _contrast(x: Tensor, factor: float) -> Tensor:
    """Blend with the mean grey of the clip; one mean per clip, so that nothing flickers."""
    import torch

    return torch.lerp(grey(x).mean(), x, factor).clamp(0, 1)


def _saturation(x: Tensor, factor: float) -> Tensor:
    """Blend with the grey image."""
    import torch

    return torch.lerp(grey(x).expand_as(x), x, factor).clamp(0, 1)


_COLOURS: Mapping[str, Callable[[Tensor, float], Tensor]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
}
