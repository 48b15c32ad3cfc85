"""Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition (ST-GCN).

Yan, Xiong and Lin, AAAI 2018. arXiv:1801.07455
Official code: https://github.com/yysijie/st-gcn (BSD-2-Clause).

The joints of a person are nodes of a graph; a joint is linked to its neighbours in the body, and to
itself in the next frame. A block first convolves over the graph: every joint sums over its
neighbours, with one kernel for each subset of a partition of them, each neighbour weighted by one
over the number of neighbours, times a learned importance of the edge. Then it convolves over time,
nine frames of one joint. Ten such blocks, of which the fifth and the eighth halve the frame rate,
and a mean over frames, joints and people.

Differences from the official code: a partition that differs from the paper's
(`zoopraxis.skeletons.partition_matrices`) is theirs, and ours. The classifier is a linear layer,
theirs a convolution with a kernel of one. The small networks, for sets of some hundred recordings,
are ours: six blocks, no more than 64 channels, and joints, bones and motion as one input
(docs/skeletons.md).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zoopraxis.inputs import ClipSpec, Sampling, Skeleton
from zoopraxis.layers.head import ClipHead
from zoopraxis.models.base import SkeletonNetwork
from zoopraxis.skeletons import partition_matrices, skeleton_layout
from zoopraxis.skeletons.partitions import Strategy
from zoopraxis.spec import ModelSpec

CHANNELS = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
SMALL = (16, 16, 32, 32, 64, 64)


class GraphConv(nn.Module):
    """Graph convolution: for each of K subsets a 1x1 convolution, summed over the neighbours.

    Section 3.3, equation 10: sum over k of A_k W_k x.

    Parameters
    ----------
    in_channels, out_channels : int
        C and C'.
    num_subsets : int
        K.
    """

    def __init__(self, in_channels: int, out_channels: int, num_subsets: int) -> None:
        super().__init__()
        self.num_subsets = num_subsets
        self.conv = nn.Conv2d(in_channels, num_subsets * out_channels, 1)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Map joints (N, C, T, J) with matrices (K, J, J) to (N, C', T, J)."""
        x = self.conv(x).unflatten(1, (self.num_subsets, -1))  # (N, K, C', T, J)
        return torch.einsum("nkctv,kvw->nctw", x, adjacency)  # (N, C', T, J)


class STGCNBlock(nn.Module):
    """Graph convolution, convolution over time, and a residual connection.

    Parameters
    ----------
    in_channels, out_channels : int
        C and C'.
    num_subsets : int
        K, of the partition.
    kernel : int, default=9
        Frames of the convolution over time.
    stride : int, default=1
        Frames from one output to the next.
    dropout : float, default=0.0
        After the convolution over time.
    residual : bool, default=True
        Whether the block's input is added, through a 1x1 convolution where shapes differ.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_subsets: int,
        *,
        kernel: int = 9,
        stride: int = 1,
        dropout: float = 0.0,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.graph_conv = GraphConv(in_channels, out_channels, num_subsets)
        self.graph_norm = nn.BatchNorm2d(out_channels)
        self.time_conv = nn.Conv2d(
            out_channels, out_channels, (kernel, 1), (stride, 1), (kernel // 2, 0)
        )
        self.time_norm = nn.BatchNorm2d(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.relu = nn.ReLU(inplace=True)
        self.residual = residual
        self.shortcut: nn.Module = nn.Identity()
        if residual and (in_channels != out_channels or stride != 1):
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, (stride, 1)), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Map joints (N, C, T, J) with matrices (K, J, J) to (N, C', T', J)."""
        out = self.relu(self.graph_norm(self.graph_conv(x, adjacency)))  # (N, C', T, J)
        out = self.dropout(self.time_norm(self.time_conv(out)))  # (N, C', T', J)
        if self.residual:
            out = out + self.shortcut(x)
        return self.relu(out)  # type: ignore[no-any-return]


class STGCN(SkeletonNetwork):
    """ST-GCN.

    Parameters
    ----------
    layout : str, default="openpose-18"
        Joints and edges: `zoopraxis.skeletons.LAYOUTS`.
    strategy : {"spatial", "distance", "uniform"}, default="spatial"
        Partition of a joint's neighbours (section 3.3).
    max_hop : int, default=1
        Edges from a joint to its farthest neighbours (the paper's D).
    edge_importance : bool, default=True
        Whether every block learns a factor for each edge (section 3.4).
    num_classes : int, default=400
        K.
    in_channels : int, default=3
        C.
    channels : sequence of int, default=`CHANNELS`
        Of the blocks: ten in the paper. One that has more channels than the block before it
        halves the frame rate, as do the fifth and the eighth of the paper.
    dropout : float, default=0.5
        In every block but the first (section 3.5).

    Attributes
    ----------
    adjacency : Tensor of shape (subsets, J, J)
        The partition matrices, a buffer that is saved with the weights.
    """

    def __init__(
        self,
        layout: str = "openpose-18",
        *,
        strategy: Strategy = "spatial",
        max_hop: int = 1,
        edge_importance: bool = True,
        num_classes: int = 400,
        in_channels: int = 3,
        channels: Sequence[int] = CHANNELS,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(layout, in_channels=in_channels)
        matrices = partition_matrices(skeleton_layout(layout), strategy, max_hop=max_hop)
        self.adjacency: Tensor
        self.register_buffer("adjacency", torch.tensor(matrices, dtype=torch.float32))
        widths = (in_channels, *channels)
        self.blocks = nn.ModuleList(
            STGCNBlock(
                widths[n],
                widths[n + 1],
                len(matrices),
                stride=2 if n and widths[n + 1] > widths[n] else 1,
                dropout=dropout if n else 0.0,
                residual=n > 0,
            )
            for n in range(len(channels))
        )
        self.edge_importance = (
            nn.ParameterList(torch.ones(matrices.shape) for _ in channels)
            if edge_importance
            else None
        )
        self.num_features = widths[-1]
        self.head = ClipHead(self.num_features, num_classes)
        _initialise(self)

    def forward_blocks(self, x: Tensor) -> Tensor:
        """Map joints of single people (N, C, T, J) to features (N, F, T', J)."""
        for n, block in enumerate(self.blocks):
            importance = 1.0 if self.edge_importance is None else self.edge_importance[n]
            x = block(x, self.adjacency * importance)  # (N, C', T', J)
        return x


def _initialise(model: nn.Module) -> None:
    """Initialise as the official code (``processor/recognition.py``); importances stay at 1."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)


def _entry(
    name: str, layout: str, num_frames: int, *, sampling: Sampling | None = None, **args: object
) -> ModelSpec:
    """Return an entry for one layout."""
    return ModelSpec(
        name=name,
        build=STGCN,
        args={"layout": layout, **args},
        clip=ClipSpec(
            sampling=sampling or Sampling(num_frames=num_frames, short="zeros"),
            input=Skeleton(layout=layout),
        ),
        strides=(4, None),
    )


def _small(name: str, layout: str, *, num_classes: int) -> ModelSpec:
    """Return an entry for one person of one layout, its whole recording as one clip."""
    return ModelSpec(
        name=name,
        build=STGCN,
        args={
            "layout": layout,
            "num_classes": num_classes,
            "in_channels": 9,  # of three streams
            "channels": SMALL,
            "dropout": 0.0,
        },
        clip=ClipSpec(
            sampling=Sampling(num_frames=12, mode="segments"),
            input=Skeleton(
                layout=layout,
                people=1,
                streams=("joints", "bones", "joint_motion"),
                normalise="body",
                pace="motion",
            ),
        ),
        strides=(4, None),
    )


_UNIFORM = Sampling(num_frames=100, mode="segments")

SPECS = (
    # Kinetics-skeleton: ten seconds at 30 frames per second
    _entry("stgcn_openpose", "openpose-18", 300, dropout=0.0),
    _entry("stgcn_openpose_unweighted", "openpose-18", 300, dropout=0.0, edge_importance=False),
    # NTU RGB+D
    _entry("stgcn_ntu", "ntu-25", 300, num_classes=60),
    _entry("stgcn_ntu_distance", "ntu-25", 300, num_classes=60, strategy="distance"),
    _entry("stgcn_ntu_uniform", "ntu-25", 300, num_classes=60, strategy="uniform"),
    # NTU RGB+D, as mmaction2 trains it
    _entry("stgcn_coco", "coco-17", 100, num_classes=60, sampling=_UNIFORM, dropout=0.0),
    _entry("stgcn_ntu_100", "ntu-25", 100, num_classes=60, sampling=_UNIFORM, dropout=0.0),
    # small sets: MSR Action3D, UTD-MHAD, JHMDB's poses, and one person of COCO's joints
    _small("stgcn_small_msr", "msr-20", num_classes=20),
    _small("stgcn_small_kinect", "kinect-20", num_classes=27),
    _small("stgcn_small_jhmdb", "jhmdb-15", num_classes=14),
    _small("stgcn_small_coco", "coco-17", num_classes=12),
    _entry(
        "test_stgcn",
        "openpose-18",
        16,
        num_classes=12,
        channels=(8, 8, 8, 8, 16, 16, 16, 32, 32, 32),
        dropout=0.0,
    ),
)
