"""Bodies and their joints: proportions, poses, and two-bone inverse kinematics.

Points are (forward, up, left) in metres in the performer's own coordinates; the floor is at
up = 0. A `Pose` gives the positions of pelvis, hands and feet; `solve` finds every joint.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDES", "Array", "Body", "Pose", "draw_body", "reach", "shoulder", "solve", "vec"]

Array = NDArray[np.float64]

SIDES = (("left", 1.0), ("right", -1.0))  # name, sign on the left axis


def vec(forward: float, up: float, left: float = 0.0) -> Array:
    """Point (forward, up, left) in metres."""
    return np.array([forward, up, left])


@dataclass(frozen=True, kw_only=True)
class Body:
    """Segment lengths of a performer in metres.

    Parameters
    ----------
    height : float
        Body height, from sole to crown.
    thigh, shin, ankle : float
        Hip to knee, knee to ankle, and height of the ankle above the sole.
    torso, neck, head : float
        Pelvis to base of the neck, base of the neck to chin, and radius of the head.
    upper_arm, forearm : float
        Shoulder to elbow, and elbow to wrist.
    shoulders, hips : float
        Half the distance between the shoulders, and between the hips.
    girth : float
        Limb thickness relative to an average performer.
    left_handed : bool
        Whether the left hand performs one-handed actions.
    """

    height: float
    thigh: float
    shin: float
    ankle: float
    torso: float
    neck: float
    head: float
    upper_arm: float
    forearm: float
    shoulders: float
    hips: float
    girth: float
    left_handed: bool

    @property
    def arm(self) -> float:
        """Length of the extended arm."""
        return self.upper_arm + self.forearm

    @property
    def leg(self) -> float:
        """Height of the hips when standing, with knees slightly bent."""
        return 0.99 * (self.thigh + self.shin) + self.ankle


def draw_body(rng: np.random.Generator) -> Body:
    """Draw random body proportions."""
    height = rng.uniform(1.52, 1.92)
    leg = height * rng.uniform(0.235, 0.255)
    arm = height * rng.uniform(0.95, 1.05)
    broad = rng.uniform(0.9, 1.12)
    return Body(
        height=height,
        thigh=leg,
        shin=leg,
        ankle=0.045 * height,
        torso=height - 2 * leg - 0.225 * height,
        neck=0.03 * height,
        head=0.076 * height,
        upper_arm=0.165 * arm,
        forearm=0.155 * arm,
        shoulders=0.108 * height * broad,
        hips=0.056 * height * broad,
        girth=rng.uniform(0.88, 1.25),
        left_handed=bool(rng.random() < 0.3),
    )


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Positions of the pelvis, hands and feet; pairs are (left, right).

    Parameters
    ----------
    pelvis : Array
        Midpoint between the hips.
    hands, feet : tuple of Array
        Wrist and ankle positions. If one is out of reach, the limb is extended towards it.
    lean : float, default=0
        Forward lean of the spine from upright, in radians.
    nod : float, default=0
        Forward lean of the head in radians, in addition to half of ``lean``.
    elbows, knees : tuple of Array
        Directions in which elbows and knees point.
    toes : tuple of float, default=(0, 0)
        Angle of the toes below the horizontal, in radians.
    """

    pelvis: Array
    hands: tuple[Array, Array]
    feet: tuple[Array, Array]
    lean: float = 0.0
    nod: float = 0.0
    elbows: tuple[Array, Array] = field(default=(vec(-1, -0.4, 0.5), vec(-1, -0.4, -0.5)))
    knees: tuple[Array, Array] = field(default=(vec(1, 0, 0.1), vec(1, 0, -0.1)))
    toes: tuple[float, float] = (0.0, 0.0)


def _tilted(angle: float) -> Array:
    """Unit vector (0, 1, 0), tilted forward by an angle in radians."""
    return vec(np.sin(angle), np.cos(angle))


def shoulder(body: Body, pelvis: Array, lean: float, sign: float) -> Array:
    """Position of the shoulder of a side (+1 left, -1 right)."""
    spine = _tilted(lean)
    return np.asarray(pelvis + 0.94 * body.torso * spine + vec(0, 0, sign * body.shoulders))


def reach(start: Array, length: float, *, swing: float, spread: float = 0.0) -> Array:
    """Far end of a limb that starts at a joint and hangs straight down unless rotated.

    Parameters
    ----------
    start : Array
        Position of the joint.
    length : float
        Length of the limb in metres.
    swing : float
        Rotation forward in radians: 0 hangs down, pi points overhead.
    spread : float, default=0
        Rotation to the left in radians.
    """
    direction = vec(np.sin(swing) * np.cos(spread), -np.cos(swing) * np.cos(spread), np.sin(spread))
    return np.asarray(start + length * direction)


def _two_bones(
    start: Array, goal: Array, lengths: tuple[float, float], pole: Array
) -> tuple[Array, Array]:
    """Middle and end joint of a two-bone limb that reaches for a goal.

    The law of cosines gives the angle at the start; the pole vector selects the side to which the
    middle joint bends.
    """
    upper, lower = lengths
    far = float(np.linalg.norm(goal - start))
    ahead = (goal - start) / max(far, 1e-9)
    # Clamped to what the limb can reach, a millimetre short of fully extended or folded.
    distance = min(max(far, abs(upper - lower) + 1e-3), upper + lower - 1e-3)
    side = pole - (pole @ ahead) * ahead
    side = side / max(float(np.linalg.norm(side)), 1e-9)
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    middle = start + upper * (cosine * ahead + np.sqrt(max(0.0, 1 - cosine**2)) * side)
    return middle, start + distance * ahead


def solve(body: Body, pose: Pose) -> dict[str, Array]:
    """Find every joint of a pose.

    Returns
    -------
    dict of str to Array
        ``pelvis, neck, head`` (its centre), ``crown`` (top of the head), and for each side
        ``shoulder, elbow, wrist, hip, knee, ankle, toe``, as (forward, up, left).
    """
    neck = pose.pelvis + body.torso * _tilted(pose.lean)
    up = _tilted(0.5 * pose.lean + pose.nod)
    joints = {
        "pelvis": pose.pelvis,
        "neck": neck,
        "head": neck + (body.neck + body.head) * up,
        "crown": neck + (body.neck + 2 * body.head) * up,
    }
    for i, (side, sign) in enumerate(SIDES):
        start = shoulder(body, pose.pelvis, pose.lean, sign)
        bones = (body.upper_arm, body.forearm)
        elbow, wrist = _two_bones(start, pose.hands[i], bones, pose.elbows[i])
        hip = pose.pelvis + vec(0, 0, sign * body.hips)
        knee, ankle = _two_bones(hip, pose.feet[i], (body.thigh, body.shin), pose.knees[i])
        toe = ankle + 0.13 * body.height * vec(np.cos(pose.toes[i]), -np.sin(pose.toes[i]))
        named = zip(
            ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "toe"),
            (start, elbow, wrist, hip, knee, ankle, toe),
            strict=True,
        )
        joints |= {f"{side}_{name}": point for name, point in named}
    return joints
