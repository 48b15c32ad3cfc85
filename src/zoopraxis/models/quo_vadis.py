"""Quo Vadis, Action Recognition? The four older architectures that I3D is measured against.

Carreira and Zisserman, CVPR 2017. arXiv:1705.07750, section 2 (Figure 2 a to d, Table 1).
No code of these was published. I3D itself is in `zoopraxis.models.i3d`.

(a) ConvNet + LSTM: Inception-v1 on every fifth frame, an LSTM with batch norms and 512 units on
the pooled features, a classifier; the last frame's logits count. 9 M parameters.
(b) 3D-ConvNet: C3D with batch norms behind all layers but the last; the first pooling halves
time already, so time is 1 before the last pooling, which then leaves it alone. 79 M.
(c) Two-Stream: one Inception-v1 sees an RGB frame, one a stack of 10 flow frames; their logits
are averaged. 12 M.
(d) 3D-Fused Two-Stream: five such pairs, 10 frames apart; the features of both streams go through
a 3x3x3 convolution to 512 channels, a 3x3x3 max pooling and a classifier. 39 M.

What the paper leaves open is set here: the LSTM norms are those of Cooijmans et al.
(arXiv:1603.09025: input, state and cell), their statistics shared by all steps; training on
every frame's output, as the paper did, takes `ConvNetLSTM.frame_logits`. The frame of a pair is
the first of its flow stack. In (d) the pooling has stride 1 and the classifier sees the mean of
what it leaves: with more, Table 1's parameters would be exceeded. The clips of (c) and (d) have
five channels, RGB and then horizontal and vertical flow. The 2D trunks are those of
`zoopraxis.layers.inception_v1.GoogLeNet`, whose ImageNet weights fit; flow's take them through
`zoopraxis.checkpoints.inflate.average_channels`.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.inception_v1 import EPS, ImageLayers, InceptionV1
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.c3d import C3D
from zoopraxis.spec import ClipSpec, ModelSpec

STACK = 10  # flow frames that go with one RGB frame


def trunk2d(in_channels: int, *, width: float) -> InceptionV1:
    """Make an Inception-v1 for images."""
    return InceptionV1(in_channels, layers=ImageLayers(), width=width)


class NormLSTM(nn.Module):
    """An LSTM with batch norms on what the input, the state and the cell contribute.

    Parameters
    ----------
    in_features, units : int
        Sizes of the input and of the state.
    """

    def __init__(self, in_features: int, units: int) -> None:
        super().__init__()
        self.units = units
        self.input = nn.Linear(in_features, 4 * units)
        self.state = nn.Linear(units, 4 * units, bias=False)
        self.norm_input = nn.BatchNorm1d(4 * units, eps=EPS)
        self.norm_state = nn.BatchNorm1d(4 * units, eps=EPS)
        self.norm_cell = nn.BatchNorm1d(units, eps=EPS)
        for norm in (self.norm_input, self.norm_state, self.norm_cell):
            nn.init.constant_(norm.weight, 0.1)  # the authors of the norms: 1 stops the gradient

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, N) to the states after each step, (B, T, units)."""
        inputs = self.norm_input(self.input(x).transpose(1, 2))  # (B, 4 units, T)
        state = cell = x.new_zeros(len(x), self.units)
        states = []
        for step in inputs.unbind(dim=2):
            forget, take, give, fresh = (step + self.norm_state(self.state(state))).chunk(4, dim=1)
            cell = forget.sigmoid() * cell + take.sigmoid() * fresh.tanh()
            state = give.sigmoid() * self.norm_cell(cell).tanh()  # (B, units)
            states.append(state)
        return torch.stack(states, dim=1)


class ConvNetLSTM(nn.Module):
    """Figure 2 a: Inception-v1 on each frame, then an LSTM over the frames.

    Parameters
    ----------
    units : int, default=512
        Of the LSTM.
    width : float, default=1.0
        Factor on the channels of Inception-v1.
    num_classes : int, default=400
        K.
    """

    def __init__(self, *, units: int = 512, width: float = 1.0, num_classes: int = 400) -> None:
        super().__init__()
        self.trunk = trunk2d(3, width=width)
        self.num_features = self.trunk.num_features
        self.lstm = NormLSTM(self.num_features, units)
        self.linear = nn.Linear(units, num_classes)
        initialise(self.trunk)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 1024, T, H/32, W/32)."""
        frames = x.shape[2]
        x = self.trunk(x.transpose(1, 2).flatten(0, 1))  # (B*T, 1024, H/32, W/32)
        return torch.unflatten(x, 0, (-1, frames)).transpose(1, 2)

    def frame_logits(self, x: Tensor) -> Tensor:
        """Map features (B, 1024, T, H', W') to what each frame says, (B, T, K)."""
        states = self.lstm(x.mean(dim=(3, 4)).transpose(1, 2))  # (B, T, units)
        out: Tensor = self.linear(states)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 1024, T, H', W') to the last frame's logits (B, K)."""
        return self.frame_logits(x)[:, -1]

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        weight = self.linear.weight
        self.linear = nn.Linear(
            self.linear.in_features, num_classes, device=weight.device, dtype=weight.dtype
        )


def pairs(x: Tensor) -> tuple[Tensor, Tensor]:
    """Cut clips into RGB frames and the stacks of flow that begin at them.

    Parameters
    ----------
    x : Tensor of shape (B, 5, 10 S, H, W)
        RGB, horizontal and vertical flow.

    Returns
    -------
    rgb : Tensor of shape (B*S, 3, H, W)
        Frames 0, 10, 20 ...
    flow : Tensor of shape (B*S, 20, H, W)
        Frames 0 to 9, 10 to 19 ...: horizontal and vertical of each in turn.

    Raises
    ------
    ShapeError
        The clips have other channels, or a length that ten does not divide.
    """
    if x.shape[1] != 5 or x.shape[2] % STACK:
        raise ShapeError(
            f"clips of shape {tuple(x.shape)}, expected (B, 5, {STACK} S, H, W)",
            "five channels: RGB, horizontal and vertical flow; ten frames of flow a pair",
        )
    rgb = x[:, :3, ::STACK].transpose(1, 2).flatten(0, 1)  # (B*S, 3, H, W)
    flow = x[:, 3:].transpose(1, 2)  # (B, 10 S, 2, H, W)
    flow = torch.unflatten(flow, 1, (-1, STACK)).flatten(2, 3).flatten(0, 1)  # (B*S, 20, H, W)
    return rgb, flow


class PairFeatures(nn.Module):
    """An Inception-v1 for RGB frames and one for stacks of flow.

    Parameters
    ----------
    width : float
        Factor on their channels.
    """

    def __init__(self, *, width: float) -> None:
        super().__init__()
        self.rgb = trunk2d(3, width=width)
        self.flow = trunk2d(2 * STACK, width=width)
        self.num_features = self.rgb.num_features + self.flow.num_features

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, 10 S, H, W) to features (B, 2048, S, H/32, W/32)."""
        count = x.shape[2] // STACK
        rgb, flow = pairs(x)
        both = torch.cat([self.rgb(rgb), self.flow(flow)], dim=1)  # (B*S, 2048, H', W')
        return torch.unflatten(both, 0, (-1, count)).transpose(1, 2)


class TwoStream(nn.Module):
    """Figure 2 c: two classifiers, whose logits are averaged, also over all pairs of a clip.

    Parameters
    ----------
    width : float, default=1.0
        Factor on the channels of Inception-v1.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifiers.
    """

    def __init__(self, *, width: float = 1.0, num_classes: int = 400, dropout: float = 0.5) -> None:
        super().__init__()
        self.trunks = PairFeatures(width=width)
        self.num_features = self.trunks.num_features
        self.rgb_head = ClipHead(self.num_features // 2, num_classes, dropout)
        self.flow_head = ClipHead(self.num_features // 2, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, 10 S, H, W) to features (B, 2048, S, H/32, W/32)."""
        out: Tensor = self.trunks(x)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 2048, S, H', W') to logits (B, K)."""
        rgb, flow = x.chunk(2, dim=1)  # (B, 1024, S, H', W') each
        out: Tensor = (self.rgb_head(rgb) + self.flow_head(flow)) / 2
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, 10 S, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace both classifiers by new ones for K classes."""
        self.rgb_head.reset(num_classes)
        self.flow_head.reset(num_classes)


class FusedTwoStream(nn.Module):
    """Figure 2 d: the features of both streams, fused over time and space.

    Parameters
    ----------
    fused : int, default=512
        Channels of the fusing convolution.
    width : float, default=1.0
        Factor on the channels of Inception-v1.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        *,
        fused: int = 512,
        width: float = 1.0,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.trunks = PairFeatures(width=width)
        self.fuse = nn.Conv3d(self.trunks.num_features, fused, 3, padding=1)
        self.pool = nn.MaxPool3d(3, stride=1, padding=1)
        self.num_features = fused
        self.head = ClipHead(fused, num_classes, dropout)
        initialise(self.trunks)
        for module in (self.fuse, self.head.linear):  # "initialised with Gaussian noise"
            nn.init.normal_(module.weight, std=0.01)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, 10 S, H, W) to features (B, 512, S, H/32, W/32)."""
        x = self.trunks(x)  # (B, 2048, S, H/32, W/32)
        out: Tensor = self.pool(F.relu(self.fuse(x)))  # (B, 512, S, H/32, W/32)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 512, S, H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, 10 S, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


# The rows.

_RGB = ClipSpec(frames=16, fps=25.0, mean=(0.5,) * 3, std=(0.5,) * 3)
_LSTM_CLIP = replace(_RGB, frames=25, stride=5)
_PAIR = replace(_RGB, frames=STACK, modality="rgb_flow", mean=(0.5,), std=(0.5,))
_TINY_LSTM: dict[str, Any] = {"units": 32, "width": 0.125, "num_classes": 12}
_TINY_PAIRS: dict[str, Any] = {"width": 0.125, "num_classes": 12}
_small = partial(replace, fps=None, resize=72, size=64)

SPECS = (
    ModelSpec(
        name="quo_vadis_lstm",
        build=ConvNetLSTM,
        clip=_LSTM_CLIP,
        params_m=8.96,
        macs_g=37.52,
        strides=(1, 32),
    ),
    ModelSpec(
        name="quo_vadis_3d",
        build=C3D,
        args={"norms": "all", "pool1": 2, "num_classes": 400},
        clip=replace(_RGB, resize=128, size=112),
        params_m=79.66,
        macs_g=19.82,
        strides=(32, 32),
    ),
    ModelSpec(
        name="quo_vadis_two_stream",
        build=TwoStream,
        clip=_PAIR,
        params_m=12.07,
        macs_g=3.66,
        strides=(STACK, 32),
    ),
    ModelSpec(
        name="quo_vadis_fused",
        build=FusedTwoStream,
        clip=replace(_PAIR, frames=5 * STACK),
        params_m=39.77,
        macs_g=25.25,
        strides=(STACK, 32),
    ),
    ModelSpec(
        name="test_quo_vadis",
        build=ConvNetLSTM,
        args=_TINY_LSTM,
        clip=_small(_LSTM_CLIP, frames=4, stride=1),
        params_m=0.11,
        macs_g=0.01,
        strides=(1, 32),
    ),
    ModelSpec(
        name="test_quo_vadis_two_stream",
        build=TwoStream,
        args=_TINY_PAIRS,
        clip=_small(_PAIR),
        params_m=0.19,
        macs_g=0.01,
        strides=(STACK, 32),
    ),
    ModelSpec(
        name="test_quo_vadis_fused",
        build=FusedTwoStream,
        args={"fused": 32, **_TINY_PAIRS},
        clip=_small(_PAIR, frames=2 * STACK),
        params_m=0.41,
        macs_g=0.03,
        strides=(STACK, 32),
    ),
)
