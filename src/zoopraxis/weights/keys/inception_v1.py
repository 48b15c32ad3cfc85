"""Keys of GoogLeNet in other code bases, and what ports of its video networks do differently."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from zoopraxis.layers.resnet3d import set_norms
from zoopraxis.layers.same import SamePad
from zoopraxis.models.base import VideoClassifier
from zoopraxis.spec import Replacement, Source

__all__ = ["GOOGLENET_TORCHVISION", "DivisiblePad", "pad_as_divisible", "with_momentum"]

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


class DivisiblePad(SamePad):
    """`SamePad` of ports that pad most axes as if the stride divided their size.

    Parameters
    ----------
    kernel, stride : tuple of int
        As in `SamePad`.
    measured : int
        Number of leading axes that are padded for their actual size, as in TensorFlow.
    """

    def __init__(self, kernel: tuple[int, ...], stride: tuple[int, ...], *, measured: int) -> None:
        super().__init__(kernel, stride)
        self.measured = measured

    def sizes(self, x: Tensor) -> tuple[int, ...]:
        """Return the sizes to pad for: 0, a multiple of every stride, where none is measured."""
        sizes = super().sizes(x)
        return (*sizes[: self.measured], *(0 for _ in sizes[self.measured :]))


def pad_as_divisible(model: nn.Module, *, measured: int) -> None:
    """Replace every `SamePad` of a model with a `DivisiblePad`."""
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, SamePad):
                pad = DivisiblePad(child.kernel, child.stride, measured=measured)
                setattr(parent, name, pad)


def with_momentum(
    build: Callable[..., VideoClassifier], momentum: float
) -> Callable[..., VideoClassifier]:
    """Return a builder of the same network whose batch norms have a code base's momentum."""

    def built(*args: Any, **options: Any) -> VideoClassifier:
        network = build(*args, **options)
        set_norms(network, momentum=momentum)
        return network

    return built
