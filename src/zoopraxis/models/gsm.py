"""Gate-Shift Networks for Video Action Recognition.

Sudhakaran, Escalera and Lanz, CVPR 2020. arXiv:1912.00381
Official code: https://github.com/swathikirans/GSM (BSD-2-Clause)

TSM shifts fixed channels everywhere. The gate-shift module looks first: one 3x3x3 convolution for
each half of the channels, and a tanh, say at every place of every frame what part of the half is
to move. That part leaves its frame, forward in time for one half and backward for the other, and
is added to what stayed in the neighbouring frame; then the channels of each half are interleaved.
The gates' weights start at zero, where nothing moves, and the network is the 2D network (its
gated channels renamed by the interleaving); training opens them.

A module stands behind a convolution and in front of its norm, in the branch of each Inception
module with the fewest convolutions: ten in BN-Inception, and ten in Inception-v3, where the
authors leave mixed_6 without one (`BNINCEPTION_GATES`, `INCEPTIONV3_GATES`). Inception-v3 takes
229 pixels, not 299. The authors have no ResNet; ``gsm_r50_*`` is ours, with the same rule: behind
the first 1x1 convolution of every bottleneck, in front of its norm.

The convolution over (T, H, W) is computed as a convolution of every frame into three maps a half,
one for each neighbour, which are then added across frames: the same sum, without laying the
features out as 3D volumes, several times faster. Ten gates in a row enlarge rounding errors some
hundredfold, so a network built for source "gsm" adds in the authors' order (`VolumeGate`).

`gate_maps` shows what the gates do; `zoopraxis.explain.gates` draws it over the frames. The
paper's ensemble averages the scores of networks of 8, 12, 16 and 24 segments and of 1 or 2 clips:
`zoopraxis.prediction.fusion.average_scores`.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.layers.bninception import RENAME_BNINCEPTION, BNInception
from zoopraxis.layers.conv2d import ConvMaker, ConvNorm2d, conv_norm
from zoopraxis.layers.frames import (
    RENAME_SEGMENTS,
    SegmentNetwork,
    Trunk,
    fold,
    split_batch,
    unfold,
)
from zoopraxis.layers.inception_v3 import RENAME_INCEPTIONV3, InceptionV3, mixed_branch
from zoopraxis.layers.resnet2d import BasicBlock2d, Block2d, Bottleneck2d, ResNet2d
from zoopraxis.layers.shift import gate_shift
from zoopraxis.layers.timm2d import on_timm
from zoopraxis.models.tsn import CAFFE_CLIP, CAFFE_FLOW, IMAGENET_CLIP, SMALL_CLIP
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights

BNINCEPTION_GATES = frozenset(
    {f"{block}.1x1" for block in ("3a", "3b", "4a", "4b", "4c", "4d", "5a", "5b")}
    | {f"{block}.3x3_reduce" for block in ("3c", "4e")}
)
"""Convolutions of BN-Inception with a gate-shift module."""

INCEPTIONV3_GATES = frozenset(
    {f"{block}.branch1x1" for block in (0, 1, 2, 4, 5, 7, 9, 10)}
    | {"3.branch3x3dbl_1", "8.branch3x3_1"}
)
"""Convolutions of Inception-v3 with a gate-shift module."""


class Gate(nn.Module):
    """What part of each half of the channels moves: tanh of a convolution over space and time.

    Parameters
    ----------
    channels : int
        C, a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % 4:
            raise ShapeError(
                f"{channels} channels do not split into two halves that interleave",
                "a gate-shift module takes a multiple of 4",
            )
        self.norm = nn.BatchNorm2d(channels)
        self.weight = nn.Parameter(torch.zeros(2, channels // 2, 3, 3, 3))
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to gates (B * T, 2, H, W), from -1 to 1."""
        x = F.relu(self.norm(x))
        taps = self.weight.transpose(1, 2).flatten(0, 1)  # (2 * 3, C/2, 3, 3)
        maps = F.conv2d(x, taps, padding=1, groups=2)  # (B * T, 2 * 3, H, W)
        maps = split_batch(maps, frames)  # (B, T, 2 * 3, H, W)
        before, now, after = maps[:, :, 0::3], maps[:, :, 1::3], maps[:, :, 2::3]
        total = now + self.bias[:, None, None]  # (B, T, 2, H, W)
        total[:, 1:] += before[:, :-1]
        total[:, :-1] += after[:, 1:]
        return total.flatten(0, 1).tanh()  # (B * T, 2, H, W)


class VolumeGate(Gate):
    """The same gate by one convolution over volumes, which adds in the authors' order."""

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to gates (B * T, 2, H, W), from -1 to 1."""
        x = unfold(F.relu(self.norm(x)), frames)  # (B, C, T, H, W)
        return fold(F.conv3d(x, self.weight, self.bias, padding=1, groups=2)).tanh()


class GateShift(nn.Module):
    """The gate-shift module.

    Parameters
    ----------
    channels : int
        C, a multiple of 4.
    gate : type, default=Gate
        How the gate is computed: `Gate` or `VolumeGate`.
    """

    def __init__(self, channels: int, *, gate: type[Gate] = Gate) -> None:
        super().__init__()
        self.gate = gate(channels)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to the same shape."""
        return gate_shift(x, self.gate(x, frames), frames)


class GatedConvNorm2d(ConvNorm2d):
    """Convolution, gate-shift module, norm, ReLU; the parameters are both theirs."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, gate: type[Gate], **options: Any
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, **options)
        self.shift = GateShift(out_channels, gate=gate)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W')."""
        return F.relu(self.norm(self.shift(self.conv(x), frames)), inplace=True)


def gated(places: Collection[str], *, gate: type[Gate] = Gate) -> ConvMaker:
    """Put gate-shift modules into the convolutions of these names, and into no other."""

    def make(name: str, *sizes: Any, **options: Any) -> nn.Module:
        if name in places:
            return GatedConvNorm2d(*sizes, gate=gate, **options)
        return conv_norm(name, *sizes, **options)

    return make


class GatedBasicBlock(BasicBlock2d):
    """A basic block with a gate-shift module behind its first convolution."""

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.shift = GateShift(width)

    def residual(self, x: Tensor, frames: int) -> Tensor:
        """Branch of the convolutions: (B * T, C, H, W) to (B * T, width, H', W')."""
        x = F.relu(self.norm1(self.shift(self.conv1(x), frames)), inplace=True)
        out: Tensor = self.norm2(self.conv2(x))
        return out


class GatedBottleneck(Bottleneck2d):
    """A bottleneck with a gate-shift module behind its first convolution."""

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.shift = GateShift(width)

    def residual(self, x: Tensor, frames: int) -> Tensor:
        """Branch of the convolutions: (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = F.relu(self.norm1(self.shift(self.conv1(x), frames)), inplace=True)
        x = F.relu(self.norm2(self.conv2(x)), inplace=True)
        out: Tensor = self.norm3(self.conv3(x))
        return out


def gated_block(depth: int, _stage: int, _index: int) -> Block2d:
    """A gate-shift module in every block."""
    return GatedBottleneck if depth >= 50 else GatedBasicBlock


class GSM(SegmentNetwork):
    """A 2D network with gate-shift modules; clip logits are the mean of the frame logits.

    Parameters
    ----------
    trunk : Trunk
        Makes the network with gates.
    gate_std : float, default=0.0
        Spread of the gates' first weights; the authors', zero, starts as the 2D network.
    num_classes : int, default=174
        K; Something-Something has 174.
    **options
        Of `SegmentNetwork`.
    """

    def __init__(
        self, trunk: Trunk, *, gate_std: float = 0.0, num_classes: int = 174, **options: Any
    ) -> None:
        super().__init__(trunk, num_classes=num_classes, **options)
        for module in self.modules():
            if isinstance(module, Gate):
                nn.init.normal_(module.weight, std=gate_std)


class GatedConv(nn.Module):
    """A convolution of a timm network, and a gate-shift module."""

    def __init__(self, conv: nn.Conv2d, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.conv = conv
        self.shift = GateShift(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map frames (B * T, C, H, W) to (B * T, C', H', W')."""
        out: Tensor = self.shift(self.conv(x), self.frames)
        return out


def gsm_timm(backbone: str, **options: Any) -> nn.Module:
    """Gate and shift behind the first convolution of every block of a timm network: `on_timm`."""
    return on_timm(GSM, backbone, wrap=GatedConv, **options)


def gate_maps(model: nn.Module, clip: Tensor) -> dict[str, Tensor]:
    """Watch the gates of a network while it sees clips.

    Parameters
    ----------
    model : nn.Module
        Any network with `Gate` modules, in the mode that it is in.
    clip : Tensor of shape (B, C, T, H, W)
        What it sees.

    Returns
    -------
    dict of str to Tensor of shape (B, T, 2, H', W')
        By the name of the gate-shift module, in order: the part that moves of the half that is
        given to the previous frame, and of the half given to the next one; from -1 to 1.
    """
    maps: dict[str, Tensor] = {}
    frames = clip.shape[2]

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            maps[name] = split_batch(output.detach(), frames)

        return hook

    named = [(n, m) for n, m in model.named_modules() if isinstance(m, Gate)]
    hooks = [m.register_forward_hook(watch(n.removesuffix(".shift.gate"))) for n, m in named]
    try:
        with torch.no_grad():
            model(clip)
    finally:
        for handle in hooks:
            handle.remove()
    return maps


def _mixed_gate(match: re.Match[str]) -> str:
    """gsm_mixed_3_tower_conv_Conv2D. becomes mixed_3.branch3x3dbl.0.shift.gate. ."""
    return f"{mixed_branch(match)}.shift.gate."


_GATE = (
    (r"\bgsm_inception_(\d[a-e])_(\w+)\.", r"inception_\1.conv_\2.shift.gate."),
    (r"\bgsm_mixed_?(\d+)?_(\w+)_Conv2D\.", _mixed_gate),
    (r"\.gate\.conv3D\.", ".gate."),
    (r"\.gate\.bn\.", ".gate.norm."),
)
_RENAME_BNINCEPTION = (*RENAME_SEGMENTS, *_GATE, *RENAME_BNINCEPTION)
_RENAME_INCEPTIONV3 = (*RENAME_SEGMENTS, *_GATE, *RENAME_INCEPTIONV3)


def _published(drive: str, backbone: str, frames: int, top1: float | None = None) -> Weights:
    """Row of a checkpoint on the authors' drive, trained on Something-Something v1."""
    return Weights(
        tag="something-something-v1",
        url=f"https://drive.google.com/file/d/{drive}/view",
        file=f"something-v1_RGB_{backbone}_avg_segment{frames}_checkpoint.pth.tar",
        source="gsm",
        dataset="something-something-v1",
        num_classes=174,
        licence="BSD-2-Clause (code)",
        top1=top1,
        protocol="1 clip, 1 centre crop, validation" if top1 else "",
    )


def _row(
    name: str,
    trunk: Trunk,
    frames: int,
    params_m: float,
    macs_g: float,
    *,
    clip: ClipSpec = CAFFE_CLIP,
    source: Source | None = None,
    weights: tuple[Weights, ...] = (),
    **args: Any,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=GSM,
        args={"trunk": trunk, "channels": clip.channels, "stack": clip.stack, **args},
        clip=replace(clip, frames=frames),
        params_m=params_m,
        macs_g=macs_g,
        strides=(clip.stack, 32),
        sources={"gsm": source} if source else {},
        weights=weights,
    )


def _bninception(*, in_channels: int, gate: type[Gate] = Gate, divide: int = 1) -> BNInception:
    conv = gated(BNINCEPTION_GATES, gate=gate)
    return BNInception(in_channels=in_channels, conv=conv, divide=divide)


def _inceptionv3(*, in_channels: int, gate: type[Gate] = Gate) -> InceptionV3:
    return InceptionV3(in_channels=in_channels, conv=gated(INCEPTIONV3_GATES, gate=gate))


_resnet = partial(ResNet2d, block=gated_block)
_tiny = partial(_bninception, divide=8)
_SOURCE = Source(rename=_RENAME_BNINCEPTION, args={"trunk": partial(_bninception, gate=VolumeGate)})
_V3_SOURCE = Source(
    rename=_RENAME_INCEPTIONV3, args={"trunk": partial(_inceptionv3, gate=VolumeGate)}
)
_TINY_SOURCE = Source(rename=_RENAME_BNINCEPTION, args={"trunk": partial(_tiny, gate=VolumeGate)})
_V3_CLIP = replace(CAFFE_CLIP, size=229, resize=261)


def _v3(name: str, frames: int, macs_g: float, *weights: Weights) -> ModelSpec:
    return _row(
        name,
        _inceptionv3,
        frames,
        22.21,
        macs_g,
        clip=_V3_CLIP,
        source=_V3_SOURCE,
        weights=weights,
    )


_TINY_CLIP = replace(CAFFE_CLIP, size=64, resize=64)

_BN_8 = _published("1rPma02uIiNI-TmL50rOyDDL1JOZeYPzT", "BNInception", 8)
_BN_16 = _published("1anqY7A1PuUq_qleesy8OtTTkm_UoK23r", "BNInception", 16)
_V3_8 = _published("14OplsnndeyUx7Uf4Hy82enPrhodEYXgo", "InceptionV3", 8, 49.01)
_V3_12 = _published("1t_NAC4WNEqA2XMm7bK3TUVByNLgnM5wJ", "InceptionV3", 12, 51.58)
_V3_16 = _published("1JCHJZK7r15yHCUiHKh3XJrrvibEGZhu4", "InceptionV3", 16, 50.63)
_V3_24 = _published("14uqOw9yAAuk9HDIsm-2NI7zEKKf4gstF", "InceptionV3", 24, 49.63)
_DIVING = replace(
    _published("1gbtufj34TA-2Pwxn7RGPWwkvtyK98Zx5", "InceptionV3", 16, 39.03),
    tag="diving48",
    file="diving48_RGB_InceptionV3_avg_segment16_checkpoint.pth.tar",
    dataset="diving48",
    num_classes=48,
)

SPECS = (
    _row("gsm_bninception_8", _bninception, 8, 10.50, 16.34, source=_SOURCE, weights=(_BN_8,)),
    _row("gsm_bninception_12", _bninception, 12, 10.50, 24.51, source=_SOURCE),
    _row("gsm_bninception_16", _bninception, 16, 10.50, 32.68, source=_SOURCE, weights=(_BN_16,)),
    _row("gsm_bninception_24", _bninception, 24, 10.50, 49.02, source=_SOURCE),
    _row("gsm_bninception_flow_8", _bninception, 8, 10.52, 18.54, clip=CAFFE_FLOW, source=_SOURCE),
    _v3("gsm_inceptionv3_8", 8, 26.69, _V3_8),
    _v3("gsm_inceptionv3_12", 12, 40.04, _V3_12),
    _v3("gsm_inceptionv3_16", 16, 53.39, _V3_16, _DIVING),
    _v3("gsm_inceptionv3_24", 24, 80.08, _V3_24),
    _row("gsm_r18_8", partial(_resnet, 18), 8, 11.32, 14.67, clip=IMAGENET_CLIP),
    _row("gsm_r50_8", partial(_resnet, 50), 8, 23.97, 33.11, clip=IMAGENET_CLIP),
    _row("gsm_r50_16", partial(_resnet, 50), 16, 23.97, 66.22, clip=IMAGENET_CLIP),
    _row("gsm_small", partial(_resnet, 10, width=16), 8, 0.34, 0.04, clip=SMALL_CLIP, dropout=0.0),
    ModelSpec(
        name="gsm_timm",
        build=gsm_timm,
        args={"backbone": "resnet18"},
        clip=IMAGENET_CLIP,
        params_m=11.32,
        macs_g=14.67,
        strides=(1, None),
    ),
    _row(
        "test_gsm",
        _tiny,
        4,
        0.17,
        0.02,
        clip=_TINY_CLIP,
        source=_TINY_SOURCE,
        num_classes=12,
        gate_std=0.1,
    ),
)
