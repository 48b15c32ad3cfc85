"""I3D: Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset.

Carreira and Zisserman, CVPR 2017. arXiv:1705.07750
Official code: https://github.com/google-deepmind/kinetics-i3d (TensorFlow, Apache-2.0)

An image network is inflated into a video network by turning its square filters into cubes: the
weights of every k x k filter are repeated k times along time and divided by k,

    W3d[:, :, t] = W2d / k,    t = 1 ... k,

so that a video of one repeated image gives the same output as the image
(`zoopraxis.checkpoints.inflate`). I3D is Inception-v1 inflated. The first two poolings keep time,
so time is reduced by 8 and space by 32. One network sees RGB, another optical flow (TV-L1, clipped
at 20 pixels and scaled to [-1, 1]); the two-stream network adds their logits. The four older
architectures that the paper compares it with are in `zoopraxis.models.i3d_baselines`.

Padding is TensorFlow's "SAME", and the classifier slides over windows of 2 x 7 x 7 features and
averages their logits. The authors' batch norms have no scale; here it is initialised to 1 and
trained: 12,697,264 parameters instead of 12,689,984 (Table 1 has 25 M for both streams). One
stream takes 111.2 GMACs; later papers report 108.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Flow, RGBFlow, Sampling
from zoopraxis.layers.head import WindowHead
from zoopraxis.layers.inception_v1 import ConvNorm, InceptionV1, pool_size, same_pool
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.layers.same import SamePad
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec


class InflatedLayers:
    """Every k x k layer of Inception-v1 inflated to k x k x k (section 2.4)."""

    def conv(
        self, _name: str, /, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1
    ) -> nn.Module:
        """Return a k x k x k convolution, strided in time too."""
        if stride == 1:
            pad = kernel // 2
            return ConvNorm(nn.Conv3d(in_channels, out_channels, kernel, padding=pad, bias=False))
        conv = nn.Conv3d(in_channels, out_channels, kernel, stride=stride, bias=False)
        return ConvNorm(conv, SamePad((kernel,) * 3, (stride,) * 3))

    def pool(self, name: str, /, kernel: int, *, stride: int) -> nn.Module:
        """Return a k x k x k max pooling, 1 x k x k for the first two."""
        if stride == 1:
            return nn.MaxPool3d(kernel, stride=1, padding=kernel // 2)
        return same_pool(*pool_size(name, kernel, stride))


class I3D(VideoClassifier):
    """Inflated Inception-v1.

    Parameters
    ----------
    in_channels : int, default=3
        C of the clip: 3 for RGB, 2 for flow.
    width : float, default=1.0
        Factor on all channels.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        width: float = 1.0,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.backbone = InceptionV1(in_channels, layers=InflatedLayers(), width=width)
        self.num_features = self.backbone.num_features
        self.head = WindowHead(self.num_features, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to features (B, 1024, T/8, H/32, W/32)."""
        out: Tensor = self.backbone(x)
        return out


class TwoStreamI3D(VideoClassifier):
    """An I3D for RGB and one for flow; their logits are added, as in the authors' code.

    The clip has five channels: RGB, then horizontal and vertical flow.

    Parameters
    ----------
    width : float, default=1.0
        Factor on all channels.
    num_classes : int, default=400
        K.
    dropout : float, default=0.5
        Before the classifiers.
    """

    def __init__(self, *, width: float = 1.0, num_classes: int = 400, dropout: float = 0.5) -> None:
        super().__init__()
        options: dict[str, Any] = {"width": width, "num_classes": num_classes, "dropout": dropout}
        self.rgb = I3D(3, **options)
        self.flow = I3D(2, **options)
        self.num_features = self.rgb.num_features + self.flow.num_features

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, T, H, W) to features of both streams (B, 2048, T/8, H/32, W/32)."""
        rgb = self.rgb.forward_features(x[:, :3])  # (B, 1024, T/8, H/32, W/32)
        flow = self.flow.forward_features(x[:, 3:])  # (B, 1024, T/8, H/32, W/32)
        return torch.cat([rgb, flow], dim=1)  # (B, 2048, T/8, H/32, W/32)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 2048, T', H', W') to logits (B, K)."""
        rgb, flow = x.chunk(2, dim=1)  # (B, 1024, T', H', W') each
        return self.rgb.forward_head(rgb) + self.flow.forward_head(flow)  # (B, K)

    @property
    def num_classes(self) -> int:
        """K, the logits of one clip."""
        return self.rgb.num_classes

    def reset_classifier(self, num_classes: int) -> None:
        """Replace both classifiers by re-initialised ones for K classes."""
        self.rgb.reset_classifier(num_classes)
        self.flow.reset_classifier(num_classes)


_RGB = ClipSpec(
    sampling=Sampling(num_frames=64, fps=25.0), input=RGB(mean=(0.5,) * 3, std=(0.5,) * 3)
)
_FLOW = _RGB.change(input=Flow(std=(0.5,)))
_BOTH = _FLOW.change(input=RGBFlow())
_SMALL: dict[str, Any] = {"num_frames": 8, "resize": 72, "size": 64, "fps": None}
_TINY: dict[str, Any] = {"width": 0.125, "num_classes": 12}


def _entry(name: str, build: type[VideoClassifier], clip: ClipSpec, **args: Any) -> ModelSpec:
    return ModelSpec(name=name, build=build, args=args, clip=clip, strides=(8, 32))


SPECS = (
    _entry("i3d_inception", I3D, _RGB),
    _entry("i3d_inception_flow", I3D, _FLOW, in_channels=2),
    _entry("i3d_inception_two_stream", TwoStreamI3D, _BOTH),
    _entry("test_i3d", I3D, _RGB.change(**_SMALL), **_TINY),
    _entry("test_i3d_two_stream", TwoStreamI3D, _BOTH.change(**_SMALL), **_TINY),
)
