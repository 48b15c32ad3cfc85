"""Keys and published checkpoint of representation flow, and the authors' later flow layer.

In the layer of their published weights the filters mix all channels, and both derivatives of the
flow and of its dual variables are taken along y. Their shortcuts have two batch norms in a row. The
key table is held to the authors' code; the file itself could not be had.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.inflated_resnet import InflatedBottleneck
from zoopraxis.layers.resnet3d import Shortcut3d
from zoopraxis.models.representation_flow import FlowLayer, RepFlow2Plus1d, RepresentationFlow
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys import flatten_head

__all__ = ["SOURCES", "WEIGHTS"]


class MixingFlowLayer(FlowLayer):
    """The authors' later layer: filters over all channels, and both derivatives along y."""

    def initialise_filters(self, channels: int) -> None:
        """Make the taps (direction, output channel, input channel, tap), at first differences."""
        taps = torch.tensor([-1.0, 1.0]).repeat(2, channels, channels, 1)
        self.gradient = nn.Parameter(
            torch.tensor([-0.5, 0.0, 0.5]).repeat(2, channels, channels, 1)
        )
        self.derivative = nn.Parameter(taps)
        self.divergence = nn.Parameter(taps.clone())

    def image_gradient(self, x: Tensor) -> Tensor:
        """Centred gradient of maps, with zeros outside: (N, C, H, W) to (N, C, 2, H, W)."""
        along_x, along_y = self.gradient.to(x)  # (C, C, tap)
        return torch.stack(
            (
                F.conv2d(x, along_x.unsqueeze(2), padding=(0, 1)),
                F.conv2d(x, along_y.unsqueeze(3), padding=(1, 0)),
            ),
            dim=2,
        )

    def derivatives(self, u: Tensor) -> Tensor:
        """Slopes (N, C, component, direction, H, W) of the flow (N, C, component, H, W)."""
        x = u.transpose(1, 2).flatten(0, 1)  # (N * component, C, H, W)
        slopes = [F.conv2d(x, taps.unsqueeze(3)) for taps in self.derivative.to(u)]
        stacked = F.pad(torch.stack(slopes, dim=2), (0, 0, 0, 1))  # (N * component, C, 2, H, W)
        return stacked.unflatten(0, (-1, 2)).transpose(1, 2)  # type: ignore[no-untyped-call, no-any-return]

    def divergences(self, dual: Tensor) -> Tensor:
        """Divergence (N, C, component, H, W) of dual variables, which have two directions each."""
        x = F.pad(dual.transpose(1, 2).flatten(0, 1), (0, 0, 1, 0))  # (N * component, C, 2, ., W)
        first, second = self.divergence.to(dual).unsqueeze(4)  # (C, C, tap, 1)
        out = F.conv2d(x[:, :, 0], first) + F.conv2d(x[:, :, 1], second)
        return out.unflatten(0, (-1, 2)).transpose(1, 2)  # type: ignore[no-untyped-call, no-any-return]


def on_kinetics(**options: Any) -> RepFlow2Plus1d:
    """Build the network of the authors' weights."""
    model = RepFlow2Plus1d(
        **{**options, "motion": partial(RepresentationFlow, layer=MixingFlowLayer)}
    )
    model.norm.eps, model.norm.momentum = 1e-3, 0.01
    for module in model.modules():
        if isinstance(module, InflatedBottleneck) and isinstance(module.shortcut, Shortcut3d):
            again = nn.BatchNorm3d(module.shortcut.norm.num_features)
            module.shortcut.norm = nn.Sequential(module.shortcut.norm, again)  # type: ignore[assignment]
    return model


_FILTERS = {"img_grad": "gradient", "f_grad": "derivative", "div": "divergence"}


def _adapt(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Join the filters along x and y, (C, C, 1, tap) and (C, C, tap, 1); make weights scalars."""
    adapted = {}
    for key, tensor in flatten_head(state).items():
        other = state.get(f"{key[:-1]}y")
        pair = [t.flatten(2) for t in (tensor, other) if t is not None and t.ndim == 4]
        if key.endswith(".x") and len(pair) == 2 and pair[0].shape == pair[1].shape:
            adapted[key.removesuffix(".x")] = torch.stack(pair)  # (direction, C, C, tap)
        elif key.endswith((".tau", ".lambda_", ".theta")) and tensor.numel() == 1:
            adapted[key] = tensor.squeeze()
        elif not (key.endswith(".y") and f"{key[:-1]}x" in state):
            adapted[key] = tensor
    return adapted


_KINETICS = Source(
    rename=(
        (r"^bn1\.", "norm."),
        (r"^rep_flow\.bottleneck\.", "motion.reduce."),
        (r"^rep_flow\.unbottleneck\.", "motion.restore."),
        (r"^rep_flow\.bn\.", "motion.norm."),
        (r"^rep_flow\.", "motion.flow."),
        (r"\.(img_grad|f_grad|div)(2?)$", lambda m: f".{_FILTERS[m[1]]}.{'y' if m[2] else 'x'}"),
        (r"\.flow\.t$", ".flow.theta"),
        (r"\.flow\.l$", ".flow.lambda_"),
        (r"\.flow\.a$", ".flow.tau"),
        (r"^res(\d)\.blocks\.", lambda m: f"layer{int(m[1]) - 1}."),
        (r"\.layers\.1\.", ".conv1."),
        (r"\.layers\.2\.", ".norm1."),
        (r"\.layers\.5\.", ".conv2.1."),
        (r"\.layers\.6\.", ".norm2."),
        (r"\.layers\.8\.", ".conv3."),
        (r"\.layers\.9\.", ".norm3."),
        (r"\.shortcut\.1\.", ".shortcut.conv."),
        (r"\.shortcut\.([23])\.", lambda m: f".shortcut.norm.{int(m[1]) - 2}."),
        (r"^classify\.", "head.linear."),
    ),
    adapt=_adapt,
    build=on_kinetics,
)
SOURCES: Mapping[str, Mapping[str, Source]] = {"repflow_r2plus1d_50_32": {"repflow": _KINETICS}}
WEIGHTS: tuple[Weights, ...] = (
    Weights(
        model="repflow_r2plus1d_50_32",
        tag="k400",
        page="https://drive.google.com/drive/folders/1mzTqycnew1aXnTza6MSQxmmIHCk2LGEn",
        file="rep_flow.pt",
        source="repflow",
        dataset="Kinetics-400",
        num_classes=400,
        licence="none given",
        top1=75.5,
        protocol=Protocol(
            note="as the authors' README says of (2+1)D and Rep-Flow; its views are not given"
        ),
    ),
)
