"""Published checkpoints of the two-stream ResNets.

Source "two_stream" is the network of that code. Its loader puts the first flow field of a stack
last; source "two_stream_loader", for the published flow stream, rolls the filters back.
"""

from collections.abc import Mapping

from torch import Tensor

from zoopraxis.models.two_stream import SPECS
from zoopraxis.spec import Protocol, Source, Weights
from zoopraxis.weights.keys.resnet2d import RENAME_RESNET2D


def roll_stack(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Move the filters of the last flow field of a stack, two channels, to the front."""
    # the loader stacks fields 2 3 1; rolled, the filters are those of 1 2 3
    return {
        key: tensor.roll(2, dims=1)
        if key == "backbone.stem.conv.weight" and tensor.ndim == 4
        else tensor
        for key, tensor in state.items()
    }


_RENAME = (
    (r"^fc_custom\.", "head.linear."),
    (r"^conv1_custom\.", "conv1."),
    (r"^(?!head\.)", "backbone."),
    *RENAME_RESNET2D,
)
_RGB = {"two_stream": Source(rename=_RENAME)}
_FLOW = {**_RGB, "two_stream_loader": Source(rename=_RENAME, adapt=roll_stack)}

SOURCES: Mapping[str, Mapping[str, Source]] = {
    **{
        spec.name: _FLOW if spec.name.endswith("flow") else _RGB
        for spec in SPECS
        if spec.name.startswith("two_stream_r")
    },
    "test_two_stream": _RGB,
    "test_two_stream_flow": _FLOW,
}


def _published(model: str, source: str, folder: str, top1: float) -> Weights:
    return Weights(
        model=model,
        tag="ucf101_1",
        page=f"https://drive.google.com/drive/folders/{folder}",
        file="model_best.pth.tar",  # as its code saves it
        source=source,
        dataset="UCF-101, split 1",
        num_classes=101,
        labels="ucf101",
        licence="MIT",
        top1=top1,
        protocol=Protocol(views=19, mode="sum_logit", note="UCF-101 split 1"),
    )


WEIGHTS = (
    _published("two_stream_r101_rgb", "two_stream", "1gVB5StqgoDJ3IxHUn7zoTzTNxzz3du3d", 82.1),
    _published(
        "two_stream_r101_flow", "two_stream_loader", "1z3fYUOJx_l3BW-NSb7ti0DsyGLFk6Z7J", 79.4
    ),
)
