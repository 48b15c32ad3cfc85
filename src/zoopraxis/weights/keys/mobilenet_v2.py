"""Keys of MobileNet-V2 in other code bases."""

import re

from zoopraxis.layers.mobilenet_v2 import STAGES
from zoopraxis.spec import Replacement

_LAST = 18  # index of the last convolution in ``features``


def _block_key(match: re.Match[str]) -> str:
    """features.2.conv.3. becomes blocks.1.depthwise.conv. ."""
    block, layer = int(match[1]), int(match[2])
    parts = ("depthwise", "project") if block == 1 else ("expand", "depthwise", "project")
    return f"blocks.{block - 1}.{parts[layer // 3]}.{('conv', 'norm')[layer % 3]}."


RENAME_MOBILENETV2: tuple[tuple[str, Replacement], ...] = (
    (r"\.net\.", "."),
    (r"\bfeatures\.0\.0\.", "stem.conv."),
    (r"\bfeatures\.0\.1\.", "stem.norm."),
    (rf"\bfeatures\.{_LAST}\.0\.", "last.conv."),
    (rf"\bfeatures\.{_LAST}\.1\.", "last.norm."),
    (r"\bfeatures\.(\d+)\.conv\.(\d)\.", _block_key),
)
"""Keys of the TSM repository's MobileNet-V2 in terms of `MobileNetV2`."""


_LAYERS = {"conv": "conv", "bn": "norm"}


def _stage_key(match: re.Match[str]) -> str:
    """backbone.layer2.1.conv.0.conv. becomes backbone.blocks.2.expand.conv. ."""
    stage, index, layer = int(match[1]), int(match[2]), int(match[3])
    block = sum(count for _, _, count, _ in STAGES[: stage - 1]) + index
    parts = ("expand", "depthwise", "project")[stage == 1 :]
    return f"backbone.blocks.{block}.{parts[layer]}.{_LAYERS[match[4]]}."


RENAME_MOBILENETV2_MMACTION2: tuple[tuple[str, Replacement], ...] = (
    (r"\.net\.", "."),
    (r"^backbone\.layer(\d)\.(\d)\.conv\.(\d)\.(conv|bn)\.", _stage_key),
    (r"^backbone\.conv1\.(conv|bn)\.", lambda m: f"backbone.stem.{_LAYERS[m[1]]}."),
    (r"^backbone\.conv2\.(conv|bn)\.", lambda m: f"backbone.last.{_LAYERS[m[1]]}."),
    (r"^cls_head\.fc_cls\.", "head.linear."),
)
"""Keys of mmaction2's recognisers on MobileNet-V2 in terms of `SegmentNetwork`."""
