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
it is tiled, not enlarged. We leave out their generators with a second output for attention and with
separate first layers for vectors and residual, the discriminator, and the classifier, an image
ResNet on the cue, whose gradient reaches the generator only in their adversarial training.
"""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError

__all__ = ["DILATIONS", "WIDTHS", "ContextGenerator", "DenseGenerator", "MotionCue"]

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
