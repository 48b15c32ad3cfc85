"""TensorFlow's "SAME" padding, which PyTorch's strided layers do not offer."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SamePad", "same_padding"]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Count the zeros before and after an axis, so that the output has ``ceil(size / stride)``.

    If the total is odd, the extra zero goes after the axis.

    # same_padding(224, 7, 2) == (2, 3)
    # same_padding(225, 7, 2) == (3, 3)
    """
    total = max(kernel - (size % stride or stride), 0)
    return total // 2, total - total // 2


class SamePad(nn.Module):
    """Zero padding of the last axes, before a convolution or pooling without padding of its own.

    TensorFlow pads a max pooling with minus infinity; after a ReLU, zero gives the same maximum.

    Parameters
    ----------
    kernel, stride : tuple of int
        Of the convolution or pooling, one number for each of the last axes.
    measured : int, optional
        Number of leading axes that are padded for their actual size; by default all, as in
        TensorFlow. The others are padded as if the stride divided their size.
    """

    def __init__(
        self, kernel: tuple[int, ...], stride: tuple[int, ...], *, measured: int | None = None
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.measured = len(kernel) if measured is None else measured

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C, T + p, H + q, W + r), or (B, C, H, W) likewise."""
        sizes = x.shape[-len(self.kernel) :]
        pads: list[int] = []  # last axis first, as F.pad expects
        for axis in reversed(range(len(sizes))):
            size = sizes[axis] if axis < self.measured else 0
            pads.extend(same_padding(size, self.kernel[axis], self.stride[axis]))
        return F.pad(x, pads)

    def extra_repr(self) -> str:
        """Show the layer that the padding is for."""
        return f"kernel={self.kernel}, stride={self.stride}, measured={self.measured}"
