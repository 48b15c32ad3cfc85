"""Long-term Recurrent Convolutional Networks for Visual Recognition and Description.

Donahue, Hendricks, Guadarrama, Rohrbach, Venugopalan, Saenko and Darrell, CVPR 2015.
arXiv:1411.4389
Official code: https://github.com/LisaAnne/lisa-caffe-public (Caffe, BSD-2-Clause). ResNets:
https://github.com/doronharitan/human_activity_recognition_LRCN (no licence given)

An image network encodes every frame as a vector, an LSTM processes the vectors in order, and a
classifier is applied at every step; the clip's logits are the mean over the steps (section 3).

``lrcn_hybrid`` is the authors' network for RGB: a hybrid of CaffeNet and the network of Zeiler and
Fergus, one LSTM of 256 cells on its fc6, and 16 consecutive frames of 227 pixels. The authors
average probabilities, we average logits. The forget gates have torch's initial biases. Their flow
network is the same, on flow with its magnitude as a third channel; it has no entry.

``lrcn_r*`` are those of the ResNet code, on five frames at 2.5 per second: a linear layer to 512
features after the ResNet, an LSTM of two layers of 256 cells in one direction (``lstm``) or both
(``bilstm``), and one prediction, at the last step. There the backward LSTM has seen only the last
frame. That code keeps the LSTM's state between calls until it is reset; here every clip starts from
zero. It ends with a softmax; ours returns the logits.
"""

from functools import partial
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import RGB, ClipSpec, Sampling
from zoopraxis.layers.frames import BackboneFn, merge_time, split_batch
from zoopraxis.layers.head import FrameHead
from zoopraxis.layers.resnet2d import ResNet2d
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import ModelSpec


class LRCN(VideoClassifier):
    """An LSTM over the features of frames; the logits are the mean over its steps.

    ``h_t = LSTM(encoder(x_t), h_(t-1))``; the logits are the mean over t of ``W h_t + b``.

    Parameters
    ----------
    backbone_fn : BackboneFn
        Builds the image network; its features are 1x1.
    cells : int, default=256
        Cells of each layer and direction of the LSTM.
    layers : int, default=1
        Layers of the LSTM.
    directions : {1, 2}, default=1
        1 is forward only, 2 is bidirectional.
    num_classes : int, default=101
        K; UCF-101 has 101.
    dropout : float, default=0.5
        Before the classifier.
    """

    head: FrameHead

    def __init__(
        self,
        backbone_fn: BackboneFn,
        *,
        cells: int = 256,
        layers: int = 1,
        directions: Literal[1, 2] = 1,
        num_classes: int = 101,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.encoder = backbone_fn(in_channels=3)
        self.lstm = nn.LSTM(
            self.encoder.num_features,
            cells,
            layers,
            batch_first=True,
            bidirectional=directions == 2,
        )
        self.num_features = cells * directions
        self.head = FrameHead(self.num_features, num_classes, dropout)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to the outputs of the LSTM, (B, F, T, 1, 1)."""
        num_frames = x.shape[2]
        # 16 frames: one batch for the image network, 16 steps of the LSTM
        x = self.encoder(merge_time(x), num_frames).flatten(1)  # (B * T, F')
        steps, _ = self.lstm(split_batch(x, num_frames))  # (B, T, F)
        out: Tensor = steps.transpose(1, 2)[..., None, None]  # (B, F, T, 1, 1)
        return out


class LastStepLRCN(LRCN):
    """LRCN that predicts once, after the last frame."""

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, 1, 1) to logits (B, K)."""
        last = x[:, :, -1:]  # (B, F, 1, 1, 1)
        return super().forward_head(last)


class HybridNet(nn.Module):
    """The authors' image network up to fc6: five convolutions, one hidden layer.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame.
    dropout : float, default=0.9
        After fc6.
    """

    num_features = 4096

    def __init__(self, *, in_channels: int = 3, dropout: float = 0.9) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 96, 7, stride=2)
        self.conv2 = nn.Conv2d(96, 384, 5, stride=2, groups=2)
        self.conv3 = nn.Conv2d(384, 512, 3, padding=1)
        self.conv4 = nn.Conv2d(512, 512, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(512, 384, 3, padding=1, groups=2)
        self.normalise = nn.LocalResponseNorm(5, alpha=1e-4)
        self.fc6 = nn.Linear(384 * 6 * 6, self.num_features)
        self.dropout = nn.Dropout(dropout)
        initialise(self)

    def forward(self, x: Tensor, _num_frames: int = 1) -> Tensor:
        """Map frames (N, C, 227, 227) to features (N, 4096, 1, 1)."""
        x = self.normalise(halve(F.relu(self.conv1(x))))  # (N, 96, 55, 55)
        x = self.normalise(halve(F.relu(self.conv2(x))))  # (N, 384, 13, 13)
        x = F.relu(self.conv4(F.relu(self.conv3(x))))  # (N, 512, 13, 13)
        x = halve(F.relu(self.conv5(x)))  # (N, 384, 6, 6)
        x = self.dropout(F.relu(self.fc6(x.flatten(1))))  # (N, 4096)
        return x[:, :, None, None]  # (N, 4096, 1, 1)


def halve(x: Tensor) -> Tensor:
    """3x3 max pooling of stride 2 that rounds sizes up, as in Caffe."""
    return F.max_pool2d(x, 3, stride=2, ceil_mode=True)


class ProjectedResNet(nn.Module):
    """ResNet, mean over space, linear layer.

    Parameters
    ----------
    depth : {10, 18, 34, 50, 101, 152}
        Layers of the ResNet.
    features : int, default=512
        Outputs of the linear layer.
    width : int, default=64
        Channels of the stem.
    in_channels : int, default=3
        Channels of a frame.
    """

    def __init__(
        self, depth: int, *, features: int = 512, width: int = 64, in_channels: int = 3
    ) -> None:
        super().__init__()
        self.backbone = ResNet2d(depth, in_channels=in_channels, width=width)
        self.project = nn.Linear(self.backbone.num_features, features)
        self.num_features = features

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (N, C, H, W) to features (N, F, 1, 1)."""
        x = self.backbone(x, num_frames).mean(dim=(2, 3))  # (N, C')
        x = self.project(x)  # (N, F)
        return x[:, :, None, None]  # (N, F, 1, 1)


_HYBRID_CLIP = ClipSpec(
    sampling=Sampling(num_frames=16),
    input=RGB(
        resize=(240, 320),
        size=227,
        mean=(128.0, 128.0, 128.0),
        std=(1.0, 1.0, 1.0),
        channel_order="bgr",
        value_range=255.0,
    ),
)
_RESNET_CLIP = ClipSpec(sampling=Sampling(num_frames=5, fps=2.5), input=RGB())


def _spec(
    name: str, backbone_fn: BackboneFn, clip: ClipSpec = _RESNET_CLIP, **args: Any
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=LastStepLRCN,
        args={"backbone_fn": backbone_fn, "layers": 2, **args},
        clip=clip,
        strides=(1, None),
    )


SPECS = (
    # the authors' network
    ModelSpec(
        name="lrcn_hybrid",
        build=LRCN,
        args={"backbone_fn": HybridNet},
        clip=_HYBRID_CLIP,
        strides=(1, None),
    ),
    # the ResNet code
    *(
        _spec(
            f"lrcn_r{depth}_{kind}",
            partial(ProjectedResNet, depth),
            directions=directions,
            dropout=0.0,
        )
        for depth in (18, 34, 50, 101, 152)
        for kind, directions in (("lstm", 1), ("bilstm", 2))
    ),
    _spec(
        "test_lrcn",
        partial(ProjectedResNet, 10, features=32, width=16),
        ClipSpec(sampling=Sampling(num_frames=4), input=RGB(size=64, resize=64)),
        cells=16,
        directions=2,
        num_classes=12,
    ),
)
