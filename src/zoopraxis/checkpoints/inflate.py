"""Video networks initialised from image networks, and from networks of other input channels.

Inflation (Carreira and Zisserman, arXiv:1705.07750): on a video that repeats one image, the video
network should output what the image network does. A k x k filter that is repeated t times along
time and divided by t does so. So does a filter in the middle of t frames, with zeros around it
(centre initialisation): it computes the image network frame by frame. Max poolings are extended
over time unchanged. All of this holds at every layer, except near the first and last frames, where
the zero padding looks like grey frames: a convolution of t frames changes t // 2 frames at each
end, and each further layer more.

Cross-modality initialisation (Wang et al., arXiv:1507.02159, arXiv:1608.00859): a network for flow
starts from RGB weights, the first filters averaged over R, G and B and repeated for every channel.
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
"""From the name of a layer and the layer to its kernel and stride in time."""


def inflate_weight(weight: Tensor, num_frames: int, *, init: Init = "repeat") -> Tensor:
    """Inflate 2D filters over time.

    Parameters
    ----------
    weight : Tensor of shape (O, I, H, W)
        Filters.
    num_frames : int
        t.
    init : {"repeat", "centre"}, default="repeat"
        Every frame gets the filter divided by t, or the middle one the whole filter.

    Returns
    -------
    Tensor of shape (O, I, t, H, W)
        Their sum over time is `weight`.
    """
    inflated = weight.unsqueeze(2)  # (O, I, 1, H, W)
    if init == "repeat":
        return inflated.repeat(1, 1, num_frames, 1, 1) / num_frames
    inflated = weight.new_zeros(*weight.shape[:2], num_frames, *weight.shape[2:])
    inflated[:, :, num_frames // 2] = weight
    return inflated  # (O, I, t, H, W)


def inflate_state_dict(
    state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], *, init: Init = "repeat"
) -> dict[str, Tensor]:
    """Inflate the state dict of an image network to that of a video network.

    Parameters
    ----------
    state : mapping of str to Tensor
        Of the image network, with the names of the video network.
    shapes : mapping of str to tuple of int
        Shapes of the video network's tensors.
    init : {"repeat", "centre"}, default="repeat"
        As in `inflate_weight`.

    Returns
    -------
    dict of str to Tensor
        With exactly the keys and shapes of `shapes`.

    Raises
    ------
    ConversionError
        A key is missing or unknown, or a tensor has the expected shape neither as it is nor
        inflated.
    """
    missing, unknown = shapes.keys() - state.keys(), state.keys() - shapes.keys()
    if missing or unknown:
        names = ", ".join(sorted(missing)[:1] + sorted(unknown)[:1])
        raise ConversionError(
            f"{len(missing)} keys missing, {len(unknown)} keys unknown; for example {names}",
            "rename the keys of the image network, and leave out heads of another size",
        )
    return {key: _fit(key, state[key], tuple(shape), init) for key, shape in shapes.items()}


def _fit(key: str, tensor: Tensor, shape: tuple[int, ...], init: Init) -> Tensor:
    """Return the tensor, inflated if the shape has a time axis."""
    if tensor.shape == shape:
        return tensor
    if tensor.ndim == 4 and len(shape) == 5 and tensor.shape == (*shape[:2], *shape[3:]):
        return inflate_weight(tensor, shape[2], init=init)
    raise ConversionError(
        f"{key!r} has the shape {tuple(tensor.shape)}, which cannot be inflated to {shape}"
    )


def average_channels(weight: Tensor, channels: int) -> Tensor:
    """Change the input channels of filters: the mean over the old ones, repeated.

    Nothing is rescaled: the output on 20 channels of flow is larger than on 3 of RGB, which the
    following batch norm absorbs.

    Parameters
    ----------
    weight : Tensor of shape (O, I, ...)
        Filters for images or clips of I channels.
    channels : int
        C: 1 for grey, 2 for flow, 20 for a stack of ten flow fields.

    Returns
    -------
    Tensor of shape (O, C, ...)
    """
    mean = weight.mean(dim=1, keepdim=True)  # (O, 1, ...)
    return mean.repeat_interleave(channels, dim=1)


def first_convolution(network: nn.Module) -> str:
    """Return the name of the weight of a network's first convolution.

    Raises
    ------
    ConversionError
        The network has no convolution.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            return f"{name}.weight" if name else "weight"
    raise ConversionError(f"{type(network).__name__} has no convolution")


def cross_modality(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Adapt the weights of an RGB network to another modality (arXiv:1507.02159, section 3).

    Parameters
    ----------
    network : nn.Module
        The network to initialise, of the same architecture except for its input channels.
    state : mapping of str to Tensor
        State dict of the RGB network.

    Returns
    -------
    dict of str to Tensor
        The same, but the filters of the first convolution are averaged over R, G and B and
        repeated.
    """
    name = first_convolution(network)
    channels = network.get_parameter(name).shape[1]
    return {**state, name: average_channels(state[name], channels)}


def start_from(network: nn.Module, state: Mapping[str, Tensor], *, new: str = "") -> None:
    """Load a checkpoint of a related architecture.

    For example of the same network for another modality, or of the network to which a paper adds
    its layers.

    Parameters
    ----------
    network : nn.Module
        The network to initialise.
    state : mapping of str to Tensor
        State dict of the related network. If its input channels differ, the filters of the first
        convolution are averaged: see `cross_modality`.
    new : str, default=""
        Regular expression: tensors that the checkpoint lacks, or has in another shape, and that
        keep their values.

    Raises
    ------
    ConversionError
        The checkpoint has a tensor that the network lacks, or it has one in another shape or lacks
        one that `new` does not match.
    """
    own = network.state_dict()
    first = first_convolution(network)
    if first in state and state[first].shape[1] != own[first].shape[1]:
        state = cross_modality(network, state)
    kept = {key for key in own if new and re.search(new, key)}
    missing = [key for key in own if key not in state and key not in kept]
    unknown = [key for key in state if key not in own]
    unequal = [key for key in state if key in own and state[key].shape != own[key].shape]
    state = {key: tensor for key, tensor in state.items() if key not in kept or key not in unequal}
    unequal = [key for key in unequal if key not in kept]
    if missing or unknown or unequal:
        kinds = (("missing", missing), ("unknown", unknown), ("of another shape", unequal))
        found = [
            f"{len(keys)} tensors {kind}, the first {keys[0]!r}" for kind, keys in kinds if keys
        ]
        raise ConversionError(
            f"the weights are not of a related architecture: {'; '.join(found)}",
            "name the tensors to be re-initialised in model.new",
        )
    network.load_state_dict({**own, **state})


def cubic(_name: str, layer: nn.Module, /) -> tuple[int, int]:
    """Inflate a k x k layer to k x k x k, with the same stride in time as in space."""
    kernel: tuple[int, ...] = _square(layer.kernel_size)
    stride: tuple[int, ...] = _square(layer.stride)
    return kernel[0], stride[0]


def inflate_network(
    network: nn.Module, *, lengths: Lengths = cubic, init: Init = "repeat"
) -> nn.Module:
    """Turn an image network into a video network: every 2D layer becomes 3D.

    The network may reshape its feature maps only by flattening them after a global pooling, as
    torchvision's classifiers do.

    Parameters
    ----------
    network : nn.Module
        Maps images (B, C, H, W); it is not modified.
    lengths : callable, default=cubic
        Returns the kernel and stride in time of a convolution or pooling; odd kernels are padded to
        keep the length.
    init : {"repeat", "centre"}, default="repeat"
        As in `inflate_weight`.

    Returns
    -------
    nn.Module
        Maps clips (B, C, T, H, W); its modules have the same names.

    Raises
    ------
    ConversionError
        There is no 3D form of a 2D layer here.
    """
    video = copy.deepcopy(network)
    for name, layer in list(video.named_modules()):
        inflated = _inflate_layer(name, layer, lengths, init)
        if inflated is layer:
            continue
        if not name:
            return inflated
        parent, _, child = name.rpartition(".")
        setattr(video.get_submodule(parent), child, inflated)
    return video


_FLAT = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.BatchNorm2d, nn.AdaptiveAvgPool2d)


def _inflate_layer(name: str, layer: nn.Module, lengths: Lengths, init: Init) -> nn.Module:
    """Return the 3D form of a 2D layer; any other layer is returned as it is."""
    # not isinstance: a subclass does more, such as timm's batch norm with an activation inside
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
    """Inflate a convolution to t frames, padded by t // 2 at both ends."""
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
    """Turn a batch norm into 3D, with the same state."""
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
    """Padding in time of a pooling: it keeps the length if the stride is 1 and t is odd."""
    return (t - 1) // 2


def _inflate_max_pool(layer: nn.MaxPool2d, t: int, stride: int) -> nn.MaxPool3d:
    """Inflate a max pooling to t frames."""
    return nn.MaxPool3d(
        (t, *_square(layer.kernel_size)),
        (stride, *_square(layer.stride)),
        (_time_pad(t), *_square(layer.padding)),
        dilation=(1, *_square(layer.dilation)),
        return_indices=layer.return_indices,
        ceil_mode=layer.ceil_mode,
    )


def _inflate_mean_pool(layer: nn.AvgPool2d, t: int, stride: int) -> nn.AvgPool3d:
    """Inflate an average pooling to t frames."""
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
    """Return two numbers for a size that torch's layers store as one or two."""
    return (size, size) if isinstance(size, int) else tuple(size)
