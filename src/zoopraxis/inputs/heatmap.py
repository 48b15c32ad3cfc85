"""Heatmaps of skeletons: an image for each joint, or limb, of every frame.

Duan et al., Revisiting Skeleton-based Action Recognition, CVPR 2022, section 3.2; official code:
kennymckormick/pyskl, ``datasets/pipelines/heatmap_related.py`` and ``augmentations.py``. A joint is
a Gaussian of height its score around its place, a limb one around the line between its ends, of
height the lower of their scores. All people are drawn into the same image, each pixel with the
largest value. Beyond three standard deviations nothing is drawn.

The images show a square around all people over the whole recording, or its segment, so that they
fill them without moving about ("subjects-centred cropping"). Unlike the official code's, its sides
are not rounded to pixels, as coordinates may be in other units, and it does not depend on which
frames are sampled. A flip mirrors the finished images, as that code's does in testing; in training
it mirrors the coordinates, one pixel aside.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from zoopraxis.errors import RecipeError, ZoopraxisError
from zoopraxis.inputs.augment import Augment, Draw, draw_augment
from zoopraxis.inputs.base import Input, Media, segment_range
from zoopraxis.inputs.crops import crop_boxes
from zoopraxis.inputs.sampling import Indices
from zoopraxis.inputs.skeleton import SkeletonTrack, check_skeletons, open_skeletons
from zoopraxis.skeletons import Layout, skeleton_layout

__all__ = ["Heatmap", "heatmaps"]

FAINTEST = 1e-3  # lower scores are not drawn
REACH = 3  # standard deviations


@dataclass(frozen=True, kw_only=True)
class Heatmap(Input[SkeletonTrack, Draw]):
    """Heatmaps (L, T, S, S) of L joints, or limbs, of all people.

    Parameters
    ----------
    layout : str, default="coco-17"
        Name of a layout of joints in the image: `zoopraxis.skeletons.LAYOUTS`.
    limbs : tuple of (int, int), default=()
        Pairs of joints, a channel for each; by default there is a channel for each joint.
    resize : int, default=64
        Side in pixels of the square around all people.
    size : int, default=64
        Side in pixels of the crop of it.
    padding : float, default=0.25
        How much larger the square is than the people.
    sigma : float, default=0.6
        Standard deviation in pixels of the crop.
    """

    kind: ClassVar[str] = "heatmap"
    reads_gaps: ClassVar[bool] = True
    reads_skeletons: ClassVar[bool] = True

    layout: str = "coco-17"
    limbs: tuple[tuple[int, int], ...] = ()
    resize: int = 64
    size: int = 64
    padding: float = 0.25
    sigma: float = 0.6

    def __post_init__(self) -> None:
        try:
            layout = skeleton_layout(self.layout)
        except ZoopraxisError as error:
            raise RecipeError(error.problem, error.hint) from error
        if layout.has_depth:
            raise RecipeError(
                f"the joints of {self.layout!r} are in space, and heatmaps are images",
                "choose a layout of joints in the image, such as coco-17",
            )
        for limb in self.limbs:
            if not all(0 <= joint < layout.num_joints for joint in limb):
                raise RecipeError(
                    f"limb {limb} joins a joint that {self.layout!r} does not have",
                    f"its joints are 0 to {layout.num_joints - 1}",
                )
            if self._mirrored(limb) not in map(frozenset, self.limbs):
                raise RecipeError(
                    f"limb {limb} is there, and its mirror image is not",
                    "name the limbs of both sides, or a flip could not swap them",
                )
        if not 1 <= self.size <= self.resize <= 1 << 12:
            raise RecipeError(
                f"crops of {self.size!r:.40} pixels from {self.resize!r:.40} are not possible",
                "size must be 1 or more, resize at least size and at most 4096",
            )
        if not (0 <= self.padding < float("inf") and 0 < self.sigma < float("inf")):
            raise RecipeError(
                f"padding {self.padding!r:.40} or sigma {self.sigma!r:.40} is out of range",
                "padding must be 0 or more, sigma above 0",
            )

    @property
    def joints(self) -> Layout:
        """The layout itself."""
        return skeleton_layout(self.layout)

    def _mirrored(self, limb: tuple[int, int]) -> frozenset[int]:
        return frozenset(self.joints.mirrored[joint] for joint in limb)

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Channel of the unflipped heatmaps that stands at each place of the flipped ones, (L,)."""
        if not self.limbs:
            return self.joints.mirrored
        places = [frozenset(limb) for limb in self.limbs]
        return tuple(places.index(self._mirrored(limb)) for limb in self.limbs)

    def shape(self, num_frames: int) -> tuple[int, int, int, int]:
        """Shape (L, T, S, S) of one clip."""
        return (len(self.mirrored), num_frames, self.size, self.size)

    def open(self, media: Media) -> SkeletonTrack:
        """Open the skeletons that a sample names; x and y are then in the square, 0 to 1."""
        track = open_skeletons(media, self.joints)
        within = segment_range(track, media)
        track.joints = _in_square(track.joints, within, padding=self.padding)
        return track

    def keep(self, track: SkeletonTrack) -> SkeletonTrack:
        """Return the track, which is in memory."""
        return track

    def draw(
        self,
        track: SkeletonTrack,  # noqa: ARG002
        augment: Augment,
        *,
        rng: np.random.Generator,
    ) -> Draw:
        """Draw crop and flip of one training clip; colours mean nothing here."""
        return draw_augment((self.resize, self.resize), self, augment, rng=rng)

    def crops(self, track: SkeletonTrack, crops: int) -> list[Draw]:  # noqa: ARG002
        """List the crops of testing: `zoopraxis.inputs.crops.crop_boxes`."""
        scaled = (self.resize, self.resize)
        boxes = crop_boxes(scaled, self.size, crops)
        return [Draw(scaled=scaled, box=box, flip=flip) for box, flip in boxes]

    def read(
        self,
        track: SkeletonTrack,
        indices: Indices,
        draw: Draw,  # noqa: ARG002
    ) -> Tensor:
        """Skeletons (V, T, P, J, 3) of all people of the file; 0 where an index is -1."""
        return track.joints_at(indices)

    def prepare(self, raw: Tensor, draw: Draw) -> Tensor:
        """Crop skeletons (V, T, P, J, 3) and draw them: (V, L, T, S, S)."""
        layout = self.joints
        check_skeletons(raw, layout)
        top, left, height, width = draw.box
        joints = raw.flatten(0, 1).float()  # (V * T, P, J, 3)
        scaled, corner = joints.new_tensor(draw.scaled[::-1]), joints.new_tensor((left, top))
        points = joints[..., :2] * scaled - corner
        points = points * joints.new_tensor((self.size / width, self.size / height))
        x = heatmaps(
            points, joints[..., 2], size=self.size, sigma=self.sigma, limbs=self.limbs
        )  # (V * T, L, S, S)
        if draw.flip:
            x = x.flip(-1)[:, self.mirrored]
        x = x.reshape(*raw.shape[:2], *x.shape[1:])  # (V, T, L, S, S)
        return x.transpose(1, 2).contiguous()  # (V, L, T, S, S)


def _in_square(joints: Tensor, within: range, *, padding: float) -> Tensor:
    """Coordinates (N, P, J, 3) in a square around the people of some frames, 0 to 1."""
    there = (joints != 0).any(dim=-1, keepdim=True)  # (N, P, J, 1)
    some = slice(within.start, within.stop)
    points = joints[some, ..., :2][there[some, ..., 0]]  # (number of joints, 2)
    if not len(points):
        return joints
    low, high = points.amin(dim=0), points.amax(dim=0)  # each (2,)
    half = (high - low).amax() / 2 * (1 + padding)
    half = torch.where(half > 0, half, 1.0)  # all at one point
    inside = (joints[..., :2] - (low + high) / 2 + half) / (2 * half)
    return torch.cat([inside * there, joints[..., 2:]], dim=-1)


def heatmaps(
    points: Tensor,
    scores: Tensor,
    *,
    size: int,
    sigma: float = 0.6,
    limbs: tuple[tuple[int, int], ...] = (),
) -> Tensor:
    """Draw the joints, or limbs, of N frames.

    Section 3.2, equations 1 and 2, cut off at three standard deviations as in the official code
    (``GeneratePoseTarget``).

    Parameters
    ----------
    points : Tensor of shape (N, P, J, 2)
        x to the right and y downwards in pixels, 0 in the middle of the first one.
    scores : Tensor of shape (N, P, J)
        Heights.
    size : int
        S.
    sigma : float, default=0.6
        Standard deviation in pixels.
    limbs : tuple of (int, int), default=()
        Pairs of joints, a channel for each. One shorter than a pixel is drawn as its first joint.

    Returns
    -------
    Tensor of shape (N, L, S, S)
        L is the number of limbs, or J.
    """
    channels = len(limbs) or points.shape[2]
    maps = points.new_zeros(len(points), channels, size, size)
    if not limbs:
        scores = scores * (scores >= FAINTEST)
        for person in range(points.shape[1]):
            spots = _spots(points[:, person], size=size, sigma=sigma)  # (N, J, S, S)
            torch.maximum(maps, spots.mul_(scores[:, person, :, None, None]), out=maps)
    for channel, (start, end) in enumerate(limbs):
        for person in range(points.shape[1]):
            value = torch.minimum(scores[:, person, start], scores[:, person, end])  # (N,)
            (frames,) = (value >= FAINTEST).nonzero(as_tuple=True)  # n of the N
            if not len(frames):
                continue
            a, b = points[frames, person, start], points[frames, person, end]  # (n, 2)
            short = (b - a).square().sum(dim=-1) < 1
            b = torch.where(short[:, None], a, b)
            value = torch.where(short, scores[frames, person, start], value[frames])
            drawn = value[:, None, None] * _ridge(a, b, size=size, sigma=sigma)  # (n, S, S)
            maps[frames, channel] = torch.maximum(maps[frames, channel], drawn)
    return maps


def _spots(points: Tensor, *, size: int, sigma: float) -> Tensor:
    """Gaussians around points (N, J, 2), columns times rows: (N, J, S, S)."""
    pixels = torch.arange(size, dtype=points.dtype, device=points.device)
    reach, at = REACH * sigma, points[..., None]  # (N, J, 2, 1)
    near = (pixels >= (at - reach).trunc()) & (pixels <= (at + reach).trunc())  # (N, J, 2, S)
    bells = (-(pixels - at).square() / (2 * sigma**2)).exp() * near  # (N, J, 2, S)
    return bells[:, :, 1, :, None] * bells[:, :, 0, None, :]  # (N, J, S, S)


def _ridge(a: Tensor, b: Tensor, *, size: int, sigma: float) -> Tensor:
    """Gaussian of the distance from the lines between points a and b (n, 2): (n, S, S)."""
    pixels = torch.arange(size, dtype=a.dtype, device=a.device)
    reach = REACH * sigma
    first = (torch.minimum(a, b) - reach).trunc()[..., None]  # (n, 2, 1)
    last = (torch.maximum(a, b) + reach).trunc()[..., None]
    near = (pixels >= first) & (pixels <= last)  # (n, 2, S): columns and rows
    offset = pixels - a[..., None]  # (n, 2, S)
    x, y = offset[:, 0, None, :], offset[:, 1, :, None]  # (n, 1, S), (n, S, 1)
    dx, dy = (b - a)[:, :, None, None].unbind(dim=1)  # each (n, 1, 1)
    length = (dx.square() + dy.square()).clamp(min=1)  # 0 where a and b are one point
    along = ((x * dx + y * dy) / length).clamp(0, 1)  # (n, S, S), from a to b
    squared = (x - along * dx).square() + (y - along * dy).square()  # (n, S, S)
    return (-squared / (2 * sigma**2)).exp() * (near[:, 0, None, :] & near[:, 1, :, None])
