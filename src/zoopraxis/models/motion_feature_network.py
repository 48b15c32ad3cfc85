"""Motion Feature Network: Fixed Motion Filter for Action Recognition.

Lee, Lee, Son, Park and Kwak, ECCV 2018. arXiv:1807.10037
No official code.

Where a patch of one frame is found again one step aside in the next frame, the difference between
the frame and the next one moved back by that step is small. So a motion block moves the next
frame's features by a few fixed steps, takes this frame's features off, and lets 1x1 convolutions
read what is left: no filter over time is trained. Motion blocks stand between the stages of a
ResNet over segments; their output is added to the features of the stage (``mfn_sum_*``, the
paper's MFNet-S) or laid beside them and brought back to their width (``mfn_concat_*``, MFNet-C).

Without code, and with no published counts to hold them to, some details are ours: five steps
(none, and one pixel each way along each axis); a 1x1 convolution to one channel in 16 in front of
them; norms behind both 1x1 convolutions; motion blocks behind the stem's pooling and the first
three stages; the last frame, which has no next one, has no motion.
"""

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.frames import SegmentNetwork, split_batch
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.spec import ClipSpec, ModelSpec

STEPS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
"""Displacements (down, right) in pixels at which the next frame is compared."""

REDUCTION = 16
"""Motion looks at one channel in so many."""


def motion_filter(x: Tensor, frames: int) -> Tensor:
    """Compare each frame with the next one, displaced by each of `STEPS`.

    Parameters
    ----------
    x : Tensor of shape (B * T, C, H, W)
        Frames, those of a clip next to each other.
    frames : int
        T.

    Returns
    -------
    Tensor of shape (B * T, 5 C, H, W)
        ``x[t + 1, y + dy, x + dx] - x[t, y, x]`` for the steps in turn, all channels of one step
        together; the next frame is zero outside, and the last frame of a clip gives zero.
    """
    height, width = x.shape[2:]
    clips = split_batch(x, frames)  # (B, T, C, H, W)
    now, after = clips[:, :-1], F.pad(clips[:, 1:], (1, 1, 1, 1))  # (B, T - 1, C, H + 2, W + 2)
    moved = [after[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy, dx in STEPS]
    differences = torch.cat([other - now for other in moved], dim=2)  # (B, T - 1, 5 C, H, W)
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
        few = channels // REDUCTION
        self.reduce = nn.Conv2d(channels, few, 1, bias=False)
        self.reduce_norm = nn.BatchNorm2d(few)
        self.restore = nn.Conv2d(len(STEPS) * few, channels, 1, bias=False)
        self.restore_norm = nn.BatchNorm2d(channels)

    def motion(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to their motion of the same shape."""
        x = self.reduce_norm(self.reduce(x))  # (B * T, C/16, H, W)
        x = motion_filter(x, frames)  # (B * T, 5 C/16, H, W)
        out: Tensor = self.restore_norm(self.restore(x))  # (B * T, C, H, W)
        return out

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to the same shape."""
        return x + self.motion(x, frames)


class ConcatMotionBlock(MotionBlock):
    """Motion laid beside the features, and a 1x1 convolution of both (MFNet-C).

    Parameters
    ----------
    channels : int
        C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.fuse = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to the same shape."""
        out: Tensor = self.fuse(torch.cat((x, self.motion(x, frames)), dim=1))
        return out


class MotionResNet(nn.Module):
    """ResNet with a motion block in front of every stage.

    Parameters
    ----------
    depth : {10, 18, 34, 50, 101, 152}
        Layers.
    block : type of MotionBlock, default=MotionBlock
        How motion joins the features.
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

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to features (B * T, F, H/32, W/32)."""
        x = self.resnet.stem(x)  # (B * T, width, H/4, W/4)
        x = self.resnet.layer1(self.motion1(x, frames), frames)  # (B * T, F/8, H/4, W/4)
        x = self.resnet.layer2(self.motion2(x, frames), frames)  # (B * T, F/4, H/8, W/8)
        x = self.resnet.layer3(self.motion3(x, frames), frames)  # (B * T, F/2, H/16, W/16)
        out: Tensor = self.resnet.layer4(self.motion4(x, frames), frames)
        return out  # (B * T, F, H/32, W/32)


_CLIP = ClipSpec(frames=10, sampling="segments")


def _row(
    name: str, depth: int, block: type[MotionBlock], params_m: float, macs_g: float
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=SegmentNetwork,
        args={"trunk": partial(MotionResNet, depth, block=block), "num_classes": 174},
        clip=_CLIP,
        params_m=params_m,
        macs_g=macs_g,
        strides=(1, 32),
    )


SPECS = (
    _row("mfn_sum_r50_10", 50, MotionBlock, 24.39, 43.24),
    _row("mfn_concat_r50_10", 50, ConcatMotionBlock, 27.15, 55.82),
    _row("mfn_sum_r101_10", 101, MotionBlock, 43.38, 80.36),
    _row("mfn_concat_r101_10", 101, ConcatMotionBlock, 46.14, 92.95),
    ModelSpec(
        name="test_motion_feature_network",
        build=SegmentNetwork,
        args={
            "trunk": partial(MotionResNet, 10, block=ConcatMotionBlock, width=16),
            "num_classes": 12,
        },
        clip=replace(_CLIP, frames=3, size=64, resize=64),
        params_m=0.32,
        macs_g=0.02,
        strides=(1, 32),
    ),
)
