"""Rows of attention of a non-local block: from where one position of a clip takes its features.

Wang, Girshick, Gupta and He, "Non-local Neural Networks", CVPR 2018, figure 3. arXiv:1711.07971
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoopraxis.errors import ModelNotFoundError, ZoopraxisError, did_you_mean
from zoopraxis.layers.nonlocal_block import NonLocalBlock

__all__ = ["attention_row", "nonlocal_blocks"]


def nonlocal_blocks(model: nn.Module) -> dict[str, NonLocalBlock]:
    """Non-local blocks of a network by name, in order."""
    return {name: m for name, m in model.named_modules() if isinstance(m, NonLocalBlock)}


@torch.no_grad()
def attention_row(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    at: tuple[float, float, float],
    *,
    block: str = "",
) -> Tensor:
    """Compute the row f(x_i, x_j) / C(x) of one position i, over all positions j.

    Parameters
    ----------
    model : nn.Module
        A network with non-local blocks, in its current mode, on the device of the clips.
    inputs : tuple of Tensor
        What the network takes.
    at : (float, float, float)
        The position i: fractions of the clip's time, height and width, each from 0 to 1.
    block : str, optional
        Name of the block; by default the last one.

    Returns
    -------
    Tensor of shape (B, T', H', W')
        Over the positions j, which are pooled. A row of the Gaussian similarities is positive and
        sums to 1. A block that attends in groups of frames gives 0 outside the group of i.

    Raises
    ------
    ModelNotFoundError
        There is no such block, or none at all.
    ZoopraxisError
        A fraction is not from 0 to 1.
    """
    if not all(0 <= part <= 1 for part in at):
        raise ZoopraxisError(f"{at} is no position in a clip", "give fractions from 0 to 1")
    blocks = nonlocal_blocks(model)
    if not blocks or (block and block not in blocks):
        raise ModelNotFoundError(
            f"the network has no non-local block {block!r}"
            if blocks
            else "the network has no non-local blocks",
            did_you_mean(block, blocks, otherwise=f"it has {', '.join(blocks)}")
            if blocks
            else "`zoopraxis models '*nln*'` lists networks with them",
        )
    rows: list[Tensor] = []

    def record(module: NonLocalBlock, args: tuple[Any, ...], _output: Tensor) -> None:
        rows.append(_row(module, args[0], at))

    handle = blocks[block or list(blocks)[-1]].register_forward_hook(record)
    try:
        model(*inputs)
    finally:
        handle.remove()
    return rows[-1]


def _row(block: NonLocalBlock, x: Tensor, at: tuple[float, float, float]) -> Tensor:
    """Row (B, T', H', W') of one position of the block's input (B, C, T, H, W)."""
    t, h, w = (min(int(part * n), n - 1) for part, n in zip(at, x.shape[2:], strict=True))
    parts = []
    for group in torch.split(x, block.num_frames or x.shape[2], dim=2):
        theta, phi, _ = block.embed(group)  # (B, C/2, T, H, W), (B, C/2, T', H', W')
        if 0 <= t < group.shape[2]:
            query = theta[:, :, t, h, w, None]  # (B, C/2, 1)
            row = block.affinity(query, phi.flatten(2))  # (B, 1, M)
            parts.append(row.reshape(-1, *phi.shape[2:]))  # (B, T', H', W')
        else:
            parts.append(phi.new_zeros(len(phi), *phi.shape[2:]))
        t -= group.shape[2]
    return torch.cat(parts, dim=1)
