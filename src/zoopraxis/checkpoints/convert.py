"""The only door for a foreign checkpoint: rename, adapt, check the fit.

A family's `Source` says how the keys of one origin become ours. The result fits the model
exactly: every key used once, none missing, every shape equal.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis.errors import ConversionError
from zoopraxis.models import create_model, model_spec, source_of
from zoopraxis.spec import ModelSpec, Replacement, Source

__all__ = [
    "RENAME_BLOBS",
    "convert_state_dict",
    "count_classes",
    "flatten_head",
    "kernels_of_one_frame",
    "merge",
    "replace_norm_eps",
    "squeeze_blobs",
    "transpose_kernels",
    "unwrap",
]

_COUNTER = "num_batches_tracked"  # of batch norm; other frameworks do not keep it


def convert_state_dict(
    name: str,
    state_dict: Mapping[str, Tensor],
    *,
    source: str,
    num_classes: int | None = None,
) -> dict[str, Tensor]:
    """Turn a state dict of the authors' code (or a port) into one of ours.

    Parameters
    ----------
    name : str
        A name from `zoopraxis.list_models`.
    state_dict : mapping of str to Tensor
        As the source's code saves it; see `unwrap`.
    source : str
        Whose keys they are, such as ``"torchvision"`` or ``"vmz"``; `model_spec` lists them.
    num_classes : int, optional
        K; by default read off the classifier in the state dict.

    Returns
    -------
    dict of str to Tensor
        Loads with ``strict=True`` into ``create_model(name, num_classes=K, source=source)``.

    Raises
    ------
    ConversionError
        A key is unknown, missing or of another shape; the first of each is named.
    """
    spec = model_spec(name)
    rule = source_of(spec, source)
    state = rename(unwrap(state_dict), rule)
    state = rule.adapt(state) if rule.adapt else state
    wanted = _shapes(spec, source, num_classes or count_classes(spec, state, source=source))
    counters = {key: torch.zeros((), dtype=torch.int64) for key in wanted if key.endswith(_COUNTER)}
    state = {**counters, **state}
    _check_fit(state, wanted, f"{name} from source {source!r}", spec)
    return {key: state[key] for key in wanted}


def unwrap(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Open what training scripts put around a state dict.

    That is a dict that has it as ``state_dict``, ``model_state``, ``model_state_dict`` or
    ``model``, and the ``module.`` in front of every key that comes of training on several
    processors.
    """
    for wrapper in ("state_dict", "model_state", "model_state_dict", "model"):
        if isinstance(checkpoint.get(wrapper), Mapping):
            checkpoint = checkpoint[wrapper]
    if all(str(key).startswith("module.") for key in checkpoint):
        return {key.removeprefix("module."): value for key, value in checkpoint.items()}
    return checkpoint


def rename(state_dict: Mapping[str, Tensor], source: Source) -> dict[str, Tensor]:
    """Apply a source's ordered renaming rules to every key.

    Raises
    ------
    ConversionError
        Two keys would get the same name.
    """
    state: dict[str, Tensor] = {}
    for key, tensor in state_dict.items():
        new = _renamed(key, source.rename)
        if new is None:
            continue
        if new in state:
            raise ConversionError(f"two keys become {new!r}; the second is {key!r}")
        state[new] = tensor
    return state


def _renamed(key: str, rules: Iterable[tuple[str, Replacement]]) -> str | None:
    for pattern, replacement in rules:
        if replacement is None:
            if re.search(pattern, key):
                return None
        else:
            key = re.sub(pattern, replacement, key)
    return key


def _shapes(spec: ModelSpec, source: str | None, num_classes: int | None) -> dict[str, torch.Size]:
    """Shapes of the model's state, without allocating it."""
    with torch.device("meta"):
        model: nn.Module = create_model(spec.name, source=source, num_classes=num_classes)
    return {key: tensor.shape for key, tensor in model.state_dict().items()}


def count_classes(
    spec: ModelSpec, state: Mapping[str, Tensor], *, source: str | None = None
) -> int | None:
    """Read K off a state dict of ours: the size of the dimension that K decides in the model.

    None when no tensor tells.
    """
    two, three = _shapes(spec, source, 2), _shapes(spec, source, 3)
    for key, shape in two.items():
        if key in state and shape != three[key] and state[key].ndim == len(shape):
            axis = next(i for i, size in enumerate(shape) if size != three[key][i])
            return int(state[key].shape[axis])
    return None


def _check_fit(
    state: Mapping[str, Tensor], wanted: Mapping[str, torch.Size], what: str, spec: ModelSpec
) -> None:
    missing = [key for key in wanted if key not in state]
    unknown = [key for key in state if key not in wanted]
    unequal = [key for key in wanted if key in state and state[key].shape != wanted[key]]
    if not (missing or unknown or unequal):
        return
    lines = []
    if missing:
        lines.append(f"{len(missing)} keys missing, the first {missing[0]!r}")
    if unknown:
        lines.append(f"{len(unknown)} keys unknown, the first {unknown[0]!r}")
    if unequal:
        key = unequal[0]
        shapes = f"{tuple(state[key].shape)}, expected {tuple(wanted[key])}"
        lines.append(f"{len(unequal)} shapes differ, the first {key!r}: {shapes}")
    raise ConversionError(
        f"the state dict does not fit {what}: " + "; ".join(lines),
        f"sources of {spec.name}: {', '.join(spec.sources)}; is it another model or source?",
    )


# What a source's tensors may need besides new names: values for `Source.adapt`. They leave a tensor
# whose shape they do not expect as it is: the check of the fit names it.

Adapt = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def merge(*steps: Adapt) -> Adapt:
    """Apply several adaptations in order."""

    def adapt(state: dict[str, Tensor]) -> dict[str, Tensor]:
        for step in steps:
            state = step(state)
        return state

    return adapt


def replace_norm_eps(*, theirs: float, ours: float) -> Adapt:
    """Carry weights between batch norms of different eps, exactly in evaluation.

    The running variance absorbs the difference: ``var + theirs == (var + theirs - ours) + ours``.
    """

    def adapt(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            key: tensor + (theirs - ours) if key.endswith("running_var") else tensor
            for key, tensor in state.items()
        }

    return adapt


def transpose_kernels(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """TensorFlow's kernels (T, H, W, in, out) to PyTorch's (out, in, T, H, W)."""
    return {
        key: tensor.permute(4, 3, 0, 1, 2).contiguous() if tensor.ndim == 5 else tensor
        for key, tensor in state.items()
    }


def kernels_of_one_frame(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Kernels of 2D convolutions, (out, in, H, W), to those of 1 x H x W ones."""
    return {key: t.unsqueeze(2) if t.ndim == 4 else t for key, t in state.items()}


def flatten_head(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Layers of a head kept as 1x1x1 convolutions, (K, C, 1, 1, 1), to linear ones."""
    return {
        key: tensor.flatten(1) if "head." in key and tensor.ndim == 5 else tensor
        for key, tensor in state.items()
    }


# Caffe's numbers of blobs, in names and shapes.

RENAME_BLOBS: tuple[tuple[str, Replacement], ...] = (
    (r"\.0$", ".weight"),
    (r"\.1$", ".bias"),
    (r"\.2$", ".running_mean"),
    (r"\.3$", ".running_var"),
)
"""Blobs of convolutions and linear layers, and of the "BN" layer of the video forks of Caffe.

That layer is a whole batch norm of eps 1e-5, not Caffe's own pair of "BatchNorm" and "Scale". Its
fourth blob is the variance; files from before April 2016 have the inverse deviation there, which
the forks' ``bn_convert_style.py`` turns into the variance.
"""


def squeeze_blobs(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Vectors of Caffe, (1, C) or (1, 1, 1, C), to (C,); matrices (1, 1, out, in) to (out, in)."""
    norms = {key.removesuffix(".running_var") for key in state if key.endswith(".running_var")}

    def squeeze(key: str, blob: Tensor) -> Tensor:
        layer, _, kind = key.rpartition(".")
        if layer in norms or kind.startswith("bias"):
            return blob.flatten()
        return blob.flatten(0, -2) if set(blob.shape[:-2]) == {1} else blob

    return {key: squeeze(key, blob) for key, blob in state.items()}
