"""Solver of TV-L1 optical flow with PyTorch: batched, differentiable, on any device.

The algorithm of `zoopraxis.flow._tvl1_numba`, which see for the papers, one tensor operation at a
time. Pairs of a batch do not see each other: each stops where it would stop alone. Gradients
reach the frames, through the iterations and through the warped images. Frames are warped as by
OpenCV 5, which interpolates where the flow leads; OpenCV 4 rounds that place to 1/32 pixel.

`data_step` and `dual_step` are the two halves of an iteration. The networks that learn a part of it
(`zoopraxis.models.tvnet`, `zoopraxis.models.representation_flow`) have their own taps for the
derivatives of the flow and of the dual variables, and share the rest.

Tensors have components (x, y) at the third axis from the end: flow (..., 2, H, W), gradients of an
image (..., 2, H, W), slopes of the flow and its dual variables (..., component, direction, H, W).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoopraxis.flow._tvl1_parameters import SMALLEST, TVL1Parameters

__all__ = [
    "backward_filter",
    "data_step",
    "difference",
    "dual_step",
    "forward_filter",
    "solve",
    "with_gradients",
]

FLAT = 1.2e-7
"""Squared norm of a gradient below which a pixel has no data term."""

TINY = 1e-30
"""Inside the root of a squared norm: the derivative of the root at zero is zero, not infinite."""


def solve(first: Tensor, second: Tensor, *, parameters: TVL1Parameters) -> Tensor:
    """Compute the flow from each grey frame to its next.

    Parameters
    ----------
    first, second : Tensor of shape (N, H, W)
        Grey frames, values from 0 to 255; float64, or computed in float32.
    parameters : TVL1Parameters
        Weights, and how often what is done. With an epsilon of zero the number of iterations is
        fixed, and nothing depends on the data.

    Returns
    -------
    Tensor of shape (N, 2, H, W)
        Pixels, x then y.
    """
    levels = list(zip(_pyramid(first, parameters), _pyramid(second, parameters), strict=True))
    coarsest = levels[-1][0]
    u = coarsest.new_zeros(len(coarsest), 2, *coarsest.shape[1:])  # (N, 2, H, W) of that level
    for first_level, second_level in reversed(levels):
        height, width = first_level.shape[1:]
        if u.shape[2:] != (height, width):
            scales = u.shape[2] / height, u.shape[3] / width
            u = _resize(u, (height, width), scales) / parameters.scale_step
        u = _solve_level(first_level, second_level, u, parameters)
    return u


def data_step(
    u: Tensor, gradient: Tensor, inverse: Tensor, residual: Tensor, threshold: Tensor | float
) -> Tensor:
    """Move the flow towards constant brightness (equation 14 of Sánchez et al.).

    Parameters
    ----------
    u, gradient : Tensor of shape (..., 2, H, W)
        Flow; gradient of the warped frame.
    inverse, residual : Tensor of shape (..., 1, H, W)
        Of the gradient's squared norm; the part of the brightness difference that is constant.
    threshold : Tensor or float
        Largest step at a gradient of one: lambda times theta.

    Returns
    -------
    Tensor of shape (..., 2, H, W)
        The auxiliary flow v.
    """
    brightness = residual + (gradient * u).sum(dim=-3, keepdim=True)  # (..., 1, H, W)
    limit: Any = threshold  # torch takes a number or a tensor, and types say no union of them
    step = torch.clamp(-brightness * inverse, min=-limit, max=limit)  # (..., 1, H, W)
    return u + step * gradient


def dual_step(dual: Tensor, slopes: Tensor, step: Tensor | float) -> Tensor:
    """Move the dual variables along the slopes of the flow (equation 13 of Sánchez et al.).

    Parameters
    ----------
    dual, slopes : Tensor of shape (..., component, direction, H, W)
        Dual variables; forward differences of the flow.
    step : Tensor or float
        tau over theta.
    """
    move = step * slopes
    length = (move.square().sum(dim=-3, keepdim=True) + TINY).sqrt()  # (..., component, 1, H, W)
    return (dual + move) / (1 + length)


def forward_filter(x: Tensor, taps: Tensor) -> Tensor:
    """Filter each pixel and the next one along x and along y; zero at the last pixel.

    Parameters
    ----------
    x : Tensor of shape (..., H, W)
        Flow.
    taps : Tensor of shape (..., direction, tap)
        Two taps along x and two along y; `difference` has -1 and 1.

    Returns
    -------
    Tensor of shape (..., direction, H, W)
    """
    (x0, x1), (y0, y1) = ((t[..., None, None] for t in d.unbind(-1)) for d in taps.unbind(-2))
    along_x = F.pad(x0 * x[..., :-1] + x1 * x[..., 1:], (0, 1))
    along_y = F.pad(y0 * x[..., :-1, :] + y1 * x[..., 1:, :], (0, 0, 0, 1))
    return torch.stack((along_x, along_y), dim=-3)


def backward_filter(x: Tensor, taps: Tensor) -> Tensor:
    """Filter each pixel and the one before it, each direction along itself, and sum: a divergence.

    Parameters
    ----------
    x : Tensor of shape (..., direction, H, W)
        Dual variables; zeros come before the first pixel.
    taps : Tensor of shape (..., direction, tap)
        As of `forward_filter`.

    Returns
    -------
    Tensor of shape (..., H, W)
    """
    (x0, x1), (y0, y1) = ((t[..., None, None] for t in d.unbind(-1)) for d in taps.unbind(-2))
    along_x, along_y = x.unbind(dim=-3)
    before_x, before_y = F.pad(along_x[..., :-1], (1, 0)), F.pad(along_y[..., :-1, :], (0, 0, 1, 0))
    return x0 * before_x + x1 * along_x + y0 * before_y + y1 * along_y


def with_gradients(frames: Tensor) -> Tensor:
    """Frames (N, 1, H, W) and their centred gradients, halved at the edge: (N, 3, H, W)."""
    padded = F.pad(frames, (1, 1, 1, 1), mode="replicate")  # (N, 1, H + 2, W + 2)
    along_x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    along_y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return torch.cat((frames, along_x, along_y), dim=1)


def difference(like: Tensor) -> Tensor:
    """Taps (direction, tap) of a plain difference, of another tensor's type and device."""
    return like.new_tensor([[-1.0, 1.0], [-1.0, 1.0]])


def _pyramid(frames: Tensor, parameters: TVL1Parameters) -> list[Tensor]:
    """Levels (N, H, W) of frames, from fine to coarse."""
    levels = [frames if frames.dtype == torch.float64 else frames.float()]
    while len(levels) < parameters.scales:
        height, width = (round(side * parameters.scale_step) for side in levels[-1].shape[1:])
        if min(height, width) < SMALLEST:
            break
        scales = 1 / parameters.scale_step, 1 / parameters.scale_step
        levels.append(_resize(levels[-1], (height, width), scales))
    return levels


def _resize(x: Tensor, size: tuple[int, int], scales: tuple[float, float]) -> Tensor:
    """Resize (..., H, W) bilinearly as OpenCV does, whose scales need not be those of the sizes."""
    for axis, target, scale in zip((-2, -1), size, scales, strict=True):
        last = x.shape[axis] - 1
        place = torch.arange(target, device=x.device, dtype=torch.float64)
        place = ((place + 0.5) * scale - 0.5).clamp(0, last)
        before = place.long()
        weight = (place - before).to(x.dtype).unsqueeze(-1 if axis == -2 else 0)
        after = (before + 1).clamp(max=last)
        x = x.index_select(axis, before) * (1 - weight) + x.index_select(axis, after) * weight
    return x


def _solve_level(first: Tensor, second: Tensor, u: Tensor, parameters: TVL1Parameters) -> Tensor:
    """Flow (N, 2, H, W) at one level, from a first guess of it."""
    stop = parameters.epsilon**2 * first.shape[1] * first.shape[2]
    dual = u.new_zeros(len(u), 2, 2, *u.shape[2:])  # (N, component, direction, H, W)
    target = with_gradients(second.unsqueeze(1))  # (N, 3, H, W)
    for _ in range(parameters.warps):
        warped = _warp(target, u)  # (N, 3, H, W)
        u, dual = _iterate(first, warped, u, dual, stop, parameters)
    return u


def _iterate(
    first: Tensor, warped: Tensor, u: Tensor, dual: Tensor, stop: float, parameters: TVL1Parameters
) -> tuple[Tensor, Tensor]:
    """Run the iterations of one warp: flow (N, 2, H, W) and dual variables (N, 2, 2, H, W)."""
    gradient = warped[:, 1:]  # (N, 2, H, W)
    norm = gradient.square().sum(dim=1, keepdim=True)  # (N, 1, H, W)
    inverse = torch.where(norm > FLAT, 1 / norm.clamp(min=FLAT), 0)
    residual = warped[:, :1] - first.unsqueeze(1) - (gradient * u).sum(dim=1, keepdim=True)
    threshold = parameters.lambda_ * parameters.theta
    taps = difference(u)
    moving = torch.ones(len(u), 1, 1, 1, dtype=torch.bool, device=u.device)
    for _ in range(parameters.outer_iterations):
        if parameters.median_filtering > 1:
            u = torch.where(moving, _median(u, parameters.median_filtering), u)
        for _ in range(parameters.inner_iterations):
            v = data_step(u, gradient, inverse, residual, threshold)
            new = v + parameters.theta * backward_filter(dual, taps)  # (N, 2, H, W)
            slopes = forward_filter(new, taps)  # (N, 2, 2, H, W)
            new_dual = dual_step(dual, slopes, parameters.tau / parameters.theta)
            if stop == 0:
                u, dual = new, new_dual
                continue
            change = (new - u).detach().square().sum(dim=(1, 2, 3), keepdim=True)
            u = torch.where(moving, new, u)
            dual = torch.where(moving.unsqueeze(1), new_dual, dual)
            moving = moving & (change > stop)
            if not moving.any():
                return u, dual
    return u, dual


def _warp(images: Tensor, u: Tensor) -> Tensor:
    """Take images (N, C, H, W) from where the flow leads, bicubically, with zeros outside."""
    height, width = images.shape[2:]
    ys = torch.arange(height, device=u.device, dtype=u.dtype).unsqueeze(1)
    xs = torch.arange(width, device=u.device, dtype=u.dtype)
    places = torch.stack((xs + u[:, 0], ys + u[:, 1]), dim=-1)  # (N, H, W, 2)
    size = places.new_tensor((width, height))
    return F.grid_sample(images, (2 * places + 1) / size - 1, mode="bicubic", align_corners=False)


def _median(x: Tensor, size: int) -> Tensor:
    """Median filter (N, C, H, W) in windows of ``size`` pixels a side, the edge repeated.

    Of n values, n // 2 + 2 hold at least one below and one above the median: their least and their
    greatest are forgotten, and the next value joins the others, until one is left. These are
    operations on whole planes; `torch.median` of many small windows is slow, most of all on a GPU.
    """
    height, width = x.shape[2:]
    padded = F.pad(x, (size // 2,) * 4, mode="replicate")  # (N, C, H + size - 1, W + size - 1)
    waiting = [padded[..., i : i + height, j : j + width] for i in range(size) for j in range(size)]
    count = size * size // 2 + 2
    kept, waiting = waiting[:count], waiting[count:]
    while len(kept) > 1:
        _order(kept)
        kept = kept[1:-1] + waiting[:1]
        waiting = waiting[1:]
    return kept[0]


def _order(planes: list[Tensor]) -> None:
    """Exchange values between planes until the first has the least and the last the greatest."""
    last = len(planes) - 1
    half = (last + 1) // 2
    pairs = [
        *((i, last - i) for i in range(half)),  # now the least is in the first half, or between
        *((0, i) for i in range(1, last + 1 - half)),
        *((i, last) for i in range(half, last)),
    ]
    for i, j in pairs:
        planes[i], planes[j] = planes[i].minimum(planes[j]), planes[i].maximum(planes[j])
