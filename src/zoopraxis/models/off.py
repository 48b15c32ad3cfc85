"""Optical Flow Guided Feature: A Fast and Robust Motion Representation for Action Recognition.

Sun, Kuang, Sheng, Ouyang and Zhang, CVPR 2018. arXiv:1711.11152
Official code: https://github.com/kevin-ssy/Optical-Flow-Guided-Feature (Caffe, MIT)

What flow is to pixels holds for features: where brightness is constant, the flow is orthogonal to
the gradient in x, y and t (section 3). So the gradient itself is taken as the motion: of the
features of each block of an image network, in space by Sobel filters that are never trained, in
time by the difference of neighbouring frames. Three small residual networks, one for each size of
feature maps, gather these features from fine to coarse, and the scores of frames and of motion
are added.

Layers are those of the authors' ``rgb_off``: 128 channels of differences and 32 of gradients from
each of nine blocks of BN-Inception, no norms on the side of motion. Source "caffe" takes names and
shapes from their prototxts; no trained net was at hand. Two things in their code are not as in the
paper: the filter called Sobel is one sum of a horizontal and a vertical difference
(``off_cross_*``; here otherwise Sobel's two filters, as in section 4.1), and in a training batch
the gradients are of the first frames of the batch, not of each clip. Their losses at the two finer
sizes serve training only, and are not built. Two classifiers whose scores are added are one
classifier of both features. Their networks for flow and for RGB differences, five of either a
segment, take differences in time alone (``off_*_flow_7``, ``off_*_rgbdiff_7``).
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.checkpoints.convert import RENAME_BLOBS, merge, squeeze_blobs
from zoopraxis.errors import ConversionError
from zoopraxis.layers.bninception import RENAME_BNINCEPTION, BNInception
from zoopraxis.layers.frames import fold, split_batch, unfold
from zoopraxis.layers.head import ClipHead
from zoopraxis.layers.resnet3d import initialise
from zoopraxis.models.tsn import CAFFE_CLIP, CAFFE_DIFF, CAFFE_FLOW
from zoopraxis.spec import ClipSpec, ModelSpec, Source, Weights

Gradient = Literal["sobel", "cross", "none"]

_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
KERNELS: Mapping[Gradient, tuple[Any, ...]] = {
    "sobel": (_SOBEL, tuple(zip(*_SOBEL, strict=True))),  # along x, along y
    "cross": (((0.0, 1.0, 0.0), (-1.0, 0.0, 1.0), (0.0, -1.0, 0.0)),),
    "none": (),
}

BLOCKS = ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
SCALES = (("3a", "3b"), ("3c", "4a", "4b", "4c", "4d"), ("5a", "5b"))
"""Blocks of BN-Inception whose feature maps have 1/8, 1/16 and 1/32 of the frame's size."""


class TimeUnit(nn.Module):
    """Differences of features in time.

    Parameters
    ----------
    in_channels : int
        C.
    temporal : int
        Channels that are differenced.
    """

    def __init__(self, in_channels: int, *, temporal: int) -> None:
        super().__init__()
        self.before_difference = nn.Conv2d(in_channels, temporal, 1)
        self.out_channels = temporal

    def differences(self, x: Tensor, frames: int) -> Tensor:
        """Next frame less this one: (B * T, C, H, W) to (B * (T - 1), temporal, H, W)."""
        x = split_batch(F.relu(self.before_difference(x)), frames)  # (B, T, temporal, H, W)
        return x.diff(dim=1).flatten(0, 1)  # (B * (T - 1), temporal, H, W)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map features (B * T, C, H, W) to (B * (T - 1), temporal, H, W)."""
        return self.differences(x, frames)


class OFFUnit(TimeUnit):
    """Gradients of features in space and time (Figure 3).

    Parameters
    ----------
    in_channels, temporal : int
        As of `TimeUnit`.
    spatial : int
        Channels that are filtered.
    gradient : {"sobel", "cross"}
        Filters in space.
    dropout : float, default=0.8
        On the gradients in space.
    """

    kernels: Tensor

    def __init__(
        self,
        in_channels: int,
        *,
        temporal: int,
        spatial: int,
        gradient: Gradient,
        dropout: float = 0.8,
    ) -> None:
        super().__init__(in_channels, temporal=temporal)
        self.before_gradient = nn.Conv2d(in_channels, spatial, 1)
        kernels = torch.tensor(KERNELS[gradient]).unsqueeze(1)  # (G, 1, 3, 3)
        self.register_buffer("kernels", kernels.repeat(spatial, 1, 1, 1), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.out_channels += len(self.kernels)

    def gradients(self, x: Tensor, frames: int) -> Tensor:
        """Filters in space on all frames but the last: to (B * (T - 1), G * spatial, H, W)."""
        x = split_batch(x, frames)[:, :-1].flatten(0, 1)  # (B * (T - 1), C, H, W)
        x = self.before_gradient(x)  # (B * (T - 1), spatial, H, W)
        x = F.conv2d(x, self.kernels, padding=1, groups=x.shape[1])
        out: Tensor = self.dropout(x)
        return out

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """Map features (B * T, C, H, W) to (B * (T - 1), temporal + G * spatial, H, W)."""
        return torch.cat((self.gradients(x, frames), self.differences(x, frames)), dim=1)


class Residual(nn.Module):
    """Three convolutions without norms, added to the input or to a 1x1 convolution of it.

    Parameters
    ----------
    in_channels, width : int
        Channels that come, and of the first two convolutions; four times `width` go.
    last : {1, 3}, default=1
        Kernel of the third convolution.
    """

    def __init__(self, in_channels: int, width: int, *, last: int = 1) -> None:
        super().__init__()
        wide = 4 * width
        self.conv1 = nn.Conv2d(in_channels, width, 1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, wide, last, padding=last // 2)
        same = in_channels == wide
        self.shortcut: nn.Module = nn.Identity() if same else nn.Conv2d(in_channels, wide, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, 4 width, H, W), without the ReLU behind the sum."""
        branch = self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))  # (N, 4 width, H, W)
        out: Tensor = branch + self.shortcut(x)
        return out


def gather(
    in_channels: int, width: int, kernel: int, *, stride: int, units: tuple[int, ...]
) -> nn.Sequential:
    """Make the residual network of one size of feature maps.

    Parameters
    ----------
    in_channels, width : int
        Channels that come, and of the first convolution; four times `width` go.
    kernel, stride : int
        Of the first convolution.
    units : tuple of int
        Kernel of the last convolution of each residual unit.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, width, kernel, stride=stride, padding=kernel // 2),
        nn.ReLU(inplace=True),
    ]
    for index, last in enumerate(units):
        layers += [Residual(4 * width if index else width, width, last=last), nn.ReLU()]
    return nn.Sequential(*layers)


class OFF(nn.Module):
    """BN-Inception over frames, and the motion network beside it.

    Parameters
    ----------
    gradient : {"sobel", "cross", "none"}, default="sobel"
        Filters in space; without, motion is the difference in time alone.
    channels, stack : int
        As of `SegmentNetwork`.
    num_classes : int, default=101
        K; UCF-101 has 101.
    dropout : float, default=0.8
        Before the classifier.
    divide : int, default=1
        Divides every width, for small networks.
    """

    def __init__(
        self,
        *,
        gradient: Gradient = "sobel",
        channels: int = 3,
        stack: int = 1,
        num_classes: int = 101,
        dropout: float = 0.8,
        divide: int = 1,
    ) -> None:
        super().__init__()
        self.stack = stack
        self.trunk = BNInception(in_channels=channels * stack, divide=divide)
        unit: Any = partial(TimeUnit, temporal=128 // divide)
        if gradient != "none":
            unit = partial(OFFUnit, **unit.keywords, spatial=32 // divide, gradient=gradient)
        self.units = nn.ModuleDict(
            {name: unit(self.block(name).out_channels) for names in SCALES for name in names}
        )
        motion = (128 + 32 * len(KERNELS[gradient])) // divide
        fine, middle, coarse = (width // divide for width in (64, 128, 256))
        counts = [len(names) for names in SCALES]
        self.fine = gather(counts[0] * motion, fine, 7, stride=2, units=(1, 1, 1))
        wide = counts[1] * motion + 4 * fine
        self.middle = gather(wide, middle, 5, stride=2, units=(1, 3))
        wide = counts[2] * motion + 4 * middle
        self.coarse = gather(wide, coarse, 3, stride=1, units=(1,))[:-1]  # no ReLU at the end
        self.num_features = self.trunk.num_features + 4 * coarse
        self.head = ClipHead(self.num_features, num_classes, dropout)
        self.initialise_motion()

    def block(self, name: str) -> Any:
        """Block of BN-Inception."""
        return self.trunk.get_submodule(f"inception_{name}")

    def initialise_motion(self) -> None:
        """He-normal convolutions with biases of 0.2, as the authors'; a small classifier."""
        for part in (self.units, self.fine, self.middle, self.coarse):
            initialise(part)
            for name, parameter in part.named_parameters():
                if name.endswith("bias"):
                    nn.init.constant_(parameter, 0.2)
        nn.init.normal_(self.head.linear.weight, std=0.001)
        nn.init.zeros_(self.head.linear.bias)

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a new one for K classes."""
        self.head.reset(num_classes)

    def forward_trunk(self, x: Tensor, frames: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Map frames (B * T, L * C, H, W) to their features and the motion at every block."""
        motion = {}
        x = self.trunk.forward_stem(x, frames)  # (B * T, 192, H/8, W/8)
        for name in BLOCKS:
            x = self.block(name)(x, frames)  # (B * T, C, H', W')
            if name in self.units:
                motion[name] = self.units[name](x, frames)  # (B * (T - 1), ., H', W')
        return x, motion

    def forward_motion(self, motion: Mapping[str, Tensor]) -> Tensor:
        """Gather motion from fine to coarse: to (B * (T - 1), 1024, H/32, W/32)."""
        fine, middle, coarse = ([motion[name] for name in names] for names in SCALES)
        x = self.fine(torch.cat(fine, dim=1))  # (B * (T - 1), 256, H/16, W/16)
        x = self.middle(torch.cat((*middle, x), dim=1))  # (B * (T - 1), 512, H/32, W/32)
        out: Tensor = self.coarse(torch.cat((*coarse, x), dim=1))
        return out

    def forward_features(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to features of frames and motion, (B, 2048, 1, H', W')."""
        x, frames = fold(x, stack=self.stack), x.shape[2] // self.stack  # (B * T, L * C, H, W)
        still, motion = self.forward_trunk(x, frames)  # (B * T, 1024, H/32, W/32)
        moving = self.forward_motion(motion)  # (B * (T - 1), 1024, H/32, W/32)
        parts = unfold(still, frames), unfold(moving, frames - 1)
        return torch.cat([part.mean(dim=2, keepdim=True) for part in parts], dim=1)

    def forward_head(self, x: Tensor) -> Tensor:
        """Map features (B, 2048, 1, H', W') to logits (B, K)."""
        out: Tensor = self.head(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Map clips (B, C, T * L, H, W) to logits (B, K)."""
        return self.forward_head(self.forward_features(x))


# In the authors' net motion_conv2_trans_28b is the second convolution of the second unit where
# feature maps are of 28 pixels.

_SIZES = {"28": "fine", "14": "middle", None: "coarse"}


def _gather_key(match: re.Match[str]) -> str:
    """motion_conv_trans_28., motion_conv2_trans_28b. become fine.0., fine.4.conv2. ."""
    part, size, unit = match.groups()
    if not part:
        return f"{_SIZES[size]}.0."
    index = 2 + 2 * (ord(unit or "a") - ord("a"))
    return f"{_SIZES[size]}.{index}." + (f"conv{part}." if part.isdigit() else "shortcut.")


def _drop_filters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the filters in space, which are never trained, once they are seen to be those here."""
    for key in [key for key in state if ".kernels." in key]:
        filters = state[key]
        cross = torch.tensor(KERNELS["cross"]).expand(len(filters), 1, 3, 3)
        known = torch.equal(filters, cross) if filters.ndim > 1 else not filters.any()
        if not known:
            raise ConversionError(
                f"{key} does not hold the differences in space that the authors' code fills in",
                "these filters are constants of the network; was the file trained by other code?",
            )
    return {key: tensor for key, tensor in state.items() if ".kernels." not in key}


def _join_heads(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Make one classifier of those of frames and of motion, whose scores are added."""
    keys = [f"head.{part}.{kind}" for kind in ("weight", "bias") for part in ("still", "moving")]
    if not all(key in state for key in keys):
        return state
    rest = {key: tensor for key, tensor in state.items() if key not in keys}
    still, moving, *biases = (state[key] for key in keys)
    weight = torch.cat((still, moving), dim=1)  # (K, 2048)
    return rest | {"head.linear.weight": weight, "head.linear.bias": biases[0] + biases[1]}


CAFFE = Source(
    rename=(
        (r"^fc-action-motion_(28|14)\.", None),  # of the losses at the finer sizes
        *RENAME_BLOBS,
        (r"^fc-action\.", "head.still."),
        (r"^fc-action-motion\.", "head.moving."),
        (r"^motion_conv_gen_(\w\w)\.", r"units.\1.before_difference."),
        (r"^motion_spatial_down_(\w\w)\.", r"units.\1.before_gradient."),
        (r"^motion_spatial_grad_(\w\w)\.", r"units.\1.kernels."),
        (r"^motion_conv(\d?|_branch|_expand)(?:_trans)?(?:_(28|14)([abc])?)?\.", _gather_key),
        (r"^(?=conv|inception)", "trunk."),
        (r"/", "_"),
        *RENAME_BNINCEPTION,
    ),
    adapt=merge(squeeze_blobs, _drop_filters, _join_heads),
)


def _drive(file_id: str) -> tuple[Weights, ...]:
    """Row of a net on the authors' drive; they give accuracies of several fused nets alone."""
    return (
        Weights(
            tag="ucf101",
            url=f"https://drive.google.com/file/d/{file_id}/view",
            file=f"off_{file_id}.caffemodel",  # the authors give the links alone
            source="caffe",
            dataset="UCF-101, split 1",
            num_classes=101,
            licence="MIT (code)",
        ),
    )


_WEIGHTS = {
    "off_cross_bninception_7": _drive("1FRhtp6s30gZfD6APxuD9iYuihv88JS6B"),
    "off_bninception_flow_7": _drive("1GdsHXrUEuoqtpTXptP1hch5Go-WK09I-"),
    "off_bninception_rgbdiff_7": _drive("1BtfM0ONkE28Si3olr3CXXn7AmPMaMoVh"),
}
_RGB = replace(CAFFE_CLIP, frames=7, mean=(104.0, 117.0, 123.0))


def _row(
    name: str,
    gradient: Gradient,
    params_m: float,
    macs_g: float,
    *,
    clip: ClipSpec = _RGB,
    **sources: Source,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        build=OFF,
        args={"gradient": gradient, "channels": clip.channels, "stack": clip.stack},
        clip=replace(clip, frames=7),
        params_m=params_m,
        macs_g=macs_g,
        sources=sources,
        strides=(None, 32),
        weights=_WEIGHTS.get(name, ()),
    )


SPECS = (
    _row("off_bninception_7", "sobel", 21.03, 19.55),
    _row("off_cross_bninception_7", "cross", 20.17, 19.11, caffe=CAFFE),
    _row("off_bninception_flow_7", "none", 19.15, 20.39, clip=CAFFE_FLOW, caffe=CAFFE),
    _row("off_bninception_rgbdiff_7", "none", 19.16, 21.76, clip=CAFFE_DIFF, caffe=CAFFE),
    ModelSpec(
        name="test_off",
        build=OFF,
        args={"divide": 8, "num_classes": 12},
        clip=replace(CAFFE_CLIP, frames=3, size=64, resize=64),
        params_m=0.33,
        macs_g=0.01,
        strides=(None, 32),
    ),
)
