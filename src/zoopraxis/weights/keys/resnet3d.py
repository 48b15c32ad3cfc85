"""Keys of 3D residual networks in other code bases."""

from zoopraxis.spec import Replacement

RENAME_TORCHVISION: tuple[tuple[str, Replacement], ...] = (
    (r"^stem\.0\.", "stem.conv."),
    (r"^stem\.1\.", "stem.norm."),
    (r"\.conv(\d)\.0\.", r".conv\1."),
    (r"\.conv(\d)\.1\.", r".norm\1."),
    (r"\.downsample\.0\.", ".shortcut.conv."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"^fc\.", "head.linear."),
)
"""Keys of torchvision's VideoResNet (and VMZ's PyTorch port) in terms of these blocks."""


_LETTERS = {"a": "1", "b": "2", "c": "3"}


RENAME_PYTORCHVIDEO: tuple[tuple[str, Replacement], ...] = (
    (r"^model\.blocks\.", "blocks."),  # trained by PySlowFast or Lightning
    (r"^blocks\.0\.", "stem."),
    (r"^blocks\.([1-4])\.res_blocks\.", r"layer\1."),
    (r"\.branch1_(conv|norm)\.", r".shortcut.\1."),
    (r"\.branch2\.(conv|norm)_([abc])\.", lambda m: f".{m[1]}{_LETTERS[m[2]]}."),
    (r"^blocks\.5\.proj\.", "head.linear."),
)
"""Keys of PyTorchVideo's residual networks in terms of these blocks."""


RENAME_MMACTION2: tuple[tuple[str, Replacement], ...] = (
    (r"^data_preprocessor\.", None),
    (r"^backbone\.conv1\.conv\.", "stem.conv."),
    (r"^backbone\.conv1\.bn\.", "stem.norm."),
    (r"^backbone\.", ""),
    (r"\.conv(\d)\.conv\.", r".conv\1."),
    (r"\.conv(\d)\.bn\.", r".norm\1."),
    (r"\.downsample\.conv\.", ".shortcut.conv."),
    (r"\.downsample\.bn\.", ".shortcut.norm."),
    (r"^cls_head\.fc_cls\.", "head.linear."),
)
"""Keys of mmaction2's residual networks in terms of these blocks."""
