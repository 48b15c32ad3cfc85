"""Keys of Inception-v3 in other code bases."""

import re

from zoopraxis.spec import Replacement

# What each module of the TSN lineage calls its branches, after TensorFlow.
_SQUARE = {
    "conv": "branch1x1.0",
    "tower_conv": "branch5x5.0",
    "tower_conv_1": "branch5x5.1",
    "tower_1_conv": "branch3x3dbl.0",
    "tower_1_conv_1": "branch3x3dbl.1",
    "tower_1_conv_2": "branch3x3dbl.2",
    "tower_2_conv": "branch_pool.0",
}
_HALVE = {
    "conv": "branch3x3.0",
    "tower_conv": "branch3x3dbl.0",
    "tower_conv_1": "branch3x3dbl.1",
    "tower_conv_2": "branch3x3dbl.2",
}
_LONG = {
    "conv": "branch1x1.0",
    "tower_conv": "branch7x7.0",
    "tower_conv_1": "branch7x7.1",
    "tower_conv_2": "branch7x7.2",
    "tower_1_conv": "branch7x7dbl.0",
    "tower_1_conv_1": "branch7x7dbl.1",
    "tower_1_conv_2": "branch7x7dbl.2",
    "tower_1_conv_3": "branch7x7dbl.3",
    "tower_1_conv_4": "branch7x7dbl.4",
    "tower_2_conv": "branch_pool.0",
}
_HALVE_AGAIN = {
    "tower_conv": "branch3x3.0",
    "tower_conv_1": "branch3x3.1",
    "tower_1_conv": "branch7x7x3.0",
    "tower_1_conv_1": "branch7x7x3.1",
    "tower_1_conv_2": "branch7x7x3.2",
    "tower_1_conv_3": "branch7x7x3.3",
}
_SPLIT = {
    "conv": "branch1x1.0",
    "tower_conv": "branch3x3.0",
    "tower_mixed_conv": "branch3x3_2a.0",
    "tower_mixed_conv_1": "branch3x3_2b.0",
    "tower_1_conv": "branch3x3dbl.0",
    "tower_1_conv_1": "branch3x3dbl.1",
    "tower_1_mixed_conv": "branch3x3dbl_3a.0",
    "tower_1_mixed_conv_1": "branch3x3dbl_3b.0",
    "tower_2_conv": "branch_pool.0",
}
# by module, 0 to 10
_BRANCHES = (*(_SQUARE,) * 3, _HALVE, *(_LONG,) * 4, _HALVE_AGAIN, _SPLIT, _SPLIT)
_PARTS = {"Conv2D": "conv", "batchnorm": "norm", "bn": "norm", "conv": "conv"}


def _stem_key(match: re.Match[str]) -> str:
    """conv_1_Conv2D. becomes conv_1.conv. ."""
    return f"conv_{match[1] or 0}.{_PARTS[match[2]]}."


def _mixed_key(match: re.Match[str]) -> str:
    """mixed_3_tower_conv_Conv2D. becomes mixed_3.branch3x3dbl.0.conv. ."""
    return f"{mixed_branch(match)}.{_PARTS[match[3]]}."


def mixed_branch(match: re.Match[str]) -> str:
    """Our name of a convolution, from groups 1 and 2: number of the module, the lineage's name."""
    index = int(match[1] or 0)
    return f"mixed_{index}.{_BRANCHES[index][match[2]]}"


RENAME_INCEPTIONV3: tuple[tuple[str, Replacement], ...] = (
    (r"\bmixed_?(\d+)?_((?:tower|conv)\w*)_(Conv2D|batchnorm)\.", _mixed_key),
    (r"\bconv_?(\d)?_(Conv2D|batchnorm)\.", _stem_key),
)
"""Keys of Inception-v3 in the TSN lineage in terms of `InceptionV3`, without the classifier."""

_STEM = ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")
_MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")


def _branch_key(match: re.Match[str]) -> str:
    """.branch5x5_2. becomes .branch5x5.1. ."""
    name, number, half = match.groups()
    if half:
        return f".branch{name}_{number}{half}.0."
    return f".branch{name}.{int(number or 1) - 1}."


RENAME_INCEPTIONV3_TORCHVISION: tuple[tuple[str, Replacement], ...] = (
    (r"^AuxLogits\.", None),
    (r"\bConv2d_(\w+)\.(conv|bn)\.", lambda m: f"conv_{_STEM.index(m[1])}.{_PARTS[m[2]]}."),
    (r"\bMixed_(\w+)\.", lambda m: f"mixed_{_MIXED.index(m[1])}."),
    (r"\.branch(_pool|[a-z0-9]+)(?:_(\d)([ab])?)?\.", _branch_key),
    (r"\.bn\.", ".norm."),
)
"""Keys of torchvision's Inception-v3 in terms of `InceptionV3`, without the auxiliary head."""
