"""Long-term Recurrent Convolutional Networks for Visual Recognition and Description.

Donahue, Hendricks, Guadarrama, Rohrbach, Venugopalan, Saenko and Darrell, CVPR 2015.
arXiv:1411.4389
Official code: https://github.com/LisaAnne/lisa-caffe-public (Caffe, BSD-2-Clause). ResNets:
https://github.com/doronharitan/human_activity_recognition_LRCN (no licence given)

A network of images turns every frame into a vector, an LSTM reads the vectors in order, and a
classifier answers after every frame; the clip's logits are the mean of the answers (section 3).

``lrcn_hybrid`` is the authors' network for RGB: between CaffeNet and Zeiler and Fergus's, one
LSTM of 256 cells on its fc6, 16 neighbouring frames of 227 pixels. They average probabilities
where we average logits; forget gates start as torch has them. Their flow network is the same, fed
with flow and its length as a third channel; no row prepares that. Source "caffe" takes names,
shapes and the order of gates from their prototxts and LSTM layer; no trained net was at hand.

``lrcn_r*`` is the ResNet code above, five frames at 2.5 a second: a linear layer to 512 behind the
ResNet, an LSTM of two layers of 256 cells (``lstm``), or as many in both directions (``bilstm``),
and one answer, from the last step. There the backward LSTM has seen only the last frame. Its code
keeps the LSTM's state from call to call until told to forget; a clip here always starts anew. It
ends with a softmax; ours gives the logits.
"""

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import RENAME_BLOBS, merge, squeeze_blobs
from zoopraxis.layers.frames import Trunk, fold, split_batch
from zoopraxis.layers.head import FrameHead
from zoopraxis.layers.resnet2d import RENAME_RESNET2D, ResNet2d
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.spec import ClipSpec, ModelSpec, Source


class HybridNet(nn.Module):
    """The authors' network of images up to fc6: five convolutions, one hidden layer.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of a frame.
    dropout : float, default=0.9
        Behind fc6.
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

    def forward(self, x: Tensor, _frames: int = 1) -> Tensor:
        """Map frames (N, C, 227, 227) to features (N, 4096, 1, 1)."""
        x = self.normalise(halve(F.relu(self.conv1(x))))  # (N, 96, 55, 55)
        x = self.normalise(halve(F.relu(self.conv2(x))))  # (N, 384, 13, 13)
        x = F.relu(self.conv4(F.relu(self.conv3(x))))  # (N, 512, 13, 13)
        x = halve(F.relu(self.conv5(x)))  # (N, 384, 6, 6)
        x = self.dropout(F.relu(self.fc6(x.flatten(1))))  # (N, 4096)
        return x[:, :, None, None]  # (N, 4096, 1, 1)


def halve(x: Tensor) -> Tensor:
    """Max pooling 3x3 of stride 2 that rounds up, as Caffe's."""
    return F.max_pool2d(x, 3, stride=2, ceil_mode=True)


class ProjectedResNet(nn.Module):
    """ResNet, mean over space, linear layer.

    Parameters
    ----------
    depth : {10, 18, 34, 50, 101, 152}
        Layers of the ResNet.
    features : int, default=512
        Of the linear layer.
    width : int, default=64
        Channels of the stem.
    in_channels : int, default=3
        Channels of a frame.
    """

    def __init__(
        self, depth: int, *, features: int = 512, width: int = 64, in_channels: int = 3
    ) -> None:
        super().__init__()
        self.trunk = ResNet2d(depth, in_channels=in_channels, width=width)
        self.project = nn.Linear(self.trunk.num_features, features)
        self.num_features = features

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (N, C, H, W) to features (N, F, 1, 1)."""
        x = self.trunk(x, frames).mean(dim=(2, 3))  # (N, C')
        x = self.project(x)  # (N, F)
        return x[:, :, None, None]  # (N, F, 1, 1)


class LRCN(nn.Module):
    """An LSTM over the features of frames; the logits are the mean over its steps.

    Parameters
    ----------
    encoder : Trunk
        Makes the network of images; its features are 1x1.
    cells : int, default=256
        Of each layer and direction of the LSTM.
    layers : int, default=1
        Of the LSTM.
    directions : {1, 2}, default=1
        Whether the LSTM reads forward, or another one backward too.
    num_classes : int, default=101
        K; UCF-101 has 101.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        encoder: Trunk,
        *,
        cells: int = 256,
        layers: int = 1,
        directions: Literal[1, 2] = 1,
        num_classes: int = 101,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.encoder = encoder(in_channels=3)
        self.lstm = nn.LSTM(
            self.encoder.num_features,
            cells,
            layers,
            batch_first=True,
            bidirectional=directions == 2,
        )
        self.num_features = cells * directions
        self.head = FrameHead(self.num_features, num_classes, dropout)

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to what the LSTM says at every step, (B, F, T, 1, 1)."""
        frames = x.shape[2]
        x = self.encoder(fold(x), frames).flatten(1)  # (B * T, F')
        steps, _ = self.lstm(split_batch(x, frames))  # (B, T, F)
        out: Tensor = steps.transpose(1, 2)[..., None, None]  # (B, F, T, 1, 1)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, 1, 1) to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 3, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))


class LastStepLRCN(LRCN):
    """LRCN that answers once, after the last frame."""

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, F, T, 1, 1) to logits (B, K)."""
        return super().forward_head(x[:, :, -1:])


PORT = Source(
    rename=(
        (r"^conv_model\.conv_model\.fc\.", "encoder.project."),
        (r"^conv_model\.conv_model\.", "encoder.trunk."),
        (r"^Lstm\.Lstm\.", "lstm."),
        (r"^output_layer\.0\.", "head.linear."),
        *RENAME_RESNET2D,
    )
)


def _gates(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Caffe's gates (input, forget, output, cell) in torch's order, and its one bias as two."""

    def reorder(blob: Tensor) -> Tensor:
        i, f, o, g = blob.tensor_split(4)
        return torch.cat((i, f, g, o))

    gates = {key: reorder(blob) for key, blob in state.items() if key.startswith("lstm.")}
    zeros = {
        key.replace("_ih_", "_hh_"): torch.zeros_like(blob)
        for key, blob in gates.items()
        if "bias_ih" in key
    }
    return state | gates | zeros


CAFFE = Source(
    rename=(
        (r"^lstm1\.0$", "lstm.weight_ih_l0"),
        (r"^lstm1\.1$", "lstm.bias_ih_l0"),
        (r"^lstm1\.2$", "lstm.weight_hh_l0"),
        *RENAME_BLOBS,
        (r"^fc8-final\.", "head.linear."),
        (r"^(?=conv|fc6)", "encoder."),
    ),
    adapt=merge(squeeze_blobs, _gates),
)

_HYBRID_CLIP = ClipSpec(
    frames=16,
    resize=(240, 320),
    size=227,
    mean=(128.0, 128.0, 128.0),
    std=(1.0, 1.0, 1.0),
    channel_order="bgr",
    value_range=255.0,
)
_PORT_CLIP = ClipSpec(frames=5, fps=2.5)


def _port(depth: int, directions: Literal[1, 2], params_m: float, macs_g: float) -> ModelSpec:
    return ModelSpec(
        name=f"lrcn_r{depth}_{'bi' * (directions - 1)}lstm",
        build=LastStepLRCN,
        args={
            "encoder": partial(ProjectedResNet, depth),
            "layers": 2,
            "directions": directions,
            "dropout": 0.0,
        },
        clip=_PORT_CLIP,
        params_m=params_m,
        macs_g=macs_g,
        strides=(1, None),
        sources={"lrcn": PORT},
    )


SPECS = (
    ModelSpec(
        name="lrcn_hybrid",
        build=LRCN,
        args={"encoder": HybridNet},
        clip=_HYBRID_CLIP,
        sources={"caffe": CAFFE},
        params_m=65.42,
        macs_g=19.11,
        strides=(1, None),
    ),
    _port(18, 1, 12.78, 9.08),
    _port(18, 2, 14.64, 9.08),
    _port(34, 1, 22.89, 18.32),
    _port(34, 2, 24.75, 18.33),
    _port(50, 1, 25.90, 20.45),
    _port(50, 2, 27.76, 20.46),
    _port(101, 1, 44.89, 39.01),
    _port(101, 2, 46.75, 39.02),
    _port(152, 1, 60.53, 57.57),
    _port(152, 2, 62.40, 57.58),
    ModelSpec(
        name="test_lrcn",
        build=LastStepLRCN,
        args={
            "encoder": partial(ProjectedResNet, 10, features=32, width=16),
            "cells": 16,
            "layers": 2,
            "directions": 2,
            "num_classes": 12,
        },
        clip=ClipSpec(frames=4, size=64, resize=64),
        params_m=0.33,
        macs_g=0.03,
        strides=(1, None),
        sources={"lrcn": PORT},
    ),
)
