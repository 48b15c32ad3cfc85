"""Two-Stream Convolutional Networks for Action Recognition in Videos.

Simonyan and Zisserman, NeurIPS 2014. arXiv:1406.2199
No official code. Cross-modality initialisation: Wang, Xiong, Wang and Qiao 2015,
arXiv:1507.02159. ResNets: https://github.com/jeffreyyihuang/two-stream-action-recognition (MIT)

Appearance and motion are recognised separately. The spatial stream sees one frame. The temporal
stream sees L = 10 flow fields as one image of 20 channels, horizontal and vertical flow alternating
(section 3.1, equation 1: `zoopraxis.layers.frames.merge_time`). Both are image networks, and only
their scores are fused: averaged, or by a linear SVM (`zoopraxis.prediction.fusion`). A flow network
is initialised from RGB weights by `zoopraxis.checkpoints.inflate.cross_modality`: in a recipe,
``model.weights`` names a file of the RGB stream.

``two_stream_cnnm2048_*`` is the paper's network, with the constants of Chatfield et al.,
arXiv:1405.3531, as the paper gives none. The paper subtracts the mean of every flow field; we
subtract the middle of the range of stored flow. ``two_stream_vgg16_*`` follows arXiv:1507.02159.
``two_stream_r*`` is the ResNet code above: a clip is one frame or one stack, and the scores of 19
clips of a video are summed (test with 19 views). Its flow is scaled to 0 to 1, without a mean.
"""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Flow, Sampling
from zoopraxis.layers.frames import BackboneFn
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.layers.vgg import VGG16
from zoopraxis.models.base import SegmentNetwork
from zoopraxis.spec import ModelSpec

FLOW_STACK = 10
"""L of section 3.1, the number of flow fields of a stack."""


class CNNM2048(nn.Module):
    """CNN-M-2048 up to its second hidden layer: the spatial stream (Figure 1).

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame, or of a stack.
    dropout : float, default=0.5
        After full6; the dropout after full7 belongs to the head.
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

    def forward(self, x: Tensor, _num_frames: int = 1) -> Tensor:
        """Map frames (N, C, 224, 224) to features (N, 2048, 1, 1)."""
        x = F.max_pool2d(self.normalise1(F.relu(self.conv1(x))), 2)  # (N, 96, 54, 54)
        x = F.max_pool2d(self.normalise2(F.relu(self.conv2(x))), 2)  # (N, 256, 13, 13)
        x = F.relu(self.conv4(F.relu(self.conv3(x))))  # (N, 512, 13, 13)
        x = F.max_pool2d(F.relu(self.conv5(x)), 2)  # (N, 512, 6, 6)
        x = self.dropout(F.relu(self.full6(x.flatten(1))))  # (N, 4096)
        x = F.relu(self.full7(x))  # (N, 2048)
        return x[:, :, None, None]  # (N, 2048, 1, 1)


class TemporalCNNM2048(CNNM2048):
    """CNN-M-2048 without the second normalisation, to save memory: the temporal stream."""

    def __init__(self, *, in_channels: int = 2 * FLOW_STACK, dropout: float = 0.9) -> None:
        super().__init__(in_channels=in_channels, dropout=dropout)
        self.normalise2 = nn.Identity()


class Stream(SegmentNetwork):
    """One of the two streams: an image network over frames, or over stacks of flow.

    A stack of L fields (B, 2, L, H, W) is an image (B, 2 L, H, W) whose channels are x1, y1, x2,
    y2, ... The parameters are those of `SegmentNetwork`.
    """


_CAFFE_RGB = ClipSpec(
    sampling=Sampling(num_frames=1, mode="segments"),
    input=RGB(
        mean=(104.0, 117.0, 124.0), std=(1.0, 1.0, 1.0), channel_order="bgr", value_range=255.0
    ),
)
_CAFFE_FLOW = _CAFFE_RGB.change(
    stack=FLOW_STACK, input=Flow(mean=(128.0,), std=(1.0,), value_range=255.0)
)
_RESNET_RGB = ClipSpec(
    sampling=Sampling(num_frames=1, mode="segments"), input=RGB(resize=(224, 224))
)
_RESNET_FLOW = _RESNET_RGB.change(
    stack=FLOW_STACK, input=Flow(resize=(224, 224), mean=(0.0,), std=(1.0,))
)


def _entry(
    name: str,
    backbone_fn: BackboneFn,
    clip: ClipSpec,
    *,
    space_stride: int | None = 32,
    dropout: float = 0.0,
    num_classes: int = 101,
) -> ModelSpec:
    stack = clip.sampling.stack
    return ModelSpec(
        name=name,
        build=Stream,
        args={
            "backbone_fn": backbone_fn,
            "in_channels": clip.channels,
            "stack": stack,
            "dropout": dropout,
            "num_classes": num_classes,
        },
        clip=clip,
        strides=(stack, space_stride),
        order_sensitive=stack > 1,
    )


# networks whose features, of a fully-connected layer, have no height and width
_flat = partial(_entry, space_stride=None)
_vgg16 = partial(VGG16, dropout=0.9)
_tiny = partial(ResNet2d, 10, width=16)
_SMALL = {"num_frames": 2, "size": 64, "resize": 64}


def _resnets(depth: int) -> tuple[ModelSpec, ModelSpec]:
    """Return the entries of both streams at one depth."""
    backbone_fn = partial(ResNet2d, depth)
    return (
        _entry(f"two_stream_r{depth}_rgb", backbone_fn, _RESNET_RGB),
        _entry(f"two_stream_r{depth}_flow", backbone_fn, _RESNET_FLOW),
    )


SPECS = (
    *_resnets(18),
    *_resnets(34),
    *_resnets(50),
    *_resnets(101),
    *_resnets(152),
    _flat("two_stream_cnnm2048_rgb", CNNM2048, _CAFFE_RGB, dropout=0.5),
    _flat("two_stream_cnnm2048_flow", TemporalCNNM2048, _CAFFE_FLOW, dropout=0.9),
    _flat("two_stream_vgg16_rgb", _vgg16, _CAFFE_RGB, dropout=0.9),
    _flat("two_stream_vgg16_flow", _vgg16, _CAFFE_FLOW, dropout=0.8),
    _entry("test_two_stream", _tiny, _RESNET_RGB.change(**_SMALL), num_classes=12),
    _entry("test_two_stream_flow", _tiny, _RESNET_FLOW.change(stack=3, **_SMALL), num_classes=12),
)
