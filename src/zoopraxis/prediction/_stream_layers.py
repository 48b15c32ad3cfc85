"""Layers that run along a video, and how those of a graph look along it."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx

from zoopraxis.errors import ZoopraxisError

__all__ = [
    "CLIPS",
    "EACH_ITEM",
    "MEANS",
    "PERMUTE",
    "TIME",
    "WINDOWS",
    "EachItem",
    "Rate",
    "Values",
    "Window",
    "argument",
    "axes_of_mean",
    "call",
    "spares_time",
    "unbounded",
]

aten = torch.ops.aten
TIME = 2  # the axis of time in a clip (B, C, T, H, W)

EACH_ITEM = {  # what acts on every item in time alone, or on one of each of several inputs
    aten._native_batch_norm_legit_no_training.default,
    operator.getitem,  # of what that returns
    aten.relu.default,
    aten.silu.default,
    aten.sigmoid.default,
    aten.hardtanh.default,
    aten.dropout.default,
    aten.clone.default,
    aten.linear.default,
    aten.add.Tensor,
    aten.mul.Tensor,
    aten.cat.default,
}
PERMUTE = aten.permute.default
MEANS = {aten.mean.dim, aten.adaptive_avg_pool3d.default}
CLIPS = "predict clips of the video instead"
Values = Mapping[fx.Node, Any]


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What the items in time of a layer's output stand for.

    Parameters
    ----------
    axis : int
        The axis of time.
    first : int
        The first frame that the first item depends on; below 0 is padding.
    field : int
        Frames that an item depends on.
    step : int
        Frames from an item to the next.
    phases : int
        Items from one to the next that the network itself would compute.
    """

    axis: int = TIME
    first: int = 0
    field: int = 1
    step: int = 1
    phases: int = 1

    def after(self, *, kernel: int, dilation: int, padding: int, stride: int) -> "Rate":
        """Rate of what looks at ``kernel`` items, with a stride that is taken here."""
        reach = dilation * self.phases * self.step
        return replace(
            self,
            first=self.first - padding * self.phases * self.step,
            field=self.field + (kernel - 1) * reach,
            step=self.step * stride,
        )

    def together(self, other: "Rate") -> "Rate":
        """Rate of what looks at an item of this and at one of another."""
        first = min(self.first, other.first)
        last = max(self.first + self.field, other.first + other.field)
        return replace(self, first=first, field=last - first)


class EachItem:
    """A layer that acts on items alone; of several inputs it takes the items that all have."""

    def __init__(self, apply: Callable[..., Any], *, inputs: int, axis: int) -> None:
        self.apply, self.inputs, self.axis = apply, inputs, axis
        self.reset()

    def reset(self) -> None:
        """Forget all items."""
        self.kept: list[Tensor | None] = [None] * self.inputs

    def __call__(self, *new: Any) -> Any:
        """Take new items of each input, None where there are none; return outputs, or None."""
        if self.inputs == 1:
            return None if new[0] is None else self.apply(new[0])
        items = [_joined(kept, more, self.axis) for kept, more in zip(self.kept, new, strict=True)]
        counts = [0 if one is None else one.shape[self.axis] for one in items]
        ready = min(counts)
        self.kept = [
            None if one is None else one.narrow(self.axis, ready, count - ready)
            for one, count in zip(items, counts, strict=True)
        ]
        if not ready:
            return None
        return self.apply(*(one.narrow(self.axis, 0, ready) for one in items if one is not None))


def _joined(kept: Tensor | None, new: Tensor | None, axis: int) -> Tensor | None:
    if kept is None or new is None or not kept.shape[axis]:
        return kept if new is None else new
    return torch.cat([kept, new], dim=axis)


class Window:
    """A layer whose outputs look at several items in time: it keeps those that it needs again.

    Parameters
    ----------
    apply : callable
        The layer, without padding in time.
    span : int
        Items that one output looks at.
    stride : int
        Items from an output to the next.
    padding : int
        Items before the first.
    value : float
        What they are.
    axis : int
        The axis of time.
    """

    def __init__(
        self,
        apply: Callable[[Tensor], Any],
        *,
        span: int,
        stride: int,
        padding: int,
        value: float,
        axis: int,
    ) -> None:
        self.apply, self.span, self.stride = apply, span, stride
        self.padding, self.value, self.axis = padding, value, axis
        self.reset()

    def reset(self) -> None:
        """Forget all items."""
        self.kept: Tensor | None = None
        self.skipped = 0  # items still to come that no output looks at

    def __call__(self, new: Tensor | None) -> Any:
        """Take new items, None if there are none; return the outputs now known, or None."""
        if new is None:
            return None
        if self.kept is None:
            before = (*new.shape[: self.axis], self.padding, *new.shape[self.axis + 1 :])
            self.kept = new.new_full(before, self.value)
        items = torch.cat([self.kept, new], dim=self.axis)
        items, self.skipped = _without(self.skipped, items, self.axis)
        count = (items.shape[self.axis] - self.span) // self.stride + 1
        if count < 1:
            self.kept = items
            return None
        kept, self.skipped = _without(count * self.stride, items, self.axis)
        self.kept = kept.clone()  # lets the others go
        return self.apply(items.narrow(self.axis, 0, (count - 1) * self.stride + self.span))


def _without(first: int, items: Tensor, axis: int) -> tuple[Tensor, int]:
    """Items without the first, and how many more there should have been to leave out."""
    there = min(first, items.shape[axis])
    return items.narrow(axis, there, items.shape[axis] - there), first - there


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a layer looks along time, and the layer without padding: of items, stride, dilation."""

    apply: Callable[[Tensor, int, int], Tensor]
    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0
    value: float = 0.0


def _convolution(node: fx.Node, known: Values) -> Look:
    """A convolution of few frames: their taps in time are channels of a convolution of images.

    PyTorch has fast kernels for images and for long clips, not for clips of a frame or two.
    """
    weight: Any = known[argument(node, 1, None)]  # (O, C / groups, K, kh, kw)
    bias = known.get(argument(node, 2, None))
    (stride, *strides), (padding, *paddings) = _three(node, 3, 1), _three(node, 4, 0)
    dilation, *dilations = _three(node, 5, 1)
    groups = argument(node, 6, 1)
    kernel = weight.shape[TIME]
    images = weight.flatten(1, 2)  # (O, C / groups * K, kh, kw)

    def apply(x: Tensor, taken: int, spread: int) -> Tensor:
        taps = x.unfold(TIME, (kernel - 1) * spread + 1, taken)[..., ::spread]  # (B, C, N, H, W, K)
        frames = taps.permute(0, 2, 1, 5, 3, 4).flatten(2, 3).flatten(0, 1)  # (B N, C K, H, W)
        out = F.conv2d(frames, images, bias, strides, paddings, dilations, groups)  # (B N, O, h, w)
        return out.view(len(x), -1, *out.shape[1:]).transpose(1, 2)  # (B, O, N, h, w)

    return Look(apply=apply, kernel=kernel, stride=stride, dilation=dilation, padding=padding)


def _max_pooling(node: fx.Node, _: Values) -> Look:
    kernel, *kernels = _three(node, 1, 1)
    (stride, *strides), (padding, *paddings) = _three(node, 2, 0), _three(node, 3, 0)
    if not stride:  # not given: the kernel
        stride, strides = kernel, kernels
    dilation, *dilations = _three(node, 4, 1)
    ceil = argument(node, 5, False)

    def apply(x: Tensor, taken: int, spread: int) -> Tensor:
        return F.max_pool3d(
            x,
            (kernel, *kernels),
            (taken, *strides),
            (0, *paddings),
            (spread, *dilations),
            ceil_mode=ceil,
        )

    return Look(
        apply=apply,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        value=float("-inf"),
    )


def _mean_pooling(node: fx.Node, _: Values) -> Look:
    kernel, *kernels = _three(node, 1, 1)
    (stride, *strides), (padding, *paddings) = _three(node, 2, 0), _three(node, 3, 0)
    if not stride:
        stride, strides = kernel, kernels
    ceil, counted = argument(node, 4, False), argument(node, 5, True)
    divisor = argument(node, 6, None)
    if divisor is not None or (padding and not counted):
        raise unbounded(node)

    def apply(x: Tensor, taken: int, spread: int) -> Tensor:
        x = F.avg_pool3d(x, (1, *kernels), (1, *strides), (0, *paddings), ceil, counted)
        length = x.shape[TIME] - (kernel - 1) * spread
        taps = [x.narrow(TIME, tap * spread, length)[:, :, ::taken] for tap in range(kernel)]
        return torch.stack(taps).mean(dim=0)

    return Look(apply=apply, kernel=kernel, stride=stride, padding=padding)


def _padding(node: fx.Node, _: Values) -> Look:
    """Padding before the first item; there is no last one."""
    amounts, value = list(argument(node, 1, ())), float(argument(node, 3, None) or 0.0)
    if len(amounts) < 6 or argument(node, 2, "constant") != "constant":
        raise unbounded(node)
    spatial = amounts[:4]
    return Look(
        apply=lambda x, _, __: F.pad(x, spatial, value=value),
        kernel=1,
        padding=amounts[4],
        value=value,
    )


WINDOWS: dict[Any, Callable[[fx.Node, Values], Look]] = {
    aten.conv3d.default: _convolution,
    aten.max_pool3d.default: _max_pooling,
    aten.avg_pool3d.default: _mean_pooling,
    aten.pad.default: _padding,
}


def call(node: fx.Node, values: Values) -> Any:
    arguments: Any = fx.map_arg((node.args, node.kwargs), lambda one: values[one])
    function: Any = node.target
    return function(*arguments[0], **arguments[1])


def argument(node: fx.Node, place: int, default: Any) -> Any:
    return node.args[place] if len(node.args) > place else default


def _three(node: fx.Node, place: int, default: int) -> list[int]:
    """Argument of a node for the three axes of a volume."""
    given = argument(node, place, default)
    numbers = list(given) if isinstance(given, list | tuple) else [given]
    return numbers * 3 if len(numbers) == 1 else numbers or [default] * 3


def axes_of_mean(node: fx.Node) -> list[int]:
    """Axes over which a mean is taken."""
    if node.target == aten.adaptive_avg_pool3d.default:
        return [TIME, TIME + 1, TIME + 2]
    ndim = node.all_input_nodes[0].meta["val"].ndim
    return [axis % ndim for axis in argument(node, 1, ())]


def spares_time(node: fx.Node, axis: int) -> bool:
    """Whether what a node does leaves the axis of time alone, and where it is."""
    if node.target == aten.cat.default:
        return bool(int(argument(node, 1, 0)) % node.meta["val"].ndim != axis)
    if node.target == aten.linear.default:
        return axis < int(node.meta["val"].ndim) - 1
    return node.target not in MEANS or min(axes_of_mean(node)) > axis


def unbounded(node: fx.Node) -> ZoopraxisError:
    modules = list(node.meta.get("nn_module_stack", {}).values())
    where = modules[-1][0] if modules and modules[-1][0] else node.name
    return ZoopraxisError(
        f"the network cannot follow a video: {where} ({node.target}) looks at all frames at once",
        CLIPS,
    )
