"""Region graphs as a port builds them: https://github.com/jd730/STRG (MIT).

The authors published no code and no weights. The port says that it may differ from the paper, and
published no weights either; a network trained with it can be loaded. In the port

- every block of the I3D convolves over three frames, the pooling after the first stage spans three
  frames, and that of the stem is padded;
- regions are averaged, not max pooled, and pooled from cells of 8 pixels, whereas those of the map
  are 16 wide, so that boxes reach twice as far as they should;
- graph convolutions have neither layer norms nor residual connections, and those forwards and
  backwards are rectified before they are added; no gradient passes through the similarity graph;
- the overlap of boxes counts pixels, both edges included.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.inflated_resnet import Kernels
from zoopraxis.models.space_time_region_graph import (
    GraphLayer,
    RegionGraph,
    SpaceTimeRegionGraph,
    link_neighbours,
)
from zoopraxis.regions import box_iou, roi_align
from zoopraxis.spec import Replacement, Source, Weights
from zoopraxis.weights.keys.resnet3d import RENAME_TORCHVISION

__all__ = ["SOURCES", "WEIGHTS", "PortedRegionGraph", "PortedSTRG"]

EVERY_BLOCK: Kernels = (5, (3,), (3,), (3,), (3,))
CELL = 8.0  # pixels


class PortedLayer(GraphLayer):
    """sum_g ReLU(G_g X W_g)."""

    def __init__(self, channels: int, num_graphs: int) -> None:
        super().__init__(channels, num_graphs)
        del self.norm

    def forward(self, x: Tensor, graphs: Sequence[Tensor]) -> Tensor:
        """Map nodes (B, M, d) with graphs (B, M, M) to (B, M, d)."""
        messages = [F.relu(conv(x, graph)) for conv, graph in zip(self.convs, graphs, strict=True)]
        return torch.stack(messages).sum(dim=0)


class PortedRegionGraph(RegionGraph):
    """The port's layers, and overlaps that count pixels."""

    layer = PortedLayer

    def similarity_graph(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the paper's graph (B, M, M), without gradient."""
        return super().similarity_graph(x, mask).detach()

    def spatial_temporal_graphs(self, boxes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Graphs of boxes whose last column and row belong to them."""
        boxes = boxes + boxes.new_tensor([0.0, 0.0, 1.0, 1.0])
        present = mask[:, :-1, :, None] * mask[:, 1:, None]
        return link_neighbours(box_iou(boxes[:, :-1], boxes[:, 1:]) * present)


class PortedSTRG(SpaceTimeRegionGraph):
    """The port's network; its arguments are those of `SpaceTimeRegionGraph`."""

    graph_fn = PortedRegionGraph

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.stem.pool.padding = (0, 1, 1)
        self.pool2 = nn.MaxPool3d((3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0))

    def pool_regions(self, maps: Tensor, boxes: Tensor, *, stride: float) -> Tensor:  # noqa: ARG002
        """Average regions (B, T', N, 4) of maps (B, d, T', H', W'): (B, T', N, d)."""
        frames = maps.transpose(1, 2).flatten(0, 1)  # (B * T', d, H', W')
        cells = roi_align(frames, boxes.flatten(0, 1), stride=CELL)  # (B * T', N, d, 7, 7)
        return cells.mean(dim=(3, 4)).view(*boxes.shape[:3], -1)  # (B, T', N, d)


_RENAME: tuple[tuple[str, Replacement], ...] = (
    (r"^rois$", None),
    (r"^(module|m)\.", ""),
    (r"^strg_gcn\.sim_embed1\.", "region_graph.phi."),
    (r"^strg_gcn\.sim_embed2\.", "region_graph.phi_prime."),
    (r"^strg_gcn\.st_gc(\d)_back\.", r"region_graph.spatial_temporal.\1.convs.1."),
    (r"^strg_gcn\.st_gc(\d)\.", r"region_graph.spatial_temporal.\1.convs.0."),
    (r"^strg_gcn\.sim_gc(\d)\.", r"region_graph.similarity.\1.convs.0."),
    # layers are counted from 1
    (r"^(region_graph\.\w+)\.(\d)\.", lambda match: f"{match[1]}.{int(match[2]) - 1}."),
    (r"^reducer\.", "reduce."),
    (r"^classifier\.", "head.linear."),
    (r"^base_model\.(conv|bn)1\.", r"stem.\1."),
    (r"^base_model\.", ""),
    (r"\.bn(\d?)\.", r".norm\1."),
    *RENAME_TORCHVISION,
)
_PORT = Source(rename=_RENAME, build=PortedSTRG, args={"kernels": EVERY_BLOCK})

SOURCES: Mapping[str, Mapping[str, Source]] = {"strg_i3d_r50_32x4": {"strg": _PORT}}

WEIGHTS: tuple[Weights, ...] = ()  # neither the authors nor the port publish any
