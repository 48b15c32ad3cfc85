"""I3D on a ResNet: the inflated baselines of "Non-local Neural Networks".

Wang, Girshick, Gupta and He, CVPR 2018. arXiv:1711.07971 (section 4, Table 1)
Carreira and Zisserman, CVPR 2017. arXiv:1705.07750 (the inflation)
Official code: https://github.com/facebookresearch/video-nonlocal-net (CC BY-NC 4.0, Caffe2), and
https://github.com/facebookresearch/SlowFast (Apache-2.0)

A network for images becomes one for video when its kernels are inflated over time: a k x k kernel
is repeated over t frames and divided by t, so that on t equal frames it computes what it did on one
of them. "Quo Vadis" inflates the 3x3 convolutions of Inception-v1. Here the first 1x1 convolution
of a bottleneck becomes 3x1x1, which costs less, and from the second stage on only in every other
block. The stem becomes 5x7x7. Without inflated kernels the network is C2D, which relates frames
only by pooling over time.

Table 1 has clips of 32 frames with a stride of 2, of which the stem keeps every fourth: its
convolution and its pooling have a stride of 2 in time (entries ``*_32x2``). Clips of 8 frames with
a stride of 8 (``*_8x8``) hold just these frames. ``i3d_r50_128x1`` is the paper's network for long
clips; ``32x4`` covers the same time with a quarter of the frames, and its stem keeps all of them.
In all networks a max pooling over pairs of frames follows the first stage.

The pooling of the Caffe2 stems is not padded (`UnpaddedResNet`): 112 pixels become 55, where
Table 1 has 56. The other builds are in `zoopraxis.weights.inflated_resnet`.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.inflated_resnet import (
    InflatedStem,
    Kernels,
    inflated_stages,
    zero_last_norms,
)
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec

C2D: Kernels = (1, (1,), (1,), (1,), (1,))
"""No convolution spans more than one frame."""
I3D: Kernels = (5, (3,), (3, 1), (3, 1), (1, 3))
"""The stem spans five frames; every block of the first stage three, then every other block."""


class InflatedResNet(VideoClassifier):
    """A ResNet of inflated bottlenecks.

    Parameters
    ----------
    kernels : Kernels
        Frames spanned by the convolutions of the stem and of each stage.
    depth : {26, 50, 101, 152}, default=50
        Number of layers.
    width : int, default=64
        Channels of the stem.
    stem_stride, pool1_frames, pool2_frames : int, default=1
        Strides in time of the stem's convolution, of its pooling, and of the pooling after the
        first stage. A pooling spans as many frames; 1 disables it.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        kernels: Kernels,
        *,
        depth: int = 50,
        width: int = 64,
        stem_stride: int = 1,
        pool1_frames: int = 1,
        pool2_frames: int = 1,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        # 32 frames: the stem's convolution keeps 16 and its pooling 8, the pooling after layer1 4
        self.stem = InflatedStem(
            width, num_frames=kernels[0], stride=stem_stride, pool_frames=pool1_frames
        )
        self.layer1, self.layer2, self.layer3, self.layer4 = inflated_stages(
            kernels[1:], depth=depth, width=width
        )
        self.pool2 = nn.MaxPool3d((pool2_frames, 1, 1)) if pool2_frames > 1 else nn.Identity()
        self.num_features = 32 * width
        self.head = ClipHead(self.num_features, num_classes, dropout)
        initialise(self)
        zero_last_norms(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to features (B, F, T', H/32, W/32).

        The sizes below are those for 8 frames, or for 32 of which the stem keeps every fourth.
        """
        x = self.stem(x)  # (B, 64, 8, H/4, W/4)
        x = self.pool2(self.layer1(x))  # (B, 256, 4, H/4, W/4)
        x = self.layer2(x)  # (B, 512, 4, H/8, W/8)
        x = self.layer3(x)  # (B, 1024, 4, H/16, W/16)
        out: Tensor = self.layer4(x)  # (B, 2048, 4, H/32, W/32)
        return out


class UnpaddedResNet(InflatedResNet):
    """The authors' Caffe2 network: the pooling of its stem has no padding, 112 pixels become 55.

    The arguments are those of `InflatedResNet`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.stem.pool.padding = (0, 0, 0)


# The authors normalise by a mean of 114.75 and a deviation of 57.375: 0.45 and 0.225 times 255.
CLIP_32X2 = ClipSpec(
    sampling=Sampling(num_frames=32, stride=2),
    input=RGB(resize=256, size=256, mean=(0.45,) * 3, std=(0.225,) * 3),
)
CLIP_32X4 = CLIP_32X2.change(stride=4)
CLIP_128X1 = CLIP_32X2.change(num_frames=128, stride=1)
CLIP_8X8 = CLIP_32X2.change(num_frames=8, stride=8, fps=30.0)  # PySlowFast resamples videos

# strides in time: of the stem's convolution, of its pooling, of the pooling after the first stage
STRIDES_8X8 = {"pool2_frames": 2}
STRIDES_32X2 = {"stem_stride": 2, "pool1_frames": 2, "pool2_frames": 2}


def _spec(
    name: str,
    clip: ClipSpec,
    strides: Mapping[str, int],
    *,
    build: type[InflatedResNet] = InflatedResNet,
    **args: Any,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=build,
        args={"kernels": I3D, **strides, **args},
        clip=clip,
        strides=(prod(strides.values()), 32),
    )


SPECS = (
    _spec("i3d_r50_8x8", CLIP_8X8, STRIDES_8X8),
    _spec("i3d_r101_8x8", CLIP_8X8, STRIDES_8X8, depth=101),
    _spec("i3d_r50_32x2", CLIP_32X2, STRIDES_32X2, build=UnpaddedResNet),
    _spec("i3d_r101_32x2", CLIP_32X2, STRIDES_32X2, build=UnpaddedResNet, depth=101),
    _spec("i3d_r50_128x1", CLIP_128X1, STRIDES_32X2, build=UnpaddedResNet),
    _spec("i3d_r50_32x4", CLIP_32X4, STRIDES_8X8, build=UnpaddedResNet),
    _spec(
        "test_i3d_resnet",
        ClipSpec(sampling=Sampling(num_frames=8), input=RGB(resize=64, size=64)),
        STRIDES_8X8,
        depth=26,
        width=8,
        num_classes=4,
        dropout=0.0,
    ),
)
