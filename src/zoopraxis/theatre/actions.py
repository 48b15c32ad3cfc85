"""The actions: each draws an act, which gives the pose and props at any time of a clip.

Time t runs from 0 to 1 over a clip of `SECONDS`. Eight actions form four pairs that are each
other's time reversal: only the first of a pair is defined here, and the second is its film run
backwards (`REVERSED`). The other four are recognised by pose (wave), by place (swim) and by
speed (walk and run).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zoopraxis.theatre.body import SIDES, Array, Body, Pose, reach, shoulder, vec
from zoopraxis.theatre.props import Box, Cart, Chair, Door, Prop, Support

__all__ = ["ACTIONS", "ACTS", "FPS", "FRAMES", "REVERSED", "SECONDS", "Act"]

# Odd, so that 16 frames at stride 2 are centred: 1, 3, ..., 31 of 0 ... 32, and the same set in
# the reversed clip.
FRAMES = 33
FPS = 15
SECONDS = FRAMES / FPS


def _still(_: float) -> float:
    """Zero displacement at any time."""
    return 0.0


def _no_prop(_: float) -> Prop:
    """No pieces at any time."""
    return []


@dataclass(frozen=True, kw_only=True)
class Act:
    """One performance of an action.

    Parameters
    ----------
    heading : float
        Direction the performer faces in radians, as for `View`.
    pose : callable
        Time in [0, 1] to `Pose`.
    behind, held : callable
        Time to the pieces behind the performer, and to those between body and near arm.
    look : callable
        Time to the forward position in metres that the camera looks at.
    travel : callable
        Time to the sideways displacement of performer and camera in metres.
    place : {"room", "land", "pool"}, default="land"
        Kind of scene: indoors, indoors or outdoors, or in the water.
    """

    heading: float
    pose: Callable[[float], Pose]
    behind: Callable[[float], Prop] = _no_prop
    held: Callable[[float], Prop] = _no_prop
    look: Callable[[float], float] = _still
    travel: Callable[[float], float] = _still
    place: str = "land"


Rng = np.random.Generator
Pair = tuple[Array, Array]


def _ease(t: float, start: float, end: float) -> float:
    """Smootherstep: 0 before ``start``, 1 after ``end``, continuous speed and acceleration."""
    s = min(max((t - start) / (end - start), 0.0), 1.0)
    return s * s * s * (s * (6 * s - 15) + 10)


def _span(rng: Rng) -> tuple[float, float]:
    """Draw start and end of the motion; the pauses on both sides have the same distribution."""
    return rng.uniform(0.1, 0.24), 1 - rng.uniform(0.1, 0.24)


def _within(span: tuple[float, float], a: float, b: float) -> tuple[float, float]:
    """Part of a span, from fraction ``a`` to fraction ``b`` of it."""
    length = span[1] - span[0]
    return span[0] + a * length, span[0] + b * length


def _mix(a: Array, b: Array, fraction: float) -> Array:
    """Interpolate linearly from ``a`` (0) to ``b`` (1)."""
    return a + fraction * (b - a)


def _side_view(rng: Rng) -> float:
    return rng.uniform(-0.1, 0.5)


def _standing_feet(body: Body, rng: Rng) -> Pair:
    stance = body.hips + rng.uniform(0.01, 0.06)
    return vec(0.03, body.ankle, stance), vec(-0.03, body.ankle, -stance)


def _hanging_hands(body: Body, pelvis: Array, lean: float) -> Pair:
    """Wrist positions of arms that hang from the shoulders."""
    left, right = (
        reach(shoulder(body, pelvis, lean, sign), 0.96 * body.arm, swing=0.08, spread=sign * 0.12)
        for _, sign in SIDES
    )
    return left, right


def _sway(rng: Rng, amplitude: float = 0.012) -> Callable[[float], float]:
    """Slow sway in metres, with the same distribution in both directions of time."""
    rate, phase = rng.uniform(0.6, 1.4), rng.uniform(0, 2 * np.pi)
    return lambda t: amplitude * float(np.sin(2 * np.pi * rate * t + phase))


def sit_down(body: Body, rng: Rng, density: float) -> Act:
    """Stand in front of a chair, bend forward, sit down on it."""
    span, sway = _span(rng), _sway(rng)
    seat_height = body.shin + body.ankle - rng.uniform(0.0, 0.07)
    feet = _standing_feet(body, rng)
    bend, rest = rng.uniform(0.5, 0.8), rng.uniform(-0.15, 0.1)
    depth = 0.42
    front = -body.thigh + 0.15
    chair = Chair(rng, (front, seat_height, depth), density)
    standing = vec(-0.02, body.leg)
    sitting = vec(-body.thigh + 0.02, seat_height + 0.09)

    def pose(t: float) -> Pose:
        back, down = _ease(t, *_within(span, 0, 0.9)), _ease(t, *_within(span, 0.08, 1))
        pelvis = vec(
            standing[0] + back * (sitting[0] - standing[0]) + sway(t) * (1 - back),
            standing[1] + down * (sitting[1] - standing[1]),
        )
        lean = 0.05 + bend * np.sin(np.pi * down) + rest * down
        knees = [
            vec(0.06, body.shin + body.ankle + 0.07, 1.3 * sign * body.hips) for _, sign in SIDES
        ]
        hands = [
            _mix(hang, knee + vec(-0.06, 0), down)
            for hang, knee in zip(_hanging_hands(body, pelvis, lean), knees, strict=True)
        ]
        return Pose(pelvis=pelvis, lean=lean, hands=(hands[0], hands[1]), feet=feet)

    return Act(
        heading=_side_view(rng), pose=pose, behind=lambda _: chair.pieces,
        look=lambda _: -0.22,
    )  # fmt: skip


def pick_up(body: Body, rng: Rng, density: float) -> Act:
    """Bend down to a box on the floor or a low table, grasp it, lift it to the chest."""
    span, sway = _span(rng), _sway(rng)
    size = rng.uniform(0.28, 0.36), rng.uniform(0.24, 0.34), rng.uniform(0.28, 0.36)
    table_height = rng.choice([0.0, 0.0, 0.22, 0.38])
    ahead = rng.uniform(0.36, 0.44)
    box = Box(rng, size, density)
    table = Support(rng, (0.55, max(table_height, 0.05), 0.5), density)
    feet = _standing_feet(body, rng)
    low = vec(ahead, table_height + size[1] / 2)
    squat = rng.uniform(0.3, 0.45) * (1 - table_height)
    held_height = body.leg + rng.uniform(0.12, 0.28)
    bend = rng.uniform(0.85, 1.05) - 0.6 * table_height

    def center(t: float) -> Array:
        lifted = _ease(t, *_within(span, 0.5, 1))
        return _mix(low, vec(0.1 + size[0] / 2 + 0.06, held_height), lifted) + vec(
            sway(t) * lifted, 0
        )

    def pose(t: float) -> Pose:
        down, lifted = _ease(t, *_within(span, 0, 0.48)), _ease(t, *_within(span, 0.52, 1))
        bent = down * (1 - lifted)
        pelvis = vec(sway(t) - 0.22 * bent, body.leg - squat * bent)
        lean = 0.04 + bend * bent - 0.1 * lifted
        grip = center(t) + vec(0.02, -0.3 * size[1])
        hands = [
            _mix(hang, grip + vec(0, 0, sign * size[2] / 2), down)
            for hang, (_, sign) in zip(_hanging_hands(body, pelvis, lean), SIDES, strict=True)
        ]
        return Pose(pelvis=pelvis, lean=lean, hands=(hands[0], hands[1]), feet=feet)

    return Act(
        heading=_side_view(rng), pose=pose, held=lambda t: box.at(center(t)),
        behind=lambda _: table.at(ahead) if table_height else [], look=lambda _: 0.15,
    )  # fmt: skip


def open_door(body: Body, rng: Rng, density: float) -> Act:
    """Grasp the handle of a closed door and pull it open."""
    span = _span(rng)
    width, height = rng.uniform(0.62, 0.75), rng.uniform(1.85, 2.05)
    hinge = vec(rng.uniform(0.16, 0.22), 0.0, 0.22)
    door = Door(rng, hinge, width, height, density)
    max_angle = rng.uniform(1.3, 1.5)
    sway = _sway(rng)
    stance = body.hips + 0.05
    hand = 0 if body.left_handed else 1

    def angle(t: float) -> float:
        return max_angle * _ease(t, *_within(span, 0.18, 1))

    def pose(t: float) -> Pose:
        reached, opened = _ease(t, *_within(span, 0, 0.2)), angle(t) / max_angle
        near = reached * (1 - opened)
        pelvis = vec(0.12 * near - 0.12 * opened + sway(t), body.leg - 0.02 * near)
        lean = 0.04 + 0.28 * near - 0.12 * opened
        hands = list(_hanging_hands(body, pelvis, lean))
        hands[hand] = _mix(hands[hand], door.handle(angle(t)), reached)
        step = 0.14 * opened
        feet = vec(0.1 - step, body.ankle, stance), vec(-0.08 - step, body.ankle, -stance)
        return Pose(pelvis=pelvis, lean=lean, hands=(hands[0], hands[1]), feet=feet)

    return Act(
        heading=rng.uniform(-0.2, 0.0), pose=pose, behind=lambda t: door.at(angle(t)),
        look=lambda _: 0.3, place="room",
    )  # fmt: skip


def _step(
    body: Body, phase: float, stride: float, lift: float, swing: float
) -> tuple[Array, float]:
    """Ankle position and pitch of a foot at a phase of the gait cycle.

    The foot is on the ground for ``1 - swing`` of the cycle, then swings forward:

        swing = 0.4    phase 0 ... 0.6 stance, 0.6 ... 1 swing, 1 next footfall, a stride ahead

    Parameters
    ----------
    body : Body
    phase : float
        Gait cycles. The body is at ``stride * phase``; the foot touches down at integers.
    stride : float
        Metres per cycle.
    lift : float
        Peak height of the foot above the ground in metres.
    swing : float
        Fraction of the cycle that the foot is in the air.
    """
    cycle = np.floor(phase)
    progress = max(0.0, (phase - cycle - (1 - swing)) / swing)  # of the swing, 0 to 1
    # The body passes over the standing foot at mid-stance.
    forward = stride * (cycle + (1 - swing) / 2 + _ease(progress, 0, 1))
    rise = lift * np.sin(np.pi * progress)
    return vec(forward, body.ankle + rise), float(
        1.6 * lift * np.sin(np.pi * progress) * (1 - progress)
    )


def _two_feet(
    body: Body, phase: float, stride: float, lift: float, swing: float
) -> tuple[Pair, tuple[float, float]]:
    """Ankle positions and pitches of both feet, half a cycle apart; the rest as for `_step`."""
    steps = []
    for offset, (_, sign) in zip((0.0, 0.5), SIDES, strict=True):
        ankle, pitch = _step(body, phase + offset, stride, lift, swing)
        steps.append((ankle + vec(-stride * offset, 0, sign * 0.9 * body.hips), pitch))
    (left, left_pitch), (right, right_pitch) = steps
    return (left, right), (left_pitch, right_pitch)


def push(body: Body, rng: Rng, density: float) -> Act:
    """Walk behind a cart and push it away."""
    span = _span(rng)
    size = rng.uniform(0.5, 0.62), rng.uniform(0.45, 0.6), rng.uniform(0.4, 0.5)
    cart = Cart(rng, size, density)
    distance, stride = rng.uniform(0.95, 1.15), rng.uniform(0.8, 1.0)
    gap, start_phase = rng.uniform(0.45, 0.52), rng.uniform(0, 1)
    following, lean = rng.uniform(0.0, 0.3), rng.uniform(0.2, 0.38)

    def position(t: float) -> float:
        return distance * (_ease(t, *span) - 0.5)

    def pose(t: float) -> Pose:
        phase = start_phase + position(t) / stride
        feet, toes = _two_feet(body, phase, stride, 0.09, 0.5)
        # The gait puts the body at stride * phase; move it to its position.
        shift = vec(position(t) - stride * phase, 0)
        pelvis = vec(position(t), body.leg - 0.04 + 0.012 * np.cos(4 * np.pi * phase))
        grip = cart.handle(position(t) + gap)
        hands = grip + vec(0, 0, 0.16), grip + vec(0, 0, -0.16)
        return Pose(
            pelvis=pelvis, lean=lean, hands=hands, feet=(feet[0] + shift, feet[1] + shift),
            toes=toes,
        )  # fmt: skip

    return Act(
        heading=rng.uniform(0.0, 0.35), pose=pose, held=lambda t: cart.at(position(t) + gap),
        look=lambda t: following * position(t) + 0.42,
    )  # fmt: skip


def wave(body: Body, rng: Rng, _: float) -> Act:
    """Raise a hand and wave with the forearm."""
    rate, phase = rng.uniform(1.3, 1.9) * SECONDS, rng.uniform(0, 2 * np.pi)
    width, sway = rng.uniform(0.45, 0.7), _sway(rng)
    hand = 0 if body.left_handed else 1
    sign = SIDES[hand][1]
    feet = _standing_feet(body, rng)
    rise = rng.uniform(0.02, 0.14)

    def pose(t: float) -> Pose:
        pelvis = vec(0, body.leg, sway(t))
        hands = list(_hanging_hands(body, pelvis, 0.03))
        joint = shoulder(body, pelvis, 0.03, sign)
        elbow = reach(joint, body.upper_arm, swing=0.3, spread=sign * 1.35)
        angle = sign * 0.15 + width * np.sin(2 * np.pi * rate * t + phase)
        raised = reach(elbow, body.forearm, swing=np.pi - 0.1, spread=angle)
        hands[hand] = _mix(hands[hand], raised, _ease(t, -0.01, rise))
        elbows = vec(-0.6, -0.8, 0.8), vec(-0.6, -0.8, -0.8)
        return Pose(pelvis=pelvis, lean=0.03, hands=(hands[0], hands[1]), feet=feet, elbows=elbows)

    return Act(heading=rng.uniform(1.0, 1.7), pose=pose)


def _locomotion(
    body: Body, rng: Rng, *, cadence: float, stride: float, lift: float, swing: float, lean: float,
    elbow: float,
) -> Act:  # fmt: skip
    """Move forward in a steady gait.

    Parameters
    ----------
    body : Body
    rng : numpy.random.Generator
    cadence : float
        Gait cycles per second.
    stride, lift, swing
        As for `_step`.
    lean : float
        Forward lean of the spine in radians.
    elbow : float
        Bend of the elbows in radians.
    """
    cycles, start_phase = cadence * SECONDS, rng.uniform(0, 1)
    arms = rng.uniform(0.45, 0.65) + 0.15 * elbow

    def pose(t: float) -> Pose:
        phase = start_phase + cycles * t
        feet, toes = _two_feet(body, phase, stride, lift, swing)
        travelled = vec(stride * phase, 0)  # the camera follows: the pelvis stays at 0
        bounce = 0.35 * lift * swing * np.cos(4 * np.pi * (phase - 0.5 + swing / 2))
        pelvis = vec(0, body.leg - 0.035 - 0.1 * lift + bounce)
        hands = []
        for _, sign in SIDES:
            back = -sign * arms * np.cos(2 * np.pi * (phase - 0.05))
            joint = shoulder(body, pelvis, lean, sign)
            elbow_joint = reach(joint, body.upper_arm, swing=back, spread=0.1 * sign)
            hands.append(reach(elbow_joint, body.forearm, swing=back + elbow, spread=-0.05 * sign))
        return Pose(
            pelvis=pelvis, lean=lean, nod=-0.3 * lean, hands=(hands[0], hands[1]),
            feet=(feet[0] - travelled, feet[1] - travelled), toes=toes,
        )  # fmt: skip

    heading = rng.uniform(-0.15, 0.35)
    speed = stride * cycles * np.cos(heading)
    return Act(heading=heading, pose=pose, travel=lambda t: speed * t)


def walk(body: Body, rng: Rng, _: float) -> Act:
    """Walk at a leisurely pace."""
    return _locomotion(
        body, rng, cadence=rng.uniform(0.65, 0.9), stride=0.7 * body.height, lift=0.1, swing=0.45,
        lean=0.06, elbow=rng.uniform(0.25, 0.5),
    )  # fmt: skip


def run(body: Body, rng: Rng, _: float) -> Act:
    """Run: about twice the cadence of walking, longer strides, bent arms."""
    return _locomotion(
        body, rng, cadence=rng.uniform(1.45, 1.75), stride=1.05 * body.height, lift=0.3,
        swing=0.62, lean=rng.uniform(0.18, 0.28), elbow=rng.uniform(1.2, 1.6),
    )  # fmt: skip


def swim(body: Body, rng: Rng, _: float) -> Act:
    """Swim the front crawl."""
    cadence, start_phase = rng.uniform(0.75, 1.05) * SECONDS, rng.uniform(0, 1)
    speed, depth = rng.uniform(0.7, 1.2) * SECONDS, rng.uniform(0.92, 0.98)
    kick = rng.uniform(2.0, 2.8) * SECONDS
    lean = np.pi / 2 - rng.uniform(0.0, 0.1)

    def pose(t: float) -> Pose:
        pelvis = vec(-0.05, depth)
        hands, feet = [], []
        for _, sign in SIDES:
            angle = -2 * np.pi * (start_phase + cadence * t) + (0.5 + 0.5 * sign) * np.pi
            joint = shoulder(body, pelvis, lean, sign)
            extent = 0.88 + 0.1 * np.cos(angle)  # the arm bends as it recovers through the air
            hands.append(reach(joint, extent * body.arm, swing=angle, spread=0.1 * sign))
            beat = 0.13 * sign * np.sin(2 * np.pi * kick * t)
            feet.append(pelvis + vec(-0.95 * (body.thigh + body.shin), beat - 0.05, sign * 0.07))
        return Pose(
            pelvis=pelvis, lean=lean, nod=0.32, hands=(hands[0], hands[1]), feet=(feet[0], feet[1]),
            knees=(vec(0, -1), vec(0, -1)), elbows=(vec(-0.3, 1, 0.3), vec(-0.3, 1, -0.3)),
            toes=(2.4, 2.4),
        )  # fmt: skip

    return Act(heading=rng.uniform(-0.1, 0.1), pose=pose, travel=lambda t: speed * t, place="pool")


# Actions that are performed; those in `REVERSED` are their films run backwards.
ACTS: dict[str, Callable[[Body, Rng, float], Act]] = {
    "sit_down": sit_down,
    "pick_up": pick_up,
    "open_door": open_door,
    "push": push,
    "wave": wave,
    "swim": swim,
    "walk": walk,
    "run": run,
}
REVERSED = {
    "stand_up": "sit_down",
    "put_down": "pick_up",
    "close_door": "open_door",
    "pull": "push",
}
ACTIONS = (
    "sit_down", "stand_up", "pick_up", "put_down", "open_door", "close_door", "push", "pull",
    "wave", "swim", "walk", "run",
)  # fmt: skip
