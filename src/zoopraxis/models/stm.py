"""STM: SpatioTemporal and Motion Encoding for Action Recognition.

Jiang, Wang, Gan, Wu and Yan, ICCV 2019. arXiv:1908.02486
No official code. Two public files: one under the first author's name, dated February 2019, half a
year before the paper; and a port by others on the code of GST.

Between the two 1x1 convolutions of a bottleneck stand two modules side by side. CSTM, channel-wise
spatio-temporal (section 3.1): every channel has its own convolution over three frames, then all
pass a 3x3 convolution. CMM, channel-wise motion (section 3.2): one channel in 16, of which the
next frame, filtered 3x3 each on its own, less this frame approximates the motion; the last frame
has none; a 1x1 convolution gives the width back. Their sum goes on. The filters over time start as
shifts: a quarter of the channels takes the previous frame, a quarter the next, half their own.

The paper leaves open where norms and rectifiers are. We take what the author's file and ResNet-50
agree on: 3x3 convolution, norm, ReLU, so that weights of ImageNet keep their meaning; CMM ends in a
norm, and a stride is its last convolution's, as in the port. The files are networks of their own:
source "stm_author" has no norm at the end of CMM (ours is made the identity) and halves its output
by a maximum over 2x2 where the block strides; source "stm_port" has a norm behind the filters over
time, and no ReLU behind the 3x3 convolution. 24.04 M parameters and 33.0 G multiply-adds at 8
frames agree with the paper's 24.0 M and 33.3 G.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import Adapt, merge
from zoopraxis.layers.frames import SegmentNetwork, split_batch
from zoopraxis.layers.resnet2d import RENAME_RESNET2D, Block2d, Bottleneck2d, ResNet2d, everywhere
from zoopraxis.spec import ClipSpec, ModelSpec, Source

REDUCTION = 16
"""r of section 3.2: CMM looks at one channel in so many."""


class TemporalFilters(nn.Module):
    """A filter over three frames for every channel (equation 1).

    Parameters
    ----------
    channels : int
        C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels, channels, (3, 1), padding=(1, 0), groups=channels, bias=False
        )
        self.start_as_shift()

    @torch.no_grad()
    def start_as_shift(self) -> None:
        """A quarter of the filters takes the previous frame, half this one, a quarter the next."""
        channels = len(self.conv.weight)
        taps = torch.ones(channels, dtype=torch.int64)
        taps[: channels // 4] = 0
        taps[channels - channels // 4 :] = 2
        self.conv.weight.copy_(F.one_hot(taps, 3)[:, None, :, None])  # (C, 1, 3, 1)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to the same shape."""
        size = x.shape[2:]
        x = split_batch(x.flatten(2), frames).transpose(1, 2)  # (B, C, T, H * W)
        x = self.conv(x).transpose(1, 2)  # (B, T, C, H * W)
        return x.reshape(-1, x.shape[2], *size)  # (B * T, C, H, W)


class Motion(nn.Module):
    """Channel-wise motion module (CMM): the filtered next frame less this one.

    Parameters
    ----------
    channels : int
        C.
    stride : int
        In space, of the last convolution.
    """

    def __init__(self, channels: int, *, stride: int) -> None:
        super().__init__()
        few = max(channels // REDUCTION, 1)
        self.reduce = nn.Conv2d(channels, few, 1, bias=False)
        self.reduce_norm = nn.BatchNorm2d(few)
        self.filters = nn.Conv2d(few, few, 3, padding=1, groups=few, bias=False)
        self.restore = nn.Conv2d(few, channels, 1, stride=stride, bias=False)
        self.restore_norm = nn.BatchNorm2d(channels)

    def differences(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to motion (B * T, C/r, H, W), zero at the last frame."""
        x = self.reduce_norm(self.reduce(x))  # (B * T, C/r, H, W)
        after = split_batch(self.filters(x), frames)[:, 1:]  # (B, T - 1, C/r, H, W)
        motion = after - split_batch(x, frames)[:, :-1]
        motion = F.pad(motion, (0, 0, 0, 0, 0, 0, 0, 1))  # (B, T, C/r, H, W)
        return motion.flatten(0, 1)  # (B * T, C/r, H, W)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C, H', W')."""
        out: Tensor = self.restore_norm(self.restore(self.differences(x, frames)))
        return out


class STMBottleneck(Bottleneck2d):
    """A bottleneck whose middle is the sum of CSTM and CMM.

    The parameters are those of `Bottleneck2d`.
    """

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.temporal = TemporalFilters(width)
        self.motion: nn.Module = Motion(width, stride=stride)

    def spatiotemporal(self, x: Tensor, frames: int) -> Tensor:
        """Channel-wise spatio-temporal module (CSTM): to (B * T, width, H', W')."""
        return F.relu(self.norm2(self.conv2(self.temporal(x, frames))), inplace=True)

    def residual(self, x: Tensor, frames: int) -> Tensor:
        """Branch of the convolutions: (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B * T, width, H, W)
        x = self.spatiotemporal(x, frames) + self.motion(x, frames)  # (B * T, width, H', W')
        out: Tensor = self.norm3(self.conv3(x))  # (B * T, 4 width, H', W')
        return out


class PooledMotion(Motion):
    """Motion whose output is halved by a maximum over 2x2 pixels, not by a stride."""

    def __init__(self, channels: int, *, stride: int) -> None:
        super().__init__(channels, stride=1)
        self.pool = nn.MaxPool2d(stride)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C, H', W')."""
        out: Tensor = self.pool(super().forward(x, frames))
        return out


class AuthorBottleneck(STMBottleneck):
    """The block of the file of February 2019."""

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.motion = PooledMotion(width, stride=stride)


class PortBottleneck(STMBottleneck):
    """The block of the port: a norm behind the temporal filters, no ReLU in front of the sum."""

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.temporal_norm = nn.BatchNorm2d(width)

    def spatiotemporal(self, x: Tensor, frames: int) -> Tensor:
        """Channel-wise spatio-temporal module (CSTM): to (B * T, width, H', W')."""
        out: Tensor = self.norm2(self.conv2(self.temporal_norm(self.temporal(x, frames))))
        return out


class STM(SegmentNetwork):
    """ResNet of STM blocks over segments; clip logits are the mean of the frame logits.

    Parameters
    ----------
    depth : {50, 101, 152}, default=50
        Layers.
    block : Block2d, default=STMBottleneck
        Makes the blocks.
    width : int, default=64
        Channels of the stem.
    num_classes : int, default=174
        K; Something-Something has 174.
    dropout : float, default=0.5
        Before the classifier.
    """

    def __init__(
        self,
        *,
        depth: int = 50,
        block: Block2d = STMBottleneck,
        width: int = 64,
        num_classes: int = 174,
        dropout: float = 0.5,
    ) -> None:
        trunk = partial(ResNet2d, depth, block=everywhere(block), width=width)
        super().__init__(trunk, num_classes=num_classes, dropout=dropout)
        for module in self.modules():
            if isinstance(module, TemporalFilters):
                module.start_as_shift()  # the trunk has drawn all convolutions anew


# The keys of the two files.


def lay_out_kernels(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """1D and 3D kernels to those of 2D convolutions, by the place of the axes of length one."""

    def flat(key: str, tensor: Tensor) -> Tensor:
        if key.endswith("temporal.conv.weight") and tensor[:1].numel() == 3:
            return tensor.reshape(len(tensor), 1, 3, 1)
        return tensor.squeeze(2) if tensor.ndim == 5 else tensor

    return {key: flat(key, tensor) for key, tensor in state.items()}


def add_identity_norms(*, behind: str, norm: str, eps: float) -> Adapt:
    """Give convolutions without a norm one that changes nothing in evaluation.

    Parameters
    ----------
    behind, norm : str
        Ends of the names of a convolution and of its norm.
    eps : float
        Of the norm.
    """

    def adapt(state: dict[str, Tensor]) -> dict[str, Tensor]:
        made: dict[str, Tensor] = {}
        for key, tensor in state.items():
            if key.endswith(f"{behind}.weight"):
                prefix = key.removesuffix(f"{behind}.weight") + norm
                zero, one = tensor.new_zeros(len(tensor)), tensor.new_ones(len(tensor))
                made |= {f"{prefix}.weight": one, f"{prefix}.bias": zero}
                made |= {f"{prefix}.running_mean": zero, f"{prefix}.running_var": one - eps}
        return {**state, **made}

    return adapt


_TRUNK = (
    (r"^fc\.", "head.linear."),
    (r"^(?!head\.)", "trunk."),
)
STM_AUTHOR = Source(
    rename=(
        *_TRUNK,
        (r"\.mb\.stage_conv\.", ".motion.reduce."),
        (r"\.mb\.stage_bn\.", ".motion.reduce_norm."),
        (r"\.mb\.shift\.", ".motion.filters."),
        (r"\.mb\.conv1x1\.", ".motion.restore."),
        (r"\.shift\.", ".temporal.conv."),
        *RENAME_RESNET2D,
    ),
    adapt=merge(
        lay_out_kernels,
        add_identity_norms(behind="motion.restore", norm="motion.restore_norm", eps=1e-5),
    ),
    args={"block": AuthorBottleneck},
)
STM_PORT = Source(
    rename=(
        *_TRUNK,
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
    adapt=lay_out_kernels,
    args={"block": PortBottleneck},
)
SOURCES: Mapping[str, Source] = {"stm_author": STM_AUTHOR, "stm_port": STM_PORT}

_CLIP = ClipSpec(frames=8, sampling="segments")


def _row(name: str, frames: int, params_m: float, macs_g: float, **args: Any) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=STM,
        args=args,
        clip=replace(_CLIP, frames=frames),
        params_m=params_m,
        macs_g=macs_g,
        strides=(1, 32),
        sources=SOURCES,
    )


SPECS = (
    _row("stm_r50_8", 8, 24.04, 33.02),
    _row("stm_r50_16", 16, 24.04, 66.04),
    _row("stm_r101_8", 8, 43.20, 62.96, depth=101),
    _row("stm_r101_16", 16, 43.20, 125.92, depth=101),
    _row("stm_r152_8", 8, 58.98, 92.90, depth=152),
    _row("stm_r152_16", 16, 58.98, 185.81, depth=152),
    ModelSpec(
        name="test_stm",
        build=STM,
        args={"depth": 50, "width": 8, "num_classes": 12},
        clip=replace(_CLIP, frames=4, size=32, resize=32),
        params_m=0.38,
        macs_g=0.01,
        strides=(1, 32),
        sources=SOURCES,
    ),
)
