"""Videos as Space-Time Region Graphs.

Wang and Gupta, ECCV 2018. arXiv:1806.01810
Official code: none is published.

To see that somebody opens a book, it helps to follow the book and the hands. The nodes of a graph
are the regions that a detector finds in the frames of a clip; their features are pooled from the
last map of an I3D (RoIAlign to 7x7 cells, then the maximum). Two kinds of relations link them:

- regions that look alike, or belong together, wherever they are: the softmax over j
  of phi(x_i) . phi'(x_j), with two learned linear maps;
- regions that overlap from one frame to the next: their intersection over union,
  rows normalised to 1, forwards and, as a graph of its own, backwards.

Two branches of three graph convolutions reason over the similarity graph, and over the graphs
forwards and backwards together. Their outputs are added, averaged over the regions, and
joined with the average of the whole map, which a linear layer classifies.

The map has 14x14 cells: the last stage does not halve it. The clip's 32 frames become 16 in the
map, with the boxes of every second frame. Here a region that is missing has no part in the softmax,
the graphs and the mean, and of a clip without any only the average of the map is left. In every
layer of a branch, X + ReLU(LayerNorm(sum_g G_g X W_g)), g counts its graphs. The last batch norm of
each block of the I3D starts at zero, and its stem is that of the authors' Caffe2 networks, as in
`zoopraxis.models.inflated_resnet`: the weights of ``i3d_r50_32x4`` or ``i3d_nln_r50_32x4`` fit.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.graphs import GraphConvolution
from zoopraxis.inputs import ClipSpec, Regions, Sampling
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.inflated_resnet import Kernels
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.inflated_resnet import I3D, STRIDES_8X8
from zoopraxis.models.nonlocal_net import FIVE, Insertions, UnpaddedNonLocalResNet
from zoopraxis.regions import box_iou, roi_align
from zoopraxis.spec import ModelSpec

Branch = Literal["similarity", "spatial_temporal"]
BRANCHES: tuple[Branch, ...] = ("similarity", "spatial_temporal")


def spatial_temporal_graphs(boxes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Link the regions that overlap from one frame to the next, forwards and backwards.

    Parameters
    ----------
    boxes : Tensor of shape (B, T, N, 4)
        x1, y1, x2, y2.
    mask : Tensor of shape (B, T, N)
        1 where there is a box, else 0.

    Returns
    -------
    front, back : Tensor of shape (B, T * N, T * N)
        Row i has the weights of the neighbours of node i in the next frame, or in the last one;
        they add up to 1, or to 0 where nothing overlaps.
    """
    present = mask[:, :-1, :, None] * mask[:, 1:, None]  # (B, T-1, N, N)
    return link_neighbours(box_iou(boxes[:, :-1], boxes[:, 1:]) * present)


def link_neighbours(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Graphs of all nodes (B, T * N, T * N) from weights (B, T-1, N, N) of frames t and t + 1."""
    batch, steps, nodes, _ = weights.shape
    front = weights.new_zeros(batch, steps + 1, nodes, steps + 1, nodes)
    t = torch.arange(steps, device=weights.device)
    front[:, t, :, t + 1] = weights.transpose(0, 1)  # (T-1, B, N, N), in torch's order
    front = front.flatten(3).flatten(1, 2)  # (B, T * N, T * N)
    return F.normalize(front, p=1, dim=2), F.normalize(front.mT, p=1, dim=2)


class GraphLayer(nn.Module):
    """Graph convolution over one or more graphs of the same nodes, and a residual connection.

    X + ReLU(LayerNorm(sum_g G_g X W_g)); that the residual is added last is our choice.

    Parameters
    ----------
    channels : int
        d.
    num_graphs : int
        Each has weights of its own.
    """

    def __init__(self, channels: int, num_graphs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(GraphConvolution(channels, channels) for _ in range(num_graphs))
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, graphs: Sequence[Tensor]) -> Tensor:
        """Map nodes (B, M, d) with graphs (B, M, M) to (B, M, d)."""
        messages = [conv(x, graph) for conv, graph in zip(self.convs, graphs, strict=True)]
        return x + F.relu(self.norm(torch.stack(messages).sum(dim=0)))


class RegionGraph(nn.Module):
    """The features of regions to one vector, by reasoning over their graphs.

    Parameters
    ----------
    channels : int
        d.
    branches : sequence of {"similarity", "spatial_temporal"}, default=both
        Relations that are used, each by a branch.
    num_layers : int, default=3
        Graph convolutions of a branch.
    """

    layer: ClassVar[type[GraphLayer]] = GraphLayer

    def __init__(
        self, channels: int, *, branches: Sequence[Branch] = BRANCHES, num_layers: int = 3
    ) -> None:
        super().__init__()
        self.branches = branches
        num_graphs = {"similarity": 1, "spatial_temporal": 2}
        if "similarity" in branches:
            self.phi = nn.Linear(channels, channels, bias=False)
            self.phi_prime = nn.Linear(channels, channels, bias=False)
            # near 0 at first: every region takes the mean of all
            nn.init.normal_(self.phi.weight, std=0.01)
            nn.init.normal_(self.phi_prime.weight, std=0.01)
        for branch in branches:
            layers = [self.layer(channels, num_graphs[branch]) for _ in range(num_layers)]
            self.add_module(branch, nn.ModuleList(layers))

    def similarity_graph(self, x: Tensor, mask: Tensor) -> Tensor:
        """Softmax over the regions j of phi(x_i) . phi'(x_j): (B, M, M).

        Of regions (B, M, d), those that are missing in the mask (B, M) get no weight.
        """
        products = self.phi(x) @ self.phi_prime(x).mT  # (B, M, M)
        missing = mask[:, None] == 0  # (B, 1, M)
        products = products.masked_fill(missing, torch.finfo(products.dtype).min)
        out: Tensor = products.softmax(dim=2)
        return out

    def spatial_temporal_graphs(self, boxes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The graphs forwards and backwards: `spatial_temporal_graphs`."""
        return spatial_temporal_graphs(boxes, mask)

    def forward(self, x: Tensor, boxes: Tensor, mask: Tensor) -> Tensor:
        """Map regions (B, T, N, d), their boxes (B, T, N, 4) and mask (B, T, N) to (B, d)."""
        nodes, present = x.flatten(1, 2), mask.flatten(1)  # (B, M, d), (B, M)
        out = torch.zeros_like(nodes)
        for branch in self.branches:
            if branch == "similarity":
                graphs: tuple[Tensor, ...] = (self.similarity_graph(nodes, present),)
            else:
                graphs = self.spatial_temporal_graphs(boxes, mask)
            y = nodes
            for layer in self.get_submodule(branch).children():
                y = layer(y, graphs)  # (B, M, d)
            out = out + y
        present = present[..., None]
        return (out * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)  # (B, d)


class SpaceTimeRegionGraph(UnpaddedNonLocalResNet):
    """I3D, with or without non-local blocks, and graphs of the regions in its last map.

    Parameters
    ----------
    kernels : Kernels, default=I3D
        Frames spanned by the convolutions of the stem and of each stage.
    after : Insertions, default={}
        The blocks of the I3D that are followed by a non-local block.
    channels : int, default=512
        d, of the regions and of the map's average.
    branches : sequence of {"similarity", "spatial_temporal"}, default=both
        Relations that are used; empty is the I3D alone.
    num_layers : int, default=3
        Graph convolutions of a branch.
    num_classes : int, default=174
        K.
    dropout : float, default=0.3
        Before the classifier.
    **args
        Those of `NonLocalResNet`.
    """

    graph_fn: ClassVar[type[RegionGraph]] = RegionGraph

    def __init__(
        self,
        kernels: Kernels = I3D,
        *,
        after: Insertions = MappingProxyType({}),
        channels: int = 512,
        branches: Sequence[Branch] = BRANCHES,
        num_layers: int = 3,
        num_classes: int = 174,
        dropout: float = 0.3,
        **args: Any,
    ) -> None:
        super().__init__(kernels, after=after, **args)
        for module in self.layer4.modules():  # the map keeps its 14x14 cells
            if isinstance(module, nn.Conv3d):
                module.stride = (1, 1, 1)
        self.reduce = nn.Conv3d(self.num_features, channels, 1)
        self.region_graph = (
            self.graph_fn(channels, branches=branches, num_layers=num_layers) if branches else None
        )
        self.num_features = 2 * channels if branches else channels
        self.head = ClipHead(self.num_features, num_classes, dropout)
        initialise(self.reduce)
        initialise(self.head)

    def forward_features(  # type: ignore[override]
        self, x: Tensor, boxes: Tensor, mask: Tensor
    ) -> Tensor:
        """Average the map, and join what the graphs say of its regions.

        Parameters
        ----------
        x : Tensor of shape (B, 3, T, S, S)
            Clips.
        boxes : Tensor of shape (B, T, N, 4)
            x1, y1, x2, y2 in pixels of the frames.
        mask : Tensor of shape (B, T, N)
            1 where there is a box, else 0.

        Returns
        -------
        Tensor of shape (B, F, 1, 1, 1)

        Raises
        ------
        ShapeError
            Clips, boxes and mask do not fit.
        """
        fits = boxes.shape[:2] == (len(x), x.shape[2]) and boxes.shape[3:] == (4,)
        if not fits or mask.shape != boxes.shape[:3]:
            raise ShapeError(
                f"boxes {tuple(boxes.shape)} and mask {tuple(mask.shape)} for clips "
                f"{tuple(x.shape)}; expected (B, T, N, 4), (B, T, N) and (B, 3, T, S, S)",
                "`Regions` prepares all three",
            )
        maps = self.reduce(super().forward_features(x))  # (B, d, T', H', W')
        out: Tensor = maps.mean(dim=(2, 3, 4))  # (B, d)
        if self.region_graph is not None:
            step = x.shape[2] // maps.shape[2]  # 32 frames, 16 in the map: boxes 0, 2, 4, ..., 30
            boxes, mask = (part[:, ::step][:, : maps.shape[2]] for part in (boxes, mask))
            regions = self.pool_regions(maps, boxes, stride=x.shape[4] / maps.shape[4])
            out = torch.cat([out, self.region_graph(regions, boxes, mask)], dim=1)  # (B, 2 d)
        return out[..., None, None, None]

    def pool_regions(self, maps: Tensor, boxes: Tensor, *, stride: float) -> Tensor:
        """Pool regions (B, T', N, 4) of maps (B, d, T', H', W') to (B, T', N, d)."""
        frames = maps.transpose(1, 2).flatten(0, 1)  # (B * T', d, H', W')
        cells = roi_align(frames, boxes.flatten(0, 1), stride=stride)  # (B * T', N, d, 7, 7)
        return cells.amax(dim=(3, 4)).view(*boxes.shape[:3], -1)  # (B, T', N, d)

    def forward(  # type: ignore[override]
        self, x: Tensor, boxes: Tensor, mask: Tensor
    ) -> Tensor:
        """Map clips, boxes and mask, as in `forward_features`, to logits (B, K)."""
        return self.forward_head(self.forward_features(x, boxes, mask))


CLIP_32X4 = ClipSpec(
    sampling=Sampling(num_frames=32, stride=4),
    input=Regions(resize=256, size=224, mean=(0.45,) * 3, std=(0.225,) * 3),
)


def _spec(name: str, clip: ClipSpec = CLIP_32X4, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=SpaceTimeRegionGraph,
        args={**STRIDES_8X8, **args},
        clip=clip,
        strides=(None, None),
    )


SPECS = (
    _spec("strg_i3d_r50_32x4"),
    _spec("strg_i3d_nln_r50_32x4", after=FIVE, groups={"layer2": 4}),
    _spec(
        "test_space_time_region_graph",
        ClipSpec(sampling=Sampling(num_frames=4), input=Regions(resize=64, size=64, num_boxes=3)),
        after={"layer2": (1,)},
        depth=26,
        width=8,
        channels=16,
        num_classes=4,
        dropout=0.0,
    ),
)
