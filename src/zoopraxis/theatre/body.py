"""Bodies and their joints: proportions, poses, and two-bone inverse kinematics.

A performer lives in a frame of its own: points are (forward, up, left) in metres, the floor
is up = 0. A `Pose` says where pelvis, hands and feet are; `solve` finds every joint.
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
    """Lengths of a performer's segments in metres.

    Parameters
    ----------
    height : float
        From the sole to the crown.
    thigh, shin, ankle : float
        Of the leg; ``ankle`` is the height of the ankle above the sole.
    torso, neck, head : float
        Pelvis to base of the neck, base of the neck to the chin, radius of the head.
    upper_arm, forearm : float
        Shoulder to elbow to wrist.
    shoulders, hips : float
        Half the distance between the shoulders, and between the hips.
    girth : float
        Thickness of the limbs, relative to an average performer.
    left_handed : bool
        Which hand acts.
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
        """Length of the straight arm."""
        return self.upper_arm + self.forearm

    @property
    def leg(self) -> float:
        """Height of the hips of one who stands, knees a little soft."""
        return 0.99 * (self.thigh + self.shin) + self.ankle


def draw_body(rng: np.random.Generator) -> Body:
    """Draw the proportions of a performer."""
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
    """Where the ends of the body are; pairs are (left, right).

    Parameters
    ----------
    pelvis : Array
        Middle between the hips.
    lean : float, default=0
        Radians the spine bends forward from upright.
    nod : float, default=0
        Radians the head bends forward from half the lean.
    hands, feet : tuple of Array
        Wrists and ankles; a point out of reach is approached as far as the limb goes.
    elbows, knees : tuple of Array
        Directions in which the middle joints point.
    toes : tuple of float, default=(0, 0)
        Radians the toes point down from level.
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
    """Upright unit vector, bent forward by an angle in radians."""
    return vec(np.sin(angle), np.cos(angle))


def shoulder(body: Body, pelvis: Array, lean: float, sign: float) -> Array:
    """Shoulder of a side (+1 left, -1 right)."""
    spine = _tilted(lean)
    return np.asarray(pelvis + 0.94 * body.torso * spine + vec(0, 0, sign * body.shoulders))


def reach(start: Array, length: float, *, swing: float, spread: float = 0.0) -> Array:
    """Point at a distance from a joint, hanging straight down unless turned.

    Parameters
    ----------
    start : Array
        The joint.
    length : float
        Metres.
    swing : float
        Radians forward from hanging; pi is overhead.
    spread : float, default=0
        Radians to the left.
    """
    down = vec(np.sin(swing) * np.cos(spread), -np.cos(swing) * np.cos(spread), np.sin(spread))
    return np.asarray(start + length * down)


def _two_bones(
    start: Array, goal: Array, lengths: tuple[float, float], pole: Array
) -> tuple[Array, Array]:
    """Middle and end joint of a limb of two bones that reaches for a goal.

    The law of cosines gives the angle at the start; the pole picks the side.
    """
    upper, lower = lengths
    far = float(np.linalg.norm(goal - start))
    ahead = (goal - start) / max(far, 1e-9)
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
        found = zip(
            ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "toe"),
            (start, elbow, wrist, hip, knee, ankle, toe),
            strict=True,
        )
        joints |= {f"{side}_{name}": point for name, point in found}
    return joints
