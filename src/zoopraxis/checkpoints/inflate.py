"""Image networks become video networks: their layers, their weights, and other input channels.

Carreira and Zisserman (arXiv:1705.07750): a video that repeats one image should give what the
image gave. A k x k filter repeated t times along time and divided by t does that; so does one
laid into the middle of t with zeros around it (the centre initialisation, which starts as the
image network frame by frame). Max poolings are simply made longer. It holds at every layer, but
not at the first and last frames of a clip, where the padding with zeros makes the clip look as
if it began and ended in grey: a convolution of length t spoils t // 2 frames at each end, and the
next layers more.

Wang et al. (arXiv:1507.02159, arXiv:1608.00859): a network for flow starts from RGB's weights
(cross-modality), the first filters averaged over R, G and B and repeated for every new channel.
"""

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoopraxis.errors import ConversionError

__all__ = [
    "Lengths",
    "average_channels",
    "cross_modality",
    "cubic",
    "first_convolution",
    "inflate_network",
    "inflate_state_dict",
    "inflate_weight",
    "start_from",
]

Init = Literal["repeat", "centre"]
Lengths = Callable[[str, nn.Module], tuple[int, int]]
"""Kernel and stride in time of a layer, from its name and itself."""


def inflate_weight(weight: Tensor, frames: int, *, init: Init = "repeat") -> Tensor:
    """Lengthen 2D filters over time.

    Parameters
    ----------
    weight : Tensor of shape (O, I, H, W)
        Filters.
    frames : int
        t.
    init : {"repeat", "centre"}, default="repeat"
        Every frame gets the filter divided by t; or the middle one all of it.

    Returns
    -------
    Tensor of shape (O, I, t, H, W)
        Their sum over time is `weight`.
    """
    longer = weight.unsqueeze(2)  # (O, I, 1, H, W)
    if init == "repeat":
        return longer.repeat(1, 1, frames, 1, 1) / frames
    out = weight.new_zeros(*weight.shape[:2], frames, *weight.shape[2:])
    out[:, :, frames // 2] = weight
    return out


def inflate_state_dict(
    state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], *, init: Init = "repeat"
) -> dict[str, Tensor]:
    """Lengthen the filters of an image network's state dict to those of a video network.

    Parameters
    ----------
    state : mapping of str to Tensor
        Of the image network, with the video network's names.
    shapes : mapping of str to tuple of int
        Of the video network's tensors.
    init : {"repeat", "centre"}, default="repeat"
        As in `inflate_weight`.

    Returns
    -------
    dict of str to Tensor
        With exactly the keys and shapes of `shapes`.

    Raises
    ------
    ConversionError
        A key is missing or unknown, or a tensor fits neither as it is nor inflated.
    """
    missing, unknown = shapes.keys() - state.keys(), state.keys() - shapes.keys()
    if missing or unknown:
        names = ", ".join(sorted(missing)[:1] + sorted(unknown)[:1])
        raise ConversionError(
            f"{len(missing)} keys missing, {len(unknown)} keys unknown; for example {names}",
            "rename the image network's keys, and leave out heads of another size",
        )
    return {key: _fit(key, state[key], tuple(shape), init) for key, shape in shapes.items()}


def _fit(key: str, tensor: Tensor, shape: tuple[int, ...], init: Init) -> Tensor:
    """Return a tensor of the wanted shape."""
    if tensor.shape == shape:
        return tensor
    if tensor.ndim == 4 and len(shape) == 5 and tensor.shape == (*shape[:2], *shape[3:]):
        return inflate_weight(tensor, shape[2], init=init)
    raise ConversionError(f"{key!r} is {tuple(tensor.shape)}, which does not become {shape}")


def average_channels(weight: Tensor, channels: int) -> Tensor:
    """Give the filters of a first layer other input channels: the mean over theirs, repeated.

    Nothing is rescaled: twenty channels of flow drive the layer harder than three of RGB, which
    the norm behind it takes up.

    Parameters
    ----------
    weight : Tensor of shape (O, I, ...)
        Filters for images (or clips) of I channels.
    channels : int
        C: 1 for grey, 2 for flow, 20 for a stack of ten flow frames.

    Returns
    -------
    Tensor of shape (O, C, ...)
    """
    mean = weight.mean(dim=1, keepdim=True)  # (O, 1, ...)
    return mean.repeat_interleave(channels, dim=1)


def first_convolution(network: nn.Module) -> str:
    """Name the weight of a network's first convolution: what `average_channels` is for.

    Raises
    ------
    ConversionError
        There is none.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            return f"{name}.weight" if name else "weight"
    raise ConversionError(f"{type(network).__name__} has no convolution")


def cross_modality(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an RGB network for one of another modality (arXiv:1507.02159, section 3).

    Parameters
    ----------
    network : nn.Module
        The network to start, of the RGB network's architecture but for the channels that come.
    state : mapping of str to Tensor
        State dict of the RGB network.

    Returns
    -------
    dict of str to Tensor
        The same, the filters of the first convolution averaged over R, G and B and repeated.
    """
    name = first_convolution(network)
    channels = network.get_parameter(name).shape[1]
    return {**state, name: average_channels(state[name], channels)}


def start_from(network: nn.Module, state: Mapping[str, Tensor], *, new: str = "") -> None:
    """Load the weights of a relative: of another modality, or without an idea about time.

    Parameters
    ----------
    network : nn.Module
        The network to start.
    state : mapping of str to Tensor
        State dict of the relative. Filters of the first convolution for other channels are
        averaged over theirs: see `cross_modality`.
    new : str, default=""
        Regular expression: tensors that the relative lacks, and that stay as they are.

    Raises
    ------
    ConversionError
        The relative has a tensor that the network lacks, or one of another shape, or lacks one
        that `new` does not name.
    """
    own = network.state_dict()
    first = first_convolution(network)
    if first in state and state[first].shape[1] != own[first].shape[1]:
        state = cross_modality(network, state)
    missing = [key for key in own if key not in state and not (new and re.search(new, key))]
    unknown = [key for key in state if key not in own]
    unequal = [key for key in state if key in own and state[key].shape != own[key].shape]
    if missing or unknown or unequal:
        kinds = (("missing", missing), ("unknown", unknown), ("of another shape", unequal))
        found = [
            f"{len(keys)} tensors {kind}, the first {keys[0]!r}" for kind, keys in kinds if keys
        ]
        raise ConversionError(
            f"the weights are not of a relative of this network: {'; '.join(found)}",
            "name tensors that shall start anew in model.new",
        )
    network.load_state_dict({**own, **state})


def cubic(_name: str, layer: nn.Module, /) -> tuple[int, int]:
    """Lengthen a k x k layer to k x k x k, with its stride in time too."""
    kernel: tuple[int, ...] = _square(layer.kernel_size)
    stride: tuple[int, ...] = _square(layer.stride)
    return kernel[0], stride[0]


def inflate_network(
    network: nn.Module, *, lengths: Lengths = cubic, init: Init = "repeat"
) -> nn.Module:
    """Make the video network of an image network: every 2D layer becomes 3D.

    The network must not fold the axes of its feature maps otherwise than by flattening behind
    a global pooling, as torchvision's classifiers do.

    Parameters
    ----------
    network : nn.Module
        Takes images (B, C, H, W); it is left as it is.
    lengths : callable, default=cubic
        Kernel and stride in time of a convolution or pooling; odd kernels are padded to keep
        the length.
    init : {"repeat", "centre"}, default="repeat"
        As in `inflate_weight`.

    Returns
    -------
    nn.Module
        Takes clips (B, C, T, H, W), in the same names.

    Raises
    ------
    ConversionError
        A layer is 2D but of a kind that has no form here.
    """
    video = copy.deepcopy(network)
    for name, layer in list(video.named_modules()):
        longer = _inflate_layer(name, layer, lengths, init)
        if longer is layer:
            continue
        if not name:
            return longer
        parent, _, child = name.rpartition(".")
        setattr(video.get_submodule(parent), child, longer)
    return video


_FLAT = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.BatchNorm2d, nn.AdaptiveAvgPool2d)


def _inflate_layer(name: str, layer: nn.Module, lengths: Lengths, init: Init) -> nn.Module:
    """Return the 3D form of a 2D layer, and any other layer itself."""
    # Not isinstance: a subclass, such as timm's norm with an activation inside, does more.
    if type(layer) is nn.Conv2d:
        return _inflate_conv(layer, *lengths(name, layer), init)
    if type(layer) is nn.MaxPool2d:
        return _inflate_max_pool(layer, *lengths(name, layer))
    if type(layer) is nn.AvgPool2d:
        return _inflate_mean_pool(layer, *lengths(name, layer))
    if type(layer) is nn.BatchNorm2d:
        return _inflate_norm(layer)
    if type(layer) is nn.AdaptiveAvgPool2d:
        return nn.AdaptiveAvgPool3d((1, *_square(layer.output_size)))
    kind = type(layer).__name__
    if isinstance(layer, _FLAT) or kind.endswith("2d"):
        raise ConversionError(f"no inflated form of {kind} at {name!r}")
    return layer


def _inflate_conv(layer: nn.Conv2d, t: int, stride: int, init: Init) -> nn.Conv3d:
    """Make a convolution of t frames, padded with t // 2 at both ends."""
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        raise ConversionError(f"no inflated form of a convolution padded with {layer.padding!r}")
    conv = nn.Conv3d(
        layer.in_channels,
        layer.out_channels,
        (t, *_square(layer.kernel_size)),
        stride=(stride, *_square(layer.stride)),
        padding=(t // 2, *_square(layer.padding)),
        dilation=(1, *_square(layer.dilation)),
        groups=layer.groups,
        bias=layer.bias is not None,
        device=layer.weight.device,
        dtype=layer.weight.dtype,
    )
    weight = inflate_weight(layer.weight.detach(), t, init=init)
    bias = {} if layer.bias is None else {"bias": layer.bias.detach()}
    conv.load_state_dict({"weight": weight, **bias})
    return conv.train(layer.training)


def _inflate_norm(layer: nn.BatchNorm2d) -> nn.BatchNorm3d:
    """Make a norm of the same numbers."""
    tensors = layer.state_dict()
    like = next((t for t in tensors.values() if t.is_floating_point()), torch.empty(0))
    norm = nn.BatchNorm3d(
        layer.num_features,
        eps=layer.eps,
        momentum=layer.momentum,
        affine=layer.affine,
        track_running_stats=layer.track_running_stats,
        device=like.device,
        dtype=like.dtype,
    )
    norm.load_state_dict(tensors)
    return norm.train(layer.training)


def _time_pad(t: int) -> int:
    """Frames before and behind a pooling: those that keep the length if its stride is 1, t odd."""
    return (t - 1) // 2


def _inflate_max_pool(layer: nn.MaxPool2d, t: int, stride: int) -> nn.MaxPool3d:
    """Make a max pooling of t frames."""
    return nn.MaxPool3d(
        (t, *_square(layer.kernel_size)),
        (stride, *_square(layer.stride)),
        (_time_pad(t), *_square(layer.padding)),
        dilation=(1, *_square(layer.dilation)),
        return_indices=layer.return_indices,
        ceil_mode=layer.ceil_mode,
    )


def _inflate_mean_pool(layer: nn.AvgPool2d, t: int, stride: int) -> nn.AvgPool3d:
    """Make a mean of t frames."""
    divisor = layer.divisor_override
    return nn.AvgPool3d(
        (t, *_square(layer.kernel_size)),
        (stride, *_square(layer.stride)),
        (_time_pad(t), *_square(layer.padding)),
        ceil_mode=layer.ceil_mode,
        count_include_pad=layer.count_include_pad,
        divisor_override=None if divisor is None else divisor * t,
    )


def _square(size: Any) -> tuple[int, int]:
    """Give a size as torch's layers keep it, one number or two, as two."""
    return (size, size) if isinstance(size, int) else tuple(size)
