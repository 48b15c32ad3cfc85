"""What a network costs: its size, its arithmetic, and its memory.

All is counted on the meta device, where a network of any size costs no memory and no arithmetic.
"""

import weakref
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zoopraxis.checkpoints.layout import without_values
from zoopraxis.checkpoints.saved import is_file, open_model
from zoopraxis.errors import ShapeError, ZoopraxisError
from zoopraxis.inputs import ClipSpec
from zoopraxis.layers.conv3d import channel_interactions
from zoopraxis.models import model_spec
from zoopraxis.testing import count_macs, count_params
from zoopraxis.weights import find_weights
from zoopraxis.weights.registry import build_network

__all__ = ["Account", "account", "count_activations", "resized"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """What one clip costs a network.

    Parameters
    ----------
    model : str
        The name, ``name.tag`` or file.
    shapes : tuple of tuple of int
        Of the tensors of one clip, with a batch of one.
    params : int
        Parameters, buffers not counted.
    macs : int
        Multiply-adds of convolutions and matrix products.
    activations : int
        Elements of the outputs of all convolutions (Radosavovic et al. 2020, "Designing Network
        Design Spaces", section 3.1).
    interactions : int or None
        Pairs of channels that meet in a 3D convolution (Tran et al. 2019, section 3.1); None
        without 3D convolutions.
    weight_bytes, activation_bytes : int
        Of parameters and buffers, and the most that tensors in use at one moment of inference in
        float32 hold. The workspaces of kernels come on top.
    """

    model: str
    shapes: tuple[tuple[int, ...], ...]
    params: int
    macs: int
    activations: int
    interactions: int | None
    weight_bytes: int
    activation_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count the outputs of convolutions, and the bytes of all tensors that are in use."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.activations = 0
        self.peak = 0
        self._bytes = 0
        self._users: Counter[int] = Counter()  # tensors of each storage

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if func.overloadpacket is torch.ops.aten.convolution:
            self.activations += sum(tensor.numel() for tensor in tensors)
        given = {id(leaf) for leaf in tree_leaves((args, kwargs))}
        known = {
            leaf.untyped_storage()._cdata
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, Tensor)
        }
        for tensor in tensors:
            storage = tensor.untyped_storage()
            key = storage._cdata
            if id(tensor) in given or (key in known and not self._users[key]):
                continue  # changed in place, or a view of a weight or an input
            if not self._users[key]:
                self._bytes += storage.nbytes()
            self._users[key] += 1
            weakref.finalize(tensor, self._free, key, storage.nbytes())
        self.peak = max(self.peak, self._bytes)
        return out

    def _free(self, key: int, size: int) -> None:
        self._users[key] -= 1
        if not self._users[key]:
            self._bytes -= size


@torch.no_grad()
def count_activations(model: nn.Module, *shapes: tuple[int, ...]) -> tuple[int, int]:
    """Count elements of the outputs of all convolutions, and the bytes in use at the most.

    Parameters
    ----------
    model : nn.Module
        A network; on the meta device it costs nothing to count.
    *shapes : tuple of int
        Of its inputs.

    Returns
    -------
    (int, int)
        The elements, and the bytes of the inputs and of all tensors computed from them that are
        held at one moment; those of the weights are not counted.
    """
    device = next(model.parameters()).device
    inputs = [torch.zeros(shape, device=device) for shape in shapes]
    with _Counter() as counter:
        model.eval()(*inputs)
    return counter.activations, counter.peak + sum(x.numel() * x.element_size() for x in inputs)


def resized(clip: ClipSpec, *, size: int | None = None, num_frames: int | None = None) -> ClipSpec:
    """Return a clip of another size or length.

    Raises
    ------
    ZoopraxisError
        A clip of this kind of input has no size.
    """
    changes = {k: n for k, n in (("size", size), ("num_frames", num_frames)) if n is not None}
    if size is not None and not hasattr(clip.input, "size"):
        raise ZoopraxisError(
            f"size is {size}, and {clip.input.kind!r} input has no size", "leave the size out"
        )
    return clip.change(**changes)


def account(ref: str | Path, *, size: int | None = None, num_frames: int | None = None) -> Account:
    """Count what one clip costs a network.

    No checkpoint is downloaded: a published one is counted as its network.

    Parameters
    ----------
    ref : str or Path
        As for `zoopraxis.open_model`.
    size, num_frames : int, optional
        Pixels of a side, and frames, where the clip is to be another than the network's own.

    Raises
    ------
    ModelNotFoundError, CheckpointError
        No such network, or a file that is not ours.
    ShapeError
        The network does not take such clips.
    """
    model, own = _layout(ref)
    clip = resized(own, size=size, num_frames=num_frames)
    shapes = tuple((1, *shape) for shape in clip.shapes)
    try:
        activations, peak = count_activations(model, *shapes)
    except RuntimeError as error:
        if clip == own:
            raise
        raise ShapeError(
            f"{ref} does not take clips of {shapes}: {error}",
            f"its own are {tuple((1, *shape) for shape in own.shapes)}",
        ) from error
    has_3d = any(isinstance(module, nn.Conv3d) for module in model.modules())
    state = [*model.parameters(), *model.buffers()]
    return Account(
        model=str(ref),
        shapes=shapes,
        params=count_params(model),
        macs=count_macs(model, *shapes),
        activations=activations,
        interactions=channel_interactions(model) if has_3d else None,
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in state),
        activation_bytes=peak,
    )


def _layout(ref: str | Path) -> tuple[nn.Module, ClipSpec]:
    """Lay out a network on the meta device, in evaluation mode, with the clip that it expects."""
    if is_file(ref):
        net = open_model(ref)
        return net.model.to("meta").eval(), net.clip
    name, _, tag = str(ref).partition(".")
    spec = model_spec(name)
    weights = find_weights(name, tag) if tag else None
    with without_values():
        if weights is None:
            return build_network(name).eval(), spec.clip
        model = build_network(name, source=weights.source, num_classes=weights.num_classes)
    return model.eval(), weights.clip or spec.clip
