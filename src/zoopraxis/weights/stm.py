"""Two public implementations of STM, each with its own network and without trained weights.

"stm_author" is a file under the first author's name, dated February 2019, half a year before the
paper. CMM has no batch norm at its end (ours becomes the identity), and in a block with a stride,
a 2x2 max pooling halves its output.

"stm_port" is an implementation by others, based on the code of GST. A batch norm follows the
temporal filters, and no ReLU follows the 3x3 convolution.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from zoopraxis.models.stm import CMM, SPECS, STM, STMBottleneck
from zoopraxis.spec import Source, Weights
from zoopraxis.weights.keys import Adapt, merge
from zoopraxis.weights.keys.resnet2d import RENAME_RESNET2D

__all__ = ["SOURCES", "WEIGHTS"]


class PooledCMM(CMM):
    """CMM with a max pooling at its end instead of a stride."""

    def __init__(self, channels: int, *, stride: int) -> None:
        super().__init__(channels, stride=1)
        self.pool = nn.MaxPool2d(stride)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C, H', W')."""
        out: Tensor = self.pool(super().forward(x, num_frames))  # (B * T, C, H', W')
        return out


class AuthorBottleneck(STMBottleneck):
    """The block of the file of February 2019."""

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.motion = PooledCMM(width, stride=stride)


class AuthorSTM(STM):
    """The network of the file of February 2019."""

    block = AuthorBottleneck


class PortBottleneck(STMBottleneck):
    """The port's block: a batch norm after the temporal filters, no ReLU before the sum."""

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.temporal_norm = nn.BatchNorm2d(width)

    def spatiotemporal(self, x: Tensor, num_frames: int) -> Tensor:
        """CSTM: (B * T, width, H, W) to (B * T, width, H', W')."""
        out: Tensor = self.norm2(self.conv2(self.temporal_norm(self.temporal(x, num_frames))))
        return out


class PortSTM(STM):
    """The network of the port."""

    block = PortBottleneck


def as_kernels_2d(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn 1D and 3D kernels into those of 2D convolutions."""

    def flat(key: str, tensor: Tensor) -> Tensor:
        # temporal filters are (C, 1, 3) in the author's file, (C, 1, 3, 1, 1) in the port
        if key.endswith("temporal.conv.weight") and tensor[:1].numel() == 3:
            return tensor.reshape(len(tensor), 1, 3, 1)
        return tensor.squeeze(2) if tensor.ndim == 5 else tensor

    return {key: flat(key, tensor) for key, tensor in state.items()}


def add_identity_norms(*, conv: str, norm: str, eps: float) -> Adapt:
    """Add batch norms that are the identity in evaluation, where the source has none.

    Parameters
    ----------
    conv, norm : str
        Endings of the names of such a convolution and of its batch norm.
    eps : float
        Epsilon of the batch norm: running_var = 1 - eps makes it the identity.
    """

    def adapt(state: dict[str, Tensor]) -> dict[str, Tensor]:
        added: dict[str, Tensor] = {}
        for key, tensor in state.items():
            if key.endswith(f"{conv}.weight"):
                prefix = key.removesuffix(f"{conv}.weight") + norm
                zero, one = tensor.new_zeros(len(tensor)), tensor.new_ones(len(tensor))
                added |= {f"{prefix}.weight": one, f"{prefix}.bias": zero}
                added |= {f"{prefix}.running_mean": zero, f"{prefix}.running_var": one - eps}
        return {**state, **added}

    return adapt


_BACKBONE = (
    (r"^fc\.", "head.linear."),
    (r"^(?!head\.)", "backbone."),
)
STM_AUTHOR = Source(
    rename=(
        *_BACKBONE,
        (r"\.mb\.stage_conv\.", ".motion.reduce."),
        (r"\.mb\.stage_bn\.", ".motion.reduce_norm."),
        (r"\.mb\.shift\.", ".motion.filters."),
        (r"\.mb\.conv1x1\.", ".motion.restore."),
        (r"\.shift\.", ".temporal.conv."),
        *RENAME_RESNET2D,
    ),
    adapt=merge(
        as_kernels_2d,
        add_identity_norms(conv="motion.restore", norm="motion.restore_norm", eps=1e-5),
    ),
    build=AuthorSTM,
)
STM_PORT = Source(
    rename=(
        *_BACKBONE,
        (r"\.cstm_conv1\.", ".temporal.conv."),
        (r"\.cstm_bn1\.", ".temporal_norm."),
        (r"\.cstm_(conv|bn)2\.", r".\g<1>2."),
        (r"\.cmm_conv1\.", ".motion.reduce."),
        (r"\.cmm_bn1\.", ".motion.reduce_norm."),
        (r"\.cmm_conv\.", ".motion.filters."),
        (r"\.cmm_conv2\.", ".motion.restore."),
        (r"\.cmm_bn2\.", ".motion.restore_norm."),
        *RENAME_RESNET2D,
    ),
    adapt=as_kernels_2d,
    build=PortSTM,
)
SOURCES: Mapping[str, Mapping[str, Source]] = {
    spec.name: {"stm_author": STM_AUTHOR, "stm_port": STM_PORT} for spec in SPECS
}
WEIGHTS: tuple[Weights, ...] = ()
