"""Coordinates of joints, put into the axes that a network was trained in, and paced by motion."""

import torch
from torch import Tensor

from zoopraxis.errors import VideoError
from zoopraxis.inputs import sampling
from zoopraxis.skeletons import Layout

__all__ = ["body_centred", "evenly_moving", "in_image", "present", "upright"]

FAINTEST = 0.01  # scores up to this one are PYSKL's missing joints
FARTHEST = 2.0  # fractions of the frame from its middle; more must be in other units


def present(x: Tensor) -> Tensor:
    """Whether joints (..., 3) are there: (..., 1)."""
    return (x != 0).any(dim=-1, keepdim=True)


def body_centred(joints: Tensor, layout: Layout) -> Tensor:
    """Coordinates (N, P, J, 3) relative to the first bodies, in mean lengths of a bone."""
    axes = 3 if layout.has_depth else 2
    there = present(joints)[..., 0]  # (N, P, J)
    first = int(there.flatten(1).any(dim=1).nonzero()[0])
    points = joints[..., :axes]  # (N, P, J, axes)
    origin = points[first][there[first]].mean(dim=0)  # (axes,)
    v, w = torch.tensor(layout.edges).unbind(dim=1)  # each (number of edges,)
    bones = (points[:, :, v] - points[:, :, w]).norm(dim=-1)[there[:, :, v] & there[:, :, w]]
    size = bones.mean() if len(bones) and bones.any() else points.new_ones(())
    centred = (points - origin) / size * there[..., None]
    return torch.cat([centred, joints[..., axes:]], dim=-1)  # (N, P, J, 3)


def in_image(joints: Tensor, *, name: str) -> Tensor:
    """Coordinates (N, P, J, 3) in half frames from the middle, PYSKL's ``PreNormalize2D``."""
    points = joints[..., :2]
    if points.abs().median() > FARTHEST:
        raise VideoError(
            f"{name}: coordinates such as {points.abs().median():g} are not fractions of the frame "
            "from its middle, -0.5 to 0.5",
            "divide pixels by the frame's width and height, and subtract 0.5",
        )
    return torch.cat([2 * points * (joints[..., 2:] > FAINTEST), joints[..., 2:]], dim=-1)


def upright(joints: Tensor) -> Tensor:
    """Bodies (N, P, 25, 3) in the first frame's axes, PYSKL's ``PreNormalize3D``: (N', P, 25, 3).

    That code takes one person or two; here, of any number, one is the main one.
    """
    x = joints.double()
    there = (x.abs() > 1e-8).flatten(2).any(dim=2)  # (N, P)
    main = int(there.sum(dim=0).argmax())
    order = [main, *(person for person in range(x.shape[1]) if person != main)]
    x = x[there[:, main]][:, order]  # (N', P, J, 3)
    before = present(x)
    x = (x - x[0, 0, 1]) * before
    x = x @ _turning(x[0, 0, 1] - x[0, 0, 0], (0, 0, 1)).mT  # from the base of the spine
    x = x @ _turning(x[0, 0, 8] - x[0, 0, 4], (1, 0, 0)).mT  # from the left shoulder
    # the middle of the spine is at 0 in the first frame, and must not count as missing
    return torch.where(before & ~present(x), 1e-9, x).float()


def _turning(start: Tensor, to: tuple[int, int, int]) -> Tensor:
    """Matrix (3, 3) that turns a vector (3,) to an axis, by Rodrigues' formula.

    As in PYSKL, nothing turns where the vector is 0, or along the axis, either way.
    """
    end = start.new_tensor(to)
    across = torch.linalg.cross(start, end)  # (3,)
    if start.abs().sum() < 1e-6 or across.abs().sum() < 1e-6:
        return torch.eye(3, dtype=start.dtype)
    angle = torch.arccos((start @ end / start.norm()).clamp(-1, 1))
    x, y, z = (across / across.norm()).tolist()
    cross = start.new_tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned = torch.sin(angle) * cross + (1 - torch.cos(angle)) * cross @ cross
    return torch.eye(3, dtype=start.dtype) + turned


def evenly_moving(joints: Tensor, *, axes: int) -> Tensor:
    """Interpolate skeletons (N, P, J, 3) at N times between which joints move equally far.

    How far they move is the mean over the joints that are there before and after, once jitter is
    reduced by a binomial filter of five frames. A joint that is missing on one side of a time is
    taken from the nearer side.
    """
    count = len(joints)
    there = present(joints)  # (N, P, J, 1)
    ends = torch.cat([torch.zeros(2), torch.arange(count), torch.full((2,), count - 1)]).long()
    kernel = joints.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]).view(-1, 1, 1, 1)
    windows = ends.unfold(0, 5, 1)  # (N, 5): frames around each
    weights = there[windows] * kernel  # (N, 5, P, J, 1)
    smooth = (joints[windows] * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
    steps = (smooth[1:] - smooth[:-1])[..., :axes].norm(dim=-1)  # (N - 1, P, J)
    both = (there[1:] & there[:-1])[..., 0]
    moved = (steps * both).sum(dim=(1, 2)) / both.sum(dim=(1, 2)).clamp(min=1)  # (N - 1,)
    if count < 2 or not moved.any():
        return joints
    times = torch.from_numpy(sampling.evenly_moving(moved.numpy()))
    before = times.long().clamp(max=count - 2)
    fraction = (times - before).float().view(-1, 1, 1, 1)
    a, b = joints[before], joints[before + 1]
    nearer = torch.where(fraction < 0.5, a, b)
    return torch.where(present(a) & present(b), a + fraction * (b - a), nearer)
