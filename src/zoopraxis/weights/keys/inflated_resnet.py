"""Keys of the inflated ResNets in PySlowFast, PyTorchVideo, mmaction2 and Caffe2.

Functions take the prefixes of our keys, one per pathway: "" for a network of a single one. The code
bases count the stages from 2, as the papers' tables do; ours are ``layer1`` to ``layer4``.
"""

import re

import torch
from torch import Tensor

from zoopraxis.spec import Replacement, Source
from zoopraxis.weights.keys import flatten_head, merge
from zoopraxis.weights.keys.resnet3d import RENAME_PYTORCHVIDEO

__all__ = [
    "CAFFE2",
    "PYSLOWFAST",
    "PYTORCHVIDEO",
    "PYTORCHVIDEO_POOLED",
    "frozen_norm",
    "rename_caffe2",
    "rename_pyslowfast",
    "thaw_norms",
]

Rules = tuple[tuple[str, Replacement], ...]

_LETTERS = {"a": "1", "b": "2", "c": "3"}


def rename_pyslowfast(*pathways: str) -> Rules:
    """Keys of PySlowFast's residual networks.

    # s4.pathway0_res2.branch2.b_bn.weight -> layer3.2.norm2.weight
    """
    return (
        (r"^s(\d)\.pathway(\d)_", lambda m: f"{pathways[int(m[2])]}layer{int(m[1]) - 1}."),
        (r"layer0\.stem\.", "stem."),
        (r"\.res(\d+)\.", r".\1."),
        (r"\.branch1_bn\.", ".shortcut.norm."),
        (r"\.branch1\.", ".shortcut.conv."),
        (r"\.branch2\.([abc])_bn\.", lambda m: f".norm{_LETTERS[m[1]]}."),
        (r"\.branch2\.([abc])\.", lambda m: f".conv{_LETTERS[m[1]]}."),
        (r"\.conv_(theta|phi|g|out)\.", r".\1."),
        (r"\.bn\.", ".norm."),
        (r"^head\.projection\.", "head.linear."),
    )


def rename_caffe2(*pathways: str) -> Rules:
    """Blobs of the authors' Caffe2 releases.

    Those of the fast pathway begin with ``t_``. The blobs of a batch norm are s, b, rm and riv,
    which is the variance in spite of its name. Those of the optimiser are dropped.

    # res4_2_branch2b_bn_riv -> layer3.2.norm2.running_var
    # nonlocal_conv4_1_theta_w -> layer3.nonlocal1.theta.weight
    """

    def layer(match: re.Match[str]) -> str:
        pathway = pathways[1] if match[1] else pathways[0]
        return f"{pathway}layer{int(match[2]) - 1}.{match[3]}."

    def stem(match: re.Match[str]) -> str:
        return f"{pathways[1] if match[1] else pathways[0]}stem."

    return (
        (r"momentum|^model_iter$|^lr$", None),
        (r"^(t_)?res(\d)_(\d+)_branch", layer),
        (r"^()nonlocal_conv(\d)_(\d+_)", layer),
        (r"\.(\d+)_\.", r".nonlocal\1."),
        (r"^(t_)?res_conv1_(?=bn_)", stem),
        (r"^(t_)?(?=conv1_)", stem),
        (r"\.conv1_", ".conv_"),
        (r"\.1_bn_", ".shortcut.norm."),
        (r"\.1_", ".shortcut.conv."),
        (r"\.2([abc])_bn_", lambda m: f".norm{_LETTERS[m[1]]}."),
        (r"\.2([abc])_", lambda m: f".conv{_LETTERS[m[1]]}."),
        (r"^pred_", "head.linear."),
        (r"\.bn_", ".norm."),
        (r"\.(conv|theta|phi|g|out)_", r".\1."),
        (r"\.[ws]$", ".weight"),
        (r"\.b$", ".bias"),
        (r"\.rm$", ".running_mean"),
        (r"\.riv$", ".running_var"),
    )


def frozen_norm(norm: str, *, scale: Tensor, shift: Tensor) -> dict[str, Tensor]:
    """State of a batch norm of this name that only scales and shifts."""
    return {
        f"{norm}.weight": scale,
        f"{norm}.bias": shift,
        f"{norm}.running_mean": torch.zeros_like(shift),
        f"{norm}.running_var": torch.ones_like(scale) - 1e-5,  # 1 with the epsilon added
    }


def thaw_norms(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Complete the batch norms of networks that were trained with frozen ones.

    Those of the residual blocks are stored as a scale and a shift, those of the non-local blocks
    not at all.
    """
    added: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name, _, kind = key.rpartition(".")
        frozen = f"{name}.running_mean" not in state and f"{name}.bias" in state
        if kind == "weight" and tensor.ndim == 1 and frozen:
            added |= frozen_norm(name, scale=tensor, shift=state[f"{name}.bias"])
        norm = name.removesuffix("out") + "norm"
        if key.endswith(".out.bias") and f"{norm}.weight" not in state:
            identity = {"scale": torch.ones_like(tensor), "shift": torch.zeros_like(tensor)}
            added |= frozen_norm(norm, **identity)
    return {**state, **added}


# Sources of networks of one pathway.

PYSLOWFAST = Source(rename=rename_pyslowfast(""))
CAFFE2 = Source(rename=rename_caffe2(""), adapt=merge(flatten_head, thaw_norms))
PYTORCHVIDEO = Source(rename=RENAME_PYTORCHVIDEO)
PYTORCHVIDEO_POOLED = Source(
    rename=(
        # the pooling after the first stage is blocks.2
        (r"^(?:model\.)?blocks\.([3-6])\.", lambda m: f"blocks.{int(m[1]) - 1}."),
        *RENAME_PYTORCHVIDEO,
    )
)
