"""Quo Vadis, Action Recognition? The four older architectures that I3D is compared with.

Carreira and Zisserman, CVPR 2017. arXiv:1705.07750, sections 2.1 to 2.3 (Figure 2 a-d, Table 1).
No code was published for these. I3D itself is in `zoopraxis.models.i3d`.

(a) ConvNet + LSTM: Inception-v1 on every fifth frame, an LSTM with batch norms and 512 units on
the pooled features, and a classifier; the prediction is that of the last frame. 9 M parameters.
(b) 3D-ConvNet: C3D with batch norms after all layers but the last; the first pooling also halves
time, so one frame is left before the last pooling. 79 M.
(c) Two-Stream: one Inception-v1 for an RGB frame and one for a stack of 10 flow frames; their
logits are averaged. 12 M.
(d) 3D-Fused Two-Stream: five such pairs, 10 frames apart; the features of both streams go through
a 3x3x3 convolution to 512 channels, a 3x3x3 max pooling and a classifier. 39 M.

The paper leaves details open. Here the LSTM has the batch norms of Cooijmans et al.
(arXiv:1603.09025: on input, state and cell), with statistics shared by all steps; for training on
every frame's output, as in the paper, use `ConvNetLSTM.frame_logits`. The frame of a pair is the
first of its flow stack. In (d) the pooling has stride 1 and the classifier sees the mean of its
output: a larger classifier would exceed the parameters of Table 1. The 2D backbones are those of
`zoopraxis.layers.inception_v1.GoogLeNet` and can start from its ImageNet weights; for flow,
`zoopraxis.checkpoints.inflate.average_channels` adapts the first convolution.
"""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.inputs import RGB, ClipSpec, RGBFlow, Sampling
from zoopraxis.layers.frames import merge_time, split_time
from zoopraxis.layers.head import ClipHead, linear_like
from zoopraxis.layers.inception_v1 import EPS, ImageLayers, InceptionV1
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.models.c3d import C3D
from zoopraxis.spec import ModelSpec

STACK = 10  # flow frames per RGB frame


class ConvNetLSTM(VideoClassifier):
    """Figure 2 a: Inception-v1 on each frame, then an LSTM over the frames.

    Parameters
    ----------
    units : int, default=512
        Size of the LSTM's state.
    width : float, default=1.0
        Factor on the channels of Inception-v1.
    num_classes : int, default=400
        K.
    """

    def __init__(self, *, units: int = 512, width: float = 1.0, num_classes: int = 400) -> None:
        super().__init__()
        self.backbone = InceptionV1(3, layers=ImageLayers(), width=width)
        self.num_features = self.backbone.num_features
        self.lstm = NormLSTM(self.num_features, units)
        self.linear = nn.Linear(units, num_classes)
        initialise(self.backbone)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, 1024, T, H/32, W/32)."""
        num_frames = x.shape[2]
        x = self.backbone(merge_time(x))  # (B * T, 1024, H/32, W/32)
        return split_time(x, num_frames)  # (B, 1024, T, H/32, W/32)

    def frame_logits(self, x: Tensor) -> Tensor:
        """Map features (B, 1024, T, H', W') to the logits at every frame, (B, T, K)."""
        x = x.mean(dim=(3, 4)).transpose(1, 2)  # (B, T, 1024)
        states = self.lstm(x)  # (B, T, units)
        out: Tensor = self.linear(states)  # (B, T, K)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 1024, T, H', W') to the last frame's logits (B, K)."""
        return self.frame_logits(x)[:, -1]  # (B, K)

    @property
    def num_classes(self) -> int:
        """K, the logits of one clip."""
        return self.linear.out_features

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier by a re-initialised one for K classes."""
        self.linear = linear_like(self.linear, num_classes)


class ConvNet3D(C3D):
    """Figure 2 b: C3D with batch norms, also after fc6 and fc7, and a first pooling over time.

    Parameters
    ----------
    clip, width, num_classes, dropout
        As for `C3D`.
    """

    pool1_frames: ClassVar[int] = 2

    def __init__(
        self,
        *,
        clip: tuple[int, int] = (16, 112),
        width: int = 64,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(
            batch_norm=True, clip=clip, width=width, num_classes=num_classes, dropout=dropout
        )
        for dense in (self.fc6, self.fc7):
            dense.norm = nn.BatchNorm1d(dense.linear.out_features, eps=EPS)


class TwoStream(VideoClassifier):
    """Figure 2 c: the logits of both streams are averaged, as are those of all pairs of a clip.

    Clips have five channels: RGB, then horizontal and vertical flow.

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
        self.backbones = PairFeatures(width=width)
        self.num_features = self.backbones.num_features
        self.rgb_head = ClipHead(self.num_features // 2, num_classes, dropout)
        self.flow_head = ClipHead(self.num_features // 2, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, 10 S, H, W) to features (B, 2048, S, H/32, W/32)."""
        out: Tensor = self.backbones(x)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 2048, S, H', W') to logits (B, K)."""
        rgb, flow = x.chunk(2, dim=1)  # (B, 1024, S, H', W') each
        out: Tensor = (self.rgb_head(rgb) + self.flow_head(flow)) / 2  # (B, K)
        return out

    @property
    def num_classes(self) -> int:
        """K, the logits of one clip."""
        return self.rgb_head.num_classes

    def reset_classifier(self, num_classes: int) -> None:
        """Replace both classifiers by re-initialised ones for K classes."""
        self.rgb_head.reset(num_classes)
        self.flow_head.reset(num_classes)


class FusedTwoStream(VideoClassifier):
    """Figure 2 d: a 3D convolution fuses the features of both streams and all pairs of a clip.

    Parameters
    ----------
    fused : int, default=512
        Output channels of the fusing convolution.
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
        self.backbones = PairFeatures(width=width)
        self.fuse = nn.Conv3d(self.backbones.num_features, fused, 3, padding=1)
        self.pool = nn.MaxPool3d(3, stride=1, padding=1)
        self.num_features = fused
        self.head = ClipHead(fused, num_classes, dropout)
        initialise(self.backbones)
        for module in (self.fuse, self.head.linear):  # "initialised with Gaussian noise"
            nn.init.normal_(module.weight, std=0.01)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, 10 S, H, W) to features (B, 512, S, H/32, W/32)."""
        x = self.backbones(x)  # (B, 2048, S, H/32, W/32)
        out: Tensor = self.pool(F.relu(self.fuse(x)))  # (B, 512, S, H/32, W/32)
        return out


class NormLSTM(nn.Module):
    """An LSTM with batch norms on the contributions of the input and the state, and on the cell.

    Parameters
    ----------
    in_features, units : int
        Features of the input and of the state.
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
            nn.init.constant_(norm.weight, 0.1)  # Cooijmans et al.: with 1 the gradient vanishes

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, F) to the states after each step (B, T, units)."""
        inputs = self.norm_input(self.input(x).transpose(1, 2))  # (B, 4 units, T)
        state = cell = x.new_zeros(len(x), self.units)  # (B, units)
        states = []
        for step in inputs.unbind(dim=2):  # (B, 4 units)
            gates = step + self.norm_state(self.state(state))  # (B, 4 units)
            f, i, o, g = gates.chunk(4, dim=1)  # forget, input, output, candidate: (B, units) each
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            state = o.sigmoid() * self.norm_cell(cell).tanh()
            states.append(state)
        return torch.stack(states, dim=1)  # (B, T, units)


class PairFeatures(nn.Module):
    """An Inception-v1 for RGB frames and one for stacks of flow.

    Parameters
    ----------
    width : float
        Factor on their channels.
    """

    def __init__(self, *, width: float) -> None:
        super().__init__()
        self.rgb = InceptionV1(3, layers=ImageLayers(), width=width)
        self.flow = InceptionV1(2 * STACK, layers=ImageLayers(), width=width)
        self.num_features = self.rgb.num_features + self.flow.num_features

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, 10 S, H, W) to features (B, 2048, S, H/32, W/32)."""
        num_pairs = x.shape[2] // STACK
        rgb, flow = pairs(x)  # (B * S, 3, H, W), (B * S, 20, H, W)
        both = torch.cat([self.rgb(rgb), self.flow(flow)], dim=1)  # (B * S, 2048, H/32, W/32)
        return split_time(both, num_pairs)  # (B, 2048, S, H/32, W/32)


def pairs(x: Tensor) -> tuple[Tensor, Tensor]:
    """Split clips into RGB frames and the stacks of flow that start at them.

    Parameters
    ----------
    x : Tensor of shape (B, 5, 10 S, H, W)
        RGB, horizontal and vertical flow.

    Returns
    -------
    rgb : Tensor of shape (B * S, 3, H, W)
        Frames 0, 10, 20 ...
    flow : Tensor of shape (B * S, 20, H, W)
        Frames 0 to 9, 10 to 19 ...: horizontal and vertical of each in turn.

    Raises
    ------
    ShapeError
        The clips do not have 5 channels and a multiple of 10 frames.
    """
    if x.shape[1] != 5 or x.shape[2] % STACK:
        raise ShapeError(
            f"clips of shape {tuple(x.shape)}, expected (B, 5, {STACK} S, H, W)",
            "five channels: RGB, horizontal and vertical flow; ten frames of flow per pair",
        )
    rgb, flow = x[:, :3, ::STACK], x[:, 3:]  # (B, 3, S, H, W), (B, 2, 10 S, H, W)
    return merge_time(rgb), merge_time(flow, stack=STACK)  # (B * S, 3, H, W), (B * S, 20, H, W)


_RGB = ClipSpec(
    sampling=Sampling(num_frames=16, fps=25.0), input=RGB(mean=(0.5,) * 3, std=(0.5,) * 3)
)
_LSTM = _RGB.change(num_frames=25, stride=5)
_PAIR = _RGB.change(num_frames=STACK, input=RGBFlow())
_SMALL: dict[str, Any] = {"fps": None, "resize": 72, "size": 64}
_TINY: dict[str, Any] = {"width": 0.125, "num_classes": 12}

SPECS = (
    ModelSpec(name="quo_vadis_lstm", build=ConvNetLSTM, clip=_LSTM, strides=(1, 32)),
    ModelSpec(
        name="quo_vadis_3d",
        build=ConvNet3D,
        clip=_RGB.change(resize=128, size=112),
        strides=(32, 32),
    ),
    ModelSpec(name="quo_vadis_two_stream", build=TwoStream, clip=_PAIR, strides=(STACK, 32)),
    ModelSpec(
        name="quo_vadis_fused",
        build=FusedTwoStream,
        clip=_PAIR.change(num_frames=5 * STACK),
        strides=(STACK, 32),
    ),
    ModelSpec(
        name="test_quo_vadis",
        build=ConvNetLSTM,
        args={"units": 32, **_TINY},
        clip=_LSTM.change(num_frames=4, stride=1, **_SMALL),
        strides=(1, 32),
    ),
    ModelSpec(
        name="test_quo_vadis_two_stream",
        build=TwoStream,
        args=_TINY,
        clip=_PAIR.change(**_SMALL),
        strides=(STACK, 32),
    ),
    ModelSpec(
        name="test_quo_vadis_fused",
        build=FusedTwoStream,
        args={"fused": 32, **_TINY},
        clip=_PAIR.change(num_frames=2 * STACK, **_SMALL),
        strides=(STACK, 32),
    ),
)
