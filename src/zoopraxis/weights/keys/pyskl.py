"""Keys and published checkpoints of the skeleton networks in PYSKL.

Its model zoo: https://github.com/kennymckormick/pyskl, the README of each network in ``configs``.
"""

from collections.abc import Mapping
from typing import Literal

from zoopraxis.models import model_spec
from zoopraxis.spec import Protocol, Replacement, Weights

__all__ = ["ADDRESS", "DATASETS", "GRAPH_BLOCKS", "Stream", "skeleton_weights"]

GRAPH_BLOCKS: tuple[tuple[str, Replacement], ...] = (
    (r"^backbone\.data_bn\.", "input_norm."),
    (r"^backbone\.gcn\.", "blocks."),
    (r"\.gcn\.", ".graph."),
    (r"\.graph\.down\.0\.", ".graph.shortcut.conv."),
    (r"\.graph\.down\.1\.", ".graph.shortcut.norm."),
    (r"\.tcn\.", ".time."),
    (r"\.residual\.conv\.", ".shortcut.conv."),
    (r"\.residual\.bn\.", ".shortcut.norm."),
    (r"^cls_head\.fc_cls\.", "head.linear."),
)
"""Blocks of a graph convolution and one over time, and what is around them."""

ADDRESS = "https://download.openmmlab.com/mmaction/pyskl/ckpt/"

DATASETS: Mapping[str, tuple[str, int, str]] = {
    "ntu60_xsub": ("NTU RGB+D 60, cross-subject", 60, "ntu60"),
    "ntu60_xview": ("NTU RGB+D 60, cross-view", 60, "ntu60"),
    "ntu120_xsub": ("NTU RGB+D 120, cross-subject", 120, "ntu120"),
    "ntu120_xset": ("NTU RGB+D 120, cross-setup", 120, "ntu120"),
}
"""What a data set is called, its number of classes and its list of labels."""

Stream = Literal["j", "b", "jm", "bm"]
_STREAMS: Mapping[Stream, str] = {
    "j": "joints",
    "b": "bones",
    "jm": "joint_motion",
    "bm": "bone_motion",
}


def skeleton_weights(
    model: str, folder: str, data: str, stream: Stream, top1: float, *, origin: str = ""
) -> Weights:
    """Return the checkpoint of one stream, whose clip has joints prepared as PYSKL does.

    Parameters
    ----------
    model : str
        Entry of the zoo.
    folder : str
        Of the file, within `ADDRESS`.
    data : str
        Key of `DATASETS`.
    stream : {"j", "b", "jm", "bm"}
        Joints, bones, motion of either.
    top1 : float
        Published accuracy in percent.
    origin : str, default=""
        How the tag begins, ``"pyskl_"`` for networks of others.
    """
    dataset, num_classes, labels = DATASETS[data]
    name = _STREAMS[stream]
    clip = model_spec(model).clip
    normalise = "upright" if model.endswith("_ntu") else "image"
    return Weights(
        model=model,
        tag=f"{origin}{data}" if stream == "j" else f"{origin}{data}_{name}",
        urls=(f"{ADDRESS}{folder}/{stream}.pth",),
        source="pyskl",
        dataset=dataset,
        num_classes=num_classes,
        labels=labels,
        licence="Apache-2.0",
        top1=top1,
        protocol=Protocol(views=10),
        clip=clip.change(streams=(name,), normalise=normalise),
    )
