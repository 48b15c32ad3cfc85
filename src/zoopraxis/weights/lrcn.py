"""Sources of LRCN: the authors' Caffe networks ("caffe") and the ResNet code ("lrcn").

No published checkpoint is known. Names, shapes and the order of the gates of source "caffe" follow
the authors' prototxts and LSTM layer, and could not be checked against a trained network.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from zoopraxis.models.lrcn import SPECS, LastStepLRCN
from zoopraxis.spec import Source, Weights
from zoopraxis.weights.keys import RENAME_BLOBS, merge, squeeze_blobs
from zoopraxis.weights.keys.resnet2d import RENAME_RESNET2D

__all__ = ["SOURCES", "WEIGHTS"]


def reorder_gates(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reorder the gates of Caffe's LSTM for torch, and add torch's second bias: zeros.

    # Caffe stacks (input, forget, output, cell), torch (input, forget, cell, output)
    """

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


_CAFFE = Source(
    rename=(
        (r"^lstm1\.0$", "lstm.weight_ih_l0"),
        (r"^lstm1\.1$", "lstm.bias_ih_l0"),
        (r"^lstm1\.2$", "lstm.weight_hh_l0"),
        *RENAME_BLOBS,
        (r"^fc8-final\.", "head.linear."),
        (r"^(?=conv|fc6)", "encoder."),
    ),
    adapt=merge(squeeze_blobs, reorder_gates),
)
_RESNET = Source(
    rename=(
        (r"^conv_model\.conv_model\.fc\.", "encoder.project."),
        (r"^conv_model\.conv_model\.", "encoder.backbone."),
        (r"^Lstm\.Lstm\.", "lstm."),
        (r"^output_layer\.0\.", "head.linear."),
        *RENAME_RESNET2D,
    )
)
SOURCES: Mapping[str, Mapping[str, Source]] = {
    "lrcn_hybrid": {"caffe": _CAFFE},
    **{spec.name: {"lrcn": _RESNET} for spec in SPECS if spec.build is LastStepLRCN},
}

WEIGHTS: tuple[Weights, ...] = ()
