"""DMC-Net: Generating Discriminative Motion Cues for Fast Compressed Video Action Recognition.

Shou, Lin, Kalantidis, Sevilla-Lara, Rohrbach, Chang and Yan, CVPR 2019. arXiv:1901.03460
Official code: https://github.com/facebookresearch/dmc-net (MIT)

A compressed video already holds motion: the vectors by which its encoder moved blocks of pixels,
and the residual that they leave. These are coarse and noisy, and a network on them does not reach
one on optical flow. So a small network, the generator, makes a finer motion cue of both. It is
trained to resemble optical flow and to serve the classifier; at test time no flow is computed.

These are the generators of the authors' code. `DenseGenerator` is the optical-flow estimator of
PWC-Net, in which every layer sees the outputs of all layers before it; the paper's generator has
the widths "tiny". `ContextGenerator` is PWC-Net's context network of dilated convolutions, with
batch norms, a narrower first layer, and a leaky ReLU even after the last. `MotionCue` takes either:
the cue is the generator's output, or its sum with the motion vectors. On inputs reduced k times,
the small cue is repeated k times along height and width to fill the frame, as in the authors' code:
it is tiled, not enlarged. `DMCNet` classifies the cues of frames with an image ResNet.

Vectors and residual are those of one step, from the frame before: the authors' runs do not trace
them back. In their code the gradient of the classes reaches the generator in the second,
adversarial stage of training alone; here it always does, and it is all that trains the generator:
we leave out the loss by which the cue resembles optical flow, and the discriminator. We also leave
out their generators with a second output for attention and with separate first layers for vectors
and residual, and I3D as the classifier.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import ClipSpec, Compressed, Sampling
from zoopraxis.layers.frames import BackboneFn, merge_time, split_time
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.spec import ModelSpec

__all__ = ["DILATIONS", "WIDTHS", "ContextGenerator", "DMCNet", "DenseGenerator", "MotionCue"]

SLOPE = 0.1
"""Of the leaky ReLUs, below zero."""

WIDTHS: Mapping[Literal["large", "small", "tiny"], tuple[int, ...]] = {
    "large": (128, 128, 96, 64, 32),  # of PWC-Net
    "small": (32, 32, 24, 16, 8),
    "tiny": (8, 8, 6, 4, 2),
}
"""Output channels of the layers of a `DenseGenerator` before its last."""

DILATIONS: Mapping[Literal["full", "reduced"], tuple[int, ...]] = {
    "full": (1, 2, 4, 8, 16, 1, 1),
    "reduced": (1, 2, 4, 8, 1, 1, 1),
}
"""Of a `ContextGenerator`, on inputs of the frame size and on reduced ones."""


class DenseGenerator(nn.Module):
    """Convolutions with dense connections; the last one predicts the cue.

    Parameters
    ----------
    widths : tuple of int, default=WIDTHS["tiny"]
        Output channels of the layers before the last.
    in_channels : int, default=5
        C: two of motion vectors, three of the residual.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS["tiny"], *, in_channels: int = 5) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for width in widths:  # tiny: 5 channels to 8, 13 to 8, 21 to 6, 27 to 4, 31 to 2
            self.layers.append(nn.Conv2d(in_channels, width, 3, padding=1))
            in_channels += width
        self.predict = nn.Conv2d(in_channels, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map vectors and residual (N, C, H, W) to a cue (N, 2, H, W)."""
        for layer in self.layers:
            # the newest first
            x = torch.cat((F.leaky_relu(layer(x), SLOPE), x), dim=1)  # (N, C + widths, H, W)
        out: Tensor = self.predict(x)
        return out  # (N, 2, H, W)


class DilatedConvNorm(nn.Module):
    """A 3x3 convolution that keeps the size, batch norm, leaky ReLU.

    Parameters
    ----------
    in_channels, out_channels : int
        Input and output channels.
    dilation : int
        Of the convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, *, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, 3, dilation=dilation, padding=dilation, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        return F.leaky_relu(self.norm(self.conv(x)), SLOPE, inplace=True)


class ContextGenerator(nn.Sequential):
    """Seven dilated convolutions: from vectors and residual (N, C, H, W) to a cue (N, 2, H, W).

    A pixel of the cue sees 67x67 pixels, or with the dilations "reduced" 37x37.

    Parameters
    ----------
    dilations : tuple of 7 int, default=DILATIONS["full"]
        Of the convolutions.
    in_channels : int, default=5
        C: two of motion vectors, three of the residual.
    """

    def __init__(
        self, dilations: tuple[int, ...] = DILATIONS["full"], *, in_channels: int = 5
    ) -> None:
        channels = (in_channels, 32, 128, 128, 96, 64, 32, 2)
        super().__init__(
            *(
                DilatedConvNorm(before, after, dilation=dilation)
                for before, after, dilation in zip(
                    channels[:-1], channels[1:], dilations, strict=True
                )
            )
        )


class MotionCue(nn.Module):
    """The motion cue of frames, from their motion vectors and residuals.

    Parameters
    ----------
    generator : nn.Module
        Maps vectors and residual (N, 5, H, W) to (N, 2, H, W).
    refine : bool, default=False
        Whether the generator's output is a correction, to be added to the motion vectors.
    reduction : int, default=1
        k: the generator runs on means of k x k pixels, and its cue is tiled k times along height
        and width. A `ContextGenerator` then has the dilations "reduced".
    """

    def __init__(self, generator: nn.Module, *, refine: bool = False, reduction: int = 1) -> None:
        super().__init__()
        self.generator = generator
        self.refine = refine
        self.reduction = reduction

    def forward(self, vectors: Tensor, residual: Tensor) -> Tensor:
        """Map motion vectors (N, 2, H, W) and residuals (N, 3, H, W) to cues (N, 2, H, W).

        Raises
        ------
        ShapeError
            The two differ in their frames, or the frame size is no multiple of the reduction.
        """
        self._check(vectors, residual)
        k = self.reduction
        x = torch.cat((vectors, residual), dim=1)  # (N, 5, H, W)
        x = F.avg_pool2d(x, k) if k > 1 else x  # (N, 5, H/k, W/k)
        cue = self.generator(x)  # (N, 2, H/k, W/k)
        if self.refine:
            cue = cue + x[:, :2]
        # k = 2: a b becomes a b a b, in both directions
        out: Tensor = cue.repeat(1, 1, k, k)
        return out  # (N, 2, H, W)

    def _check(self, vectors: Tensor, residual: Tensor) -> None:
        n, _, *size = vectors.shape
        if vectors.shape != (n, 2, *size) or residual.shape != (n, 3, *size):
            raise ShapeError(
                f"motion vectors {tuple(vectors.shape)} and residuals {tuple(residual.shape)} do "
                "not fit each other",
                "pass (N, 2, H, W) and (N, 3, H, W) of the same frames",
            )
        if any(side % self.reduction for side in size):
            raise ShapeError(
                f"frames of {size[0]}x{size[1]} do not split into squares of {self.reduction} "
                "pixels a side",
                f"crop or resize them to multiples of {self.reduction}",
            )


class DMCNet(SegmentNetwork):
    """An image network on the motion cues of frames; the clip's logits are the mean of theirs.

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the image network.
    generator_fn : callable, default=DenseGenerator
        Builds the generator, which maps vectors and residual (N, 5, H, W) to (N, 2, H, W).
    refine : bool, default=True
        As of `MotionCue`: the authors' runs add the generator's output to the motion vectors.
    reduction : int, default=1
        As of `MotionCue`.
    **options
        Of `SegmentNetwork`.
    """

    def __init__(
        self,
        backbone_fn: BackboneFn,
        *,
        generator_fn: Callable[[], nn.Module] = DenseGenerator,
        refine: bool = True,
        reduction: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(backbone_fn, in_channels=2, **options)
        self.cue = MotionCue(generator_fn(), refine=refine, reduction=reduction)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map vectors and residuals (B, 5, T, H, W) to features (B, F, T, H/32, W/32)."""
        num_frames = x.shape[2]
        x = merge_time(x)  # (B * T, 5, H, W)
        x = self.cue(x[:, :2], x[:, 2:])  # (B * T, 2, H, W)
        x = self.backbone(x, num_frames)  # (B * T, F, H/32, W/32)
        return split_time(x, num_frames)  # (B, F, T, H/32, W/32)


_CLIP = ClipSpec(
    sampling=Sampling(num_frames=3, mode="segments"),
    input=Compressed(
        stream="vectors_residual",
        reference="previous",
        # vectors are divided by the mean of ImageNet's deviations, residuals by each
        std=(0.226, 0.226, 0.229, 0.224, 0.225),
        channel_order="bgr",
    ),
)


def _entry(name: str, *, clip: ClipSpec = _CLIP, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=DMCNet,
        args={"dropout": 0.0, "num_classes": 101, **args},
        clip=clip,
        strides=(1, 32),
        order_sensitive=False,
    )


SPECS = (
    _entry("dmc_net_r18_3", backbone_fn=partial(ResNet2d, 18)),
    _entry(
        "test_dmc_net",
        clip=_CLIP.change(size=64, resize=64),
        backbone_fn=partial(ResNet2d, 10, width=16),
        num_classes=12,
    ),
)
