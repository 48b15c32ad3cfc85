"""Networks over clips in tensors of four dimensions, which compilers for phones and NPUs need.

Of one clip (1, C, T, H, W) the frames are a batch of images, (T, C, H, W). In that form, with the
same numbers,

- a kernel (1, k, k) is a 2D convolution of the frames;
- a kernel (t, 1, 1) is a 2D convolution (t, 1) over (1, C, T, H * W);
- a kernel (t, k, k) is the sum of t 2D convolutions of the frames, each of them shifted in time;
- poolings are those of the frames, then those over time;
- parts of an axis are parts of where that axis is;
- what acts on elements or channels stays as it is.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from zoopraxis.errors import ZoopraxisError

__all__ = ["FoldedNetwork"]

aten = torch.ops.aten
AXES = {0: None, 1: 1, 2: 0, 3: 2, 4: 3}  # of (1, C, T, H, W) as of (T, C, H, W)


class FoldedNetwork(nn.Module):
    """A network that takes one clip as (T, C, H, W) and computes with four dimensions at most.

    Parameters
    ----------
    model : nn.Module
        In evaluation mode.
    clip : tuple of Tensor
        What it is called with: one clip (1, C, T, H, W).

    Raises
    ------
    ZoopraxisError
        It does something to five dimensions that has no form in four here.
    """

    def __init__(self, model: nn.Module, clip: tuple[Tensor, ...]) -> None:
        super().__init__()
        for x in clip:
            if x.ndim != 5:
                raise ZoopraxisError(
                    f"only clips have a form in four dimensions, and the network takes an input of "
                    f"shape {tuple(x.shape)} too",
                    "leave --fold out",
                )
        with torch.no_grad():
            program = torch.export.export(model, clip).run_decompositions()
        self.graph = program.graph
        self.kept: dict[str, list[str]] = {}  # buffers of a node: its tensor, or its kernels
        held = {**program.state_dict, **program.constants}
        users = {node.name: list(node.users) for node in self.graph.nodes}
        for spec in program.graph_signature.input_specs:
            if spec.target is None:
                continue  # the clip
            tensor, name = held[spec.target].detach(), spec.arg.name
            if tensor.ndim < 5:
                self._keep(name, [tensor])
            elif all(one.target == aten.convolution.default for one in users[name]):
                self._keep(name, list(tensor.unbind(2)))  # a 2D kernel for each frame it sees
            else:
                raise self._unfit(users[name][0])

    def _keep(self, name: str, tensors: Sequence[Tensor]) -> None:
        self.kept[name] = [f"{name}_{i}" for i in range(len(tensors))]
        for key, tensor in zip(self.kept[name], tensors, strict=True):
            self.register_buffer(key, tensor.contiguous())

    def forward(self, *clip: Tensor) -> Tensor:
        """Map the frames of a clip (T, C, H, W) to logits (1, K)."""
        known: dict[fx.Node, Any] = {}
        given = iter(clip)
        for node in self.graph.nodes:
            if node.op == "placeholder":
                kept = [self.get_buffer(key) for key in self.kept.get(node.name, ())]
                known[node] = (kept if _is_clip(node) else kept[0]) if kept else next(given)
            elif node.op == "call_function":
                known[node] = self._called(node, known)
            else:  # the last
                (out,) = fx.map_arg(node.args[0], lambda one: known[one])
        return out  # type: ignore[no-any-return]

    def _called(self, node: fx.Node, known: dict[fx.Node, Any]) -> Any:
        args: Any = fx.map_arg(node.args, lambda one: known[one])
        function: Any = node.target
        clips = [one for one in (node, *node.all_input_nodes) if _is_clip(one)]
        if isinstance(_value(node), Tensor) and _value(node).ndim > 5:
            raise self._unfit(node)
        if not clips:
            return function(*args, **node.kwargs)
        if any(one.name not in self.kept and _value(one).shape[0] > 1 for one in clips):
            raise self._unfit(node)  # something else than the batch is in its place
        if function in SAME:
            return function(*args, **node.kwargs)
        if function in FORMS:
            return FORMS[function](node, *args, **node.kwargs)
        raise self._unfit(node)

    @staticmethod
    def _unfit(node: fx.Node) -> ZoopraxisError:
        modules = list(node.meta.get("nn_module_stack", {}).values())
        where = modules[-1][0] if modules and modules[-1][0] else node.name
        return ZoopraxisError(
            f"the network has no form in four dimensions: {where} ({node.target})",
            "leave --fold out",
        )


def _is_clip(node: fx.Node) -> bool:
    """Whether a node gives five dimensions."""
    value = _value(node)
    return isinstance(value, Tensor) and value.ndim == 5


def _value(node: fx.Node) -> Any:
    """Return the tensor that a node gives, the first of several, without its numbers."""
    value = node.meta.get("val")
    return value[0] if isinstance(value, tuple | list) else value


def _shaped(node: fx.Node, x: Tensor) -> Tensor:
    """Give numbers in order, of a clip (C, T, H, W), the shape that a node's output has."""
    shape = node.meta["val"].shape
    if len(shape) != 5:
        return x.reshape(shape)
    return x.reshape(shape[1:]).transpose(0, 1)


def _in_order(node: fx.Node, x: Tensor) -> Tensor:
    """Return a node's output in the order of its axes: (T, C, H, W) as (C, T, H, W)."""
    return x.transpose(0, 1) if _is_clip(node) else x


def _reshape(node: fx.Node, x: Tensor, *_: Any) -> Tensor:
    return _shaped(node, _in_order(node.all_input_nodes[0], x))


def _expand(node: fx.Node, x: Tensor, *_: Any) -> Tensor:
    shape, source = _value(node).shape, node.all_input_nodes[0]
    if not _is_clip(source):
        return x.expand(shape[1:]).transpose(0, 1)  # a linear layer's weights, for all positions
    if _value(source).shape != shape:
        raise FoldedNetwork._unfit(node)
    return x


def _permute(node: fx.Node, x: Tensor, axes: Sequence[int]) -> Tensor:
    if axes[0] % 5:
        raise FoldedNetwork._unfit(node)  # the batch leaves its place
    x = _in_order(node.all_input_nodes[0], x).permute([axis % 5 - 1 for axis in axes[1:]])
    return x.transpose(0, 1)


def _reduction(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the form of a function that reduces axes."""

    def reduced(node: fx.Node, x: Tensor, axes: Sequence[int], keepdim: bool = False) -> Tensor:
        places = [place for axis in axes if (place := AXES[axis % 5]) is not None]
        x = reduce(x, places, keepdim=True) if places else x
        return x if keepdim else _shaped(node, x.transpose(0, 1))

    return reduced


def _place(node: fx.Node, axis: int) -> int:
    """Return where an axis of a clip is, which is not the batch."""
    place = AXES[axis % 5]
    if place is None:
        raise FoldedNetwork._unfit(node)
    return place


def _cat(node: fx.Node, parts: Sequence[Tensor], axis: int = 0) -> Tensor:
    return torch.cat(list(parts), _place(node, axis))


def _slice(node: fx.Node, x: Tensor, axis: int = 0, *bounds: int | None) -> Tensor:
    sliced: Tensor = aten.slice.Tensor(x, _place(node, axis), *bounds)
    return sliced


def _split(node: fx.Node, x: Tensor, sizes: Sequence[int], axis: int = 0) -> Sequence[Tensor]:
    parts: Sequence[Tensor] = aten.split_with_sizes(x, list(sizes), _place(node, axis))
    return parts


def _choose(node: fx.Node, x: Tensor, axis: int, indices: Tensor) -> Tensor:
    return x.index_select(_place(node, axis), indices)


def _pad(node: fx.Node, x: Tensor, amounts: Sequence[int], value: float = 0.0) -> Tensor:
    amounts = [*amounts, *[0] * (10 - len(amounts))]
    space, time, channels, batch = amounts[:4], amounts[4:6], amounts[6:8], amounts[8:]
    if any(batch):
        raise FoldedNetwork._unfit(node)
    return F.pad(x, [*space, *channels, *time], value=value)


def _over_time(x: Tensor, apply: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply to (T, C, H, W) what takes (1, C, T, H * W)."""
    height, width = x.shape[2:]
    x = apply(x.transpose(0, 1).flatten(2)[None])  # (1, C', T', H * W)
    return x.reshape(*x.shape[1:3], height, width).transpose(0, 1)  # (T', C', H, W)


def _convolution(
    node: fx.Node,
    x: Tensor,
    kernels: Sequence[Tensor],
    bias: Tensor | None,
    strides: Sequence[int],
    paddings: Sequence[int],
    dilations: Sequence[int],
    transposed: bool,
    _: Sequence[int],
    groups: int,
) -> Tensor:
    (t_stride, *stride), (t_pad, *pad), (t_dilation, *dilation) = strides, paddings, dilations
    if transposed:
        raise FoldedNetwork._unfit(node)
    kernel = kernels[0]  # (C', C, k, k)
    if kernel.shape[2:] == (1, 1) and stride == [1, 1] and pad == [0, 0] and len(kernels) > 1:
        return _over_time(
            x,
            lambda y: F.conv2d(
                y,
                torch.cat(list(kernels), 2),  # (C', C, t, 1)
                bias,
                (t_stride, 1),
                (t_pad, 0),
                (t_dilation, 1),
                groups,
            ),
        )
    if t_pad:
        x = F.pad(x, (0, 0, 0, 0, 0, 0, t_pad, t_pad))
    frames = len(x) - t_dilation * (len(kernels) - 1)  # places of the kernel in time
    out: Tensor | None = None
    for tap, kernel in enumerate(kernels):
        seen = x[tap * t_dilation : tap * t_dilation + frames : t_stride]  # (T', C, H, W)
        y = F.conv2d(seen, kernel, None if tap else bias, stride, pad, dilation, groups)
        out = y if out is None else out + y
    assert out is not None  # noqa: S101  a kernel sees at least one frame
    return out


def _max_pooling(
    _: fx.Node,
    x: Tensor,
    kernels: Sequence[int],
    strides: Sequence[int] = (),
    paddings: Sequence[int] = (0, 0, 0),
    dilations: Sequence[int] = (1, 1, 1),
    ceil: bool = False,
) -> tuple[Tensor, None]:
    t, *kernel = kernels
    (t_stride, *stride), (t_pad, *pad) = strides or kernels, paddings
    t_dilation, *dilation = dilations
    if max(*kernel, *stride) > 1:
        x = F.max_pool2d(x, kernel, stride, pad, dilation, ceil)
    if max(t, t_stride) > 1:
        x = _over_time(
            x,
            lambda y: F.max_pool2d(
                y, (t, 1), (t_stride, 1), (t_pad, 0), (t_dilation, 1), ceil_mode=ceil
            ),
        )
    return x, None


def _mean_pooling(
    node: fx.Node,
    x: Tensor,
    kernels: Sequence[int],
    strides: Sequence[int] = (),
    paddings: Sequence[int] = (0, 0, 0),
    ceil: bool = False,
    counted: bool = True,
    divisor: int | None = None,
) -> Tensor:
    if divisor is not None or (any(paddings) and not counted) or ceil:
        raise FoldedNetwork._unfit(node)
    (t, *kernel), (t_stride, *stride), (t_pad, *pad) = kernels, strides or kernels, paddings
    x = F.avg_pool2d(x, kernel, stride, pad)
    return _over_time(x, lambda y: F.avg_pool2d(y, (t, 1), (t_stride, 1), (t_pad, 0)))


def _adaptive_pooling(_: fx.Node, x: Tensor, bins: Sequence[int]) -> Tensor:
    t, height, width = bins
    x = F.adaptive_avg_pool2d(x, (height, width))
    return _over_time(x, lambda y: F.adaptive_avg_pool2d(y, (t, y.shape[3])))


def _item(_: fx.Node, parts: Sequence[Any], index: int) -> Any:
    return parts[index]


SAME = {  # on elements and channels
    aten._native_batch_norm_legit_no_training.default,
    aten.relu.default,
    aten.sigmoid.default,
    aten.tanh.default,
    aten.hardtanh.default,
    aten.clamp.default,
    aten.alias.default,
    aten.clone.default,
    aten.add.Tensor,
    aten.sub.Tensor,
    aten.mul.Tensor,
    aten.div.Tensor,
}
FORMS: dict[Any, Callable[..., Any]] = {
    operator.getitem: _item,
    aten.convolution.default: _convolution,
    aten.max_pool3d_with_indices.default: _max_pooling,
    aten.avg_pool3d.default: _mean_pooling,
    aten._adaptive_avg_pool3d.default: _adaptive_pooling,
    aten.mean.dim: _reduction(torch.mean),
    aten.amax.default: _reduction(torch.amax),
    aten.cat.default: _cat,
    aten.slice.Tensor: _slice,
    aten.split_with_sizes.default: _split,
    aten.index_select.default: _choose,
    aten.constant_pad_nd.default: _pad,
    aten.permute.default: _permute,
    aten.expand.default: _expand,
    aten.view.default: _reshape,
    aten._unsafe_view.default: _reshape,
    aten.unsqueeze.default: _reshape,
    aten.squeeze.dims: _reshape,
}
