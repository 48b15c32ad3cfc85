"""Two-Stream Convolutional Networks for Action Recognition in Videos.

Simonyan and Zisserman, NeurIPS 2014. arXiv:1406.2199
No official code. Cross-modality initialisation: Wang, Xiong, Wang and Qiao 2015,
arXiv:1507.02159. ResNets: https://github.com/jeffreyyihuang/two-stream-action-recognition (MIT)

Appearance and motion are recognised apart. The spatial stream sees one frame; the temporal stream
sees L = 10 fields of optical flow as one image of 20 channels, horizontal and vertical in turn
(section 3.1, equation 1). Both are image networks, and only their scores meet: averaged, or as the
input of a linear SVM (`zoopraxis.prediction.fusion`). A flow network starts from RGB's weights by
`zoopraxis.checkpoints.inflate.cross_modality`: in a recipe, ``model.weights`` names a file of the RGB stream.

``two_stream_cnnm2048_*`` is the paper's network (Figure 1): CNN-M-2048, whose temporal stream has
no second normalisation. The paper does not print its constants; they are those of Chatfield et al.,
arXiv:1405.3531. The paper subtracts from every flow field its mean; we subtract the middle of the
range of stored flow. ``two_stream_vgg16_*`` follows arXiv:1507.02159.

``two_stream_r*`` is the ResNet code above, whose every clip is one frame or stack; its result for a
video adds 19 of them: test with 19 views. Its flow lies between 0 and 1, without a mean. Source
"two_stream" is its network. Its loader puts the first flow field of a stack last, so that its
published checkpoint goes through source "two_stream_loader", which turns the filters back.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.frames import SegmentNetwork, Trunk
from zoopraxis.layers.resnet2d import RENAME_RESNET2D, ResNet2d
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.layers.vgg import VGG16
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights

FLOW_STACK = 10
"""L of section 3.1: the flow fields of one stack."""


class CNNM2048(nn.Module):
    """CNN-M-2048 up to its second hidden layer (Figure 1 of the paper).

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame, or of a stack.
    dropout : float, default=0.5
        Behind full6; the head has the one behind full7.
    """

    num_features = 2048

    def __init__(self, *, in_channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 96, 7, stride=2)
        self.conv2 = nn.Conv2d(96, 256, 5, stride=2, padding=1)
        self.conv3 = nn.Conv2d(256, 512, 3, padding=1)
        self.conv4 = nn.Conv2d(512, 512, 3, padding=1)
        self.conv5 = nn.Conv2d(512, 512, 3, padding=1)
        self.normalise1: nn.Module = nn.LocalResponseNorm(5, alpha=5e-4, k=2.0)
        self.normalise2: nn.Module = nn.LocalResponseNorm(5, alpha=5e-4, k=2.0)
        self.full6 = nn.Linear(512 * 6 * 6, 4096)
        self.full7 = nn.Linear(4096, 2048)
        self.dropout = nn.Dropout(dropout)
        initialise(self)

    def forward(self, x: Tensor, _frames: int = 1) -> Tensor:
        """Map frames (N, C, 224, 224) to features (N, 2048, 1, 1)."""
        x = F.max_pool2d(self.normalise1(F.relu(self.conv1(x))), 2)  # (N, 96, 54, 54)
        x = F.max_pool2d(self.normalise2(F.relu(self.conv2(x))), 2)  # (N, 256, 13, 13)
        x = F.relu(self.conv4(F.relu(self.conv3(x))))  # (N, 512, 13, 13)
        x = F.max_pool2d(F.relu(self.conv5(x)), 2)  # (N, 512, 6, 6)
        x = self.dropout(F.relu(self.full6(x.flatten(1))))  # (N, 4096)
        x = F.relu(self.full7(x))  # (N, 2048)
        return x[:, :, None, None]  # (N, 2048, 1, 1)


class TemporalCNNM2048(CNNM2048):
    """CNN-M-2048 without the second normalisation, to save memory (section 2)."""

    def __init__(self, *, in_channels: int = 3, dropout: float = 0.9) -> None:
        super().__init__(in_channels=in_channels, dropout=dropout)
        self.normalise2 = nn.Identity()


# Where the streams come from.


def turn_stack(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Move the filters for the last flow field of a stack, two channels, to the front."""
    return {
        key: tensor.roll(2, 1) if key == "trunk.stem.conv.weight" and tensor.ndim == 4 else tensor
        for key, tensor in state.items()
    }


_RENAME = (
    (r"^fc_custom\.", "head.linear."),
    (r"^conv1_custom\.", "conv1."),
    (r"^(?!head\.)", "trunk."),
    *RENAME_RESNET2D,
)
NETWORK = Source(rename=_RENAME)
LOADER = Source(rename=_RENAME, adapt=turn_stack)

_RESNET_RGB = ClipSpec(frames=1, sampling="segments", resize=(224, 224))
_RESNET_FLOW = replace(
    _RESNET_RGB, mean=(0.0, 0.0), std=(1.0, 1.0), modality="flow", stack=FLOW_STACK
)
_CAFFE_RGB = ClipSpec(
    frames=1,
    sampling="segments",
    mean=(104.0, 117.0, 124.0),
    std=(1.0, 1.0, 1.0),
    channel_order="bgr",
    value_range=255.0,
)
_CAFFE_FLOW = replace(
    _CAFFE_RGB,
    mean=(128.0, 128.0),
    std=(1.0, 1.0),
    channel_order="rgb",
    modality="flow",
    stack=FLOW_STACK,
)

_DRIVE = "https://drive.google.com/drive/folders/"
_PROTOCOL = "19 frames or stacks a video, their scores added; UCF-101 split 1"
_WEIGHTS = {
    "two_stream_r101_rgb": Weights(
        tag="ucf101",
        url=f"{_DRIVE}1gVB5StqgoDJ3IxHUn7zoTzTNxzz3du3d",
        file="model_best.pth.tar",  # as its code saves it
        source="two_stream",
        dataset="ucf101",
        num_classes=101,
        licence="MIT",
        top1=82.1,
        protocol=_PROTOCOL,
    ),
    "two_stream_r101_flow": Weights(
        tag="ucf101",
        url=f"{_DRIVE}1z3fYUOJx_l3BW-NSb7ti0DsyGLFk6Z7J",
        file="model_best.pth.tar",
        source="two_stream_loader",
        dataset="ucf101",
        num_classes=101,
        licence="MIT",
        top1=79.4,
        protocol=_PROTOCOL,
    ),
}


def _row(
    name: str,
    trunk: Trunk,
    clip: ClipSpec,
    params_m: float,
    macs_g: float,
    *,
    space: int | None = 32,
    dropout: float = 0.0,
    num_classes: int = 101,
    sources: Mapping[str, Source] | None = None,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=SegmentNetwork,
        args={
            "trunk": trunk,
            "channels": clip.channels,
            "stack": clip.stack,
            "dropout": dropout,
            "num_classes": num_classes,
        },
        clip=clip,
        params_m=params_m,
        macs_g=macs_g,
        strides=(clip.stack, space),
        order_sensitive=clip.stack > 1,
        sources=sources or {},
        weights=(_WEIGHTS[name],) if name in _WEIGHTS else (),
    )


def _resnets(depth: int, rgb: tuple[float, float], flow: tuple[float, float]) -> list[ModelSpec]:
    """Both streams of a depth, with their millions of parameters and multiply-adds."""
    trunk = partial(ResNet2d, depth)
    name = f"two_stream_r{depth}"
    both = {"two_stream": NETWORK, "two_stream_loader": LOADER}
    return [
        _row(f"{name}_rgb", trunk, _RESNET_RGB, *rgb, sources={"two_stream": NETWORK}),
        _row(f"{name}_flow", trunk, _RESNET_FLOW, *flow, sources=both),
    ]


_TINY = partial(ResNet2d, 10, width=16)
_VGG16 = partial(VGG16, dropout=0.9)
# the features of a fully connected layer have no rows and columns
_FLAT: dict[str, Any] = {"space": None}

SPECS = (
    *_resnets(18, (11.23, 1.81), (11.28, 2.48)),
    *_resnets(34, (21.34, 3.66), (21.39, 4.33)),
    *_resnets(50, (23.71, 4.09), (23.77, 4.76)),
    *_resnets(101, (42.71, 7.80), (42.76, 8.47)),
    *_resnets(152, (58.35, 11.51), (58.40, 12.18)),
    _row("two_stream_cnnm2048_rgb", CNNM2048, _CAFFE_RGB, 90.63, 1.66, dropout=0.5, **_FLAT),
    _row(
        "two_stream_cnnm2048_flow", TemporalCNNM2048, _CAFFE_FLOW, 90.71, 2.61, **_FLAT, dropout=0.9
    ),
    _row("two_stream_vgg16_rgb", _VGG16, _CAFFE_RGB, 134.67, 15.47, dropout=0.9, **_FLAT),
    _row(
        "two_stream_vgg16_flow",
        partial(VGG16, dropout=0.9),
        _CAFFE_FLOW,
        134.68,
        15.96,
        dropout=0.8,
        **_FLAT,
    ),
    _row(
        "test_two_stream",
        _TINY,
        replace(_RESNET_RGB, frames=2, size=64, resize=64),
        0.31,
        0.01,
        sources={"two_stream": NETWORK},
        num_classes=12,
    ),
    _row(
        "test_two_stream_flow",
        _TINY,
        replace(_RESNET_FLOW, frames=2, stack=3, size=64, resize=64),
        0.31,
        0.02,
        sources={"two_stream": NETWORK, "two_stream_loader": LOADER},
        num_classes=12,
    ),
)
