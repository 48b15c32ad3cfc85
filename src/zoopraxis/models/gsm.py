"""Gate-Shift Networks for Video Action Recognition.

Sudhakaran, Escalera and Lanz, CVPR 2020. arXiv:1912.00381
Official code: https://github.com/swathikirans/GSM (BSD-2-Clause)

TSM shifts the same channels everywhere. In the gate-shift module, a gate decides at every position
of every frame which fraction of the channels moves: one 3x3x3 convolution for each half of the
channels, and a tanh. The gated fraction moves to the previous frame in the first half and to the
next one in the second, and is added to what stayed there; then the channels of each half are
interleaved. The gates' weights are initially zero: nothing moves, and the network is the 2D network
with its gated channels in another order. Training opens the gates.

A module is placed between a convolution and its batch norm, in the branch of each Inception module
with the fewest convolutions: ten in BN-Inception, and ten in Inception-v3, of which mixed_6 has
none (`BNINCEPTION_GATES`, `INCEPTIONV3_GATES`). Inception-v3 expects 229 pixels, not 299. The
authors have no ResNet; ``gsm_r50_*`` is ours, by the same rule: after the first convolution of
every residual branch, before its batch norm.

`zoopraxis.explain.gates` draws the gates over the frames. The paper's ensemble averages the scores
of networks of 8, 12, 16 and 24 segments on 1 or 2 clips:
`zoopraxis.prediction.fusion.average_scores`.
"""

from collections.abc import Collection
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import ClipSpec
from zoopraxis.layers.bninception import BNInception
from zoopraxis.layers.conv2d import ConvFn, ConvNorm2d, conv_norm
from zoopraxis.layers.conv3d import conv3d
from zoopraxis.layers.frames import BackboneFn, merge_time, split_batch, split_time
from zoopraxis.layers.inception_v3 import InceptionV3
from zoopraxis.layers.resnet2d import BasicBlock2d, Block2d, Bottleneck2d, ResNet2d
from zoopraxis.layers.timm2d import on_timm
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.models.tsn import CAFFE_CLIP, CAFFE_FLOW, IMAGENET_CLIP, SMALL_CLIP
from zoopraxis.spec import ModelSpec


class Gate(nn.Module):
    """The fraction of each half of the channels that moves: tanh(W * relu(bn(x))), from -1 to 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        # a 3x3x3 kernel with one output for each half of the channels: a convolution in two groups
        self.weight = nn.Parameter(torch.zeros(2, channels // 2, 3, 3, 3))
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to gates (B * T, 2, H, W)."""
        x = split_time(F.relu(self.norm(x)), num_frames)  # (B, C, T, H, W)
        x = conv3d(x, self.weight, self.bias, padding=(1, 1, 1), groups=2)  # (B, 2, T, H, W)
        return merge_time(x).tanh()  # (B * T, 2, H, W)


def gate_shift(x: Tensor, gate: Tensor, num_frames: int) -> Tensor:
    """Move the gated part of x (B * T, C, H, W) by one frame (equations 1 to 4).

    ``gate`` (B * T, 2, H, W) has one channel for each half of the channels of x.
    """
    x1, x2 = split_batch(x, num_frames).chunk(2, dim=2)  # (B, T, C/2, H, W) each
    gate1, gate2 = split_batch(gate, num_frames).chunk(2, dim=2)  # (B, T, 1, H, W) each
    y1, y2 = gate1 * x1, gate2 * x2  # what moves, (B, T, C/2, H, W) each
    r1, r2 = x1 - y1, x2 - y2  # what stays, (B, T, C/2, H, W) each
    zero = torch.zeros_like(y1[:, :1])  # (B, 1, C/2, H, W)
    z1 = torch.cat((y1[:, 1:], zero), dim=1) + r1  # + y1 of the next frame
    z2 = torch.cat((zero, y2[:, :-1]), dim=1) + r2  # + y2 of the previous frame
    return torch.cat((interleave(z1), interleave(z2)), dim=2).flatten(0, 1)  # (B * T, C, H, W)


def interleave(z: Tensor) -> Tensor:
    """Interleave the two halves of the channels of z (B, T, C, H, W): 0 1 2 3 becomes 0 2 1 3."""
    pairs = torch.stack(z.chunk(2, dim=2), dim=3)  # (B, T, C/2, 2, H, W)
    return pairs.flatten(2, 3)  # (B, T, C, H, W)


class GateShift(nn.Module):
    """The gate-shift module.

    Parameters
    ----------
    channels : int
        C, a multiple of 4: the channels of each of two halves are interleaved.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % 4:
            raise ShapeError(
                f"{channels} channels do not split into two halves of even size",
                "a gate-shift module needs a multiple of 4",
            )
        self.gate: Gate = FrameGate(channels)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to the same shape."""
        return gate_shift(x, self.gate(x, num_frames), num_frames)


class FrameGate(Gate):
    """`Gate` by 2D convolutions, several times faster.

    Every frame is convolved into three maps for each half of the channels, one per temporal tap of
    the kernel; the gate is their sum over neighbouring frames. The order of summation differs.
    """

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to gates (B * T, 2, H, W)."""
        x = F.relu(self.norm(x))  # (B * T, C, H, W)
        # time becomes the output channels of each group: (2, C/2, 3, 3, 3) to (2, 3, C/2, 3, 3)
        taps = self.weight.transpose(1, 2).flatten(0, 1)  # (2 * 3, C/2, 3, 3)
        maps = split_batch(F.conv2d(x, taps, padding=1, groups=2), num_frames)  # (B, T, 6, H, W)
        # maps 0 1 2 are the taps of the first half, 3 4 5 those of the second; (B, T, 2, H, W) each
        before, now, after = maps[:, :, 0::3], maps[:, :, 1::3], maps[:, :, 2::3]
        total = now + self.bias[:, None, None]  # (B, T, 2, H, W)
        # frame t adds the first tap of frame t - 1 and the last tap of frame t + 1
        total = total + F.pad(before[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
        total = total + F.pad(after[:, 1:], (0, 0, 0, 0, 0, 0, 0, 1))
        return total.flatten(0, 1).tanh()  # (B * T, 2, H, W)


class GatedConvNorm2d(ConvNorm2d):
    """Convolution, gate-shift module, batch norm, ReLU; the parameters are `ConvNorm2d`'s."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, **options: Any) -> None:
        super().__init__(in_channels, out_channels, kernel, **options)
        self.shift = GateShift(out_channels)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W')."""
        return F.relu(self.norm(self.shift(self.conv(x), num_frames)), inplace=True)


def gated(names: Collection[str]) -> ConvFn:
    """Return a `ConvFn` that adds gate-shift modules to the convolutions of these names."""

    def build(name: str, *sizes: Any, **options: Any) -> nn.Module:
        if name in names:
            return GatedConvNorm2d(*sizes, **options)
        return conv_norm(name, *sizes, **options)

    return build


BNINCEPTION_GATES = frozenset(
    {f"{block}.1x1" for block in ("3a", "3b", "4a", "4b", "4c", "4d", "5a", "5b")}
    | {f"{block}.3x3_reduce" for block in ("3c", "4e")}
)
"""Convolutions of BN-Inception with a gate-shift module."""

INCEPTIONV3_GATES = frozenset(
    {f"{block}.branch1x1" for block in (0, 1, 2, 4, 5, 7, 9, 10)}
    | {"3.branch3x3dbl_1", "8.branch3x3_1"}
)
"""Convolutions of Inception-v3 with a gate-shift module."""


class GatedBasicBlock(BasicBlock2d):
    """A basic block with a gate-shift module after its first convolution."""

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.shift = GateShift(width)

    def residual(self, x: Tensor, num_frames: int) -> Tensor:
        """Residual branch: (B * T, C, H, W) to (B * T, width, H', W')."""
        x = self.shift(self.conv1(x), num_frames)  # (B * T, width, H', W')
        x = F.relu(self.norm1(x), inplace=True)
        out: Tensor = self.norm2(self.conv2(x))  # (B * T, width, H', W')
        return out


class GatedBottleneck(Bottleneck2d):
    """A bottleneck with a gate-shift module after its first convolution."""

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.shift = GateShift(width)

    def residual(self, x: Tensor, num_frames: int) -> Tensor:
        """Residual branch: (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = self.shift(self.conv1(x), num_frames)  # (B * T, width, H, W)
        x = F.relu(self.norm1(x), inplace=True)
        x = F.relu(self.norm2(self.conv2(x)), inplace=True)  # (B * T, width, H', W')
        out: Tensor = self.norm3(self.conv3(x))  # (B * T, 4 width, H', W')
        return out


def gated_block(depth: int, _stage: int, _index: int) -> Block2d:
    """Choose blocks with a gate-shift module: every block."""
    return GatedBottleneck if depth >= 50 else GatedBasicBlock


class GSM(SegmentNetwork):
    """A 2D backbone with gate-shift modules; clip logits are the mean of the frame logits.

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the backbone with its gates.
    gate_std : float, default=0.0
        Standard deviation of the gates' initial weights. With 0, as in the authors' code, the
        network starts as the 2D network.
    num_classes : int, default=174
        K; Something-Something has 174.
    **options
        Of `SegmentNetwork`.
    """

    def __init__(
        self,
        backbone_fn: BackboneFn,
        *,
        gate_std: float = 0.0,
        num_classes: int = 174,
        **options: Any,
    ) -> None:
        super().__init__(backbone_fn, num_classes=num_classes, **options)
        for module in self.modules():
            if isinstance(module, Gate):
                nn.init.normal_(module.weight, std=gate_std)


class GatedConv(nn.Module):
    """A convolution of a timm network, followed by a gate-shift module."""

    def __init__(self, conv: nn.Conv2d, num_frames: int) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.conv = conv
        self.shift = GateShift(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W')."""
        out: Tensor = self.shift(self.conv(x), self.num_frames)
        return out


def gsm_timm(backbone: str, **options: Any) -> nn.Module:
    """Gate after the first convolution of every block of a timm network; see `on_timm`."""
    return on_timm(GSM, backbone, wrap=GatedConv, **options)


def _entry(
    name: str,
    backbone_fn: BackboneFn,
    num_frames: int,
    *,
    clip: ClipSpec = CAFFE_CLIP,
    **args: Any,
) -> ModelSpec:
    stack = clip.sampling.stack
    modality = {"in_channels": clip.channels, "stack": stack}
    return ModelSpec(
        name=name,
        build=GSM,
        args={"backbone_fn": backbone_fn, **modality, **args},
        clip=clip.change(num_frames=num_frames),
        strides=(stack, 32),
    )


_bninception = partial(BNInception, conv=gated(BNINCEPTION_GATES))
_inceptionv3 = partial(InceptionV3, conv=gated(INCEPTIONV3_GATES))
_resnet = partial(ResNet2d, block=gated_block)
_tiny = partial(_bninception, divide=8)
_V3_CLIP = CAFFE_CLIP.change(size=229, resize=261)
_TINY_CLIP = CAFFE_CLIP.change(size=64, resize=64)

SPECS = (
    _entry("gsm_bninception_8", _bninception, 8),
    _entry("gsm_bninception_12", _bninception, 12),
    _entry("gsm_bninception_16", _bninception, 16),
    _entry("gsm_bninception_24", _bninception, 24),
    _entry("gsm_bninception_flow_8", _bninception, 8, clip=CAFFE_FLOW),
    _entry("gsm_inceptionv3_8", _inceptionv3, 8, clip=_V3_CLIP),
    _entry("gsm_inceptionv3_12", _inceptionv3, 12, clip=_V3_CLIP),
    _entry("gsm_inceptionv3_16", _inceptionv3, 16, clip=_V3_CLIP),
    _entry("gsm_inceptionv3_24", _inceptionv3, 24, clip=_V3_CLIP),
    _entry("gsm_r18_8", partial(_resnet, 18), 8, clip=IMAGENET_CLIP),
    _entry("gsm_r50_8", partial(_resnet, 50), 8, clip=IMAGENET_CLIP),
    _entry("gsm_r50_16", partial(_resnet, 50), 16, clip=IMAGENET_CLIP),
    _entry("gsm_small", partial(_resnet, 10, width=16), 8, clip=SMALL_CLIP, dropout=0.0),
    ModelSpec(
        name="gsm_timm",
        build=gsm_timm,
        args={"backbone": "resnet18"},
        clip=IMAGENET_CLIP,
        strides=(1, None),
    ),
    _entry("test_gsm", _tiny, 4, clip=_TINY_CLIP, num_classes=12, gate_std=0.1),
)
