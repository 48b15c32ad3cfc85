"""What the layers of a network say of a clip: their maps, and descriptors averaged from these.

A layer is a module of the network by its name (``layer4``, ``backbone.layer3``), or one of

- ``pooled``: the features that the classifier sees, averaged over time and space;
- ``prob``: the probabilities of the classes.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoopraxis.errors import ShapeError, ZoopraxisError, did_you_mean
from zoopraxis.inputs import ClipSpec
from zoopraxis.layers.frames import split_batch
from zoopraxis.models.base import VideoClassifier

__all__ = ["POOLED", "PROB", "LayerDescriptors", "LayerMaps", "features_only", "stages"]

POOLED, PROB = "pooled", "prob"


class LayerMaps(nn.Module):
    """The maps of some layers of a network; `features_only` makes it.

    Attributes
    ----------
    layers : tuple of str
        Names of the layers.
    channels : tuple of int
        C of each map.
    strides : tuple of (int, int, int)
        Frames, rows and columns of the input from one cell of each map to the next.
    """

    def __init__(self, model: nn.Module, layers: Sequence[str], clip: ClipSpec) -> None:
        super().__init__()
        _check_layers(model, layers, known=())
        self.model = model
        self.layers = tuple(layers)
        maps = _of_example(self, clip, of=model)
        self.channels = tuple(x.shape[1] for x in maps)
        self.strides = tuple(
            tuple(map(_stride, clip.shape[1:], x.shape[2:]))  # of (T, H, W)
            for x in maps
        )

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """Map what the network takes, clips (B, C, T, H, W), to maps (B, C', T', H', W')."""
        with _recorded(self.model, self.layers, len(inputs[0]), torch.clone) as maps:
            _features(self.model, inputs, maps, self.layers)
        return [maps[name] for name in self.layers]


def features_only(model: nn.Module, layers: Sequence[str], *, clip: ClipSpec) -> LayerMaps:
    """View a network as its maps, as detectors and segmenters take them.

    Parameters
    ----------
    model : nn.Module
        A network; it is neither copied nor changed.
    layers : sequence of str
        Names of its modules: `stages` lists the usual ones.
    clip : ClipSpec
        The clip that it expects, by which the strides are measured.

    Returns
    -------
    LayerMaps
        It maps clips to a list of maps, and has their ``channels`` and ``strides``.

    Raises
    ------
    ZoopraxisError
        The network has no such module, or it does not run, or more than once.
    ShapeError
        A module gives no map.
    """
    return LayerMaps(model, layers, clip)


class LayerDescriptors(nn.Module):
    """Vectors of some layers of a network, side by side: (B, sum of the widths).

    Parameters
    ----------
    model : nn.Module
        A network.
    layers : sequence of str
        Names of its modules, ``pooled`` or ``prob``.
    keep : {"mean", "map"}, default="mean"
        The mean of a map over time and space, or the map, flattened.

    Attributes
    ----------
    shapes : dict of str to tuple of int
        Of each layer's part for one clip, once it has run: (C,), or (C, T', H', W').

    Raises
    ------
    ZoopraxisError, ShapeError
        As for `features_only`, when it runs.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[str],
        *,
        keep: Literal["mean", "map"] = "mean",
    ) -> None:
        super().__init__()
        _check_layers(model, layers, known=(POOLED, PROB))
        self.model = model
        self.layers = tuple(layers)
        self._reduce = _mean if keep == "mean" else torch.clone
        self.shapes: dict[str, tuple[int, ...]] = {}

    def _parts(self, *inputs: Tensor) -> list[Tensor]:
        """Map clips to what is kept of each layer, (B, ...)."""
        named = [name for name in self.layers if name not in (POOLED, PROB)]
        with _recorded(self.model, named, len(inputs[0]), self._reduce) as found:
            features = _features(self.model, inputs, found, named, always=PROB in self.layers)
            if POOLED in self.layers:
                found[POOLED] = self._reduce(_as_map(features[0], len(inputs[0]), POOLED))
            if PROB in self.layers:
                logits = features[1]
                assert logits is not None  # noqa: S101 - for the type checker
                found[PROB] = logits.softmax(dim=1)
        return [found[name] for name in self.layers]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map what the network takes to the parts side by side, (B, sum of the widths)."""
        parts = self._parts(*inputs)
        self.shapes = {
            name: tuple(part.shape[1:]) for name, part in zip(self.layers, parts, strict=True)
        }
        return torch.cat([part.flatten(1).float() for part in parts], dim=1)

    def split(self, descriptors: Tensor) -> dict[str, Tensor]:
        """Cut what `forward` gives, (N, sum of the widths), into its layers, (N, ...)."""
        widths = [math.prod(shape) for shape in self.shapes.values()]
        parts = torch.split(descriptors, widths, dim=1)
        return {
            name: part.reshape(-1, *shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


def stages(model: nn.Module, clip: ClipSpec) -> tuple[str, ...]:
    """Names of the parts of a network, or of its backbone, that give maps, in running order.

    # r2plus1d_18: stem, layer1, layer2, layer3, layer4

    Parameters
    ----------
    model : nn.Module
        A network of the zoo; it is run once.
    clip : ClipSpec
        Its clip.

    Returns
    -------
    tuple of str
        Modules that run once and give a map (B, C, T, H, W), or (B * T, C, H, W).
    """
    backbone = getattr(model, "backbone", None)
    inner, parts = (True, backbone) if isinstance(backbone, nn.Module) else (False, model)
    outputs: dict[str, list[Any]] = {}

    def record(name: str) -> Any:
        return lambda _module, _inputs, output: outputs.setdefault(name, []).append(output)

    hooks = [
        module.register_forward_hook(record(f"backbone.{name}" if inner else name))
        for name, module in parts.named_children()
    ]
    try:
        _of_example(model.forward_features, clip, of=model)  # type: ignore[arg-type]
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(
        name
        for name, given in outputs.items()
        if len(given) == 1 and isinstance(given[0], Tensor) and given[0].ndim in (4, 5)
    )


def _features(
    model: Any,
    inputs: Sequence[Tensor],
    found: dict[str, Tensor],
    wanted: Sequence[str],
    *,
    always: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Run a network as far as is needed: its features, and its logits where they are wanted."""
    features: Tensor = model.forward_features(*inputs)
    logits = None
    if always or not all(name in found for name in wanted):
        logits = (
            model.forward_head(features) if isinstance(model, VideoClassifier) else model(*inputs)
        )
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ZoopraxisError(
            f"the module {missing[0]!r} does not run by itself", "choose one that contains it"
        )
    return features, logits


@contextmanager
def _recorded(
    model: nn.Module, layers: Sequence[str], batch: int, reduce: Callable[[Tensor], Tensor]
) -> Iterator[dict[str, Tensor]]:
    """Record what is kept of the maps of some modules while the network runs."""
    found: dict[str, Tensor] = {}

    def record(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if name in found:
                raise ZoopraxisError(
                    f"the module {name!r} runs more than once in a clip",
                    "choose one that contains it",
                )
            # reduced, or copied, at once: what follows may change it in place
            found[name] = reduce(_as_map(output, batch, name))

        return hook

    hooks = [model.get_submodule(n).register_forward_hook(record(n)) for n in layers]
    try:
        yield found
    finally:
        for handle in hooks:
            handle.remove()


def _as_map(x: Any, batch: int, name: str) -> Tensor:
    """View what a module gives as a map (B, C, T, H, W); an image network's has (B * T) images."""
    if isinstance(x, Tensor) and len(x) and len(x) % batch == 0:
        if x.ndim == 5 and len(x) == batch:
            return x
        if x.ndim == 2:
            x = x[:, :, None, None]  # (B * T, C, 1, 1)
        if x.ndim == 4:
            return split_batch(x, len(x) // batch).transpose(1, 2)  # (B, C, T, H, W)
    gives = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"type {type(x).__name__}"
    raise ShapeError(
        f"the module {name!r} gives a value of {gives} for {batch} clips, which is no map",
        "choose one that gives (B, C, T, H, W), or (B * T, C, H, W)",
    )


def _mean(x: Tensor) -> Tensor:
    """Average a map over time and space, in float32: (B, C)."""
    return x.float().flatten(2).mean(2)


def _stride(size: int, cells: int) -> int:
    """Cells of the input for each cell of a map along an axis.

    Padding rounds sizes up, so that a power of two that explains them is the stride.
    # 56 pixels, 4 cells: 16, and not 14
    """
    halved = (2**n for n in range(size.bit_length() + 1))
    return next((s for s in halved if math.ceil(size / s) == cells), max(1, round(size / cells)))


@torch.inference_mode()
def _of_example(run: Callable[..., Any], clip: ClipSpec, *, of: nn.Module) -> Any:
    """Run a network over one clip of noise, in evaluation mode, on the device that it is on."""
    modes = {module: module.training for module in of.modules()}
    example = clip.example()
    tensors = example if isinstance(example, tuple) else (example,)
    place = next((p.device for p in of.parameters()), torch.device("cpu"))
    of.eval()
    try:
        return run(*(tensor.to(place) for tensor in tensors))
    finally:
        for module, training in modes.items():
            module.training = training


def _check_layers(model: nn.Module, layers: Sequence[str], *, known: tuple[str, ...]) -> None:
    """Refuse names that the network does not have."""
    names = [*known, *(name for name, _ in model.named_modules() if name)]
    if not layers or len(set(layers)) != len(layers):
        raise ZoopraxisError(f"the layers are {', '.join(layers) or 'none'}", "name each once")
    for layer in layers:
        if layer not in names:
            raise ZoopraxisError(
                f"the network has no layer {layer!r}",
                did_you_mean(layer, names, otherwise=f"some are {', '.join(names[:12])}"),
            )
