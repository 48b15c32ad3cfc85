"""Gates of a Gate-Shift network, drawn over the frames that it sees.

A sheet has a column for each frame and two rows for each module: red where the gate is open for
the half of the channels that moves to the previous frame, then to the next one; blue where it
subtracts (the gate is negative).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import ShapeError

__all__ = ["draw_gates", "overlay", "save_gates"]

_POSITIVE = torch.tensor([255.0, 40.0, 0.0])
_NEGATIVE = torch.tensor([0.0, 80.0, 255.0])


def overlay(frames: Tensor, gate: Tensor) -> Tensor:
    """Colour frames by a gate.

    Parameters
    ----------
    frames : Tensor of uint8, shape (T, 3, H, W)
        RGB.
    gate : Tensor of shape (T, H', W')
        From -1 to 1; 0 leaves the grey frame, 1 or -1 covers nine tenths of it.

    Returns
    -------
    Tensor of uint8, shape (T, 3, H, W)
    """
    grey = frames.float().mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)  # (T, 3, H, W)
    gate = F.interpolate(gate[:, None].float(), size=frames.shape[2:], mode="bilinear")
    positive = _POSITIVE.to(gate.device)[:, None, None]
    negative = _NEGATIVE.to(gate.device)[:, None, None]
    colour = torch.where(gate > 0, positive, negative)  # (T, 3, H, W)
    share = 0.9 * gate.abs().clamp(max=1)  # (T, 1, H, W)
    return (grey * (1 - share) + colour * share).round().to(torch.uint8)


def draw_gates(frames: Tensor, maps: Mapping[str, Tensor], *, clip: int = 0) -> NDArray[np.uint8]:
    """Lay out a contact sheet: the frames, and below two rows for every module.

    Parameters
    ----------
    frames : Tensor of uint8, shape (T, 3, H, W)
        The frames of the clip as a person sees them.
    maps : mapping of str to Tensor of shape (B, T, 2, H', W')
        From `zoopraxis.models.gsm.gate_maps`.
    clip : int, default=0
        Which of the B clips the frames are.

    Returns
    -------
    ndarray of uint8, shape ((1 + 2 modules) * H, T * W, 3)

    Raises
    ------
    ShapeError
        The gates are of another number of frames, or there are none.
    """
    lengths = {gates.shape[1] for gates in maps.values()}
    if lengths != {len(frames)}:
        raise ShapeError(
            f"{len(frames)} frames came with gates of {sorted(lengths) or 'no'} frames",
            "draw the clip that the gates were computed from, by a Gate-Shift network",
        )
    rows = [frames]
    for gates in maps.values():
        rows += [overlay(frames, gates[clip, :, half]) for half in (0, 1)]
    sheet = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)  # (3, rows H, T W)
    return sheet.permute(1, 2, 0).cpu().numpy()


def save_gates(
    path: str | Path, frames: Tensor, maps: Mapping[str, Tensor], *, clip: int = 0
) -> None:
    """Write the contact sheet of `draw_gates` as a PNG."""
    from matplotlib.image import imsave

    imsave(path, draw_gates(frames, maps, clip=clip), format="png")
