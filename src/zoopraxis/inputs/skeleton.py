"""Skeletons: joints of the people in every frame, as a tool has estimated them.

Skeletons are read from the file that a sample names:

- an ``.npy``, or an ``.npz`` that has it under ``skeleton`` (and perhaps ``fps``), of shape
  (T, J, C) or (P, T, J, C) for P people, with the coordinates that the network was trained on;
- a ``.json`` of Kinetics-skeleton (Yan et al. 2018): ``data`` has the frames, each with its
  ``frame_index`` and the people's ``pose`` (x, y, x, y, ... in [0, 1] of the frame) and ``score``.
  Coordinates become [-0.5, 0.5], as in the official code.

A joint whose score is 0, or a coordinate of which is NaN, is missing: all its values become 0.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import RecipeError, ShapeError, VideoError, ZoopraxisError
from zoopraxis.inputs.augment import Augment
from zoopraxis.inputs.base import Input, Media
from zoopraxis.inputs.sampling import Indices
from zoopraxis.skeletons import Layout, skeleton_layout

__all__ = ["Skeleton", "SkeletonDraw", "SkeletonTrack"]

CHANNELS = 3  # x, y and score, or x, y and z
FPS = 30.0  # of Kinetics-skeleton and of NTU RGB+D
SUFFIXES = (".json", ".npy", ".npz")
MOST_FRAMES = 1 << 20  # of a file; more is a damaged frame_index
ANGLES = (-10.0, -5.0, 0.0, 5.0, 10.0)  # degrees
SCALES = (-0.1, 0.0, 0.1)  # added to 1
SHIFTS = (-0.2, -0.1, 0.0, 0.1, 0.2)  # in units of the coordinates

Motion = tuple[float, float, float, float]
"""Angle in degrees, scale, shift to the right and shift downwards."""
_STILL: Motion = (0.0, 1.0, 0.0, 0.0)


class SkeletonTrack:
    """The skeletons of N frames.

    Parameters
    ----------
    name : str
        File, for error messages.
    joints : Tensor of shape (N, P, J, 3)
        People in the order of the file; x, y and score, or x, y and z.
    fps : float
        Frames per second.
    """

    def __init__(self, name: str, joints: Tensor, *, fps: float = FPS) -> None:
        self.name, self.fps = name, fps
        self.joints = joints
        self.timestamps: NDArray[np.float64] = np.arange(len(joints)) / fps
        self.duration = len(joints) / fps

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.joints)

    def __enter__(self) -> "SkeletonTrack":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, kw_only=True)
class SkeletonDraw:
    """What is random in one training clip of skeletons.

    Parameters
    ----------
    flip : bool, default=False
        Left and right change places.
    first, last : (float, float, float, float)
        Angle in degrees, scale and shifts of x and y at the clip's first and last frame; those
        between are interpolated.
    """

    flip: bool = False
    first: Motion = _STILL
    last: Motion = _STILL


@dataclass(frozen=True, kw_only=True)
class Skeleton(Input[SkeletonTrack, SkeletonDraw]):
    """Skeletons: three channels, (3, T, J, P) for J joints of P people.

    Parameters
    ----------
    layout : str, default="openpose-18"
        Name of the layout of joints: `zoopraxis.skeletons.LAYOUTS`. With depth, the channels are
        x, y and z; else x, y and score.
    people : int, default=2
        P. In every frame, those with the highest sum of scores; with depth, which has no scores,
        the first of the file. Where there are fewer, the rest is 0.
    move : float, default=0.0
        Strength of the random rotation, scale and shift in training, which change evenly from the
        first frame to the last. 1 is that of the official code: up to 10 degrees, 10 % and 0.2.
    """

    kind: ClassVar[str] = "skeleton"

    layout: str = "openpose-18"
    people: int = 2
    move: float = 0.0

    def __post_init__(self) -> None:
        try:
            skeleton_layout(self.layout)
        except ZoopraxisError as error:
            raise RecipeError(error.problem, error.hint) from error
        if not 1 <= self.people <= 1 << 10 or not 0 <= self.move < float("inf"):
            raise RecipeError(
                f"people {self.people!r:.40} and move {self.move!r:.40} are out of range",
                "people must be from 1 to 1024, move 0 or more",
            )

    @property
    def joints(self) -> Layout:
        """The layout itself."""
        return skeleton_layout(self.layout)

    def shape(self, num_frames: int) -> tuple[int, int, int, int]:
        """Shape (3, T, J, P) of one clip."""
        return (CHANNELS, num_frames, self.joints.num_joints, self.people)

    def open(self, media: Media) -> SkeletonTrack:
        """Open the skeletons that a sample names."""
        return open_skeletons(media, self.joints)

    def keep(self, track: SkeletonTrack) -> SkeletonTrack:
        """Return the track, which is in memory."""
        return track

    def draw(
        self,
        track: SkeletonTrack,  # noqa: ARG002
        augment: Augment,
        *,
        rng: np.random.Generator,
    ) -> SkeletonDraw:
        """Draw flip and motion of one training clip.

        Crops and colours of an `Augment` are those of images, and mean nothing here.
        """
        flip = bool(rng.random() < augment.flip)
        if not self.move:
            return SkeletonDraw(flip=flip)
        return SkeletonDraw(
            flip=flip, first=_draw_motion(self.move, rng), last=_draw_motion(self.move, rng)
        )

    def crops(self, track: SkeletonTrack, crops: int) -> list[SkeletonDraw]:  # noqa: ARG002
        """List the crops of testing: all are the whole skeleton; the second half of 10 is flipped.

        Raises
        ------
        VideoError
            ``crops`` is not 1, 3, 5 or 10.
        """
        if crops not in (1, 3, 5, 10):
            raise VideoError(f"crops must be 1, 3, 5 or 10, not {crops}", "skeletons need one")
        return [SkeletonDraw(flip=crops == 10 and number >= 5) for number in range(crops)]

    def read(
        self,
        track: SkeletonTrack,
        indices: Indices,
        draw: SkeletonDraw,  # noqa: ARG002
    ) -> Tensor:
        """Skeletons (V, T, P', J, 3) of all P' people of the file."""
        return track.joints[torch.from_numpy(indices)]

    def prepare(self, raw: Tensor, draw: SkeletonDraw) -> Tensor:
        """Choose people, flip and move (V, T, P', J, 3): (V, 3, T, J, P)."""
        layout = self.joints
        if raw.ndim != 5 or raw.shape[3:] != (layout.num_joints, CHANNELS):
            raise ShapeError(
                f"skeletons of shape {tuple(raw.shape)} are not (V, T, P, J, C) with "
                f"J = {layout.num_joints} and C = {CHANNELS}",
                f"the layout {self.layout!r} has {layout.num_joints} joints",
            )
        x = self._choose_people(raw.float())  # (V, T, P, J, 3)
        if draw.flip:
            x = x[..., layout.mirrored, :] * x.new_tensor([-1.0, 1.0, 1.0])
        if (draw.first, draw.last) != (_STILL, _STILL):
            x = move_skeletons(x, draw)
        return x.permute(0, 4, 1, 3, 2).contiguous()  # (V, 3, T, J, P)

    def _choose_people(self, x: Tensor) -> Tensor:
        """Choose P of the people (V, T, P', J, 3) of every frame."""
        if not self.joints.has_depth:
            scores = x[..., 2].sum(dim=-1)  # (V, T, P')
            order = scores.argsort(dim=2, descending=True, stable=True)
            x = x.take_along_dim(order[..., None, None], dim=2)
        x = x[:, :, : self.people]
        absent = self.people - x.shape[2]
        return torch.cat([x, x.new_zeros(*x.shape[:2], absent, *x.shape[3:])], dim=2)

    def from_reference(self, x: Tensor, *, stack: int) -> Tensor:  # noqa: ARG002
        """Turn (B, P, T, J, C), as mmaction2 takes it, into (B, C, T, J, P)."""
        people_first = x.shape[1] != CHANNELS == x.shape[4]
        return x.transpose(1, 4) if people_first else x


def _draw_motion(strength: float, rng: np.random.Generator) -> Motion:
    angle, scale = rng.choice(ANGLES), rng.choice(SCALES)
    right, down = rng.choice(SHIFTS, size=2)
    return (
        float(strength * angle),
        float(1 + strength * scale),
        float(strength * right),
        float(strength * down),
    )


def move_skeletons(x: Tensor, draw: SkeletonDraw) -> Tensor:
    """Rotate, scale and shift x and y of skeletons (V, T, P, J, 3), evenly from first to last.

    ``random_move`` of the official feeder, but that missing joints stay at 0.
    """
    steps = torch.linspace(0, 1, x.shape[1], dtype=torch.float64)[:, None]  # (T, 1)
    first, last = (torch.tensor(m, dtype=torch.float64) for m in (draw.first, draw.last))
    degrees, scale, *shift = (first + steps * (last - first)).unbind(dim=1)  # each (T,)
    cos, sin = torch.cos(degrees.deg2rad()) * scale, torch.sin(degrees.deg2rad()) * scale
    turn = torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 1, 2, 2).to(x)  # (T, 1, 2, 2)
    moved = x[..., :2] @ turn.mT + torch.stack(shift, dim=1)[:, None, None].to(x)
    moved = moved * (x != 0).any(dim=-1, keepdim=True)  # (V, T, P, J, 2)
    return torch.cat([moved, x[..., 2:]], dim=-1)  # (V, T, P, J, 3)


def open_skeletons(media: Media, layout: Layout) -> SkeletonTrack:
    """Open the skeletons that a sample names, or that it is.

    Raises
    ------
    VideoError
        There are none, or they are not of this layout.
    """
    place = Path(media.skeleton) if media.skeleton else _itself(media.path)
    if place is None:
        raise VideoError(
            f"{media.title}: this model expects skeletons, and none are given",
            "name their file in the column `skeleton` of a list, or pass "
            "Media(path=..., skeleton=...)",
        )
    if place.suffix not in SUFFIXES or not place.is_file():
        raise VideoError(
            f"{place}: there are no skeletons here",
            "give a .json of Kinetics-skeleton, or an .npy or .npz of (T, J, C) or (P, T, J, C)",
        )
    joints, fps = _read_json(place, layout) if place.suffix == ".json" else _read_array(place)
    return SkeletonTrack(str(place), _checked(joints, layout, str(place)), fps=fps)


def _itself(path: Any) -> Path | None:
    """Path of a video that is a file of skeletons."""
    if isinstance(path, str | Path) and Path(path).suffix in SUFFIXES:
        return Path(path)
    return None


def _checked(joints: NDArray[np.floating[Any]], layout: Layout, name: str) -> Tensor:
    """Skeletons (N, P, J, 3) of an array (N, P, J, C); missing joints are 0."""
    num_channels = joints.shape[-1]
    if joints.shape[2] != layout.num_joints or num_channels not in (2, 3) or 0 in joints.shape:
        raise VideoError(
            f"{name}: skeletons of shape {joints.shape} are not (T, P, J, C) of the layout "
            f"{layout.name!r}",
            f"expected J = {layout.num_joints}; C = 3, or 2 without scores",
        )
    if layout.has_depth and num_channels != CHANNELS:
        raise VideoError(f"{name}: skeletons without depth", f"{layout.name!r} has x, y and z")
    joints = np.where(np.isnan(joints).any(axis=-1, keepdims=True), 0, joints).astype(np.float32)
    if not np.isfinite(joints).all():
        raise VideoError(f"{name}: a coordinate is infinite", "write missing joints as 0 or NaN")
    if num_channels == 2:  # without scores: what is not missing is certain
        joints = np.concatenate([joints, (joints != 0).any(axis=-1, keepdims=True)], axis=-1)
    if not layout.has_depth:
        joints = joints * (joints[..., 2:] != 0)
    return torch.from_numpy(joints.astype(np.float32))


def _read_array(file: Path) -> tuple[NDArray[np.floating[Any]], float]:
    """Skeletons (N, P, J, C) of an array, and frames per second."""
    fps = FPS
    try:
        content = np.load(file)
        if file.suffix == ".npz":
            fps = float(content["fps"]) if "fps" in content.files else FPS
            content = content["skeleton"]
        joints = np.asarray(content, dtype=np.float64)
    except (OSError, ValueError, KeyError, EOFError, TypeError) as error:
        raise VideoError(
            f"{file}: holds no skeletons: {error}", "expected (T, J, C) or (P, T, J, C)"
        ) from error
    if joints.ndim not in (3, 4) or not 0 < fps < float("inf"):
        raise VideoError(
            f"{file}: skeletons of shape {joints.shape} at {fps:g} frames per second",
            "expected (T, J, C) or (P, T, J, C)",
        )
    return (joints[:, None] if joints.ndim == 3 else joints.swapaxes(0, 1)), fps


def _read_json(file: Path, layout: Layout) -> tuple[NDArray[np.floating[Any]], float]:
    """Skeletons (N, P, J, 3) of a file of Kinetics-skeleton, and frames per second."""
    hint = "expected the JSON of Kinetics-skeleton: data, frame_index, skeleton, pose, score"
    try:
        frames = json.loads(file.read_text(encoding="utf-8"))["data"]
        people = {int(frame["frame_index"]): frame["skeleton"] for frame in frames}
        count = max(people, default=-1) + 1
        most = max((len(some) for some in people.values()), default=0)
        if len(people) < len(frames) or min(people, default=0) < 0 or count > MOST_FRAMES:
            raise VideoError(f"{file}: frames with the same, a negative or a huge index", hint)
        if not most:
            raise VideoError(f"{file}: nobody in any frame", "leave this video out of the list")
        joints = np.zeros((count, most, layout.num_joints, CHANNELS))
        for index, some in people.items():
            for person, skeleton in enumerate(some):
                joints[index, person] = _read_person(skeleton, layout)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VideoError(f"{file}: holds no skeletons: {error!r:.200}", hint) from error
    return joints, FPS


def _read_person(skeleton: Mapping[str, Any], layout: Layout) -> NDArray[np.float64]:
    """Joints (J, 3) of one person, x and y in [-0.5, 0.5]."""
    pose = np.asarray(skeleton["pose"], dtype=np.float64)
    score = np.asarray(skeleton["score"], dtype=np.float64)
    if pose.shape != (2 * layout.num_joints,) or score.shape != (layout.num_joints,):
        raise ValueError(
            f"pose of {pose.size} and score of {score.size} numbers, not of {layout.num_joints} "
            f"joints of {layout.name}"
        )
    return np.concatenate([pose.reshape(-1, 2) - 0.5, score[:, None]], axis=1)
