"""Grad-CAM in space and time: where a network looks when it gives a class.

Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, "Grad-CAM: Visual Explanations from Deep
Networks via Gradient-based Localization", ICCV 2017. arXiv:1610.02391

    alpha_k = 1/Z sum over positions of d y / d A_k   (equation 1)
    L       = ReLU(sum_k alpha_k A_k)                 (equation 2)

A_k is channel k of a feature map and y the logit of a class. The positions of a clip are those of
time and space, so alpha_k is a mean over (T', H', W') and the heat has a time axis of its own.
By default A is what `forward_features` gives: every network of the zoo brings its frames from the
batch back into time there and joins its paths, so that one rule holds for all of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoopraxis.errors import ModelNotFoundError, ShapeError, ZoopraxisError, did_you_mean
from zoopraxis.layers.frames import split_batch
from zoopraxis.models.base import SkeletonNetwork, VideoClassifier

__all__ = ["FEATURES", "Cam", "grad_cam", "over_clip"]

FEATURES = "features"
"""Name of the map that `forward_features` gives, or `forward_joints` of skeletons."""


class Cam(NamedTuple):
    """Heat of one class over the feature map of one layer.

    Parameters
    ----------
    layer : str
        The layer, `FEATURES` or the name of a module.
    classes : Tensor of int64, shape (B,)
        Explained class of each clip.
    logits : Tensor of shape (B, K)
        What the network gives.
    heat : Tensor of shape (B, T', H', W')
        0 or more, in no unit: compare within a clip. Of skeletons (B, T', J, P).
    """

    layer: str
    classes: Tensor
    logits: Tensor
    heat: Tensor


def grad_cam(
    model: VideoClassifier,
    inputs: tuple[Tensor, ...],
    *,
    label: int | None = None,
    layer: str = "",
) -> Cam:
    """Compute Grad-CAM for a batch of clips, in evaluation mode.

    Parameters
    ----------
    model : VideoClassifier
        The network, on the device of the clips.
    inputs : tuple of Tensor
        What the network takes: clips (B, C, T, H, W), and more tensors where it takes several.
    label : int, optional
        Class to explain; by default the predicted one of each clip.
    layer : str, optional
        Name of a module that gives a map (B, F, T', H', W'), or (B * T', F, H', W') with the
        frames in the batch. By default the last map that has height and width: the features,
        or, where a network pools them (an LSTM over frames), the last module that gives one.

    Returns
    -------
    Cam

    Raises
    ------
    ModelNotFoundError
        The network has no such module.
    ShapeError
        The module gives no map, or none of the network does; or the class does not exist.
    ZoopraxisError
        The module does not run exactly once.
    """
    if label is not None and not 0 <= label < model.num_classes:
        raise ShapeError(
            f"class {label} of a network of {model.num_classes} classes",
            f"classes are 0 to {model.num_classes - 1}",
        )
    # cuDNN has no backward pass of LSTMs in evaluation mode
    with _evaluating(model), torch.backends.cudnn.flags(enabled=False):
        if layer and layer != FEATURES:
            return _of_module(model, inputs, label, layer)
        with torch.no_grad():
            features = _features(model, inputs)  # (B, F, T', H', W')
        if layer == FEATURES or features.shape[3] * features.shape[4] > 1:
            features = features.detach().requires_grad_()
            with torch.enable_grad():
                logits = _head(model, features)  # (B, K)
            return _cam(FEATURES, features, features, logits, label)
        return _of_module(model, inputs, label, _last_map(model, inputs))


def over_clip(heat: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Stretch heat (B, T', H', W') over the frames of its clips.

    Parameters
    ----------
    heat : Tensor of shape (B, T', H', W')
        Of `grad_cam`.
    size : (int, int, int)
        T, H and W of the clips.

    Returns
    -------
    Tensor of shape (B, T, H, W)
        In [0, 1], 1 where a clip's heat is greatest; 0 everywhere if it has none.
    """
    x = F.interpolate(heat[:, None].float(), size=size, mode="trilinear")[:, 0]  # (B, T, H, W)
    greatest = x.amax(dim=(1, 2, 3), keepdim=True)  # (B, 1, 1, 1)
    return torch.where(greatest > 0, x / greatest.clamp(min=torch.finfo(x.dtype).tiny), 0.0)


def _features(model: VideoClassifier, inputs: tuple[Tensor, ...]) -> Tensor:
    """Features (B, F, T', H', W'); of skeletons (B, F, T', J, P), before the mean over joints."""
    if isinstance(model, SkeletonNetwork):
        return model.forward_joints(*inputs)
    return model.forward_features(*inputs)


def _head(model: VideoClassifier, features: Tensor) -> Tensor:
    """Map `_features` to logits (B, K)."""
    if isinstance(model, SkeletonNetwork):
        features = features.mean(dim=(3, 4), keepdim=True)  # (B, F, T', 1, 1)
    return model.forward_head(features)


def _cam(layer: str, leaf: Tensor, maps: Tensor, logits: Tensor, label: int | None) -> Cam:
    """Weigh the maps (B, F, T', H', W'), made of the leaf, by the mean of their gradient."""
    classes = logits.argmax(dim=1) if label is None else logits.new_full(logits.shape[:1], label)
    classes = classes.long()  # (B,)
    # clips do not meet, so the gradient of the sum holds that of each clip
    (gradient,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), leaf)
    gradient = _as_map(layer, gradient, len(logits))  # (B, F, T', H', W')
    weights = gradient.mean(dim=(2, 3, 4), keepdim=True)  # (B, F, 1, 1, 1), equation 1
    heat = F.relu((weights * maps.detach()).sum(dim=1))  # (B, T', H', W'), equation 2
    return Cam(layer, classes, logits.detach(), heat)


def _of_module(
    model: VideoClassifier, inputs: tuple[Tensor, ...], label: int | None, layer: str
) -> Cam:
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ModelNotFoundError(
            f"the network has no module called {layer!r}",
            did_you_mean(layer, [*modules, FEATURES], otherwise=f"try {FEATURES!r}"),
        )
    leaves: list[Tensor] = []

    def cut(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        """Make the output a leaf; what follows may write into its copy."""
        if not isinstance(output, Tensor):
            raise ShapeError(f"{layer!r} gives no single tensor", "name another module")
        leaves.append(output.detach().clone().requires_grad_())
        return leaves[-1].clone()

    with torch.enable_grad(), _hooked({layer: modules[layer]}, lambda _: cut):
        logits = model(*inputs)  # (B, K)
    if len(leaves) != 1:
        raise ZoopraxisError(
            f"{layer!r} runs {len(leaves)} times in one pass, so it has no one map",
            f"name a module that runs once, or {FEATURES!r}",
        )
    return _cam(layer, leaves[0], _as_map(layer, leaves[0], len(logits)), logits, label)


def _last_map(model: VideoClassifier, inputs: tuple[Tensor, ...]) -> str:
    """Name of the last module that runs whose output has height and width."""
    ran: list[str] = []

    def note(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and _is_map(output, inputs[0]):
                ran.append(name)

        return hook

    named = {name: module for name, module in model.named_modules() if name}
    with torch.no_grad(), _hooked(named, note):
        model(*inputs)
    once = [name for name in ran if ran.count(name) == 1]
    if not once:
        raise ShapeError(
            "no module of the network gives a map of height and width", "Grad-CAM needs one"
        )
    return once[-1]


def _is_map(x: Tensor, clips: Tensor) -> bool:
    """Whether x is (B, F, T', H', W') or (B * T', F, H', W'), of several rows and columns.

    In the proportions of the clips: an axis of time or of channels is no height.
    """
    batch = len(clips)
    if not ((x.ndim == 5 and len(x) == batch) or (x.ndim == 4 and len(x) % batch == 0)):
        return False
    (height, width), (rows, columns) = clips.shape[-2:], x.shape[-2:]
    return min(rows, columns) > 1 and abs(rows * width - columns * height) < max(height, width)


def _as_map(layer: str, x: Tensor, batch: int) -> Tensor:
    """Bring the output of a module to (B, F, T', H', W')."""
    if x.ndim == 5 and len(x) == batch:
        return x
    if x.ndim == 4 and len(x) % batch == 0:
        return split_batch(x, len(x) // batch).transpose(1, 2)  # (B, F, T', H', W')
    raise ShapeError(
        f"{layer!r} gives a tensor of shape {tuple(x.shape)}",
        "name a module that gives (B, F, T, H, W), or (B * T, F, H, W)",
    )


@contextmanager
def _hooked(
    modules: dict[str, nn.Module], hook: Callable[[str], Callable[..., Any]]
) -> Iterator[None]:
    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Set a network to evaluation mode, and each module back to the mode that it had."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
