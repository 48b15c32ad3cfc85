"""What the processes of a run tell each other, so that all stop, or proceed, alike."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

__all__ = ["all_gather", "all_reduce_sum", "broadcast_buffers"]


def all_reduce_sum(fabric: Fabric, values: Sequence[float]) -> list[float]:
    """Sum numbers over the processes, in float64."""
    numbers = torch.tensor(values, dtype=torch.float64, device=fabric.device)
    total = fabric.all_reduce(numbers, reduce_op="sum")
    assert isinstance(total, Tensor)  # noqa: S101 - for the type checker
    return [float(v) for v in total.tolist()]


def all_gather(fabric: Fabric, items: Sequence[Any]) -> list[Any]:
    """Gather the items of all processes in the order of their ranks; slow, for what is rare."""
    return [
        item
        for rank in range(fabric.world_size)
        for item in fabric.broadcast(list(items), src=rank)
    ]


@torch.no_grad()
def broadcast_buffers(fabric: Fabric, network: nn.Module) -> None:
    """Give every process the buffers of the first: statistics of batch norms."""
    if fabric.world_size > 1:
        for buffer in network.buffers():
            buffer.copy_(fabric.broadcast(buffer, src=0))
