"""TDN: Temporal Difference Networks for Efficient Action Recognition.

Wang, Tong, Ji and Wu, CVPR 2021. arXiv:2012.10071
Official code: https://github.com/MCG-NJU/TDN (Apache-2.0)

Differences represent motion at two time scales. Short-term (S-TDM, section 3.2), within a segment
of five frames: the four differences of neighbouring frames, at half the resolution, pass through a
stem and a first stage of their own and are added to the features of the middle frame, before and
after its first stage. Long-term (L-TDM, section 3.3), between segments: after the first
convolution of a bottleneck, the differences to the neighbouring segments, in both directions and
at two spatial scales, gate the features. A depth-wise filter over three segments follows, which is
initialised as a shift. The logits are the mean over the segments.

As in the authors' code, the features and the differences are weighted equally with 8 segments and
3 to 1 with 16. We leave out the biases of their convolutions before batch norms, which have no
effect, and a second stem that is never used: 0.04 M parameters fewer.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.frames import split_batch
from zoopraxis.layers.resnet2d import (
    Block2d,
    Bottleneck2d,
    ResNet2d,
    Shortcut2d,
    Stage2d,
    Stem2d,
    plain,
)
from zoopraxis.layers.resnet3d import DEPTHS, initialise
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.models.stm import TemporalFilters
from zoopraxis.spec import ModelSpec

STACK = 5
"""Frames of a segment."""

REDUCTION = 16
"""r of section 3.3: L-TDM works on one channel in 16."""


class DifferenceResNet(nn.Module):
    """ResNet of the middle frame of a segment, with the differences of its frames added (S-TDM).

    Parameters
    ----------
    depth : {50, 101, 152}
        Layers.
    alpha : float, default=0.5
        Weight of the middle frame's features; that of the differences is 1 - alpha.
    width : int, default=64
        Channels of the stem.
    in_channels : int, default=15
        Channels of a segment of five frames.
    """

    def __init__(
        self, depth: int, *, alpha: float = 0.5, width: int = 64, in_channels: int = 15
    ) -> None:
        super().__init__()
        channels = in_channels // STACK  # of a frame
        self.alpha = alpha
        self.resnet = ResNet2d(depth, in_channels=channels, block=choose_block, width=width)
        self.difference_stem = Stem2d((STACK - 1) * channels, width)
        self.difference_layer1 = first_stage(DEPTHS[depth][0], width)
        self.num_features = self.resnet.num_features
        initialise(self)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map segments (B * T, 5 C, H, W) to features (B * T, F, H/32, W/32); N = B * T."""
        frames = x.reshape(len(x), STACK, -1, *x.shape[2:])  # (N, 5, C, H, W)
        motion = F.avg_pool2d(frames.diff(dim=1).flatten(1, 2), 2)  # (N, 4 C, H/2, W/2)
        motion = self.difference_stem(motion)  # (N, width, H/8, W/8)
        x = self.resnet.stem(frames[:, STACK // 2])  # (N, width, H/4, W/4)
        x = self.resnet.layer1(self.blend(x, motion), num_frames)  # (N, 4 width, H/4, W/4)
        x = self.blend(x, self.difference_layer1(motion, num_frames))  # (N, 4 width, H/4, W/4)
        x = self.resnet.layer2(x, num_frames)  # (N, F/4, H/8, W/8)
        x = self.resnet.layer3(x, num_frames)  # (N, F/2, H/16, W/16)
        out: Tensor = self.resnet.layer4(x, num_frames)  # (N, F, H/32, W/32)
        return out

    def blend(self, x: Tensor, motion: Tensor) -> Tensor:
        """Upsample differences (N, C, H/2, W/2) and add them to features (N, C, H, W)."""
        motion = F.interpolate(motion, x.shape[2:])  # (N, C, H, W)
        return self.alpha * x + (1 - self.alpha) * motion


class TDNBottleneck(Bottleneck2d):
    """A bottleneck with L-TDM and a filter over segments before its 3x3 convolution.

    The parameters are those of `Bottleneck2d`.
    """

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.difference = LongTermDifference(width)
        self.temporal = ShiftFilters(width)

    def residual(self, x: Tensor, num_frames: int) -> Tensor:
        """Residual branch: (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B * T, width, H, W)
        x = self.temporal(self.difference(x, num_frames), num_frames)  # (B * T, width, H, W)
        x = F.relu(self.norm2(self.conv2(x)), inplace=True)  # (B * T, width, H', W')
        out: Tensor = self.norm3(self.conv3(x))  # (B * T, 4 width, H', W')
        return out


class LongTermDifference(nn.Module):
    """Gates features by the differences to the neighbouring segments (L-TDM, section 3.3).

    Parameters
    ----------
    channels : int
        C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = channels // REDUCTION
        self.reduce = nn.Conv2d(channels, reduced, 1, bias=False)
        self.reduce_norm = nn.BatchNorm2d(reduced)
        self.filters = nn.Conv2d(reduced, reduced, 3, padding=1, groups=reduced, bias=False)
        self.coarse = nn.Conv2d(reduced, reduced, 3, padding=1, bias=False)
        self.coarse_norm = nn.BatchNorm2d(reduced)
        self.fine = nn.Conv2d(reduced, reduced, 3, padding=1, bias=False)
        self.fine_norm = nn.BatchNorm2d(reduced)
        self.restore = nn.Conv2d(reduced, channels, 1, bias=False)
        self.restore_norm = nn.BatchNorm2d(channels)

    def differences(self, x: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
        """Filtered next segment less this one, and filtered previous segment less this one.

        Maps (B * T, C, H, W) to (B * T, C/r, H, W) twice, zero where there is no neighbour.
        """
        x = self.reduce_norm(self.reduce(x))  # (B * T, C/r, H, W)
        filtered = split_batch(self.filters(x), num_frames)  # (B, T, C/r, H, W)
        x = split_batch(x, num_frames)  # (B, T, C/r, H, W)
        # (B, T, C/r, H, W) each
        to_next = F.pad(filtered[:, 1:] - x[:, :-1], (0, 0, 0, 0, 0, 0, 0, 1))
        to_previous = F.pad(filtered[:, :-1] - x[:, 1:], (0, 0, 0, 0, 0, 0, 1, 0))
        return to_next.flatten(0, 1), to_previous.flatten(0, 1)  # (B * T, C/r, H, W)

    def gate(self, motion: Tensor) -> Tensor:
        """Map differences (N, C/r, H, W) to a gate (N, C, H, W) between -1/2 and 1/2."""
        coarse = self.coarse_norm(self.coarse(F.avg_pool2d(motion, 2)))  # (N, C/r, H/2, W/2)
        coarse = F.interpolate(coarse, motion.shape[2:])  # (N, C/r, H, W)
        fine = self.fine_norm(self.fine(motion))  # (N, C/r, H, W)
        gate: Tensor = self.restore_norm(self.restore((motion + coarse + fine) / 3))  # (N, C, H, W)
        return gate.sigmoid() - 0.5

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map (B * T, C, H, W) to the same shape."""
        to_next, to_previous = self.differences(x, num_frames)  # (B * T, C/r, H, W) each
        return x + x * (self.gate(to_next) + self.gate(to_previous)) / 2


class ShiftFilters(TemporalFilters):
    """Depth-wise filters over three segments, initialised as the shift of TSM.

    The parameters are those of `TemporalFilters`.
    """

    @torch.no_grad()
    def initialise(self) -> None:
        """Let an eighth of the channels take the next segment, an eighth the previous."""
        # C = 8: taps 2 0 1 1 1 1 1 1; tap 0 is the previous segment, 1 this one, 2 the next
        eighth = len(self.conv.weight) // 8
        nn.init.zeros_(self.conv.weight)  # (C, 1, 3, 1)
        self.conv.weight[:eighth, :, 2] = 1
        self.conv.weight[eighth : 2 * eighth, :, 0] = 1
        self.conv.weight[2 * eighth :, :, 1] = 1


def choose_block(depth: int, stage: int, index: int) -> Block2d:
    """Choose plain blocks for the first stage, blocks with L-TDM for the others."""
    return plain(depth, stage, index) if stage == 1 else TDNBottleneck


def first_stage(blocks: int, width: int) -> Stage2d:
    """Build the first stage of a ResNet of bottlenecks, with `4 * width` output channels."""
    out_channels = 4 * width
    shortcut = Shortcut2d(width, out_channels, stride=1)
    stage = Stage2d()
    stage.append(Bottleneck2d(width, width, stride=1, shortcut=shortcut))
    for _ in range(blocks - 1):
        stage.append(Bottleneck2d(out_channels, width, stride=1, shortcut=nn.Identity()))
    return stage


class TDN(SegmentNetwork):
    """ResNet with S-TDM and L-TDM over segments of five frames.

    Parameters
    ----------
    depth : {50, 101, 152}, default=50
        Layers.
    alpha : float, default=0.5
        As of `DifferenceResNet`.
    width : int, default=64
        Channels of the stem.
    num_classes : int, default=174
        K; Something-Something has 174.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        *,
        depth: int = 50,
        alpha: float = 0.5,
        width: int = 64,
        num_classes: int = 174,
        dropout: float = 0.5,
    ) -> None:
        backbone_fn = partial(DifferenceResNet, depth, alpha=alpha, width=width)
        super().__init__(backbone_fn, stack=STACK, num_classes=num_classes, dropout=dropout)


_CLIP = ClipSpec(sampling=Sampling(num_frames=8, mode="segments", stack=STACK), input=RGB())


def _entry(name: str, depth: int, num_frames: int, *, alpha: float) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=TDN,
        args={"depth": depth, "alpha": alpha},
        clip=_CLIP.change(num_frames=num_frames),
        strides=(STACK, 32),
    )


SPECS = (
    _entry("tdn_r50_8", 50, 8, alpha=0.5),
    _entry("tdn_r50_16", 50, 16, alpha=0.75),
    _entry("tdn_r101_8", 101, 8, alpha=0.5),
    _entry("tdn_r101_16", 101, 16, alpha=0.75),
    ModelSpec(
        name="test_tdn",
        build=TDN,
        args={"depth": 50, "width": 8, "num_classes": 12},
        clip=_CLIP.change(num_frames=3, size=64, resize=64),
        strides=(STACK, 32),
    ),
)
