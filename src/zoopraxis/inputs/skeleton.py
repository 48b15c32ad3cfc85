"""Skeletons: joints of the people in every frame, as a tool has estimated them.

They are read from the file, or folder, that a sample names, in any of the formats of
`zoopraxis.skeletons.formats`. A joint whose score is 0, or a coordinate of which is NaN, is
missing: all its values become 0, and stay 0 whatever is done to the others.

A network takes one stream of them or several: the joints, the bones from a joint's neighbour to it,
the motion of either from a frame to the next (Shi et al., Two-Stream Adaptive Graph Convolutional
Networks, CVPR 2019, section 4.4; the same authors' Directed Graph Neural Networks, CVPR 2019).
Several are further channels of one network; or each has its own, and their scores are averaged, as
the papers do: `zoopraxis.prediction.fusion`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoopraxis.errors import RecipeError, ShapeError, VideoError, ZoopraxisError
from zoopraxis.inputs._joints import body_centred, evenly_moving, in_image, present, upright
from zoopraxis.inputs.augment import Augment
from zoopraxis.inputs.base import Input, Media
from zoopraxis.inputs.sampling import Indices
from zoopraxis.skeletons import Layout, skeleton_layout
from zoopraxis.skeletons.formats import holds_skeletons, read_recording
from zoopraxis.skeletons.recording import FPS

__all__ = ["Skeleton", "SkeletonDraw", "SkeletonTrack"]

CHANNELS = 3  # x, y and score, or x, y and z
ANGLES = (-10.0, -5.0, 0.0, 5.0, 10.0)  # degrees
SCALES = (-0.1, 0.0, 0.1)  # added to 1
SHIFTS = (-0.2, -0.1, 0.0, 0.1, 0.2)  # in units of the coordinates

Stream = Literal["joints", "bones", "joint_motion", "bone_motion"]
Normalise = Literal["none", "body", "image", "upright"]
Matrix = tuple[tuple[float, float, float], ...]
Motion = tuple[float, float, float, float]
"""Angle in degrees, scale, shift to the right and shift downwards."""
_STILL: Motion = (0.0, 1.0, 0.0, 0.0)
_IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


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

    def joints_at(self, indices: Indices) -> Tensor:
        """Skeletons (*indices.shape, P, J, 3) of some frames; 0 where an index is -1."""
        there = torch.from_numpy(indices >= 0)[..., None, None, None]
        return self.joints[torch.from_numpy(indices)] * there

    def __enter__(self) -> "SkeletonTrack":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


def check_skeletons(raw: Tensor, layout: Layout) -> None:
    """Refuse skeletons that are not (V, T, P, J, 3) with the joints of a layout."""
    if raw.ndim != 5 or raw.shape[3:] != (layout.num_joints, CHANNELS):
        raise ShapeError(
            f"skeletons of shape {tuple(raw.shape)} are not (V, T, P, J, C) with "
            f"J = {layout.num_joints} and C = {CHANNELS}",
            f"the layout {layout.name!r} has {layout.num_joints} joints",
        )


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
    matrix : 3 x 3 floats
        What x, y and the third channel of every joint are multiplied by, before that motion.
    """

    flip: bool = False
    first: Motion = _STILL
    last: Motion = _STILL
    matrix: Matrix = _IDENTITY


@dataclass(frozen=True, kw_only=True)
class Skeleton(Input[SkeletonTrack, SkeletonDraw]):
    """Skeletons: three channels for each stream, (C, T, J, P) for J joints of P people.

    Parameters
    ----------
    layout : str, default="openpose-18"
        Name of the layout of joints: `zoopraxis.skeletons.LAYOUTS`. With depth, the channels are
        x, y and z; else x, y and score.
    people : int, default=2
        P. In every frame, those with the highest sum of scores; with depth, which has no scores,
        the first of the file. Where there are fewer, the rest is 0.
    streams : tuple of str, default=("joints",)
        What the network takes, three channels each: some of "joints", "bones", "joint_motion" and
        "bone_motion". A bone is a joint minus its neighbour on the way to the layout's
        centre, motion the next frame minus this one; where either is missing, it is 0. In 2D, the
        score of a difference is the mean of both.
    normalise : {"none", "body", "image", "upright"}, default="none"
        Coordinates as in the file; or relative to the middle of the bodies in the first frame that
        has one, in units of the mean length of a bone, both over the whole file. The others are
        those of PYSKL's checkpoints (`zoopraxis.weights.stgcn_plus`). "image": fractions of half
        the frame's size from its middle, -1 to 1, of files that have fractions of the whole; x and
        y are 0 where the score is 0.01 or less. "upright", of ntu-25 alone: relative to the middle
        of the spine in the first frame, turned so that the spine points along z there, and the
        line from the left to the right shoulder, as far as that is at a right angle to it, along
        x; of the person who is there in the most frames, who becomes the first, and without the
        frames in which that person is not.
    pace : {"time", "motion"}, default="time"
        Frames as in the file; or as many frames between which the joints move equally far, so that
        waiting takes no time. For whole recordings of one action: it removes speed, and stops
        before and after.
    move : float, default=0.0
        Strength of the random rotation, scale and shift in training, which change evenly from the
        first frame to the last. 1 is that of the official code: up to 10 degrees, 10 % and 0.2.
    turn : float, default=0.0
        Bodies with depth are turned about the vertical, y, by an angle drawn uniformly from
        [-turn, turn] degrees.
    shear : float, default=0.0
        Each axis is mixed into each other one by a factor drawn uniformly from [-shear, shear].
    """

    kind: ClassVar[str] = "skeleton"
    reads_gaps: ClassVar[bool] = True
    reads_skeletons: ClassVar[bool] = True

    layout: str = "openpose-18"
    people: int = 2
    streams: tuple[Stream, ...] = ("joints",)
    normalise: Normalise = "none"
    pace: Literal["time", "motion"] = "time"
    move: float = 0.0
    turn: float = 0.0
    shear: float = 0.0

    def __post_init__(self) -> None:
        try:
            skeleton_layout(self.layout)
        except ZoopraxisError as error:
            raise RecipeError(error.problem, error.hint) from error
        strengths = (self.move, self.turn, self.shear)
        if not 1 <= self.people <= 1 << 10 or not all(0 <= s < float("inf") for s in strengths):
            raise RecipeError(
                f"people {self.people!r:.40}, or one of move, turn and shear "
                f"{', '.join(f'{s!r:.40}' for s in strengths)}, is out of range",
                "people must be from 1 to 1024, the others 0 or more",
            )
        known = get_args(Stream)
        if not self.streams or not set(self.streams) <= set(known):
            raise RecipeError(
                f"the streams {self.streams!r:.80} are not some of {', '.join(known)}",
                'name one at least: ["joints"]',
            )
        for name, choices in (("normalise", get_args(Normalise)), ("pace", ("time", "motion"))):
            value = getattr(self, name)
            if value not in choices:
                raise RecipeError(
                    f"{name} must be {' or '.join(choices)}, not {value!r:.40}", "choose one"
                )
        if self.normalise == "image" and self.joints.has_depth:
            raise RecipeError(
                f"the joints of {self.layout!r} are in space, and in no image",
                "set normalise to body, or to upright for ntu-25",
            )
        if self.normalise == "upright" and self.layout != "ntu-25":
            raise RecipeError(
                f"bodies of {self.layout!r} cannot be set upright, only those of 'ntu-25'",
                "set normalise to body",
            )

    @property
    def joints(self) -> Layout:
        """The layout itself."""
        return skeleton_layout(self.layout)

    def shape(self, num_frames: int) -> tuple[int, int, int, int]:
        """Shape (C, T, J, P) of one clip."""
        return (CHANNELS * len(self.streams), num_frames, self.joints.num_joints, self.people)

    def open(self, media: Media) -> SkeletonTrack:
        """Open the skeletons that a sample names, or that it is."""
        track = open_skeletons(media, self.joints)
        if self.normalise == "body":
            track.joints = body_centred(track.joints, self.joints)
        elif self.normalise == "image":
            track.joints = in_image(track.joints, name=track.name)
        elif self.normalise == "upright":
            joints = upright(track.joints)
            if len(joints) < track.num_frames and (media.start, media.end) != (None, None):
                raise VideoError(
                    f"{track.name}: a segment in seconds of skeletons, "
                    f"{track.num_frames - len(joints)} frames of which are left out",
                    "give whole recordings, or set normalise to body",
                )
            track = SkeletonTrack(track.name, joints, fps=track.fps)
        if self.pace == "motion":
            if (media.start, media.end) != (None, None):
                raise VideoError(
                    f"{track.name}: a segment in seconds of skeletons that are paced by motion",
                    "give whole recordings, or set pace to time",
                )
            track.joints = evenly_moving(track.joints, axes=3 if self.joints.has_depth else 2)
        return track

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
        first = last = _STILL
        if self.move:
            first, last = _draw_motion(self.move, rng), _draw_motion(self.move, rng)
        matrix = self._draw_matrix(rng) if self.turn or self.shear else _IDENTITY
        return SkeletonDraw(flip=flip, first=first, last=last, matrix=matrix)

    def _draw_matrix(self, rng: np.random.Generator) -> Matrix:
        """Turn about the vertical, then shear; the score of a joint stays."""
        angle = np.deg2rad(rng.uniform(-self.turn, self.turn))
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        shear = rng.uniform(-self.shear, self.shear, size=(3, 3))
        np.fill_diagonal(shear, 1.0)
        if not self.joints.has_depth:
            turn = np.eye(3)
            shear[2, :2] = shear[:2, 2] = 0
        return tuple(tuple(map(float, row)) for row in shear @ turn)  # type: ignore[misc]

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
        """Skeletons (V, T, P', J, 3) of all P' people of the file; 0 where an index is -1."""
        return track.joints_at(indices)

    def prepare(self, raw: Tensor, draw: SkeletonDraw) -> Tensor:
        """Choose people, flip and move (V, T, P', J, 3), then the streams: (V, C, T, J, P)."""
        layout = self.joints
        check_skeletons(raw, layout)
        x = self._choose_people(raw.float())  # (V, T, P, J, 3)
        if draw.flip:
            x = x[..., layout.mirrored, :] * x.new_tensor([-1.0, 1.0, 1.0])
        if draw.matrix != _IDENTITY:
            x = x @ x.new_tensor(draw.matrix).mT  # missing joints stay at 0
        if (draw.first, draw.last) != (_STILL, _STILL):
            x = move_skeletons(x, draw)
        x = torch.cat([self._stream(x, stream) for stream in self.streams], dim=-1)
        return x.permute(0, 4, 1, 3, 2).contiguous()  # (V, C, T, J, P)

    def _stream(self, x: Tensor, stream: Stream) -> Tensor:
        """One stream of joints (V, T, P, J, 3), of the same shape."""
        if stream.startswith("bone"):
            x = self._difference(x, x[..., self.joints.parents, :])
        if stream.endswith("motion"):
            following = torch.cat([x[:, 1:], torch.zeros_like(x[:, :1])], dim=1)
            x = self._difference(following, x)
        return x

    def _difference(self, to: Tensor, start: Tensor) -> Tensor:
        """Differences of joints or bones (V, T, P, J, 3); 0 where either is missing."""
        both = present(to) & present(start)  # (V, T, P, J, 1)
        difference = to - start
        if not self.joints.has_depth:
            score = (to[..., 2:] + start[..., 2:]) / 2
            difference = torch.cat([difference[..., :2], score], dim=-1)
        return difference * both

    def reverse(self, inputs: Tensor) -> Tensor:
        """Play prepared clips (V, C, T, J, P) backwards; motion is then the other way round."""
        parts = inputs.chunk(len(self.streams), dim=1)  # each (V, 3, T, J, P)
        return torch.cat(
            [
                self._motion_backwards(part) if stream.endswith("motion") else part.flip(2)
                for stream, part in zip(self.streams, parts, strict=True)
            ],
            dim=1,
        )

    def _motion_backwards(self, x: Tensor) -> Tensor:
        """Motion (V, 3, T, J, P) of the same clip backwards.

        # x1 - x0, x2 - x1, 0   becomes   x1 - x2, x0 - x1, 0
        """
        backwards = x[:, :, :-1].flip(2)  # (V, 3, T - 1, J, P)
        signs = x.new_tensor([-1.0, -1.0, -1.0 if self.joints.has_depth else 1.0])  # no score's
        return torch.cat([backwards * signs.view(3, 1, 1, 1), x[:, :, -1:]], dim=2)

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
    media.refuse_box("skeleton")
    place = Path(media.skeleton) if media.skeleton else _itself(media.path)
    if place is None:
        raise VideoError(
            f"{media.title}: this model expects skeletons, and none are given",
            "name their file in the column `skeleton` of a list, or pass "
            "Media(path=..., skeleton=...)",
        )
    recording = read_recording(place)
    joints = recording.checked(layout, name=str(place)).swapaxes(0, 1)  # (N, P, J, 3)
    return SkeletonTrack(str(place), torch.from_numpy(joints), fps=recording.fps)


def _itself(path: Any) -> Path | None:
    """Path of a video that is skeletons."""
    if isinstance(path, str | Path) and holds_skeletons(Path(path)):
        return Path(path)
    return None
