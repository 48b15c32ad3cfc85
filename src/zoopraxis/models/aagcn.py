"""AAGCN: Skeleton-Based Action Recognition with Multi-Stream Adaptive Graph Convolutional Networks.

Shi, Zhang, Cheng and Lu, IEEE Transactions on Image Processing 29, 2020. arXiv:1912.06971
Official code: https://github.com/lshiwjx/2s-AGCN (``model/aagcn.py``; CC BY-NC 4.0).

The same authors' 2s-AGCN with three changes. The graph of the body is where the learned one starts,
and no longer fixed beside it; what is computed from the clip is added through a gate, which starts
closed. And after every graph convolution, joints, frames and channels are each
weighted by an attention module (STC). Four streams are fused: joints, bones, and the
motion of either.

In the official code, and here, similarities pass a hyperbolic tangent instead of the softmax.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.inputs import ClipSpec, Sampling, Skeleton
from zoopraxis.models.agcn import AGCN, EmbeddedGraphConv
from zoopraxis.models.stgcn import CHANNELS
from zoopraxis.spec import ModelSpec


class Attention(nn.Module):
    """Joints, then frames, then channels, each weighted by one plus a sigmoid.

    Parameters
    ----------
    channels : int
        C.
    num_joints : int
        J.
    """

    def __init__(self, channels: int, num_joints: int) -> None:
        super().__init__()
        span = num_joints - 1 + num_joints % 2  # odd
        self.joints = nn.Conv1d(channels, 1, span, padding=span // 2)
        self.frames = nn.Conv1d(channels, 1, 9, padding=4)
        self.squeeze = nn.Linear(channels, channels // 2)
        self.excite = nn.Linear(channels // 2, channels)
        nn.init.xavier_normal_(self.joints.weight)
        nn.init.kaiming_normal_(self.squeeze.weight)
        for module in (self.frames, self.excite):
            nn.init.zeros_(module.weight)
        for module in (self.joints, self.frames, self.squeeze, self.excite):
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (N, C, T, J) to the same shape."""
        weights = self.joints(x.mean(dim=2)).sigmoid()  # (N, 1, J)
        x = x + x * weights[:, :, None]
        weights = self.frames(x.mean(dim=3)).sigmoid()  # (N, 1, T)
        x = x + x * weights[..., None]
        weights = self.excite(F.relu(self.squeeze(x.mean(dim=(2, 3))))).sigmoid()  # (N, C)
        return x + x * weights[..., None, None]  # type: ignore[no-any-return]


class GatedGraphConv(EmbeddedGraphConv):
    """Graph convolution over B + alpha C, then attention.

    Parameters
    ----------
    in_channels, out_channels : int
        C and C'.
    matrices : Tensor of shape (K, J, J)
        Where B starts.

    Attributes
    ----------
    learned : Tensor of shape (K, J, J)
        B.
    gate : Tensor of shape (1,)
        Alpha.
    """

    def __init__(self, in_channels: int, out_channels: int, matrices: Tensor) -> None:
        super().__init__(in_channels, out_channels, len(matrices))
        self.learned = nn.Parameter(matrices.clone())
        self.gate = nn.Parameter(torch.zeros(1))
        self.attention = Attention(out_channels, matrices.shape[-1])

    def graph(self, x: Tensor, subset: int) -> Tensor:
        """B + alpha C of one subset for joints (N, C, T, J): (N, J, J)."""
        return self.learned[subset] + self.gate * self.similarity(x, subset).tanh()

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (N, C, T, J) to (N, C', T, J)."""
        return self.attention(super().forward(x))  # type: ignore[no-any-return]


class AAGCN(AGCN):
    """One stream of MS-AAGCN; the arguments are those of `AGCN`."""

    graph_conv = GatedGraphConv


def _entry(
    name: str,
    layout: str,
    num_frames: int = 100,
    *,
    channels: Sequence[int] = CHANNELS,
    **args: Any,
) -> ModelSpec:
    """Return an entry for two people of one layout, frames spread over the whole recording."""
    return ModelSpec(
        name=name,
        build=AAGCN,
        args={"layout": layout, "channels": channels, **args},
        clip=ClipSpec(
            sampling=Sampling(num_frames=num_frames, mode="segments"),
            input=Skeleton(layout=layout),
        ),
        strides=(4, None),
    )


SPECS = (
    # as pyskl trains it
    _entry("aagcn_ntu", "ntu-25"),
    _entry("aagcn_coco", "coco-17"),
    _entry("test_aagcn", "openpose-18", 16, num_classes=12, channels=(8, 8, 16, 24)),
)
