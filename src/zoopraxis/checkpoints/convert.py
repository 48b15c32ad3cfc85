"""Conversion of foreign checkpoints: unwrap, rename, adapt, check the fit.

A family's `Source` says how the keys of one origin become ours. The result fits the model
exactly: every key used once, none missing, every shape equal. That is also how a prefix that
somebody's training put before the keys is told from one that belongs to them: it is taken off
only where the network fits without it and does not fit with it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoopraxis.checkpoints.layout import without_values
from zoopraxis.errors import ConversionError
from zoopraxis.spec import Replacement, Source
from zoopraxis.weights.registry import build_network, find_source, sources_of

__all__ = [
    "Converted",
    "convert_checkpoint",
    "convert_state_dict",
    "count_classes",
    "rename",
    "unwrap",
]

_COUNTER = "num_batches_tracked"  # of batch norm; other frameworks do not keep it
_WRAPPERS = ("state_dict", "model_state", "model_state_dict", "model")
_DEEPEST = 8  # dicts in dicts; a pickle can also hold one that holds itself
_MOST_PREFIXES = 4  # Lightning, torch.compile, an average and DDP, each around the other
# Names that PyTorch gives the module in a wrapper, anywhere in a key: "backbone._orig_mod.conv1"
_MARKS = re.compile(r"(?:(?<=\.)|^)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_AVERAGED = "n_averaged"  # of torch.optim.swa_utils.AveragedModel, beside "module."


class Converted(NamedTuple):
    """A state dict of ours, and how its keys had been wrapped.

    Parameters
    ----------
    state : dict of str to Tensor
        The state dict.
    taken_off : tuple of str
        What was taken off the keys, the outermost first: ``("module.", "_orig_mod.")``.
    """

    state: dict[str, Tensor]
    taken_off: tuple[str, ...]


def convert_state_dict(
    name: str,
    state_dict: Mapping[str, Tensor],
    *,
    source: str,
    num_classes: int | None = None,
    **args: Any,
) -> dict[str, Tensor]:
    """Turn a state dict of the authors' code (or a port) into one of ours.

    A pure function: it prints nothing. `convert_checkpoint` does the same and says what it took off
    the keys.

    Parameters
    ----------
    name : str
        A name from `zoopraxis.list_models`.
    state_dict : mapping of str to Tensor
        As the source's code saves it; see `unwrap`. A prefix that training put before all keys
        (``module.``, ``_orig_mod.``, ``model.``, one in the other) is taken off where the network
        does not fit with it.
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
    return convert_checkpoint(
        name, state_dict, source=source, num_classes=num_classes, **args
    ).state


def convert_checkpoint(
    name: str,
    checkpoint: Mapping[str, Any],
    *,
    source: str,
    num_classes: int | None = None,
    **args: Any,
) -> Converted:
    """Turn a checkpoint into a state dict of ours, and say what was taken off its keys.

    Parameters, errors: as for `convert_state_dict`.

    Raises
    ------
    ConversionError
        As for `convert_state_dict`, of the form of the keys that comes nearest to the network.
    """
    rule = find_source(name, source)
    state = _checked(unwrap(checkpoint))
    failures = []
    for taken_off, bare in _without_prefixes(state):
        try:
            ours = _convert(name, bare, rule, source=source, num_classes=num_classes, **args)
        except _MisfitError as error:
            failures.append(error)
        else:
            return Converted(ours, taken_off)
    # Speak of the keys as they came, unless without a prefix most of them are the network's.
    nearest = min(failures, key=lambda error: error.keys)
    told = nearest if nearest.keys < failures[0].keys / 2 else failures[0]
    raise ConversionError(told.problem, told.hint)


def _convert(
    name: str,
    state: Mapping[str, Tensor],
    rule: Source,
    *,
    source: str,
    num_classes: int | None,
    **args: Any,
) -> dict[str, Tensor]:
    """Rename, adapt, and check the fit."""
    state = rename(state, rule)
    state = rule.adapt(state) if rule.adapt else state
    classes = num_classes
    if classes is None:
        classes = count_classes(name, state, source=source, **args)
    if classes is not None and classes < 1:
        raise _MisfitError(
            f"a classifier of {classes} classes predicts nothing",
            "the network must have at least one class",
            keys=len(state),
        )
    wanted = _shapes(name, source=source, num_classes=classes, **args)
    counters = {key: torch.zeros((), dtype=torch.int64) for key in wanted if key.endswith(_COUNTER)}
    state = {**counters, **state}
    _check_fit(state, wanted, name, source)
    return {key: state[key] for key in wanted}


def unwrap(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Unwrap the dicts that training scripts put around a state dict.

    They hold it as ``state_dict``, ``model_state``, ``model_state_dict`` or ``model``, one in the
    other. Prefixes of the keys are taken off by `convert_checkpoint`, which knows whether they
    belong to the network.
    """
    for _ in range(_DEEPEST):
        inner = [checkpoint[w] for w in _WRAPPERS if isinstance(checkpoint.get(w), Mapping)]
        if not inner:
            break
        checkpoint = inner[0]
    return checkpoint


def _checked(state: Mapping[Any, Any]) -> Mapping[str, Tensor]:
    """Refuse what is no state dict: names to tensors."""
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ConversionError(
                f"a state dict is of tensors by name; this one has a {type(value).__name__} under "
                f"{key!r:.80}",
                "give what `network.state_dict()` returns, without epoch and optimizer",
            )
    return state


def _without_prefixes(
    state: Mapping[str, Tensor],
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Tensor]]]:
    """Yield a state dict as it is, then with one prefix fewer each time.

    # model._orig_mod.conv.weight, model.conv.weight, conv.weight
    """
    yield (), state
    marks = tuple(dict.fromkeys(mark for key in state for mark in _MARKS.findall(key)))
    if marks:
        state = _renamed_all(state, lambda key: _MARKS.sub("", key))
        yield marks, state
    taken_off = marks
    for _ in range(_MOST_PREFIXES):
        prefix = _shared_prefix(state)
        if not prefix:
            return
        averaged = prefix == "module." and _AVERAGED in state
        state = {key: tensor for key, tensor in state.items() if not averaged or key != _AVERAGED}
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
        taken_off = (*taken_off, prefix)
        yield taken_off, state


def _shared_prefix(state: Mapping[str, Tensor]) -> str:
    """First part of every key, where that is the same; the counter of an average apart."""
    first = {key.partition(".")[0] + "." for key in state if key != _AVERAGED}
    if len(first) != 1:
        return ""
    (prefix,) = first
    others = [key for key in state if not key.startswith(prefix)]
    of_average = others == [_AVERAGED] and prefix == "module."
    return prefix if not others or of_average else ""


def _renamed_all(state: Mapping[str, Tensor], new: Callable[[str], str]) -> dict[str, Tensor]:
    """Rename every key; two may not become one."""
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if new(key) in renamed:
            raise ConversionError(f"two keys are renamed to {new(key)!r}; the second is {key!r}")
        renamed[new(key)] = tensor
    return renamed


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
            raise _MisfitError(
                f"two keys are renamed to {new!r}; the second is {key!r}", keys=len(state_dict)
            )
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
    with without_values():
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


class _MisfitError(ConversionError):
    """A state dict that does not fit: `keys` of its keys and the network's are in the way."""

    def __init__(self, problem: str, hint: str = "", *, keys: int) -> None:
        super().__init__(problem, hint)
        self.keys = keys


def _check_fit(
    state: Mapping[str, Tensor], wanted: Mapping[str, torch.Size], name: str, source: str
) -> None:
    """Raise an error that names the first missing, unknown and unequal key."""
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
    raise _MisfitError(
        f"the state dict does not fit {name} from source {source!r}: " + "; ".join(lines),
        f"sources of {name}: {', '.join(sources_of(name))}; is it another model or source?",
        keys=len(missing) + len(unknown) + len(unequal),
    )
