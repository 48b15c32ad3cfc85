"""TensorFlow's "SAME" padding, which PyTorch's strided layers do not offer."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SamePad", "same_padding"]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after an axis for an output of size ``ceil(size / stride)``.

    If the total is odd, the extra zero is at the end.

    # same_padding(224, 7, 2) == (2, 3)
    # same_padding(225, 7, 2) == (3, 3)
    """
    # 225, kernel 7, stride 2: the last of 113 windows starts on the last pixel, and lacks 6 more
    total = max(kernel - (size % stride or stride), 0)
    return total // 2, total - total // 2


class SamePad(nn.Module):
    """Zero padding of the last axes, before a convolution or pooling without padding of its own.

    TensorFlow pads a max pooling with minus infinity; after a ReLU, zero gives the same maximum.

    Parameters
    ----------
    kernel, stride : tuple of int
        Of the convolution or pooling, one number for each of the last axes.
    """

    def __init__(self, kernel: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def sizes(self, x: Tensor) -> tuple[int, ...]:
        """Return the sizes to pad for, those of the last axes of x."""
        return tuple(x.shape[-len(self.kernel) :])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C, T + p, H + q, W + r), or (B, C, H, W) likewise."""
        pads: list[int] = []
        axes = zip(self.sizes(x), self.kernel, self.stride, strict=True)
        for size, kernel, stride in reversed(list(axes)):  # F.pad expects the last axis first
            pads.extend(same_padding(size, kernel, stride))
        return F.pad(x, pads)

    def extra_repr(self) -> str:
        """Show the layer that the padding is for."""
        return f"kernel={self.kernel}, stride={self.stride}"
