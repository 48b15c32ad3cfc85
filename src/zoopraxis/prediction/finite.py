"""Numbers that are not finite: found at once, and traced to where they come from.

A NaN spreads to every class, and a softmax of it still has an order: without a check it would be
printed as a prediction. The check costs nothing beside the network; the search for the first
module that fails runs only once something has failed.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis.errors import CheckpointError, VideoError, ZoopraxisError

__all__ = ["check_inputs", "check_outputs", "first_not_finite"]

HALF = "float16 overflows above 65504: choose float32, or bfloat16"


def check_inputs(tensors: tuple[Tensor, ...], *, video: str) -> None:
    """Raise if a network's input is not finite: it was read from a file.

    Raises
    ------
    VideoError
        A value is NaN or infinite.
    """
    for tensor in tensors:
        finite = torch.isfinite(tensor)
        if not finite.all():
            raise VideoError(
                f"{video or 'the input'}: {int((~finite).sum())} of the {tensor.numel()} values "
                "that the network is to look at are NaN or infinite",
                "look at the files that it was read from, its optical flow for example",
            )


def check_outputs(
    outputs: Tensor, model: nn.Module, again: Callable[[], Any], *, video: str, precision: str
) -> None:
    """Raise if a network's output is not finite, and name the module in which that begins.

    Parameters
    ----------
    outputs : Tensor
        Of any shape.
    model : nn.Module
        The network.
    again : callable
        Runs the network over the same clips once more.
    video : str
        What the clips show, for the message.
    precision : str
        As for `zoopraxis.prediction.pipeline.run`.

    Raises
    ------
    CheckpointError
        A weight is not finite.
    ZoopraxisError
        The weights are finite, and the output is not.
    """
    if torch.isfinite(outputs).all():
        return
    name = first_not_finite(model, again)
    where = f"it begins in the module {name!r}" if name else "it begins in the network itself"
    problem = f"{video or 'the input'}: the network's output is NaN or infinite; {where}"
    weight = _weight_not_finite(model, name)
    if weight:
        raise CheckpointError(
            f"{problem}, and {weight} is not finite",
            "training has diverged, or the file is damaged: open other weights",
        )
    if precision == "float16":
        raise ZoopraxisError(f"{problem}, whose weights are finite", HALF)
    raise ZoopraxisError(
        f"{problem}, whose weights are finite",
        "compare mean, std and size of the clip with those that the network was trained on",
    )


def first_not_finite(model: nn.Module, again: Callable[[], Any]) -> str:
    """Name of the first module, in the order of running, whose output is not finite.

    Parameters
    ----------
    model : nn.Module
        The network.
    again : callable
        Runs it.

    Returns
    -------
    str
        As in ``model.named_modules()``; empty for the network itself, and where every output
        is finite.
    """
    found: list[str] = []

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            # A module ends after the modules in it, so the innermost is the first to be noted.
            if not found and not all(torch.isfinite(part).all() for part in _tensors(output)):
                found.append(name)

        return hook

    hooks = [m.register_forward_hook(watch(name)) for name, m in model.named_modules()]
    try:
        again()
    finally:
        for handle in hooks:
            handle.remove()
    return found[0] if found else ""


def _tensors(output: Any) -> Iterator[Tensor]:
    """Tensors of a module's output, which may be nested."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        for part in output.values():
            yield from _tensors(part)
    elif isinstance(output, list | tuple):
        for part in output:
            yield from _tensors(part)


def _weight_not_finite(model: nn.Module, name: str) -> str:
    """Key of the first weight that is not finite: of a module, else of the whole network."""
    part = model.get_submodule(name)
    for prefix, module in ((f"{name}." if name else "", part), ("", model)):
        for key, tensor in module.state_dict().items():
            if not torch.isfinite(tensor).all():
                return f"its weight {prefix}{key}" if module is part else f"the weight {key}"
    return ""
