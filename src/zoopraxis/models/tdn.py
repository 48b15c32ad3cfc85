"""TDN: Temporal Difference Networks for Efficient Action Recognition.

Wang, Tong, Ji and Wu, CVPR 2021. arXiv:2012.10071
Official code: https://github.com/MCG-NJU/TDN (Apache-2.0)

Motion is read off differences, twice. Within a segment of five frames (short-term, section 3.2)
the four differences of neighbours, halved in size, pass through a stem and a first stage of their
own, and are blended into the features of the middle frame before and behind its first stage.
Between segments (long-term, section 3.3) the later stages weigh their channels: behind the first
convolution of a bottleneck the neighbour's filtered features less this segment's, seen at two
scales and in both directions, give a gate around zero; then every channel has a filter over three
segments, which starts as a shift. The logits are the mean over the segments.

The authors' convolutions have biases in front of their norms, which change nothing that a norm
does not: here they have none, and a bias is taken off the norm's running mean when converting. The
blend is half and half with 8 segments, and 3 to 1 with 16, as in their code. Their second stem,
``conv1_temp``, is never used; its weights are dropped. Without it and the biases the networks have
0.04 M parameters less than the authors' code.
"""

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.layers.frames import RENAME_SEGMENTS, SegmentNetwork, split_batch
from zoopraxis.layers.resnet2d import (
    RENAME_RESNET2D,
    Block2d,
    Bottleneck2d,
    ResNet2d,
    Shortcut2d,
    Stage2d,
    Stem2d,
)
from zoopraxis.layers.resnet2d import plain as plain_block
from zoopraxis.layers.resnet3d import DEPTHS, initialise
from zoopraxis.models.stm import TemporalFilters
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights

STACK = 5
"""Frames of one segment."""

REDUCTION = 16
"""r of section 3.3: the differences look at one channel in so many."""


class LongTermDifference(nn.Module):
    """Weigh channels by the difference to the neighbouring segments (L-TDM, section 3.3).

    Parameters
    ----------
    channels : int
        C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        few = channels // REDUCTION
        self.reduce = nn.Conv2d(channels, few, 1, bias=False)
        self.reduce_norm = nn.BatchNorm2d(few)
        self.filters = nn.Conv2d(few, few, 3, padding=1, groups=few, bias=False)
        self.coarse = nn.Conv2d(few, few, 3, padding=1, bias=False)
        self.coarse_norm = nn.BatchNorm2d(few)
        self.fine = nn.Conv2d(few, few, 3, padding=1, bias=False)
        self.fine_norm = nn.BatchNorm2d(few)
        self.restore = nn.Conv2d(few, channels, 1, bias=False)
        self.restore_norm = nn.BatchNorm2d(channels)

    def differences(self, x: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Filtered next segment less this one, and filtered previous one less this one.

        Maps (B * T, C, H, W) to two of (B * T, C/r, H, W); beyond the clip the difference is zero.
        """
        x = self.reduce_norm(self.reduce(x))  # (B * T, C/r, H, W)
        filtered = split_batch(self.filters(x), frames)  # (B, T, C/r, H, W)
        x = split_batch(x, frames)
        ahead = F.pad(filtered[:, 1:] - x[:, :-1], (0, 0, 0, 0, 0, 0, 0, 1))
        behind = F.pad(filtered[:, :-1] - x[:, 1:], (0, 0, 0, 0, 0, 0, 1, 0))
        return ahead.flatten(0, 1), behind.flatten(0, 1)  # (B * T, C/r, H, W)

    def gate(self, motion: Tensor) -> Tensor:
        """Map a difference (N, C/r, H, W) to (N, C, H, W) between -1/2 and 1/2."""
        coarse = self.coarse_norm(self.coarse(F.avg_pool2d(motion, 2)))  # (N, C/r, H/2, W/2)
        coarse = F.interpolate(coarse, motion.shape[2:])  # (N, C/r, H, W)
        fine = self.fine_norm(self.fine(motion))
        restored: Tensor = self.restore_norm(self.restore((motion + coarse + fine) / 3))
        return restored.sigmoid() - 0.5

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map (B * T, C, H, W) to the same shape."""
        ahead, behind = self.differences(x, frames)
        return x + x * (self.gate(ahead) + self.gate(behind)) / 2


class ShiftFilters(TemporalFilters):
    """A filter over three segments for every channel, at first a shift of one in eight each way.

    The parameters are those of `TemporalFilters`.
    """

    @torch.no_grad()
    def start_as_shift(self) -> None:
        """An eighth of the filters takes the next segment, an eighth the previous, the rest own."""
        share = len(self.conv.weight) // 8
        taps = torch.ones(len(self.conv.weight), dtype=torch.int64)
        taps[:share] = 2
        taps[share : 2 * share] = 0
        self.conv.weight.copy_(F.one_hot(taps, 3)[:, None, :, None])  # (C, 1, 3, 1)


class TDNBottleneck(Bottleneck2d):
    """A bottleneck that weighs and filters over segments in front of its 3x3 convolution.

    The parameters are those of `Bottleneck2d`.
    """

    def __init__(self, in_channels: int, width: int, *, stride: int, shortcut: nn.Module) -> None:
        super().__init__(in_channels, width, stride=stride, shortcut=shortcut)
        self.difference = LongTermDifference(width)
        self.temporal = ShiftFilters(width)

    def residual(self, x: Tensor, frames: int) -> Tensor:
        """Branch of the convolutions: (B * T, C, H, W) to (B * T, 4 width, H', W')."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)  # (B * T, width, H, W)
        x = self.temporal(self.difference(x, frames), frames)
        x = F.relu(self.norm2(self.conv2(x)), inplace=True)  # (B * T, width, H', W')
        out: Tensor = self.norm3(self.conv3(x))  # (B * T, 4 width, H', W')
        return out


def difference_blocks(depth: int, stage: int, index: int) -> Block2d:
    """Long-term differences from the second stage on."""
    return plain_block(depth, stage, index) if stage == 1 else TDNBottleneck


def first_stage(blocks: int, width: int) -> Stage2d:
    """Make the first stage of a ResNet of bottlenecks: `width` channels to four times that."""
    wide = 4 * width
    stage = Stage2d()
    shortcut = Shortcut2d(width, wide, stride=1)
    stage.append(Bottleneck2d(width, width, stride=1, shortcut=shortcut))
    for _ in range(blocks - 1):
        stage.append(Bottleneck2d(wide, width, stride=1, shortcut=nn.Identity()))
    return stage


class DifferenceResNet(nn.Module):
    """ResNet of the middle frame, with the differences of its four neighbours blended in (S-TDM).

    Parameters
    ----------
    depth : {50, 101, 152}
        Layers.
    share : float, default=0.5
        Of the middle frame in a blend; the differences have the rest.
    width : int, default=64
        Channels of the stem.
    in_channels : int, default=15
        Channels of a segment of five frames.
    """

    def __init__(
        self, depth: int, *, share: float = 0.5, width: int = 64, in_channels: int = 15
    ) -> None:
        super().__init__()
        colours = in_channels // STACK
        self.share = share
        self.resnet = ResNet2d(depth, in_channels=colours, block=difference_blocks, width=width)
        self.difference_stem = Stem2d((STACK - 1) * colours, width)
        self.difference_layer1 = first_stage(DEPTHS[depth][0], width)
        self.num_features = self.resnet.num_features
        initialise(self)
        for module in self.modules():
            if isinstance(module, ShiftFilters):
                module.start_as_shift()

    def blend(self, x: Tensor, motion: Tensor) -> Tensor:
        """Add differences (N, C, H', W'), enlarged, to features (N, C, H, W)."""
        motion = F.interpolate(motion, x.shape[2:])  # (N, C, H, W)
        return self.share * x + (1 - self.share) * motion

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map segments (N, 5 C, H, W) to features (N, F, H/32, W/32)."""
        five = x.reshape(len(x), STACK, -1, *x.shape[2:])  # (N, 5, C, H, W)
        motion = F.avg_pool2d(five.diff(dim=1).flatten(1, 2), 2)  # (N, 4 C, H/2, W/2)
        motion = self.difference_stem(motion)  # (N, width, H/8, W/8)
        x = self.resnet.stem(five[:, STACK // 2])  # (N, width, H/4, W/4)
        x = self.resnet.layer1(self.blend(x, motion), frames)  # (N, 4 width, H/4, W/4)
        x = self.blend(x, self.difference_layer1(motion, frames))
        x = self.resnet.layer2(x, frames)  # (N, ., H/8, W/8)
        x = self.resnet.layer3(x, frames)  # (N, ., H/16, W/16)
        out: Tensor = self.resnet.layer4(x, frames)  # (N, F, H/32, W/32)
        return out


# The authors' keys.


def absorb_biases(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the biases of convolutions off the running means of the norms behind them."""
    made = dict(state)
    for key in [key for key in state if key.endswith("bias") and "conv" in key]:
        mean = key.replace("conv", "norm").removesuffix("bias") + "running_mean"
        if mean in state and state[mean].shape == state[key].shape:
            made[mean] = state[mean] - made.pop(key)
    return made


def lay_out_filters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Filters over time, (C, 1, 3), to those of 2D convolutions, (C, 1, 3, 1)."""
    return {
        key: tensor.unsqueeze(3) if "temporal.conv" in key and tensor.ndim == 3 else tensor
        for key, tensor in state.items()
    }


AUTHORS = Source(
    rename=(
        *RENAME_SEGMENTS,
        (r"^trunk\.conv1_temp\.", None),
        (r"^trunk\.conv1_5\.0\.", "trunk.difference_stem.conv."),
        (r"^trunk\.conv1_5\.1\.", "trunk.difference_stem.norm."),
        (r"^trunk\.resnext_layer1\.", "trunk.difference_layer1."),
        (r"^trunk\.layer(\d)_bak\.", r"trunk.resnet.layer\1."),
        (r"^trunk\.(conv1|bn1)\.", r"trunk.resnet.trunk.\1."),
        (r"\.mse\.conv1\.", ".difference.reduce."),
        (r"\.mse\.bn1\.", ".difference.reduce_norm."),
        (r"\.mse\.conv2\.", ".difference.filters."),
        (r"\.mse\.conv3_smallscale2\.", ".difference.coarse."),
        (r"\.mse\.bn3_smallscale2\.", ".difference.coarse_norm."),
        (r"\.mse\.conv3_smallscale4\.", ".difference.fine."),
        (r"\.mse\.bn3_smallscale4\.", ".difference.fine_norm."),
        (r"\.mse\.conv3\.", ".difference.restore."),
        (r"\.mse\.bn3\.", ".difference.restore_norm."),
        (r"\.shift\.", ".temporal."),
        *RENAME_RESNET2D,
        (r"^trunk\.resnet\.trunk\.", "trunk.resnet."),
    ),
    adapt=lambda state: absorb_biases(lay_out_filters(state)),
)

_CLIP = ClipSpec(frames=8, sampling="segments", stack=STACK)

_V1, _V2, _K400 = "Something-Something v1", "Something-Something v2", "kinetics400"


def _drive(tag: str, path: str, dataset: str, frames: int, top1: float, top5: float) -> Weights:
    views = {_K400: "10 clips x 3 crops"}.get(dataset, "1 clip, centre crop 224")
    return Weights(
        tag=tag,
        url=f"https://drive.google.com/{path}",
        file=f"tdn_{path.split('/')[2]}.pth.tar",  # the authors give the links alone
        source="tdn",
        dataset=dataset,
        num_classes={_K400: 400}.get(dataset, 174),
        licence="Apache-2.0",
        top1=top1,
        top5=top5,
        protocol=f"{frames} segments, {views}",
    )


_WEIGHTS = {
    "tdn_r50_8": (
        _drive("sthv1", "drive/folders/12RpThsHQ-3F04fSu8hduM5b7FGnkEfnE", _V1, 8, 52.3, 80.6),
        _drive("sthv2", "drive/folders/14pZ1W_Mh8nR4e1ziEz7AFpgbz-79HpIC", _V2, 8, 64.0, 88.8),
        _drive(
            "kinetics400", "drive/folders/1UALrg2ABFq-HGPdy8vgZ9mxqkSkuqWET", _K400, 8, 76.6, 92.8
        ),
    ),
    "tdn_r50_16": (
        _drive("sthv1", "drive/folders/1__HhId-WGIkrL7funwt9x8-PvA0jHs_2", _V1, 16, 53.9, 82.1),
        _drive("sthv2", "drive/folders/1AQOyCiRR9I50YIKHYc5E9q29J1ROe22A", _V2, 16, 65.3, 89.7),
        _drive(
            "kinetics400", "drive/folders/1p7NC4JjxaLzwfj1JUa4kkHd_KZBxBBYR", _K400, 16, 77.5, 93.2
        ),
    ),
    "tdn_r101_8": (
        _drive("sthv2", "drive/folders/1N4EojVdHFfNbEU_4WIkT_26d_mSHimmo", _V2, 8, 65.8, 90.2),
        _drive(
            "kinetics400", "drive/folders/19KPmxPrdp0VS8fsliOr_8kLj1yfhoqRb", _K400, 8, 77.5, 93.6
        ),
    ),
    "tdn_r101_16": (
        _drive("sthv2", "file/d/1RBzJvE2tGZgnN8Yl4EGj2uFwMECTbIdn/view", _V2, 16, 66.9, 90.9),
        _drive(
            "kinetics400", "drive/folders/1a82RenTMhmtPI66Y21Xyrr00iVKL8GOC", _K400, 16, 78.5, 93.9
        ),
    ),
}


def _row(name: str, depth: int, frames: int, params_m: float, macs_g: float) -> ModelSpec:
    share = 0.5 if frames == 8 else 0.75
    return ModelSpec(
        name=name,
        build=SegmentNetwork,
        args={
            "trunk": partial(DifferenceResNet, depth, share=share),
            "stack": STACK,
            "num_classes": 174,
        },
        clip=replace(_CLIP, frames=frames),
        params_m=params_m,
        macs_g=macs_g,
        strides=(STACK, 32),
        sources={"tdn": AUTHORS},
        weights=_WEIGHTS[name],
    )


SPECS = (
    _row("tdn_r50_8", 50, 8, 24.38, 35.64),
    _row("tdn_r50_16", 50, 16, 24.38, 71.28),
    _row("tdn_r101_8", 101, 8, 43.62, 65.84),
    _row("tdn_r101_16", 101, 16, 43.62, 131.68),
    ModelSpec(
        name="test_tdn",
        build=SegmentNetwork,
        args={
            "trunk": partial(DifferenceResNet, 50, width=8),
            "stack": STACK,
            "num_classes": 12,
        },
        clip=replace(_CLIP, frames=3, size=64, resize=64),
        params_m=0.39,
        macs_g=0.02,
        strides=(STACK, 32),
        sources={"tdn": AUTHORS},
    ),
)
