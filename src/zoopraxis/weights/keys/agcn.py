"""Keys of 2s-AGCN and AAGCN in their authors' code (lshiwjx/2s-AGCN)."""

from zoopraxis.spec import Replacement

__all__ = ["AGCN_BLOCKS", "EMBEDDINGS"]

AGCN_BLOCKS: tuple[tuple[str, Replacement], ...] = (
    (r"^data_bn\.", "input_norm."),
    (r"^l(\d+)\.", lambda m: f"blocks.{int(m[1]) - 1}."),
    (r"\.gcn1\.", ".graph."),
    (r"\.graph\.down\.0\.", ".graph.shortcut.conv."),
    (r"\.graph\.down\.1\.", ".graph.shortcut.norm."),
    (r"\.tcn1\.", ".time."),
    (r"\.residual\.conv\.", ".shortcut.conv."),
    (r"\.residual\.bn\.", ".shortcut.norm."),
    (r"^fc\.", "head.linear."),
)
"""Blocks, and what is around them."""

EMBEDDINGS: tuple[tuple[str, Replacement], ...] = (
    (r"\.graph\.(PA|A)$", ".graph.learned"),
    (r"\.graph\.alpha$", ".graph.gate"),
    (r"\.graph\.conv_a\.", ".graph.theta."),
    (r"\.graph\.conv_b\.", ".graph.phi."),
    (r"\.graph\.conv_d\.", ".graph.conv."),
    (r"\.graph\.conv_sa\.", ".graph.attention.joints."),
    (r"\.graph\.conv_ta\.", ".graph.attention.frames."),
    (r"\.graph\.fc1c\.", ".graph.attention.squeeze."),
    (r"\.graph\.fc2c\.", ".graph.attention.excite."),
    (r"\.(graph|time)\.bn\.", r".\1.norm."),
)
"""The graph convolutions and those over time, in the authors' code and in PYSKL."""
