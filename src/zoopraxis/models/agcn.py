"""Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based Action Recognition (2s-AGCN).

Shi, Zhang, Cheng and Lu, CVPR 2019. arXiv:1805.07694
Official code: https://github.com/lshiwjx/2s-AGCN (CC BY-NC 4.0).

ST-GCN's graph is the body's, in every layer and for every clip; but hands that clap are related,
and not neighbours. An adaptive graph convolution (section 4.1, equation 3) sums over three graphs,
A + B + C: A is the body's and fixed, B is learned freely, one for each layer, and C is computed
from the clip: how similar two joints are, after an embedding over all frames, softmax over the
joints that are summed. The second stream is a network of the bones, and scores are added (section
4.4): `zoopraxis.prediction.fusion`.

Differences of the official code from the paper, theirs and ours: similarities are divided by the
length of the embedding before the softmax; a graph convolution has batch norm and a shortcut of its
own; B starts at 1e-6, not at 0; the batch norm of the input has statistics for each of two people.
"""

import abc
from collections.abc import Sequence
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import ClipSpec, Sampling, Skeleton
from zoopraxis.inputs.sampling import Short
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.joints import JointBlock, joint_shortcut, time_conv
from zoopraxis.models.base import SkeletonNetwork
from zoopraxis.models.stgcn import CHANNELS
from zoopraxis.skeletons import partition_matrices, skeleton_layout
from zoopraxis.spec import ModelSpec


class EmbeddedGraphConv(nn.Module, abc.ABC):
    """Graph convolution over a graph of each clip's own, batch norm, and a shortcut.

    Parameters
    ----------
    in_channels, out_channels : int
        C and C'; the embeddings have a fourth of C'.
    subsets : int
        K.
    """

    def __init__(self, in_channels: int, out_channels: int, subsets: int) -> None:
        super().__init__()

        def convs(channels: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(in_channels, channels, 1) for _ in range(subsets))

        self.theta, self.phi = convs(out_channels // 4), convs(out_channels // 4)
        self.conv = convs(out_channels)
        self.norm = nn.BatchNorm2d(out_channels)
        self.shortcut = joint_shortcut(in_channels, out_channels, stride=1)

    @abc.abstractmethod
    def graph(self, x: Tensor, subset: int) -> Tensor:
        """Return the graph of one subset for joints (N, C, T, J): (N, J, J)."""

    def similarity(self, x: Tensor, subset: int) -> Tensor:
        """Mean product of the embeddings of every two joints (N, C, T, J): (N, J, J)."""
        theta = self.theta[subset](x).flatten(1, 2)  # (N, C'/4 * T, J)
        phi = self.phi[subset](x).flatten(1, 2)  # (N, C'/4 * T, J)
        return theta.mT @ phi / theta.shape[1]  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (N, C, T, J) to (N, C', T, J)."""
        flat = x.flatten(1, 2)  # (N, C * T, J)
        out = x.new_zeros(())
        for subset, conv in enumerate(self.conv):
            summed = (flat @ self.graph(x, subset)).view_as(x)  # (N, C, T, J)
            out = out + conv(summed)  # (N, C', T, J)
        return F.relu(self.norm(out) + self.shortcut(x))


class AdaptiveGraphConv(EmbeddedGraphConv):
    """Graph convolution over A + B + C.

    Parameters
    ----------
    in_channels, out_channels : int
        C and C'.
    matrices : Tensor of shape (K, J, J)
        A, of the body.

    Attributes
    ----------
    body : Tensor of shape (K, J, J)
        A, a buffer that is not saved.
    learned : Tensor of shape (K, J, J)
        B.
    """

    def __init__(self, in_channels: int, out_channels: int, matrices: Tensor) -> None:
        super().__init__(in_channels, out_channels, len(matrices))
        self.body: Tensor
        self.register_buffer("body", matrices, persistent=False)
        self.learned = nn.Parameter(torch.full(matrices.shape, 1e-6))

    def graph(self, x: Tensor, subset: int) -> Tensor:
        """A + B + C of one subset for joints (N, C, T, J): (N, J, J)."""
        alike = self.similarity(x, subset).softmax(dim=1)  # (N, J, J)
        return self.body[subset] + self.learned[subset] + alike


class AGCN(SkeletonNetwork):
    """One stream of 2s-AGCN.

    Parameters
    ----------
    layout : str, default="ntu-25"
        Joints and edges: `zoopraxis.skeletons.LAYOUTS`.
    people : int, default=2
        P; the batch norm of the input has statistics for each.
    num_classes : int, default=60
        K.
    in_channels : int, default=3
        C.
    channels : sequence of int, default=`zoopraxis.models.stgcn.CHANNELS`
        Of the blocks, four at least. One that has more channels than the block before it halves
        the frame rate.
    """

    graph_conv: type[nn.Module] = AdaptiveGraphConv

    def __init__(
        self,
        layout: str = "ntu-25",
        *,
        people: int = 2,
        num_classes: int = 60,
        in_channels: int = 3,
        channels: Sequence[int] = CHANNELS,
    ) -> None:
        super().__init__(layout, in_channels=in_channels, people=people)
        matrices = partition_matrices(skeleton_layout(layout), "directed")
        self.blocks = nn.Sequential()
        width = in_channels
        for n, wider in enumerate(channels):
            stride = 2 if n and wider > width else 1
            self.blocks.append(
                JointBlock(
                    self.graph_conv(width, wider, torch.tensor(matrices, dtype=torch.float32)),
                    time_conv(wider, wider, stride=stride),
                    joint_shortcut(width, wider, stride=stride) if n else None,
                )
            )
            width = wider
        self.num_features = width
        self.head = ClipHead(width, num_classes)
        initialise(self)

    def forward_blocks(self, x: Tensor) -> Tensor:
        """Map joints of single people (N, C, T, J) to features (N, F, T', J)."""
        return self.blocks(x)  # type: ignore[no-any-return]


def initialise(model: AGCN) -> None:
    """Initialise as the official code (``model/agcn.py``): graph convolutions start near 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    for module in model.modules():
        if isinstance(module, EmbeddedGraphConv):
            nn.init.constant_(module.norm.weight, 1e-6)
            for weight in module.conv.parameters():
                if weight.ndim == 4:  # (C', C, 1, 1)
                    fan = weight.shape[0] * weight.shape[1] * len(module.conv)
                    nn.init.normal_(weight, std=sqrt(2 / fan))
    nn.init.normal_(model.head.linear.weight, std=sqrt(2 / model.num_classes))


def _entry(
    name: str,
    layout: str,
    num_frames: int = 300,
    *,
    num_classes: int,
    channels: Sequence[int] = CHANNELS,
    short: Short = "loop",
) -> ModelSpec:
    """Return an entry for two people of one layout."""
    return ModelSpec(
        name=name,
        build=AGCN,
        args={"layout": layout, "num_classes": num_classes, "channels": channels},
        clip=ClipSpec(
            sampling=Sampling(num_frames=num_frames, short=short), input=Skeleton(layout=layout)
        ),
        strides=(4, None),
    )


SPECS = (
    _entry("agcn_ntu", "ntu-25", num_classes=60),
    _entry("agcn_openpose", "openpose-18", num_classes=400, short="zeros"),
    _entry("agcn_coco", "coco-17", num_classes=60),
    _entry("test_agcn", "openpose-18", 16, num_classes=12, channels=(8, 8, 16, 24)),
)
