"""Optical Flow Guided Feature: A Fast and Robust Motion Representation for Action Recognition.

Sun, Kuang, Sheng, Ouyang and Zhang, CVPR 2018. arXiv:1711.11152
Official code: https://github.com/kevin-ssy/Optical-Flow-Guided-Feature (Caffe, MIT)

Where brightness is constant, optical flow is orthogonal to the gradient of the image in x, y and
t, and the same holds for features (section 3). So the gradient itself represents motion. OFF takes
it from the features of the blocks of an image network: in space by fixed Sobel filters, in time by
the difference of neighbouring frames. Three small residual networks, one for each resolution of
feature map, process these gradients from fine to coarse, and the scores of frames and of motion
are added.

The layers are those of the authors' ``rgb_off``: 128 channels of temporal differences and 32 of
spatial gradients from each of nine blocks of BN-Inception, and no batch norms in the motion
branch. Their code differs from the paper in two ways: its Sobel filter is the sum of a horizontal
and a vertical difference (``off_cross_*``; the other entries have Sobel's two filters, as in
section 4.1), and in a training batch it takes the gradients of the first frames of the batch
instead of each clip. Networks on flow and RGB differences (``off_*_flow_7``, ``off_*_rgbdiff_7``,
five per segment) use temporal differences only. We leave out the losses at the two finer
resolutions, which serve only training, and implement the two classifiers whose scores are added as
one on the concatenated features.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import ClipSpec
from zoopraxis.layers.bninception import BNInception
from zoopraxis.layers.frames import merge_time, split_batch, split_time
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.tsn import CAFFE_CLIP, CAFFE_DIFF, CAFFE_FLOW
from zoopraxis.spec import ModelSpec

Gradient = Literal["sobel", "cross", "none"]


class TimeUnit(nn.Module):
    """The temporal gradient of features: f(t + 1) - f(t).

    Parameters
    ----------
    in_channels : int
        C.
    temporal : int
        Channels of the difference.
    """

    def __init__(self, in_channels: int, *, temporal: int) -> None:
        super().__init__()
        self.before_difference = nn.Conv2d(in_channels, temporal, 1)
        self.out_channels = temporal

    def differences(self, x: Tensor, num_frames: int) -> Tensor:
        """Next frame less this one: (B * T, C, H, W) to (B * (T - 1), temporal, H, W)."""
        x = split_batch(F.relu(self.before_difference(x)), num_frames)  # (B, T, temporal, H, W)
        return x.diff(dim=1).flatten(0, 1)  # (B * (T - 1), temporal, H, W)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map features (B * T, C, H, W) to (B * (T - 1), temporal, H, W)."""
        return self.differences(x, num_frames)


class OFFUnit(TimeUnit):
    """The spatial and temporal gradients of features (section 4.1).

    Parameters
    ----------
    in_channels, temporal : int
        As of `TimeUnit`.
    spatial : int
        Channels to filter in space, with G filters each.
    gradient : {"sobel", "cross"}
        Spatial filters.
    dropout : float, default=0.8
        After the spatial gradients.
    """

    kernels: Tensor

    def __init__(
        self,
        in_channels: int,
        *,
        temporal: int,
        spatial: int,
        gradient: Gradient,
        dropout: float = 0.8,
    ) -> None:
        super().__init__(in_channels, temporal=temporal)
        self.before_gradient = nn.Conv2d(in_channels, spatial, 1)
        kernels = torch.tensor(KERNELS[gradient]).unsqueeze(1)  # (G, 1, 3, 3)
        # constants: neither trained nor part of the state dict
        self.register_buffer("kernels", kernels.repeat(spatial, 1, 1, 1), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.out_channels += len(self.kernels)

    def gradients(self, x: Tensor, num_frames: int) -> Tensor:
        """Filter all frames but the last: to (B * (T - 1), G * spatial, H, W)."""
        x = split_batch(x, num_frames)[:, :-1].flatten(0, 1)  # (B * (T - 1), C, H, W)
        x = self.before_gradient(x)  # (B * (T - 1), spatial, H, W)
        x = F.conv2d(x, self.kernels, padding=1, groups=x.shape[1])  # (B * (T - 1), G * spatial, .)
        out: Tensor = self.dropout(x)
        return out

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map features (B * T, C, H, W) to (B * (T - 1), temporal + G * spatial, H, W)."""
        return torch.cat((self.gradients(x, num_frames), self.differences(x, num_frames)), dim=1)


_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
KERNELS: Mapping[Gradient, tuple[Any, ...]] = {
    "sobel": (_SOBEL, tuple(zip(*_SOBEL, strict=True))),  # along x, along y
    "cross": (((0.0, 1.0, 0.0), (-1.0, 0.0, 1.0), (0.0, -1.0, 0.0)),),
}
"""Spatial filters."""


class Residual(nn.Module):
    """A bottleneck without batch norms, whose ReLU after the sum is left to the caller.

    Parameters
    ----------
    in_channels, width : int
        Input channels, and those of the first two convolutions; the output has `4 * width`.
    last : {1, 3}, default=1
        Kernel size of the third convolution.
    """

    def __init__(self, in_channels: int, width: int, *, last: int = 1) -> None:
        super().__init__()
        out_channels = 4 * width
        self.conv1 = nn.Conv2d(in_channels, width, 1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, out_channels, last, padding=last // 2)
        same = in_channels == out_channels
        self.shortcut: nn.Module = (
            nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, 4 width, H, W)."""
        branch = F.relu(self.conv2(F.relu(self.conv1(x))))  # (N, width, H, W)
        out: Tensor = self.conv3(branch) + self.shortcut(x)  # (N, 4 width, H, W)
        return out


def residual_network(
    in_channels: int, width: int, kernel: int, *, stride: int, units: tuple[int, ...]
) -> nn.Sequential:
    """Build the residual network of one resolution.

    Parameters
    ----------
    in_channels, width : int
        Input channels, and those of the first convolution; the output has `4 * width`.
    kernel, stride : int
        Of the first convolution.
    units : tuple of int
        Kernel size of the last convolution of each residual unit.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, width, kernel, stride=stride, padding=kernel // 2),
        nn.ReLU(inplace=True),
    ]
    for index, last in enumerate(units):
        layers += [Residual(4 * width if index else width, width, last=last), nn.ReLU()]
    return nn.Sequential(*layers)


BLOCKS = ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
SCALES = (("3a", "3b"), ("3c", "4a", "4b", "4c", "4d"), ("5a", "5b"))
"""Blocks of BN-Inception with feature maps of 1/8, 1/16 and 1/32 of the frame size."""


class OFF(VideoClassifier):
    """BN-Inception over frames, with a motion branch.

    Parameters
    ----------
    gradient : {"sobel", "cross", "none"}, default="sobel"
        Spatial filters; with "none", motion is the temporal difference alone.
    in_channels, stack : int
        As of `SegmentNetwork`.
    num_classes : int, default=101
        K; UCF-101 has 101.
    dropout : float, default=0.8
        Before the classifier.
    divide : int, default=1
        Divides every width, for small networks.
    """

    head: ClipHead

    def __init__(
        self,
        *,
        gradient: Gradient = "sobel",
        in_channels: int = 3,
        stack: int = 1,
        num_classes: int = 101,
        dropout: float = 0.8,
        divide: int = 1,
    ) -> None:
        super().__init__()
        self.stack = stack
        self.backbone = BNInception(in_channels=in_channels * stack, divide=divide)

        def unit(name: str) -> TimeUnit:
            channels, temporal, spatial = self.block(name).out_channels, 128 // divide, 32 // divide
            if gradient == "none":
                return TimeUnit(channels, temporal=temporal)
            return OFFUnit(channels, temporal=temporal, spatial=spatial, gradient=gradient)

        units = {name: unit(name) for names in SCALES for name in names}
        self.units = nn.ModuleDict(units)
        # input channels of the three networks; the last two also see the output of the one before
        c1, c2, c3 = (sum(units[name].out_channels for name in names) for names in SCALES)
        w1, w2, w3 = (width // divide for width in (64, 128, 256))
        self.fine = residual_network(c1, w1, 7, stride=2, units=(1, 1, 1))
        self.middle = residual_network(c2 + 4 * w1, w2, 5, stride=2, units=(1, 3))
        self.coarse = residual_network(c3 + 4 * w2, w3, 3, stride=1, units=(1,))
        del self.coarse[-1]  # no ReLU at the end
        self.num_features = self.backbone.num_features + 4 * w3
        self.head = ClipHead(self.num_features, num_classes, dropout)
        self.initialise_motion()

    def block(self, name: str) -> Any:
        """Return a block of BN-Inception."""
        return self.backbone.get_submodule(f"inception_{name}")

    def initialise_motion(self) -> None:
        """He-normal convolutions with biases of 0.2, as in the authors' code; small head."""
        for part in (self.units, self.fine, self.middle, self.coarse):
            initialise(part)
            for name, parameter in part.named_parameters():
                if name.endswith("bias"):
                    nn.init.constant_(parameter, 0.2)
        nn.init.normal_(self.head.linear.weight, std=0.001)
        nn.init.zeros_(self.head.linear.bias)

    def forward_backbone(self, x: Tensor, num_frames: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Map frames (B * T, L * C, H, W) to their features, and the motion at each block."""
        motion = {}
        x = self.backbone.forward_stem(x, num_frames)  # (B * T, 192, H/8, W/8)
        for name in BLOCKS:
            x = self.block(name)(x, num_frames)  # (B * T, C', H', W')
            if name in self.units:
                motion[name] = self.units[name](x, num_frames)  # (B * (T - 1), M, H', W')
        return x, motion

    def forward_motion(self, motion: Mapping[str, Tensor]) -> Tensor:
        """Process motion from fine to coarse: to (B * (T - 1), 1024, H/32, W/32)."""
        fine, middle, coarse = ([motion[name] for name in names] for names in SCALES)
        x = self.fine(torch.cat(fine, dim=1))  # (B * (T - 1), 256, H/16, W/16)
        x = self.middle(torch.cat((*middle, x), dim=1))  # (B * (T - 1), 512, H/32, W/32)
        out: Tensor = self.coarse(torch.cat((*coarse, x), dim=1))
        return out  # (B * (T - 1), 1024, H/32, W/32)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to features of frames and motion (B, 2048, 1, H', W')."""
        num_frames = x.shape[2] // self.stack
        if num_frames < 2:
            raise ShapeError(
                "a clip of one segment has no motion between its segments",
                "sample 2 segments or more: clip.num_frames",
            )
        x = merge_time(x, stack=self.stack)  # (B * T, L * C, H, W)
        x, gradients = self.forward_backbone(x, num_frames)  # (B * T, 1024, H/32, W/32)
        motion = self.forward_motion(gradients)  # (B * (T - 1), 1024, H/32, W/32)
        x = split_time(x, num_frames).mean(dim=2, keepdim=True)  # (B, 1024, 1, H/32, W/32)
        motion = split_time(motion, num_frames - 1).mean(dim=2, keepdim=True)  # the same
        return torch.cat((x, motion), dim=1)  # (B, 2048, 1, H/32, W/32)


_RGB = CAFFE_CLIP.change(num_frames=7, mean=(104.0, 117.0, 123.0))


def _entry(name: str, gradient: Gradient, clip: ClipSpec) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=OFF,
        args={"gradient": gradient, "in_channels": clip.channels, "stack": clip.sampling.stack},
        clip=clip.change(num_frames=7),
        strides=(None, 32),
    )


SPECS = (
    _entry("off_bninception_7", "sobel", _RGB),
    _entry("off_cross_bninception_7", "cross", _RGB),
    _entry("off_bninception_flow_7", "none", CAFFE_FLOW),
    _entry("off_bninception_rgbdiff_7", "none", CAFFE_DIFF),
    ModelSpec(
        name="test_off",
        build=OFF,
        args={"divide": 8, "num_classes": 12},
        clip=CAFFE_CLIP.change(num_frames=3, size=64, resize=64),
        strides=(None, 32),
    ),
)
