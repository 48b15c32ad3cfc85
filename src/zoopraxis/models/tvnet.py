"""End-to-End Learning of Motion Representation for Video Understanding (TVNet).

Fan, Huang, Gan, Ermon, Gong and Huang, CVPR 2018. arXiv:1804.00650
Official code: https://github.com/LijieFan/tvnet (TensorFlow, the flow alone)

TV-L1 finds optical flow by iterations of a few differentiable steps. Unrolled, they are layers:
the flow from which they start, and the filters that take derivatives of the flow and of its dual
variables in every iteration, become parameters. They are initialised to those of TV-L1, so that the
network gives flow before any training, and are trained with the classifier that sees the flow. No
flow is computed beforehand, and none is stored.

`TVNet` has the numbers of the authors' code, with its smoothing, its normalisation of each pair of
frames and its bilinear warping, in which a displacement loses one part in W (H); what is warped
from the left of a frame or above is zero, to the right and below it is extrapolated. The first
iteration of a scale has no use for its divergence and the last none for its derivatives: these
parameters, which never learn, we leave out. Frames of another size than ``size`` start from the
initial flow interpolated to theirs.

The classifier is TSN's temporal stream, five flow fields of six frames per segment. Flow is clipped
at 20 pixels and scaled as the 8-bit codes that this stream is otherwise trained on, unrounded.
The loss on flow, which the paper adds to that of the classes, is left out.
"""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.flow.codes import BOUND
from zoopraxis.flow.tvl1_torch import (
    backward_filter,
    data_step,
    difference,
    dual_step,
    forward_filter,
    with_gradients,
)
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.bninception import BNInception
from zoopraxis.layers.frames import BackboneFn, merge_time, split_batch, split_time
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.spec import ModelSpec

GREY = (299.0, 587.0, 114.0)
"""Thousandths of red, green and blue in a grey value."""

SMOOTH = (
    (0.000874, 0.006976, 0.013860, 0.006976, 0.000874),
    (0.006976, 0.055700, 0.110656, 0.055700, 0.006976),
    (0.013860, 0.110656, 0.219833, 0.110656, 0.013860),
    (0.006976, 0.055700, 0.110656, 0.055700, 0.006976),
    (0.000874, 0.006976, 0.013860, 0.006976, 0.000874),
)
"""A Gaussian of 0.8 pixels."""

FLAT = 1e-12
"""Added to the squared norm of a gradient."""


class TVNet(nn.Module):
    """TV-L1 unrolled: from pairs of RGB frames to flow.

    Parameters
    ----------
    size : (int, int), default=(224, 224)
        Height and width of the frames for which the initial flow is kept.
    iterations : int, default=50
        Iterations of each warp ("TVNet-50").
    scales, warps : int, default=1, 1
        Levels of the pyramid, at most, and warps at each.
    scale_step : float, default=0.5
        Size of a level relative to the one below.
    tau, lambda_, theta : float, default=0.25, 0.15, 0.3
        As of `zoopraxis.flow._tvl1_parameters.TVL1Parameters`; they are not trained.
    """

    def __init__(
        self,
        size: tuple[int, int] = (224, 224),
        *,
        iterations: int = 50,
        scales: int = 1,
        warps: int = 1,
        scale_step: float = 0.5,
        tau: float = 0.25,
        lambda_: float = 0.15,
        theta: float = 0.3,
    ) -> None:
        super().__init__()
        # the diagonal of the coarsest level is not below 4 pixels
        most = 1 + math.log(math.hypot(*size) / 4) / math.log(1 / scale_step)
        self.scales = max(1, min(scales, int(most)))
        self.warps, self.iterations, self.scale_step = warps, iterations, scale_step
        self.threshold, self.step, self.theta = lambda_ * theta, tau / theta, theta
        self.initial_flow = nn.Parameter(torch.zeros(2, *self.level_size(size, self.scales - 1)))
        # from one iteration to the next: (scale, iteration, component, direction, tap)
        taps = difference(self.initial_flow).repeat(self.scales, warps * iterations - 1, 2, 1, 1)
        self.derivative = nn.Parameter(taps)
        self.divergence = nn.Parameter(taps.clone())

    def level_size(self, size: tuple[int, int], scale: int) -> tuple[int, int]:
        """Height and width of frames at a scale; 0 is the frames' own."""
        height, width = (int(side * self.scale_step**scale + 0.5) for side in size)
        return height, width

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Map frames (N, 3, H, W), RGB from 0 to 255, to flow (N, 2, H, W) in pixels, x then y.

        It is computed in float32 at least, also under autocast.

        Raises
        ------
        ShapeError
            The frames are too small for the scales.
        """
        size = (first.shape[2], first.shape[3])
        if min(self.level_size(size, self.scales - 1)) < 2:
            raise ShapeError(
                f"frames of {size[0]}x{size[1]} are too small for flow at {self.scales} scales",
                "give larger frames",
            )
        first, second = self.prepare(first, second)  # (N, 1, H, W), both
        u = self.initial_flow.to(first).expand(len(first), -1, -1, -1)
        for scale in reversed(range(self.scales)):
            level = self.level_size(size, scale)
            if scale < self.scales - 1:
                u = u / self.scale_step
            u = zoom(u, level)  # (N, 2, H', W')
            u = self.solve_level(zoom(first, level), zoom(second, level), u, scale)
        return u

    def prepare(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Grey values of both frames, stretched together to 0 to 255, smoothed: (N, 1, H, W)."""
        pair = torch.stack((first, second), dim=1)  # (N, 2, 3, H, W)
        pair = pair if pair.dtype == torch.float64 else pair.float()
        weights = pair.new_tensor(GREY).view(3, 1, 1)
        # half a thousandth: greys of 8-bit colours are whole thousandths, which rounding must not
        # put below a whole number
        pair = ((pair * weights).sum(dim=2) / sum(GREY) + 5e-4).floor()  # (N, 2, H, W)
        least, most = pair.amin((1, 2, 3), keepdim=True), pair.amax((1, 2, 3), keepdim=True)
        stretched = 255 * (pair - least) / (most - least).clamp(min=1)
        pair = torch.where(most > least, stretched, pair)
        height, width = pair.shape[2:]
        padded = F.pad(pair, (2, 2, 2, 2))  # (N, 2, H + 4, W + 4)
        # no convolution, which autocast would compute in half precision
        smooth = torch.zeros_like(pair)
        for y, row in enumerate(SMOOTH):
            for x, weight in enumerate(row):
                smooth = smooth + weight * padded[..., y : y + height, x : x + width]
        return smooth[:, :1], smooth[:, 1:]

    def solve_level(self, first: Tensor, second: Tensor, u: Tensor, scale: int) -> Tensor:
        """Flow (N, 2, H, W) at one scale, from a first guess of it (algorithm 1)."""
        target = with_gradients(second)  # (N, 3, H, W)
        dual = u.new_zeros(len(u), 2, 2, *u.shape[2:])  # (N, component, direction, H, W)
        derivatives, divergences = (
            x.to(u).unbind() for x in (self.derivative[scale], self.divergence[scale])
        )
        done = 0
        for _ in range(self.warps):
            warped = warp(target, u)  # (N, 3, H, W)
            gradient = warped[:, 1:]
            inverse = 1 / (gradient.square().sum(dim=1, keepdim=True) + FLAT)
            residual = warped[:, :1] - first - (gradient * u).sum(dim=1, keepdim=True)
            for _ in range(self.iterations):
                if done:
                    slopes = forward_filter(u, derivatives[done - 1])  # (N, 2, 2, H, W)
                    dual = dual_step(dual, slopes, self.step)
                u = data_step(u, gradient, inverse, residual, self.threshold)  # v of the paper
                if done:
                    u = u + self.theta * backward_filter(dual, divergences[done - 1])
                done += 1
        return u


def zoom(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, H, W) bilinearly, corner on corner."""
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def warp(images: Tensor, u: Tensor) -> Tensor:
    """Take images (N, C, H, W) from where the flow (N, 2, H, W) leads, bilinearly."""
    height, width = images.shape[2:]
    ys = torch.arange(height, device=u.device, dtype=u.dtype).unsqueeze(1)
    xs = torch.arange(width, device=u.device, dtype=u.dtype)
    x, y = xs + u[:, 0] * (width - 1) / width, ys + u[:, 1] * (height - 1) / height  # (N, H, W)
    left, right = x.floor().clamp(0, width - 2), (x.floor() + 1).clamp(0, width - 1)
    above, below = y.floor().clamp(0, height - 2), (y.floor() + 1).clamp(0, height - 1)

    def at(row: Tensor, column: Tensor) -> Tensor:
        places = (row * width + column).long().flatten(1).unsqueeze(1)  # (N, 1, H * W)
        return images.flatten(2).gather(2, places.expand(-1, images.shape[1], -1)).view_as(images)

    # weights do not sum to one outside: to the left both are of one pixel, and cancel
    to_left, to_right = (right - x).unsqueeze(1), (x - left).unsqueeze(1)  # (N, 1, H, W)
    upper = to_left * at(above, left) + to_right * at(above, right)
    lower = to_left * at(below, left) + to_right * at(below, right)
    return (below - y).unsqueeze(1) * upper + (y - above).unsqueeze(1) * lower


class TVNetTSN(SegmentNetwork):
    """TVNet, and TSN's temporal stream on its flow.

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the image network on stacks of flow.
    size : int, default=224
        Side of the frames.
    fields : int, default=5
        L: flow fields of a segment, between L + 1 frames.
    iterations, scales, warps : int, default=50, 1, 1
        Of `TVNet`.
    **options
        Of `SegmentNetwork`.
    """

    def __init__(
        self,
        backbone_fn: BackboneFn,
        *,
        size: int = 224,
        fields: int = 5,
        iterations: int = 50,
        scales: int = 1,
        warps: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(backbone_fn, in_channels=2, stack=fields, **options)
        self.flow = TVNet((size, size), iterations=iterations, scales=scales, warps=warps)

    def forward_flow(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T * (L + 1), H, W) to the flow of their segments (B, 2, T * L, H, W).

        Raises
        ------
        ShapeError
            The number of frames is not a multiple of L + 1.
        """
        length = self.stack + 1
        if x.shape[2] % length:
            raise ShapeError(
                f"{x.shape[2]} frames do not split into segments of {length}",
                f"{self.stack} flow fields lie between {length} frames",
            )
        frames = split_batch(merge_time(x), length)  # (B * T, L + 1, 3, H, W)
        first, second = frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1)
        flow = self.flow(first, second).to(x.dtype)  # (B * T * L, 2, H, W)
        return split_time(flow, len(flow) // x.shape[0])  # (B, 2, T * L, H, W)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T * (L + 1), H, W) to features (B, F, T, H', W')."""
        flow = self.forward_flow(x)  # (B, 2, T * L, H, W)
        # codes from 0 to 255 less their mean of 128, as `zoopraxis.models.tsn` has them
        return super().forward_features(flow.clamp(-BOUND, BOUND) * (127.5 / BOUND) - 0.5)


CLIP = ClipSpec(
    sampling=Sampling(num_frames=3, mode="segments", stack=6),
    input=RGB(mean=(0.0,) * 3, std=(1.0,) * 3, value_range=255.0),
)


def _entry(num_frames: int) -> ModelSpec:
    return ModelSpec(
        name=f"tvnet_bninception_{num_frames}",
        build=TVNetTSN,
        args={"backbone_fn": BNInception, "num_classes": 101, "dropout": 0.7},
        clip=CLIP.change(num_frames=num_frames),
        strides=(6, 32),
    )


SPECS = (
    _entry(3),
    _entry(7),
    ModelSpec(
        name="test_tvnet",
        build=TVNetTSN,
        args={
            "backbone_fn": partial(ResNet2d, 10, width=16),
            "size": 64,
            "fields": 2,
            "iterations": 4,
            "scales": 2,
            "warps": 2,
            "num_classes": 12,
        },
        clip=CLIP.change(num_frames=2, stack=3, size=64, resize=64),
        strides=(3, 32),
    ),
)
