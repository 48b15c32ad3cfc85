"""Representation Flow for Action Recognition.

Piergiovanni and Ryoo, CVPR 2019. arXiv:1810.01455
Official code: https://github.com/piergiaj/representation-flow-cvpr19 (no licence given)

Optical flow needs a method of its own and hundreds of iterations for each pair of frames. This
layer takes the flow of feature maps instead, within the network: a 1x1x1 convolution reduces the
channels, and ten iterations of TV-L1 without pyramid or warping give every channel its own flow
from each frame to the next. All that TV-L1 fixes is learned: the filters of the image gradient, of
the derivatives of the flow and of its dual variables, and the three weights. As the maps are small,
this costs little. Flow of flow, the same layer on its own output after a convolution, sees
acceleration.

``repflow_r2plus1d_*`` is the authors' network on Kinetics, an inflated ResNet whose blocks have
3x1x1 and 1x3x3 convolutions, with a flow layer after its second stage. ``repflow_r*`` has an image
ResNet instead. ``*_of_flow_*`` has the block of the authors' code on HMDB in place of the layer.
Maps are stretched to 0 to -255 by the extremes of a clip, which in the authors' code are those of
the batch. The sign is theirs, and so is the gradient at the edge of a map, which is of the first
frame, while inside it is of the second. Their later layer, which the published weights are for,
differs in its filters: `zoopraxis.weights.representation_flow`.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.flow.tvl1_torch import (
    backward_filter,
    data_step,
    difference,
    dual_step,
    forward_filter,
)
from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.frames import merge_time, split_time
from zoopraxis.layers.head import FrameHead
from zoopraxis.layers.inflated_resnet import InflatedBottleneck
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.layers.resnet3d import DEPTHS, initialise
from zoopraxis.layers.same import SamePad
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec

FLAT = 1e-12
"""Added to the squared norm of a gradient."""


class FlowLayer(nn.Module):
    """The iterations (the paper's algorithm): the flow of every channel.

    Parameters
    ----------
    channels : int
        C.
    iterations : int, default=10
        Number of iterations.
    tau, lambda_, theta : float, default=0.25, 0.15, 0.3
        Where the learned weights start.
    """

    def __init__(
        self,
        channels: int,
        *,
        iterations: int = 10,
        tau: float = 0.25,
        lambda_: float = 0.15,
        theta: float = 0.3,
    ) -> None:
        super().__init__()
        self.iterations = iterations
        self.tau = nn.Parameter(torch.tensor(tau))
        self.lambda_ = nn.Parameter(torch.tensor(lambda_))
        self.theta = nn.Parameter(torch.tensor(theta))
        self.initialise_filters(channels)

    def initialise_filters(self, channels: int) -> None:
        """Make the taps of every channel (channel, direction, tap), at first plain differences."""
        self.gradient = nn.Parameter(torch.tensor([-0.5, 0.0, 0.5]).repeat(channels, 2, 1))
        taps = difference(self.gradient.detach()).repeat(channels, 1, 1)
        self.derivative = nn.Parameter(taps)
        self.divergence = nn.Parameter(taps.clone())

    def image_gradient(self, x: Tensor) -> Tensor:
        """Centred gradient of maps, with zeros outside: (N, C, H, W) to (N, C, 2, H, W)."""
        taps = self.gradient.to(x)[:, :, None, None]  # (C, direction, 1, 1, tap)
        padded = F.pad(x, (1, 1, 1, 1))
        along_x = (padded[:, :, 1:-1].unfold(3, 3, 1) * taps[:, 0]).sum(dim=-1)
        along_y = (padded[:, :, :, 1:-1].unfold(2, 3, 1) * taps[:, 1]).sum(dim=-1)
        return torch.stack((along_x, along_y), dim=2)

    def derivatives(self, u: Tensor) -> Tensor:
        """Slopes (N, C, component, direction, H, W) of the flow (N, C, component, H, W)."""
        return forward_filter(u, self.derivative.to(u).unsqueeze(1))

    def divergences(self, dual: Tensor) -> Tensor:
        """Divergence (N, C, component, H, W) of dual variables, which have two directions each."""
        return backward_filter(dual, self.divergence.to(dual).unsqueeze(1))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Map maps (N, C, H, W) and those of the next frame to flow (N, C, component, H, W).

        It is computed in float32 at least, also under autocast.

        Raises
        ------
        ShapeError
            The maps have a side of one cell, and no gradient along it.
        """
        if min(first.shape[2:]) < 2:
            raise ShapeError(
                f"feature maps of {first.shape[2]}x{first.shape[3]} have no flow",
                "give larger frames",
            )
        if first.dtype != torch.float64:
            first, second = first.float(), second.float()
        tau, lambda_, theta = (x.to(first) for x in (self.tau, self.lambda_, self.theta))
        gradient = with_edges(self.image_gradient(second), first)  # (N, C, 2, H, W)
        inverse = 1 / (gradient.square().sum(dim=2, keepdim=True) + FLAT)  # (N, C, 1, H, W)
        residual = (second - first).unsqueeze(2)  # (N, C, 1, H, W)
        u = torch.zeros_like(gradient)  # (N, C, component, H, W)
        dual = u.unsqueeze(3).expand(-1, -1, -1, 2, -1, -1)  # of each component, two directions
        for done in range(self.iterations):
            if done:
                dual = dual_step(dual, self.derivatives(u), tau / theta)
            v = data_step(u, gradient, inverse, residual, lambda_ * theta)
            u = v + theta * self.divergences(dual)
        return u


def with_edges(gradient: Tensor, x: Tensor) -> Tensor:
    """Replace the gradient (N, C, 2, H, W) at the edge by half the difference of maps there."""
    along_x, along_y = gradient.unbind(dim=2)  # (N, C, H, W)
    across, down = x.diff(dim=3) / 2, x.diff(dim=2) / 2
    along_x = torch.cat((across[..., :1], along_x[..., 1:-1], across[..., -1:]), dim=3)
    along_y = torch.cat((down[..., :1, :], along_y[..., 1:-1, :], down[..., -1:, :]), dim=2)
    return torch.stack((along_x, along_y), dim=2)


def stretch(x: Tensor) -> Tensor:
    """Stretch the maps (B, C, T, H, W) of each clip to between 0 and -255."""
    x = x if x.dtype == torch.float64 else x.float()
    least, most = x.amin((1, 2, 3, 4), keepdim=True), x.amax((1, 2, 3, 4), keepdim=True)
    size = torch.where(most > least, least - most, -1)
    return 255 * (x - least) / size


def flow_over_time(layer: FlowLayer, x: Tensor) -> Tensor:
    """Flow between neighbouring frames: (B, C, T, H, W) to (B, 2 C, T - 1, H, W), x before y.

    Raises
    ------
    ShapeError
        There is one frame.
    """
    if x.shape[2] < 2:
        raise ShapeError(
            "features of one frame have no flow", "sample more frames: clip.num_frames"
        )
    dtype, x = x.dtype, stretch(x)
    flow = layer(merge_time(x[:, :, :-1]), merge_time(x[:, :, 1:]))  # (B * (T - 1), C, 2, H, W)
    flow = flow.transpose(1, 2).flatten(1, 2).to(dtype)  # (B * (T - 1), 2 C, H, W)
    return split_time(flow, x.shape[2] - 1)


class RepresentationFlow(nn.Module):
    """Flow between neighbouring frames, brought back to the channels of the maps and added to them.

    Parameters
    ----------
    channels : int
        C.
    reduced : int, default=32
        Channels whose flow is taken.
    iterations : int, default=10
        Of the flow layer.
    layer : callable, default=FlowLayer
        Builds it.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduced: int = 32,
        iterations: int = 10,
        layer: Callable[..., FlowLayer] = FlowLayer,
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv3d(channels, reduced, 1, bias=False)
        self.flow = layer(reduced, iterations=iterations)
        self.restore = nn.Conv3d(2 * reduced, channels, 1, bias=False)
        self.norm = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C, T - 1, H, W)."""
        flow = flow_over_time(self.flow, self.reduce(x))  # (B, 2 C', T - 1, H, W)
        return F.relu(x[:, :, :-1] + self.norm(self.restore(flow)))


class FlowOfFlow(nn.Module):
    """Flow, a convolution, and the flow of that, added to the maps.

    It starts as the mean of three frames: the scale of its norm is zero at first.

    Parameters
    ----------
    channels, reduced, iterations
        As of `RepresentationFlow`.
    """

    def __init__(self, channels: int, *, reduced: int = 32, iterations: int = 10) -> None:
        super().__init__()
        self.reduce1 = nn.Conv3d(channels, reduced, 1, bias=False)
        self.flow1 = FlowLayer(reduced, iterations=iterations)
        self.conv1 = nn.Conv3d(2 * reduced, 2 * reduced, (1, 3, 3), padding=(0, 1, 1), bias=False)
        self.reduce2 = nn.Conv3d(2 * reduced, reduced, 1, bias=False)
        self.flow2 = FlowLayer(reduced, iterations=iterations)
        self.conv2 = nn.Conv3d(2 * reduced, channels, (1, 3, 3), padding=(0, 1, 1), bias=False)
        self.norm = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C, T - 2, H, W).

        Raises
        ------
        ShapeError
            There are fewer than three frames.
        """
        if x.shape[2] < 3:
            raise ShapeError(
                f"features of {x.shape[2]} frames have no flow of flow",
                "sample more frames: clip.num_frames",
            )
        flow = self.conv1(flow_over_time(self.flow1, self.reduce1(x)))  # (B, 2 C', T - 1, H, W)
        flow = flow_over_time(self.flow2, self.reduce2(flow))  # (B, 2 C', T - 2, H, W)
        mean = (x[:, :, :-2] + x[:, :, 1:-1] + x[:, :, 2:]) / 3  # (B, C, T - 2, H, W)
        return F.relu(self.norm(self.conv2(flow)) + mean)


MotionFn = Callable[[int], nn.Module]
"""Builds, for C channels, what the flow of maps (B, C, T, H, W) is made into."""


class RepFlow2d(VideoClassifier):
    """An image ResNet over frames, with the flow of its maps after the second stage.

    Parameters
    ----------
    depth : int, default=50
        Of the ResNet.
    motion : callable, default=RepresentationFlow
        `RepresentationFlow` or `FlowOfFlow`.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    width : int, default=64
        Channels of the stem.
    """

    head: FrameHead

    def __init__(
        self,
        *,
        depth: int = 50,
        motion: MotionFn = RepresentationFlow,
        num_classes: int = 400,
        dropout: float = 0.5,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.backbone = ResNet2d(depth, width=width)
        self.num_features = self.backbone.num_features
        self.motion = motion(self.num_features // 4)
        self.head = FrameHead(self.num_features, num_classes, dropout)
        initialise_motion(self.motion)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, F, T - 1, H/32, W/32)."""
        num_frames = x.shape[2]
        x = self.backbone.stem(merge_time(x))  # (B * T, width, H/4, W/4)
        x = self.backbone.layer1(x, num_frames)  # (B * T, ., H/4, W/4)
        x = self.backbone.layer2(x, num_frames)  # (B * T, F / 4, H/8, W/8)
        x = self.motion(split_time(x, num_frames))  # (B, F / 4, T - 1, H/8, W/8)
        num_frames = x.shape[2]
        x = self.backbone.layer3(merge_time(x), num_frames)  # (B * (T - 1), F / 2, H/16, W/16)
        return split_time(self.backbone.layer4(x, num_frames), num_frames)


def same_spatial(in_channels: int, out_channels: int, *, stride: tuple[int, int]) -> nn.Module:
    """1x3x3 convolution, padded as in TensorFlow."""
    step = (1, stride[1], stride[1])
    conv = nn.Conv3d(in_channels, out_channels, (1, 3, 3), stride=step, bias=False)
    return nn.Sequential(SamePad((1, 3, 3), step), conv)


class RepFlow2Plus1d(VideoClassifier):
    """An inflated ResNet of (2+1)D bottlenecks, with the flow of its maps after the second stage.

    The first convolution spans three frames in blocks 0, 1, 3, 5, ... of every stage, else one. The
    stem and its pooling halve time twice; the stages keep it.

    Parameters
    ----------
    depth : {26, 50, 101, 152}, default=50
        Of the ResNet.
    motion, num_classes, dropout, width
        As of `RepFlow2d`.
    """

    head: FrameHead

    def __init__(
        self,
        *,
        depth: int = 50,
        motion: MotionFn = RepresentationFlow,
        num_classes: int = 400,
        dropout: float = 0.5,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, width, 7, stride=2, bias=False)
        self.norm = nn.BatchNorm3d(width)
        self.pool = nn.Sequential(SamePad((3, 3, 3), (2, 2, 2)), nn.MaxPool3d(3, stride=2))
        # stem 64; stages 64 to 256, 256 to 512, 512 to 1024, 1024 to 2048 channels
        channels, stages = width, []
        for index, blocks in enumerate(DEPTHS[depth]):
            stage = nn.Sequential()
            for block in range(blocks):
                stage.append(
                    InflatedBottleneck(
                        channels,
                        width * 2**index,
                        num_frames=3 if block == 0 or block % 2 else 1,
                        stride=2 if index and block == 0 else 1,
                        conv=same_spatial,
                    )
                )
                channels = 4 * width * 2**index
            stages.append(stage)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.motion = motion(8 * width)
        self.num_features = channels
        self.head = FrameHead(channels, num_classes, dropout)
        initialise(self)
        initialise_motion(self.motion)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, F, T/4 - 1, H/32, W/32)."""
        x = self.pool(F.relu(self.norm(self.stem(x))))  # (B, width, T/4, H/4, W/4)
        x = self.layer2(self.layer1(x))  # (B, 8 width, T/4, H/8, W/8)
        x = self.motion(x)  # (B, 8 width, T/4 - 1, H/8, W/8)
        out: Tensor = self.layer4(self.layer3(x))
        return out


def initialise_motion(motion: nn.Module) -> None:
    """Initialise the convolutions around the flow layers; flow of flow adds nothing at first."""
    initialise(motion)
    if isinstance(motion, FlowOfFlow):
        nn.init.zeros_(motion.norm.weight)


CLIP = ClipSpec(
    sampling=Sampling(num_frames=16, stride=2), input=RGB(mean=(0.5,) * 3, std=(0.5,) * 3)
)


def _entry(name: str, build: Callable[..., Any], num_frames: int, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=build,
        args=args,
        clip=CLIP.change(num_frames=num_frames),
        strides=(4 if build is RepFlow2Plus1d else 1, 32),
    )


SPECS = (
    _entry("repflow_r34_16", RepFlow2d, 16, depth=34),
    _entry("repflow_r50_16", RepFlow2d, 16),
    _entry("repflow_of_flow_r34_16", RepFlow2d, 16, depth=34, motion=FlowOfFlow),
    _entry("repflow_of_flow_r50_16", RepFlow2d, 16, motion=FlowOfFlow),
    _entry("repflow_r2plus1d_50_32", RepFlow2Plus1d, 32),
    _entry("repflow_of_flow_r2plus1d_50_32", RepFlow2Plus1d, 32, motion=FlowOfFlow),
    ModelSpec(
        name="test_repflow",
        build=RepFlow2d,
        args={"depth": 10, "width": 16, "num_classes": 12},
        clip=CLIP.change(num_frames=4, size=64, resize=64),
        strides=(1, 32),
    ),
    ModelSpec(
        name="test_repflow_of_flow",
        build=RepFlow2Plus1d,
        args={"depth": 26, "width": 8, "num_classes": 12, "motion": FlowOfFlow},
        clip=CLIP.change(num_frames=18, size=64, resize=64),
        strides=(4, 32),
    ),
)
