"""Gates of a Gate-Shift network, drawn over its input frames.

A sheet has a column for each frame and two rows for each module: the first for the half of the
channels that moves to the previous frame, the second for the half that moves to the next one. Red
marks positive gates, blue negative ones.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from zoopraxis.errors import ShapeError
from zoopraxis.layers.frames import split_batch
from zoopraxis.models.gsm import Gate

__all__ = ["draw_gates", "gate_maps", "overlay", "save_gates"]

_POSITIVE = torch.tensor([255.0, 40.0, 0.0])
_NEGATIVE = torch.tensor([0.0, 80.0, 255.0])


def gate_maps(model: nn.Module, clip: Tensor) -> dict[str, Tensor]:
    """Record the gates of a network for a batch of clips.

    Parameters
    ----------
    model : nn.Module
        Any network with `zoopraxis.models.gsm.Gate` modules, in its current mode.
    clip : Tensor of shape (B, C, T, H, W)
        Input of the network.

    Returns
    -------
    dict of str to Tensor of shape (B, T, 2, H', W')
        By the name of the gated layer, in order: the gates, from -1 to 1, of the half of the
        channels that moves to the previous frame and of the half that moves to the next one.
    """
    maps: dict[str, Tensor] = {}
    num_frames = clip.shape[2]

    def record(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            maps[name] = split_batch(output.detach(), num_frames)  # (B, T, 2, H', W')

        return hook

    # "backbone.inception_3a.conv_1x1.shift.gate" is recorded as "backbone.inception_3a.conv_1x1"
    gates = [(n, m) for n, m in model.named_modules() if isinstance(m, Gate)]
    hooks = [m.register_forward_hook(record(n.removesuffix(".shift.gate"))) for n, m in gates]
    try:
        with torch.no_grad():
            model(clip)
    finally:
        for handle in hooks:
            handle.remove()
    return maps


def overlay(frames: Tensor, gate: Tensor) -> Tensor:
    """Overlay a gate on frames in colour.

    Parameters
    ----------
    frames : Tensor of uint8, shape (T, 3, H, W)
        RGB.
    gate : Tensor of shape (T, H', W')
        From -1 to 1. Where it is 0 the grey frame is unchanged; 1 and -1 have an opacity of 0.9.

    Returns
    -------
    Tensor of uint8, shape (T, 3, H, W)
    """
    grey = frames.float().mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)  # (T, 3, H, W)
    gate = F.interpolate(gate[:, None].float(), size=frames.shape[2:], mode="bilinear")
    # gate: (T, 1, H, W)
    positive = _POSITIVE.to(gate.device)[:, None, None]  # (3, 1, 1)
    negative = _NEGATIVE.to(gate.device)[:, None, None]  # (3, 1, 1)
    colour = torch.where(gate > 0, positive, negative)  # (T, 3, H, W)
    opacity = 0.9 * gate.abs().clamp(max=1)  # (T, 1, H, W)
    return (grey * (1 - opacity) + colour * opacity).round().to(torch.uint8)


def draw_gates(frames: Tensor, maps: Mapping[str, Tensor], *, clip: int = 0) -> NDArray[np.uint8]:
    """Lay out a contact sheet: the frames, then two rows for every module.

    Parameters
    ----------
    frames : Tensor of uint8, shape (T, 3, H, W)
        The frames of the clip, before normalisation.
    maps : mapping of str to Tensor of shape (B, T, 2, H', W')
        From `gate_maps`.
    clip : int, default=0
        Index of the clip in the batch.

    Returns
    -------
    ndarray of uint8, shape ((1 + 2 * modules) * H, T * W, 3)

    Raises
    ------
    ShapeError
        The maps have another number of frames, or there are no maps.
    """
    lengths = {gates.shape[1] for gates in maps.values()}
    if lengths != {len(frames)}:
        raise ShapeError(
            f"got {len(frames)} frames with gates of {sorted(lengths) or 'no'} frames",
            "pass the frames of the clip from which a Gate-Shift network computed the gates",
        )
    rows = [frames]
    for gates in maps.values():
        rows += [overlay(frames, gates[clip, :, half]) for half in (0, 1)]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)  # (3, rows * H, T * W)
    return sheet.permute(1, 2, 0).cpu().numpy()


def save_gates(
    path: str | Path, frames: Tensor, maps: Mapping[str, Tensor], *, clip: int = 0
) -> None:
    """Write the contact sheet of `draw_gates` as a PNG."""
    from matplotlib.image import imsave

    imsave(path, draw_gates(frames, maps, clip=clip), format="png")
