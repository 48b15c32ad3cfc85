"""Keys of BN-Inception in other code bases."""

import re

from zoopraxis.spec import Replacement


def _block_key(match: re.Match[str]) -> str:
    """inception_3a_double_3x3_reduce_bn. becomes inception_3a.conv_double_3x3_reduce.norm. ."""
    block, conv, norm = match.groups()
    return f"inception_{block}.conv_{conv}.{'norm' if norm else 'conv'}."


RENAME_BNINCEPTION: tuple[tuple[str, Replacement], ...] = (
    (r"\bconv(1_7x7_s2|2_3x3_reduce|2_3x3)_bn\.", r"conv\1.norm."),
    (r"\bconv(1_7x7_s2|2_3x3_reduce|2_3x3)\.(?!norm)", r"conv\1.conv."),
    (r"\binception_(\d[a-e])_(\w+?)(_bn)?\.", _block_key),
)
"""Keys of BN-Inception in the TSN lineage in terms of `BNInception`, without the classifier."""
