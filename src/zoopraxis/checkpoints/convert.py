"""Conversion of foreign checkpoints: rename, adapt, check the fit.

A family's `Source` says how the keys of one origin become ours. The result fits the model
exactly: every key used once, none missing, every shape equal.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from zoopraxis.errors import ConversionError
from zoopraxis.spec import Replacement, Source
from zoopraxis.weights.registry import build_network, find_source, sources_of

__all__ = ["convert_state_dict", "count_classes", "rename", "unwrap"]

_COUNTER = "num_batches_tracked"  # of batch norm; other frameworks do not keep it


def convert_state_dict(
    name: str,
    state_dict: Mapping[str, Tensor],
    *,
    source: str,
    num_classes: int | None = None,
    **args: Any,
) -> dict[str, Tensor]:
    """Turn a state dict of the authors' code (or a port) into one of ours.

    Parameters
    ----------
    name : str
        A name from `zoopraxis.list_models`.
    state_dict : mapping of str to Tensor
        As the source's code saves it; see `unwrap`.
    source : str
        Whose keys they are, such as ``"torchvision"`` or ``"vmz"``; see
        `zoopraxis.weights.sources_of`.
    num_classes : int, optional
        K; by default read off the classifier in the state dict.
    **args
        Arguments of the model's class, in place of the entry's and the source's.

    Returns
    -------
    dict of str to Tensor
        Loads with ``strict=True`` into ``create_model(name, num_classes=K, source=source)``.

    Raises
    ------
    ConversionError
        A key is unknown, missing or of another shape; the first of each is named.
    """
    rule = find_source(name, source)
    state = rename(unwrap(state_dict), rule)
    state = rule.adapt(state) if rule.adapt else state
    classes = num_classes or count_classes(name, state, source=source, **args)
    wanted = _shapes(name, source=source, num_classes=classes, **args)
    counters = {key: torch.zeros((), dtype=torch.int64) for key in wanted if key.endswith(_COUNTER)}
    state = {**counters, **state}
    _check_fit(state, wanted, name, source)
    return {key: state[key] for key in wanted}


def unwrap(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Unwrap what training scripts put around a state dict.

    That is a dict that holds it as ``state_dict``, ``model_state``, ``model_state_dict`` or
    ``model``, and the ``module.`` that distributed training puts before every key.
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
        Two keys would be renamed to the same one.
    """
    state: dict[str, Tensor] = {}
    for key, tensor in state_dict.items():
        new = _renamed(key, source.rename)
        if new is None:
            continue
        if new in state:
            raise ConversionError(f"two keys are renamed to {new!r}; the second is {key!r}")
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


def _shapes(
    name: str, *, source: str, num_classes: int | None, **args: Any
) -> dict[str, torch.Size]:
    """Shapes of a network's state, without allocating it."""
    with torch.device("meta"):
        network = build_network(name, source=source, num_classes=num_classes, **args)
    return {key: tensor.shape for key, tensor in network.state_dict().items()}


def count_classes(
    name: str, state: Mapping[str, Tensor], *, source: str = "", **args: Any
) -> int | None:
    """Read K off a state dict of ours: the size of the dimension that K decides in the network.

    None when no tensor tells.
    """
    two = _shapes(name, source=source, num_classes=2, **args)
    three = _shapes(name, source=source, num_classes=3, **args)
    for key, shape in two.items():
        if key in state and shape != three[key] and state[key].ndim == len(shape):
            axis = next(i for i, size in enumerate(shape) if size != three[key][i])
            return int(state[key].shape[axis])
    return None


def _check_fit(
    state: Mapping[str, Tensor], wanted: Mapping[str, torch.Size], name: str, source: str
) -> None:
    """Raise `ConversionError` that names the first missing, unknown and unequal key."""
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
        f"the state dict does not fit {name} from source {source!r}: " + "; ".join(lines),
        f"sources of {name}: {', '.join(sources_of(name))}; is it another model or source?",
    )
