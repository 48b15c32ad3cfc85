"""Key tables that several sources share, and adaptations of tensors.

An adaptation is a value for `Source.adapt`. It returns a tensor of an unexpected shape unchanged;
the check of keys and shapes then reports it.
"""

from collections.abc import Callable

from torch import Tensor

from zoopraxis.spec import Replacement

__all__ = [
    "RENAME_BLOBS",
    "RENAME_SEGMENTS",
    "Adapt",
    "flatten_head",
    "kernels_of_one_frame",
    "merge",
    "replace_norm_eps",
    "squeeze_blobs",
    "transpose_kernels",
]

Adapt = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def merge(*steps: Adapt) -> Adapt:
    """Apply several adaptations in order."""

    def adapt(state: dict[str, Tensor]) -> dict[str, Tensor]:
        for step in steps:
            state = step(state)
        return state

    return adapt


def replace_norm_eps(*, theirs: float, ours: float) -> Adapt:
    """Adapt weights to batch norms of another epsilon; outputs in evaluation mode are equal.

    The running variance absorbs the difference: ``var + theirs == (var + theirs - ours) + ours``.
    """

    def adapt(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            key: tensor + (theirs - ours) if key.endswith("running_var") else tensor
            for key, tensor in state.items()
        }

    return adapt


def transpose_kernels(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Transpose TensorFlow's kernels (T, H, W, in, out) to PyTorch's (out, in, T, H, W)."""
    return {
        key: tensor.permute(4, 3, 0, 1, 2).contiguous() if tensor.ndim == 5 else tensor
        for key, tensor in state.items()
    }


def kernels_of_one_frame(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn 2D kernels (out, in, H, W) into kernels of one frame (out, in, 1, H, W)."""
    return {key: t.unsqueeze(2) if t.ndim == 4 else t for key, t in state.items()}


def flatten_head(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn the 1x1x1 convolutions of a head (K, C, 1, 1, 1) into linear layers (K, C)."""
    return {
        key: tensor.flatten(1) if "head." in key and tensor.ndim == 5 else tensor
        for key, tensor in state.items()
    }


# Caffe numbers the blobs of a layer.

RENAME_BLOBS: tuple[tuple[str, Replacement], ...] = (
    (r"\.0$", ".weight"),
    (r"\.1$", ".bias"),
    (r"\.2$", ".running_mean"),
    (r"\.3$", ".running_var"),
)
"""Blobs of convolutions and linear layers, and of the "BN" layer of the video forks of Caffe.

That layer is a whole batch norm of epsilon 1e-5, not Caffe's own pair of "BatchNorm" and "Scale".
Its fourth blob is the variance; in files from before April 2016 it is the inverse standard
deviation, which the forks' ``bn_convert_style.py`` turns into the variance.
"""


def squeeze_blobs(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Flatten Caffe's vectors (1, C) or (1, 1, 1, C) to (C,), and matrices to (out, in)."""
    norms = {key.removesuffix(".running_var") for key in state if key.endswith(".running_var")}

    def squeeze(key: str, blob: Tensor) -> Tensor:
        layer, _, kind = key.rpartition(".")
        if layer in norms or kind.startswith("bias"):
            return blob.flatten()
        return blob.flatten(0, -2) if set(blob.shape[:-2]) == {1} else blob

    return {key: squeeze(key, blob) for key, blob in state.items()}


RENAME_SEGMENTS: tuple[tuple[str, Replacement], ...] = (
    (r"^base_model\.", "backbone."),
    (r"^new_fc\.", "head.linear."),
    (r"^backbone\.(fc|classifier|top_cls_fc)\.", "head.linear."),
)
"""Keys of the wrapper of the TSN lineage (TSN, TRN, TSM, GSM) in terms of `SegmentNetwork`.

Its classifier is the last layer of the image network without dropout, otherwise a separate layer.
"""
