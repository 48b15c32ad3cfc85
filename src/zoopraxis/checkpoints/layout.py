"""Laying out a network: its tensors' names and shapes, without their values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["without_values"]

_DRAWS = (Tensor.normal_, Tensor.uniform_)


class _NotDrawn(TorchFunctionMode):
    """Leave tensors as they are where initialisers would draw their values."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWS or getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def without_values() -> Iterator[None]:
    """Build networks on the meta device, where one of any size costs no memory.

    Initialisers draw nothing: there are no values, and drawing on this device imports
    torch._dynamo, which takes seconds.
    """
    with torch.device("meta"), _NotDrawn():
        yield
