"""Published checkpoints of X3D.

In PySlowFast, in mmaction2, which has PySlowFast's weights, and in PyTorchVideo's mobile networks
(source "pytorchvideo_mobile") the first shortcut of the first stage has a batch norm. In
PyTorchVideo's other networks it has none, since that convolution keeps the number of channels:
3,794,322 and 3,794,274 parameters. Entries ``x3d_*`` are the former, for which PyTorchVideo's
weights receive an identity batch norm; entries ``x3d_ptv_*`` are the latter.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from zoopraxis.models.x3d import SPECS
from zoopraxis.spec import Protocol, Replacement, Source, Weights
from zoopraxis.weights.inflated_resnet import (
    VIEWS,
    facebook_weights,
    mmaction2_weights,
    pytorchvideo_weights,
)
from zoopraxis.weights.keys import flatten_head, merge
from zoopraxis.weights.keys.inflated_resnet import frozen_norm, rename_pyslowfast
from zoopraxis.weights.keys.resnet3d import RENAME_PYTORCHVIDEO

__all__ = ["SOURCES", "WEIGHTS"]

_GATE = {"0": "reduce", "2": "expand"}  # indices in PyTorchVideo's squeeze-and-excitation
_RENAME_PYTORCHVIDEO: tuple[tuple[str, Replacement], ...] = (
    (r"^(?:model\.)?blocks\.0\.conv\.conv_t\.", "stem.spatial."),  # the names are swapped there
    (r"^(?:model\.)?blocks\.0\.conv\.conv_xy\.", "stem.temporal."),
    (r"\.norm_b\.0\.", ".norm_b."),
    (r"\.branch2\.norm_b\.1\.block\.([02])\.", lambda m: f".gate.{_GATE[m[1]]}."),
    (r"^(?:model\.)?blocks\.5\.pool\.pre_(conv|norm)\.", r"\g<1>5."),
    (r"^(?:model\.)?blocks\.5\.pool\.post_conv\.", "head.hidden."),
    *RENAME_PYTORCHVIDEO,
)
_RENAME_PYSLOWFAST: tuple[tuple[str, Replacement], ...] = (
    (r"_stem\.conv\.", "_stem.temporal."),
    (r"_stem\.conv_xy\.", "_stem.spatial."),
    (r"\.branch2\.se\.fc1\.", ".gate.reduce."),
    (r"\.branch2\.se\.fc2\.", ".gate.expand."),
    (r"^head\.conv_5\.", "conv5."),
    (r"^head\.conv_5_bn\.", "norm5."),
    (r"^head\.lin_5\.", "head.hidden."),
    *rename_pyslowfast(""),
)
_RENAME_MOBILE: tuple[tuple[str, Replacement], ...] = (
    (r"\.kernel\.", "."),
    (r"^s(\d)\.pathway0_res(\d+)\.", lambda m: f"layer{int(m[1]) - 1}.{m[2]}."),
    (r"^s1\.pathway0_stem_conv_xy\.", "stem.spatial."),
    (r"^s1\.pathway0_stem_conv\.bn\.", "stem.norm."),
    (r"^s1\.pathway0_stem_conv\.", "stem.temporal."),
    (r"\._res_proj\.bn\.", ".shortcut.norm."),
    (r"\._res_proj\.", ".shortcut."),
    (r"\.layers\.se\.se\.block\.([02])\.", lambda m: f".gate.{_GATE[m[1]]}."),
    (r"\.layers\.conv_(\d)\.bn\.", lambda m: f".norm{int(m[1]) + 1}."),
    (r"\.layers\.conv_(\d)\.conv\.", lambda m: f".conv{int(m[1]) + 1}."),
    (r"^head\.conv_5\.bn\.", "norm5."),
    (r"^head\.conv_5\.", "conv5."),
    (r"^head\.lin_5\.", "head.hidden."),
    (r"^projection\.model\.", "head.linear."),
    (r"^(conv5|stem\.spatial|stem\.temporal|head\.hidden)\.conv\.", r"\1."),
)
_RENAME_MMACTION2: tuple[tuple[str, Replacement], ...] = (
    (r"^data_preprocessor\.", None),
    (r"^backbone\.", ""),
    (r"^conv1_s\.conv\.", "stem.spatial."),
    (r"^conv1_t\.conv\.", "stem.temporal."),
    (r"^conv1_t\.bn\.", "stem.norm."),
    (r"\.se_module\.fc1\.", ".gate.reduce."),
    (r"\.se_module\.fc2\.", ".gate.expand."),
    (r"\bconv(\d)\.conv\.", r"conv\1."),
    (r"\bconv(\d)\.bn\.", r"norm\1."),
    (r"\.downsample\.bn\.", ".shortcut.norm."),
    (r"\.downsample\.", ".shortcut."),
    (r"^cls_head\.fc1\.", "head.hidden."),
    (r"^cls_head\.fc2\.", "head.linear."),
)


def add_identity_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add an identity batch norm to the first shortcut."""
    conv = state.get("layer1.0.shortcut.conv.weight")
    if conv is None:
        return state
    identity = {"scale": torch.ones(len(conv)), "shift": torch.zeros(len(conv))}
    return {**state, **frozen_norm("layer1.0.shortcut.norm", **identity)}


_NORMED = {
    "pyslowfast": Source(rename=_RENAME_PYSLOWFAST, adapt=flatten_head),
    "pytorchvideo": Source(
        rename=_RENAME_PYTORCHVIDEO, adapt=merge(flatten_head, add_identity_norm)
    ),
    "pytorchvideo_mobile": Source(rename=_RENAME_MOBILE, adapt=flatten_head),
    "mmaction2": Source(rename=_RENAME_MMACTION2),
}
_UNNORMED = {"pytorchvideo": Source(rename=_RENAME_PYTORCHVIDEO, adapt=flatten_head)}
SOURCES: Mapping[str, Mapping[str, Source]] = {
    spec.name: _UNNORMED if "_ptv_" in spec.name else _NORMED for spec in SPECS
}


_TRAINED_ON = {"xs": 160, "s": 160, "m": 224, "l": 312}  # pixels of the crops
_ONE_CROP = Protocol(views=10, crops=1, convention="pyslowfast", mode="mean_probability")


def _pyslowfast(size: str, top1: float) -> Weights:
    return facebook_weights(
        f"x3d_{size}",
        "k400",
        f"pyslowfast/x3d_models/x3d_{size}.pyth",
        source="pyslowfast",
        protocol=replace(_ONE_CROP, size=_TRAINED_ON[size]),
        top1=top1,
    )


def _pytorchvideo(size: str, crop: int, top1: float, top5: float) -> tuple[Weights, Weights]:
    """Return one checkpoint as entries of both builds."""
    protocol = replace(VIEWS, size=crop, fully_convolutional=_TRAINED_ON[size])
    file = f"X3D_{size.upper()}"
    return (
        pytorchvideo_weights(f"x3d_{size}", file, top1, top5, protocol=protocol),
        pytorchvideo_weights(f"x3d_ptv_{size}", file, top1, top5, protocol=protocol),
    )


def _mobile(size: str, top1: float, top5: float) -> Weights:
    """Return a checkpoint of PyTorchVideo's mobile zoo."""
    return pytorchvideo_weights(
        f"x3d_{size}",
        f"efficient_x3d_{size}_original_form",
        top1,
        top5,
        protocol=Protocol(views=10),
        source="pytorchvideo_mobile",
    )


def _mmaction2(model: str, file: str, top1: float) -> Weights:
    """Return PySlowFast's checkpoint as converted by mmaction2."""
    return mmaction2_weights(model, "x3d/facebook", file, top1, None)


WEIGHTS: tuple[Weights, ...] = (
    _pyslowfast("xs", 68.7),
    *_pytorchvideo("xs", 182, 69.12, 88.63),
    _mobile("xs", 68.5, 88.0),
    _pyslowfast("s", 73.1),
    *_pytorchvideo("s", 182, 73.33, 91.27),
    _mobile("s", 73.0, 90.6),
    _mmaction2("x3d_s", "x3d_s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0", 73.3),
    _pyslowfast("m", 75.1),
    *_pytorchvideo("m", 256, 75.94, 92.72),
    _mmaction2("x3d_m", "x3d_m_16x5x1_facebook-kinetics400-rgb_20201027-3f42382a", 76.4),
    _pyslowfast("l", 76.9),
    *_pytorchvideo("l", 356, 77.44, 93.31),
)
