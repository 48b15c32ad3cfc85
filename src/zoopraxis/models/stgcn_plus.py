"""PYSKL: Towards Good Practices for Skeleton Action Recognition (ST-GCN++).

Duan, Wang, Chen and Lin, ACM Multimedia 2022. arXiv:2205.09443
Official code: https://github.com/kennymckormick/pyskl (Apache-2.0).

ST-GCN with two changes. The graph is learned: in every block, the matrices of the
partition are where its weights start, and no mask is put on them. And the convolution over time has
six branches on a sixth of the channels each: kernels of three frames, dilated once to four times, a
maximum over three frames, and the frame itself. Each graph convolution has a shortcut of its own.
The network has about half of ST-GCN's parameters and multiply-adds.

The partition is the authors' ``spatial`` one: a joint, its neighbour towards the centre, and those
away from it (`zoopraxis.skeletons.partition_matrices`, ``directed``).

PYSKL trains a network for each stream (joints, bones, and the motion of either) and averages the
scores, joints and bones weighted twice: `zoopraxis.prediction.fusion`.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import ClipSpec, Sampling, Skeleton
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.joints import JointBlock, joint_shortcut
from zoopraxis.models.base import SkeletonNetwork
from zoopraxis.models.stgcn import CHANNELS, GraphConv
from zoopraxis.skeletons import partition_matrices, skeleton_layout
from zoopraxis.spec import ModelSpec

DILATIONS = (1, 2, 3, 4)


class LearnedGraphConv(nn.Module):
    """A graph convolution whose matrices are parameters, batch norm, and a shortcut.

    Parameters
    ----------
    in_channels, out_channels : int
        C and C'.
    matrices : Tensor of shape (K, J, J)
        Where the matrices start.
    """

    def __init__(self, in_channels: int, out_channels: int, matrices: Tensor) -> None:
        super().__init__()
        self.adjacency = nn.Parameter(matrices.clone())
        self.conv = GraphConv(in_channels, out_channels, len(matrices))
        self.norm = nn.BatchNorm2d(out_channels)
        self.shortcut = joint_shortcut(in_channels, out_channels, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (N, C, T, J) to (N, C', T, J)."""
        out = self.norm(self.conv(x, self.adjacency))  # (N, C', T, J)
        return F.relu(out + self.shortcut(x))


class MultiScaleTimeConv(nn.Module):
    """Six branches over time, joined by a 1x1 convolution.

    Parameters
    ----------
    channels : int
        C, of input and output; six at least.
    stride : int, default=1
        Frames from one output to the next.
    """

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        super().__init__()
        step, inner = (stride, 1), channels // 6
        first = channels - 5 * inner  # what the others leave; 64 channels: 14 and five times 10
        branches: list[nn.Module] = []
        for dilation in DILATIONS:
            width = inner if branches else first
            branch = self._reduced(channels, width)
            branch.append(
                nn.Conv2d(width, width, (3, 1), step, (dilation, 0), dilation=(dilation, 1))
            )
            branches.append(branch)
        pooled = self._reduced(channels, inner)
        pooled.append(nn.MaxPool2d((3, 1), step, (1, 0)))
        branches += [pooled, nn.Conv2d(channels, inner, 1, step)]
        self.branches = nn.ModuleList(branches)
        self.joined_norm = nn.BatchNorm2d(channels)
        self.join = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    @staticmethod
    def _reduced(channels: int, width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (N, C, T, J) to (N, C, T', J)."""
        out = torch.cat([branch(x) for branch in self.branches], dim=1)  # (N, C, T', J)
        out = self.join(F.relu(self.joined_norm(out)))  # (N, C, T', J)
        return self.norm(out)  # type: ignore[no-any-return]


class STGCNPlus(SkeletonNetwork):
    """ST-GCN++.

    Parameters
    ----------
    layout : str, default="coco-17"
        Joints and edges: `zoopraxis.skeletons.LAYOUTS`.
    num_classes : int, default=60
        K.
    in_channels : int, default=3
        C.
    channels : sequence of int, default=`zoopraxis.models.stgcn.CHANNELS`
        Of the blocks. One that has more channels than the block before it halves the frame rate.
    """

    def __init__(
        self,
        layout: str = "coco-17",
        *,
        num_classes: int = 60,
        in_channels: int = 3,
        channels: Sequence[int] = CHANNELS,
    ) -> None:
        super().__init__(layout, in_channels=in_channels)
        matrices = partition_matrices(skeleton_layout(layout), "directed")
        self.blocks = nn.Sequential()
        width = in_channels
        for n, wider in enumerate(channels):
            stride = 2 if n and wider > width else 1
            self.blocks.append(
                JointBlock(
                    LearnedGraphConv(width, wider, torch.tensor(matrices, dtype=torch.float32)),
                    MultiScaleTimeConv(wider, stride=stride),
                    joint_shortcut(width, wider, stride=stride) if n else None,
                )
            )
            width = wider
        self.num_features = width
        self.head = ClipHead(width, num_classes)
        nn.init.normal_(self.head.linear.weight, std=0.01)
        nn.init.zeros_(self.head.linear.bias)

    def forward_blocks(self, x: Tensor) -> Tensor:
        """Map joints of single people (N, C, T, J) to features (N, F, T', J)."""
        return self.blocks(x)  # type: ignore[no-any-return]


def _entry(
    name: str,
    layout: str,
    *,
    num_classes: int,
    num_frames: int = 100,
    channels: Sequence[int] = CHANNELS,
) -> ModelSpec:
    """Return an entry for two people of one layout, frames spread over the whole recording."""
    return ModelSpec(
        name=name,
        build=STGCNPlus,
        args={"layout": layout, "num_classes": num_classes, "channels": channels},
        clip=ClipSpec(
            sampling=Sampling(num_frames=num_frames, mode="segments"),
            input=Skeleton(layout=layout),
        ),
        strides=(4, None),
    )


SPECS = (
    _entry("stgcn_plus_ntu", "ntu-25", num_classes=60),
    _entry("stgcn_plus_coco", "coco-17", num_classes=60),
    _entry("stgcn_plus_openpose", "openpose-18", num_classes=400),
    _entry(
        "test_stgcn_plus",
        "coco-17",
        num_classes=12,
        num_frames=16,
        channels=(12, 12, 18, 24),
    ),
)
