"""Keys of GoogLeNet in other code bases, and the padding of two ports of its video networks."""

from torch import nn

from zoopraxis.layers.same import SamePad
from zoopraxis.spec import Replacement, Source

__all__ = ["GOOGLENET_TORCHVISION", "pad_as_divisible"]

_LETTERS = {"a": "b", "b": "c", "c": "d", "d": "e", "e": "f"}  # torchvision counts no poolings
_TORCHVISION: tuple[tuple[str, Replacement], ...] = (
    (r"^aux\d\.", None),
    (r"^conv1\.", "backbone.conv_1a."),
    (r"^conv2\.", "backbone.conv_2b."),
    (r"^conv3\.", "backbone.conv_2c."),
    (r"^inception(\d)([a-e])\.", lambda m: f"backbone.mixed_{m[1]}{_LETTERS[m[2]]}."),
    (r"\.branch([1-4])\.", lambda m: f".branch{int(m[1]) - 1}."),
    (r"\.bn\.", ".norm."),
    (r"^fc\.", "linear."),
)
GOOGLENET_TORCHVISION = Source(rename=_TORCHVISION)
"""Keys of torchvision's GoogLeNet. Its published weights expect pixels in [-1, 1]."""


def pad_as_divisible(model: nn.Module, *, measured: int) -> None:
    """Pad axes (T, H, W) as if every stride divided their size, but for the first `measured`."""
    for module in model.modules():
        if isinstance(module, SamePad):
            module.measured = measured
