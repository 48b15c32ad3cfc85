"""R(2+1)D: A Closer Look at Spatiotemporal Convolutions for Action Recognition.

Tran, Wang, Torresani, Ray, LeCun and Paluri, CVPR 2018. arXiv:1711.11248
Official code: https://github.com/facebookresearch/VMZ (Caffe2, Apache-2.0)

A (2+1)D convolution is a 2D convolution over space, then a 1D convolution over time, with a batch
norm and a ReLU between them and as many parameters as the 3D convolution it replaces: twice the
nonlinearities, and easier to optimise. The paper compares residual networks that differ in the
convolutions of five groups, the stem and the stages conv2_x to conv5_x (Figure 1). R2D merges all
frames into channels in its stem; f-R2D convolves every frame separately; MCx is 3D before group x
and 2D from group x on; rMCx is the reverse. A group has a stride in time only if its convolutions
span time, so the mixed networks differ in temporal resolution and cost.

Clips and the epsilon of the batch norms are torchvision's; in ``r2plus1d_vmz_18``, ``r2plus1d_34``
and ``r2plus1d_152`` they are those of the authors' code. ``r2plus1d_18`` is torchvision's network
of 31.5 M parameters; the paper's, of 33.3 M, is ``r2plus1d_vmz_18``. The published parameters do
not count the batch norms. The published GMACs of R(2+1)D-34 and -152 are those at 128 pixels,
although the input has 112: 152.4 x (128 / 112)^2 = 199.0 at 32 frames.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Depth, Sampling
from zoopraxis.layers.conv3d import conv_spatial, conv_spatiotemporal
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import (
    DEPTHS,
    BasicBlock3d,
    Bottleneck3d,
    ConvFn,
    initialise,
    make_stage,
    project,
    set_norms,
)
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec

Kind = Literal["2d", "3d", "2+1d", "merge"]
"""Convolutions of a group: of single frames, 3D, (2+1)D, or (stem only) of all frames at once."""

FIGURE_1: Mapping[str, tuple[Kind, Kind, Kind, Kind, Kind]] = {
    "r2d": ("merge", "2d", "2d", "2d", "2d"),
    "fr2d": ("2d", "2d", "2d", "2d", "2d"),
    "r3d": ("3d", "3d", "3d", "3d", "3d"),
    "mc2": ("3d", "2d", "2d", "2d", "2d"),
    "mc3": ("3d", "3d", "2d", "2d", "2d"),
    "mc4": ("3d", "3d", "3d", "2d", "2d"),
    "mc5": ("3d", "3d", "3d", "3d", "2d"),
    "rmc2": ("2d", "3d", "3d", "3d", "3d"),
    "rmc3": ("2d", "2d", "3d", "3d", "3d"),
    "rmc4": ("2d", "2d", "2d", "3d", "3d"),
    "rmc5": ("2d", "2d", "2d", "2d", "3d"),
    "r2plus1d": ("2+1d", "2+1d", "2+1d", "2+1d", "2+1d"),
}
"""Convolutions of the stem and of conv2_x to conv5_x."""


def mid_channels(in_channels: int, out_channels: int, *, t: int = 3, d: int = 3) -> int:
    """M_i, the channels between 1 x d x d and t x 1 x 1 that give the parameters of t x d x d.

    ``M_i = floor(t d^2 N_in N_out / (d^2 N_in + t N_out))`` (section 3.5)
    """
    # 64 to 64 channels, 3x3x3: M_i = 144, as 9 * 64 * 144 + 3 * 144 * 64 = 27 * 64 * 64
    return (t * d * d * in_channels * out_channels) // (d * d * in_channels + t * out_channels)


class Conv2Plus1d(nn.Module):
    """1 x d x d convolution to M_i channels, batch norm, ReLU, t x 1 x 1 convolution.

    Parameters
    ----------
    in_channels, out_channels : int
        N_in and N_out.
    kernel : (int, int), default=(3, 3)
        (t, d), both odd; padded to keep the size.
    stride : (int, int), default=(1, 1)
        In time (of the second convolution) and in space (of the first).
    mid : int, optional
        M_i; by default that of `mid_channels`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        mid: int | None = None,
    ) -> None:
        super().__init__()
        (t, d), (step, s) = kernel, stride
        mid = mid or mid_channels(in_channels, out_channels, t=t, d=d)
        self.spatial = nn.Conv3d(
            in_channels, mid, (1, d, d), stride=(1, s, s), padding=(0, d // 2, d // 2), bias=False
        )
        self.norm = nn.BatchNorm3d(mid)
        self.relu = nn.ReLU(inplace=True)
        self.temporal = nn.Conv3d(
            mid, out_channels, (t, 1, 1), stride=(step, 1, 1), padding=(t // 2, 0, 0), bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C', T/stride, H/stride, W/stride)."""
        x = self.relu(self.norm(self.spatial(x)))  # (B, M, T, H', W')
        out: Tensor = self.temporal(x)  # (B, C', T', H', W')
        return out


class Stem(nn.Module):
    """Group 1: convolution over 7x7 pixels of one, three or all frames, batch norm, ReLU.

    Parameters
    ----------
    kind : {"2d", "3d", "2+1d", "merge"}
        The convolution; "merge" spans all frames and leaves one.
    width : int
        Output channels.
    num_frames : int, default=16
        T of the input, used by "merge".
    in_channels : int, default=3
        C of the input.
    """

    def __init__(
        self, kind: Kind, width: int, *, num_frames: int = 16, in_channels: int = 3
    ) -> None:
        super().__init__()
        if kind == "2+1d":
            # M_i would be 83; the authors have 45
            self.conv: nn.Module = Conv2Plus1d(
                in_channels, width, kernel=(3, 7), stride=(1, 2), mid=45 * width // 64
            )
        else:
            # "merge" spans all frames without padding in time, which leaves one
            t = {"2d": 1, "3d": 3, "merge": num_frames}[kind]
            pad = (1 if kind == "3d" else 0, 3, 3)
            self.conv = nn.Conv3d(
                in_channels, width, (t, 7, 7), stride=(1, 2, 2), padding=pad, bias=False
            )
        self.norm = nn.BatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to (B, width, T', H/2, W/2): T' is 1 for "merge", else T."""
        out: Tensor = self.relu(self.norm(self.conv(x)))  # (B, width, T', H/2, W/2)
        return out


class R2Plus1D(VideoClassifier):
    """A residual network with a choice of convolution for each of its five groups.

    Parameters
    ----------
    groups : tuple of {"2d", "3d", "2+1d", "merge"}
        Kinds of the stem and of the four stages, as in `FIGURE_1`; "merge" is for stems only.
    depth : {10, 18, 34, 50, 101, 152}, default=18
        Layers; the blocks are bottlenecks from 50 up.
    width : int, default=64
        Channels of the stem and inside the blocks of the first stage.
    num_frames : int, default=16
        T, used by a "merge" stem.
    in_channels : int, default=3
        C of the input.
    num_classes : int, default=400
        K.
    dropout : float, default=0.0
        Before the classifier.

    Attributes
    ----------
    convs, shortcuts : mapping of str to ConvFn
        Build a stage's convolutions and its shortcuts that change shape, by its kind.
    """

    convs: ClassVar[Mapping[Kind, ConvFn]] = {
        "2d": conv_spatial,
        "3d": conv_spatiotemporal,
        "2+1d": Conv2Plus1d,
    }
    shortcuts: ClassVar[Mapping[Kind, ConvFn]] = {"2d": project, "3d": project, "2+1d": project}

    def __init__(
        self,
        groups: tuple[Kind, Kind, Kind, Kind, Kind],
        *,
        depth: int = 18,
        width: int = 64,
        num_frames: int = 16,
        in_channels: int = 3,
        num_classes: int = 400,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        block = Bottleneck3d if depth >= 50 else BasicBlock3d
        self.stem = Stem(groups[0], width, num_frames=num_frames, in_channels=in_channels)
        # R(2+1)D of depth 18, (C, T, H): stem (64, 16, 56), stages (64, 16, 56), (128, 8, 28),
        # (256, 4, 14), (512, 2, 7); f-R2D keeps 16 frames throughout, R2D has 1 after the stem
        channels, stages = width, []
        for index, (kind, blocks) in enumerate(zip(groups[1:], DEPTHS[depth], strict=True)):
            inner = width * 2**index  # 64, 128, 256, 512
            stage = make_stage(
                block,
                channels,
                inner,
                blocks=blocks,
                stride=self.stage_stride(kind, index),
                conv=self.convs[kind],
                project=self.shortcuts[kind],
            )
            stages.append(stage)
            channels = inner * block.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.num_features = channels
        self.head = ClipHead(channels, num_classes, dropout)
        initialise(self)

    @staticmethod
    def stage_stride(kind: Kind, index: int) -> tuple[int, int]:
        """Return the strides of a stage in time and in space; a 2D stage keeps time."""
        if index == 0:
            return (1, 1)
        return (1 if kind == "2d" else 2, 2)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to features (B, F, T', H/16, W/16)."""
        # each stage halves T unless it is 2D
        x = self.stem(x)  # (B, 64, T, H/2, W/2)
        x = self.layer1(x)  # (B, 64, T, H/2, W/2)
        x = self.layer2(x)  # (B, 128, T/2, H/4, W/4)
        x = self.layer3(x)  # (B, 256, T/4, H/8, W/8)
        out: Tensor = self.layer4(x)  # (B, 512, T/8, H/16, W/16)
        return out


def build_caffe2(*args: Any, **options: Any) -> R2Plus1D:
    """Build a network with the epsilon of the batch norms of the authors' code, 1e-3."""
    network = R2Plus1D(*args, **options)
    set_norms(network, eps=1e-3)
    return network


def build_torchvision(*args: Any, **options: Any) -> R2Plus1D:
    """Build torchvision's R(2+1)D: both convolutions of a block have the M_i of the first.

    This matters where a block doubles the channels: from 64 to 128, the paper's M_i is 230 in the
    first convolution and 288 in the second; torchvision has 230 in both.
    """
    network = R2Plus1D(*args, **options)
    for block in list(network.modules()):
        if isinstance(block, BasicBlock3d) and isinstance(block.conv1, Conv2Plus1d):
            width, mid = block.norm2.num_features, block.conv1.norm.num_features
            block.conv2 = Conv2Plus1d(width, width, mid=mid)
            initialise(block.conv2)
    return network


CLIP = ClipSpec(
    sampling=Sampling(num_frames=16, fps=15.0),
    input=RGB(
        resize=(128, 171),
        size=112,
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
    ),
)
VMZ_CLIP = CLIP.change(num_frames=32, fps=None)
_TINY: dict[str, Any] = {
    "depth": 10,
    "width": 16,
    "num_classes": 12,
    "clip": CLIP.change(num_frames=8, fps=None, size=56, resize=64),
}
_SMALL: dict[str, Any] = {  # trains in minutes on two cores
    "depth": 10,
    "width": 16,
    "clip": CLIP.change(num_frames=8, fps=None, mode="segments", size=56, resize=(64, 72)),
}

DEPTH_CLIP = ClipSpec(  # people without background, as MSR Action3D has them
    sampling=Sampling(num_frames=16, mode="segments"),
    input=Depth(
        near=-90.0,
        far=50.0,
        origin="foreground",
        around="foreground",
        pace="motion",
        resize=54,
        size=48,
    ),
)


def _entry(
    name: str,
    net: str,
    *,
    build: Callable[..., R2Plus1D] = R2Plus1D,
    clip: ClipSpec = CLIP,
    **args: Any,
) -> ModelSpec:
    """Entry of one network of Figure 1."""
    # conv3_x to conv5_x halve time unless they are 2D: by 8 in R3D, by 2 in MC4, not in MC3
    temporal = sum(kind in ("3d", "2+1d") for kind in FIGURE_1[net][2:])
    return ModelSpec(
        name=name,
        build=build,
        args={"groups": FIGURE_1[net], **args},
        clip=clip,
        strides=(2**temporal, 16),
        order_sensitive=net != "fr2d",
    )


SPECS = (
    # Figure 1
    _entry("r2d_18", "r2d"),
    _entry("fr2d_18", "fr2d"),
    _entry("mc2_18", "mc2"),
    _entry("mc3_18", "mc3"),
    _entry("mc4_18", "mc4"),
    _entry("mc5_18", "mc5"),
    _entry("rmc2_18", "rmc2"),
    _entry("rmc3_18", "rmc3"),
    _entry("rmc4_18", "rmc4"),
    _entry("rmc5_18", "rmc5"),
    _entry("r3d_18", "r3d"),
    _entry("r3d_34", "r3d", depth=34),
    # torchvision's, and the authors'
    _entry("r2plus1d_18", "r2plus1d", build=build_torchvision),
    _entry("r2plus1d_vmz_18", "r2plus1d", build=build_caffe2, clip=VMZ_CLIP.change(num_frames=16)),
    _entry("r2plus1d_34", "r2plus1d", build=build_caffe2, clip=VMZ_CLIP, depth=34),
    _entry("r2plus1d_152", "r2plus1d", build=build_caffe2, clip=VMZ_CLIP, depth=152),
    # small networks for experiments and tests
    _entry("r2plus1d_small", "r2plus1d", **_SMALL),
    _entry("fr2d_small", "fr2d", **_SMALL),
    _entry("r3d_small_depth", "r3d", depth=10, width=16, in_channels=1, clip=DEPTH_CLIP),
    _entry("test_r2plus1d", "r2plus1d", **_TINY),
    _entry("test_fr2d", "fr2d", **_TINY),
    _entry("test_mc3", "mc3", **_TINY),
)
