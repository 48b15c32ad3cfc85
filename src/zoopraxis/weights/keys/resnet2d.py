"""Keys of 2D ResNets in other code bases."""

from zoopraxis.spec import Replacement

RENAME_RESNET2D: tuple[tuple[str, Replacement], ...] = (
    (r"(^|backbone\.)conv1\.", r"\1stem.conv."),
    (r"(^|backbone\.)bn1\.", r"\1stem.norm."),
    (r"\.bn(\d)\.", r".norm\1."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
)
"""Keys of torchvision's ResNet in terms of `ResNet2d`, without the classifier."""


RENAME_MMACTION2: tuple[tuple[str, Replacement], ...] = (
    (r"^backbone\.conv1\.conv\.", "backbone.stem.conv."),
    (r"^backbone\.conv1\.bn\.", "backbone.stem.norm."),
    (r"\.conv(\d)\.conv\.(net\.)?", r".conv\1."),
    (r"\.conv(\d)\.bn\.", r".norm\1."),
    (r"\.downsample\.conv\.", ".shortcut.conv."),
    (r"\.downsample\.bn\.", ".shortcut.norm."),
    (r"^cls_head\.fc_cls\.", "head.linear."),
)
"""Keys of mmaction2's 2D recognisers in terms of `SegmentNetwork` and `ResNet2d`."""
