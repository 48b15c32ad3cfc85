"""Motion Feature Network: Fixed Motion Filter for Action Recognition.

Lee, Lee, Son, Park and Kwak, ECCV 2018. arXiv:1807.10037
No official code.

If a patch moves by some step from one frame to the next, the difference between the frame and the
next frame shifted back by that step vanishes there. So a motion block shifts the features of the
next frame by a few fixed steps, subtracts those of this frame, and interprets the differences by
1x1 convolutions: no temporal filter is trained. Motion blocks sit between the stages of a ResNet
over segments. Their output is added to the features (``mfn_sum_*``, the paper's MFNet-S), or
concatenated with them and reduced to their width (``mfn_concat_*``, MFNet-C).

Without code or published counts to compare with, some details are ours: five steps (zero, and one
pixel in both directions along each axis); a 1x1 convolution to one channel in 16 before the
filter; batch norms after both 1x1 convolutions; motion blocks after the stem and the first three
stages; and zero motion at the last frame, which has no successor.
"""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.frames import split_batch
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.spec import ModelSpec

STEPS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
"""Displacements (down, right) in pixels at which the next frame is compared."""

REDUCTION = 16
"""A motion block filters one channel in 16."""


def motion_filter(x: Tensor, num_frames: int) -> Tensor:
    """Subtract each frame from the next frame, displaced by each of `STEPS`.

    Parameters
    ----------
    x : Tensor of shape (B * T, C, H, W)
        Frames, clip by clip.
    num_frames : int
        T.

    Returns
    -------
    Tensor of shape (B * T, 5 C, H, W)
        ``x[t + 1, y + dy, x + dx] - x[t, y, x]``: C channels for each step in turn. The next frame
        is padded with zeros, and the output at the last frame of a clip is zero.
    """
    height, width = x.shape[2:]
    clips = split_batch(x, num_frames)  # (B, T, C, H, W)
    current = clips[:, :-1]  # (B, T - 1, C, H, W)
    following = F.pad(clips[:, 1:], (1, 1, 1, 1))  # (B, T - 1, C, H + 2, W + 2)
    # step (1, 0) reads rows 2, ..., H + 1 of the padded frame: row y + 1 of the next frame
    moved = [following[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy, dx in STEPS]
    differences = torch.cat([frame - current for frame in moved], dim=2)  # (B, T - 1, 5 C, H, W)
    differences = F.pad(differences, (0, 0, 0, 0, 0, 0, 0, 1))  # (B, T, 5 C, H, W)
    return differences.flatten(0, 1)  # (B * T, 5 C, H, W)


class MotionBlock(nn.Module):
    """Fixed motion filters between two 1x1 convolutions, added to the features (MFNet-S).

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
        self.restore = nn.Conv2d(len(STEPS) * reduced, channels, 1, bias=False)
        self.restore_norm = nn.BatchNorm2d(channels)

    def motion(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to motion of the same shape."""
        x = self.reduce_norm(self.reduce(x))  # (B * T, C/16, H, W)
        x = motion_filter(x, num_frames)  # (B * T, 5 C/16, H, W)
        out: Tensor = self.restore_norm(self.restore(x))  # (B * T, C, H, W)
        return out

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to the same shape."""
        return x + self.motion(x, num_frames)


class ConcatMotionBlock(MotionBlock):
    """Motion concatenated with the features, then a 1x1 convolution (MFNet-C).

    Parameters
    ----------
    channels : int
        C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.fuse = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to the same shape."""
        both = torch.cat((x, self.motion(x, num_frames)), dim=1)  # (B * T, 2 C, H, W)
        out: Tensor = self.fuse(both)  # (B * T, C, H, W)
        return out


class MotionResNet(nn.Module):
    """ResNet with a motion block before every stage.

    Parameters
    ----------
    depth : {10, 18, 34, 50, 101, 152}
        Layers.
    block : type of MotionBlock, default=MotionBlock
        `MotionBlock` is MFNet-S, `ConcatMotionBlock` MFNet-C.
    width : int, default=64
        Channels of the stem.
    in_channels : int, default=3
        Channels of a frame.
    """

    def __init__(
        self,
        depth: int,
        *,
        block: type[MotionBlock] = MotionBlock,
        width: int = 64,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.resnet = ResNet2d(depth, in_channels=in_channels, width=width)
        self.num_features = self.resnet.num_features
        self.motion1 = block(width)
        self.motion2 = block(self.num_features // 8)
        self.motion3 = block(self.num_features // 4)
        self.motion4 = block(self.num_features // 2)
        initialise(self)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to features (B * T, F, H/32, W/32)."""
        x = self.resnet.stem(x)  # (B * T, width, H/4, W/4)
        x = self.resnet.layer1(self.motion1(x, num_frames), num_frames)  # (B * T, F/8, H/4, W/4)
        x = self.resnet.layer2(self.motion2(x, num_frames), num_frames)  # (B * T, F/4, H/8, W/8)
        x = self.resnet.layer3(self.motion3(x, num_frames), num_frames)  # (B * T, F/2, H/16, W/16)
        out: Tensor = self.resnet.layer4(self.motion4(x, num_frames), num_frames)
        return out  # (B * T, F, H/32, W/32)


class MotionFeatureNetwork(SegmentNetwork):
    """ResNet with motion blocks over segments; the logits are the mean over the frames.

    Parameters
    ----------
    depth : {10, 18, 34, 50, 101, 152}, default=50
        Layers.
    block : type of MotionBlock, default=MotionBlock
        As of `MotionResNet`.
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
        block: type[MotionBlock] = MotionBlock,
        width: int = 64,
        num_classes: int = 174,
        dropout: float = 0.5,
    ) -> None:
        backbone_fn = partial(MotionResNet, depth, block=block, width=width)
        super().__init__(backbone_fn, num_classes=num_classes, dropout=dropout)


_CLIP = ClipSpec(sampling=Sampling(num_frames=10, mode="segments"), input=RGB())


def _entry(name: str, *, clip: ClipSpec = _CLIP, **args: Any) -> ModelSpec:
    return ModelSpec(name=name, build=MotionFeatureNetwork, args=args, clip=clip, strides=(1, 32))


SPECS = (
    _entry("mfn_sum_r50_10", depth=50, block=MotionBlock),
    _entry("mfn_concat_r50_10", depth=50, block=ConcatMotionBlock),
    _entry("mfn_sum_r101_10", depth=101, block=MotionBlock),
    _entry("mfn_concat_r101_10", depth=101, block=ConcatMotionBlock),
    _entry(
        "test_motion_feature_network",
        clip=_CLIP.change(num_frames=3, size=64, resize=64),
        depth=10,
        block=ConcatMotionBlock,
        width=16,
        num_classes=12,
    ),
)
