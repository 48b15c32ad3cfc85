"""The grammar of the tags of published checkpoints.

    <data>[_<variant>]             the authors' own:   k400, k400_dense, ig65m_ft_k400
    <origin>_<data>[_<variant>]    somebody else's:    torchvision_k400, mmaction2_k400_8x8

``data`` is one of `DATA`, or two joined by ``_ft_``: pre-training, then fine-tuning. Pre-training
on ImageNet is not written, except as the variant ``in1k`` where a checkpoint without it exists.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["DATA", "ORIGINS", "Tag", "parse_tag"]

DATA = (
    "k400",
    "k600",
    "k700",
    "k700_mit",
    "k700_mit_stair",
    "k700_stair",
    "mit",
    "mit_stair",
    "stair",
    "ssv1",
    "ssv2",
    "ucf101",
    "ucf101_1",
    "ucf101_2",
    "ucf101_3",
    "hmdb51",
    "hmdb51_1",
    "hmdb51_2",
    "hmdb51_3",
    "sports1m",
    "ig65m",
    "howto100m",
    "charades",
    "diving48",
    "epic55",
    "jester",
    "ntu60_xsub",
    "ntu60_xview",
    "ntu120_xsub",
    "ntu120_xset",
    "gym99",
)
"""Data sets; ``ucf101_1`` is split 1, ``ucf101`` where the split is not published."""

ORIGINS: Mapping[str, str] = {
    "caffe": "caffe",
    "i3d_hassony": "hassony",
    "i3d_piergiaj": "piergiaj",
    "mmaction2": "mmaction2",
    "pyslowfast_caffe2": "pyslowfast",
    "pyskl": "pyskl",
    "pytorchvideo": "pytorchvideo",
    "pytorchvideo_mobile": "pytorchvideo_mobile",
    "s3d_kylemin": "kylemin",
    "torchvision": "torchvision",
    "tsm": "tsm",
    "video_nonlocal_caffe2": "nonlocal",
    "vmz": "vmz",
}
"""How a tag begins, by the `Source` of a checkpoint that is not the authors' own."""

_DATA = "|".join(sorted(DATA, key=len, reverse=True))  # the longest matching name wins
_ORIGIN = "|".join(sorted(set(ORIGINS.values()), key=len, reverse=True))
_GRAMMAR = re.compile(
    rf"(?:(?P<origin>{_ORIGIN})_)?(?P<data>(?:{_DATA})(?:_ft_(?:{_DATA}))?)(?:_(?!ft_)(?P<variant>\w+))?"
)


class Tag(NamedTuple):
    """Parts of a tag; empty where it has none."""

    origin: str
    data: str
    variant: str


def parse_tag(tag: str) -> Tag:
    """Split a tag into its parts.

    Raises
    ------
    ValueError
        The tag does not follow the grammar.

    # "mmaction2_ig65m_ft_k400_bnfrozen" is ("mmaction2", "ig65m_ft_k400", "bnfrozen")
    """
    match = _GRAMMAR.fullmatch(tag)
    if match is None:
        raise ValueError(f"{tag!r} is not <data>[_<variant>] or <origin>_<data>[_<variant>]")
    return Tag(*(match[part] or "" for part in ("origin", "data", "variant")))
