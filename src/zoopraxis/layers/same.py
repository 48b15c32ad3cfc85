"""TensorFlow's "SAME" padding, which PyTorch's strided layers do not have."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["SamePad", "same_padding"]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and behind an axis so that a layer gives ``ceil(size / stride)`` values.

    An odd number puts the extra zero behind:
    ``same_padding(224, 7, 2) == (2, 3)``, ``same_padding(225, 7, 2) == (3, 3)``.
    """
    total = max(kernel - (size % stride or stride), 0)
    return total // 2, total - total // 2


class SamePad(nn.Module):
    """Zeros around the last axes of a tensor, in front of a layer without padding of its own.

    In front of a max pooling it takes values that are not negative (behind a ReLU), where zero
    and TensorFlow's minus infinity are the same.

    Parameters
    ----------
    kernel, stride : tuple of int
        Of the layer, one number for each of the last axes.
    measured : int
        How many of these axes, from the first on, are padded for the size they have; the others
        as if the stride divided their size. All of them is TensorFlow's rule; ports differ.
    """

    def __init__(self, kernel: tuple[int, ...], stride: tuple[int, ...], *, measured: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.measured = measured

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to (B, C, T + p, H + q, W + r), or (B, C, H, W) likewise."""
        sizes = x.shape[-len(self.kernel) :]
        pads: list[int] = []  # of the last axis first, as F.pad takes them
        for axis in reversed(range(len(sizes))):
            size = sizes[axis] if axis < self.measured else 0
            pads.extend(same_padding(size, self.kernel[axis], self.stride[axis]))
        return F.pad(x, pads)

    def extra_repr(self) -> str:
        """Show the layer that it pads for."""
        return f"kernel={self.kernel}, stride={self.stride}, measured={self.measured}"
