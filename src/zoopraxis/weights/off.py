"""Published checkpoints of OFF, the authors' Caffe models.

Names and shapes are those of their prototxts; no trained file was available to test with.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from zoopraxis.errors import ConversionError
from zoopraxis.models.off import KERNELS
from zoopraxis.spec import Source, Weights
from zoopraxis.weights.keys import RENAME_BLOBS, merge, squeeze_blobs
from zoopraxis.weights.keys.bninception import RENAME_BNINCEPTION

__all__ = ["SOURCES", "WEIGHTS"]

_SIZES = {"28": "fine", "14": "middle", None: "coarse"}


def _residual_key(match: re.Match[str]) -> str:
    """Name a layer of the residual networks.

    # motion_conv_trans_28. -> fine.0.    motion_conv2_trans_28b. -> fine.4.conv2.
    """
    # motion_conv2_trans_28b: second convolution of the second unit, on maps of 28 pixels
    part, size, unit = match.groups()
    if not part:
        return f"{_SIZES[size]}.0."
    index = 2 + 2 * (ord(unit or "a") - ord("a"))
    return f"{_SIZES[size]}.{index}." + (f"conv{part}." if part.isdigit() else "shortcut.")


def _drop_filters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the spatial filters, which are never trained, if they equal those of `KERNELS`.

    Raises
    ------
    ConversionError
        They differ.
    """
    for key in [key for key in state if ".kernels." in key]:
        filters = state[key]
        cross = torch.tensor(KERNELS["cross"]).expand(len(filters), 1, 3, 3)
        known = torch.equal(filters, cross) if filters.ndim > 1 else not filters.any()
        if not known:
            raise ConversionError(
                f"{key} does not hold the spatial filters that the authors' code fills in",
                "these filters are constants of the network; was the file trained by other code?",
            )
    return {key: tensor for key, tensor in state.items() if ".kernels." not in key}


def _join_heads(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Merge the classifiers of frames and of motion, whose scores are added, into one."""
    keys = [f"head.{part}.{kind}" for kind in ("weight", "bias") for part in ("still", "moving")]
    if not all(key in state for key in keys):
        return state
    rest = {key: tensor for key, tensor in state.items() if key not in keys}
    still, moving, *biases = (state[key] for key in keys)
    weight = torch.cat((still, moving), dim=1)  # (K, 2048)
    return rest | {"head.linear.weight": weight, "head.linear.bias": biases[0] + biases[1]}


_CAFFE = Source(
    rename=(
        (r"^fc-action-motion_(28|14)\.", None),  # of the losses at the finer resolutions
        *RENAME_BLOBS,
        (r"^fc-action\.", "head.still."),
        (r"^fc-action-motion\.", "head.moving."),
        (r"^motion_conv_gen_(\w\w)\.", r"units.\1.before_difference."),
        (r"^motion_spatial_down_(\w\w)\.", r"units.\1.before_gradient."),
        (r"^motion_spatial_grad_(\w\w)\.", r"units.\1.kernels."),
        (r"^motion_conv(\d?|_branch|_expand)(?:_trans)?(?:_(28|14)([abc])?)?\.", _residual_key),
        (r"^(?=conv|inception)", "backbone."),
        (r"/", "_"),
        *RENAME_BNINCEPTION,
    ),
    adapt=merge(squeeze_blobs, _drop_filters, _join_heads),
)
SOURCES: Mapping[str, Mapping[str, Source]] = {
    name: {"caffe": _CAFFE}
    for name in ("off_cross_bninception_7", "off_bninception_flow_7", "off_bninception_rgbdiff_7")
}


def _ucf101(model: str, drive_id: str) -> Weights:
    """Make the entry of one model; the authors publish only the accuracy of fused models."""
    return Weights(
        model=model,
        tag="ucf101_1",
        urls=(f"gdrive://{drive_id}",),
        file=f"off_{drive_id}.caffemodel",  # the authors publish links without names
        source="caffe",
        dataset="UCF-101, split 1",
        num_classes=101,
        labels="ucf101",
        licence="MIT (code)",
    )


WEIGHTS: tuple[Weights, ...] = (
    _ucf101("off_cross_bninception_7", "1FRhtp6s30gZfD6APxuD9iYuihv88JS6B"),
    _ucf101("off_bninception_flow_7", "1GdsHXrUEuoqtpTXptP1hch5Go-WK09I-"),
    _ucf101("off_bninception_rgbdiff_7", "1BtfM0ONkE28Si3olr3CXXn7AmPMaMoVh"),
)
