"""Bodies at rest and held in a posture: proportions from the baked people, and how a posture turns their bones.

Body frame: metres, right-handed; x to the person's own LEFT, y up, z forward; y = 0 is the ground once a figure stands
on it. It knows nothing of clothes or cameras.
"""

from dataclasses import dataclass
from functools import cache
from math import cos, radians, sin

import numpy as np

from scalepose.data.synthetic.people import People, load_people
from scalepose.data.synthetic.postures import Posture

SIDES = (("left", 1.0, "L"), ("right", -1.0, "R"))
_UP = np.array([0.0, 1.0, 0.0])
# The bone that carries each COCO keypoint.
CARRIERS = (
    "head", "head", "head", "head", "head", "shoulder01.L", "shoulder01.R", "upperarm02.L", "upperarm02.R",
    "lowerarm02.L", "lowerarm02.R", "root", "root", "upperleg02.L", "upperleg02.R", "lowerleg02.L", "lowerleg02.R",
)  # fmt: skip
_POINTS = {
    "pelvis": "root", "chest": "spine01", "neck": "neck01", "left_shoulder": "upperarm01.L",
    "right_shoulder": "upperarm01.R", "left_elbow": "lowerarm01.L", "right_elbow": "lowerarm01.R",
    "left_wrist": "wrist.L", "right_wrist": "wrist.R", "left_hip": "upperleg01.L", "right_hip": "upperleg01.R",
    "left_knee": "lowerleg01.L", "right_knee": "lowerleg01.R", "left_ankle": "foot.L", "right_ankle": "foot.R",
}  # fmt: skip


@dataclass(frozen=True, repr=False, eq=False)
class Body:
    """A body at rest. rest: (V, 3), dome: (R·S, 3), joints: (J, 3), keypoints: (17, 3) metres.

    height: sole to crown. maturity: 0 toddler to 1 grown up. age: 0 one year, 1/3 eleven, 2/3 twenty-five, 1 ninety.
    femininity, weight: 0…1.
    """

    rest: np.ndarray
    dome: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray
    height: float
    femininity: float
    age: float
    weight: float

    @property
    def maturity(self) -> float:
        """0 toddler to 1 grown up."""
        return min(1.0, self.age / 0.62)

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Body":
        """One of the baked bodies, a few per cent larger or smaller."""
        people = load_people()
        n = int(rng.integers(len(people.shapes)))
        scale = np.float32(1 + 0.025 * rng.normal())
        rest, dome, joints, keypoints = (points * scale for points in people.rest(people.shapes[n]))
        tall = float(dome[:, 1].max() - rest[:, 1].min())
        return cls(rest, dome, joints, keypoints, tall, *(float(trait) for trait in people.traits[n]))


@dataclass(frozen=True, repr=False, eq=False)
class Stance:
    """A body in a posture. bones: (J, 3, 3) how each bone is turned from rest; heads: (J, 3) where its joint is.

    points: name → (3,): pelvis, chest, neck, head (the skull's joint) and left_/right_ shoulder, elbow, wrist, hip,
    knee, ankle. turns: name → (3, 3), columns left, up, forward of that part: pelvis, waist, chest, head and
    left_/right_ arm, forearm, thigh, shank, foot.
    """

    body: Body
    posture: Posture
    bones: np.ndarray
    heads: np.ndarray
    points: dict[str, np.ndarray]
    turns: dict[str, np.ndarray]

    def carried(self, bone: str, points: np.ndarray) -> np.ndarray:
        """(N, 3) points of the body at rest → where the bone takes them."""
        b = load_people().bones.index(bone)
        return (points - self.body.joints[b]) @ self.bones[b].T + self.heads[b]

    def keypoints(self) -> np.ndarray:
        """(17, 3) in COCO's order."""
        points = self.body.keypoints
        return np.stack([self.carried(bone, points[k : k + 1])[0] for k, bone in enumerate(CARRIERS)])


def turn_x(degrees: float) -> np.ndarray:
    """Rotation about the left axis: up goes forward."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def turn_y(degrees: float) -> np.ndarray:
    """Rotation about the up axis: forward goes left."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def turn_z(degrees: float) -> np.ndarray:
    """Rotation about the forward axis: left goes up."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def turn_about(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Rotation about a unit axis (3,), right-handed."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    x, y, z = axis.tolist()
    cross = np.array([[c, -s * z, s * y], [s * z, c, -s * x], [-s * y, s * x, c]])
    return cross + (1 - c) * axis[:, None] * axis


def stance(body: Body, posture: Posture) -> Stance:
    """Put a body into a posture, its pelvis where it is at rest; the caller sets it on the ground."""
    people, rest = load_people(), rest_frames()
    t = posture.trunk
    root = turn_x(t["lie"])
    pelvis = root @ turn_z(t["tilt"]) @ turn_x(t["lean"])
    half_spine = turn_y(t["twist"] / 2) @ turn_z(-t["side"] / 2) @ turn_x(t["bend"] / 2)
    waist = pelvis @ half_spine
    chest = waist @ half_spine
    part = {"pelvis": pelvis, "waist": waist, "chest": chest}
    bone = {"root": pelvis, "pelvis.L": pelvis, "pelvis.R": pelvis, "spine01": chest, "spine02": chest}
    bone["spine05"] = bone["spine04"] = pelvis @ turn_y(t["twist"] / 4) @ turn_z(-t["side"] / 4) @ turn_x(t["bend"] / 4)
    bone["spine03"] = waist
    for name, share in (("neck01", 0.25), ("neck02", 0.5), ("neck03", 0.75), ("head", 1.0)):
        bone[name] = chest @ turn_y(share * t["turn"]) @ turn_z(-share * t["cock"]) @ turn_x(share * t["nod"])
    part["head"] = bone["head"]
    for arm, leg, (side, s, S) in zip(posture.arms, posture.legs, SIDES, strict=True):
        _turn_arm(bone, part, arm, chest, side, s, S, rest)
        _turn_leg(bone, part, leg, root, side, s, S, rest)
    bones, heads = np.empty((len(people.bones), 3, 3)), np.empty((len(people.bones), 3))
    for b, (name, parent) in enumerate(zip(people.bones, people.parents, strict=True)):
        bones[b] = bone[name] if name in bone else bones[parent]
        heads[b] = (
            body.joints[b] if parent < 0 else heads[parent] + bones[parent] @ (body.joints[b] - body.joints[parent])
        )
    points = {name: heads[people.bones.index(joint)] for name, joint in _POINTS.items()}
    points["head"] = heads[people.bones.index("head")]
    return Stance(body, posture, bones, heads, points, part)


def _turn_arm(
    bone: dict[str, np.ndarray],
    part: dict[str, np.ndarray],
    arm: dict[str, float],
    chest: np.ndarray,
    side: str,
    s: float,
    S: str,
    rest: dict[str, np.ndarray],
) -> None:
    # The collar bone lifts with the arm, and comes forward with it.
    raised = min(max((max(arm["flex"], arm["abduct"]) - 35) / 130, 0), 1)
    ahead = min(max(arm["flex"] / 90, -0.3), 1) * min(max(1 - arm["abduct"] / 90, 0), 1)
    bone[f"clavicle.{S}"] = chest @ turn_y(-s * 12 * ahead) @ turn_z(s * 22 * raised)
    bone[f"shoulder01.{S}"] = bone[f"clavicle.{S}"] @ turn_z(s * (10 * raised - 8))
    hang = chest @ turn_z(s * arm["abduct"]) @ turn_x(-arm["flex"])
    upper = hang @ turn_y(-s * arm["inward"])
    fore = upper @ turn_x(-arm["elbow"])
    part[f"{side}_arm"], part[f"{side}_forearm"] = upper, fore
    bone[f"upperarm01.{S}"] = hang @ turn_y(-s * arm["inward"] / 2) @ rest[f"arm.{S}"]
    bone[f"upperarm02.{S}"] = upper @ rest[f"arm.{S}"]
    # The palm turns with the hand, half of it already along the forearm.
    bone[f"lowerarm01.{S}"] = fore @ rest[f"forearm.{S}"]
    bone[f"lowerarm02.{S}"] = fore @ turn_y(-s * arm["palm"] / 2) @ rest[f"forearm.{S}"]
    hand = fore @ turn_y(-s * arm["palm"]) @ rest[f"forearm.{S}"]
    bone[f"wrist.{S}"] = hand
    closed = arm["curl"] - 0.25  # of a hand at rest
    for joint, thumb, finger in ((1, 25, 70), (2, 50, 155), (3, 75, 200)):
        bone[f"finger1-{joint}.{S}"] = hand @ turn_about(rest[f"knuckles.{S}"], closed * thumb)
        bend = hand @ turn_about(rest[f"knuckles.{S}"], closed * finger)
        bone |= {f"finger{n}-{joint}.{S}": bend for n in range(2, 6)}


def _turn_leg(
    bone: dict[str, np.ndarray],
    part: dict[str, np.ndarray],
    leg: dict[str, float],
    root: np.ndarray,
    side: str,
    s: float,
    S: str,
    rest: dict[str, np.ndarray],
) -> None:
    lifted = root @ turn_z(s * leg["spread"]) @ turn_x(-leg["hip"])
    thigh = lifted @ turn_y(s * leg["turnout"])
    shank = thigh @ turn_x(leg["knee"])
    # Soles stay flat as far as the ankle allows.
    foot = shank @ turn_x(min(max(leg["hip"] - leg["knee"] + leg["toe"], -28), 55))
    part[f"{side}_thigh"], part[f"{side}_shank"], part[f"{side}_foot"] = thigh, shank, foot
    bone[f"upperleg01.{S}"] = lifted @ turn_y(s * leg["turnout"] / 2) @ rest[f"thigh.{S}"]
    bone[f"upperleg02.{S}"] = thigh @ rest[f"thigh.{S}"]
    bone[f"lowerleg01.{S}"] = bone[f"lowerleg02.{S}"] = shank @ rest[f"shank.{S}"]
    bone[f"foot.{S}"] = foot
    bone[f"toe3-1.{S}"] = foot @ turn_x(-0.6 * max(0.0, leg["toe"] - 8))  # all toes, standing on tiptoe


@cache
def rest_frames() -> dict[str, np.ndarray]:
    """Per limb (3, 3): from the average body at rest, arms half out, to a limb that hangs straight and faces forward.
    knuckles: the axis, at rest, about which fingers close."""
    people: People = load_people()
    joints = people.rest(np.zeros(people.shapes.shape[1]))[2].astype(np.float64)
    at = {name: joints[b] for b, name in enumerate(people.bones)}
    out = {}
    for _, _, S in SIDES:
        upper = at[f"lowerarm01.{S}"] - at[f"upperarm01.{S}"]
        fore = at[f"wrist.{S}"] - at[f"lowerarm01.{S}"]
        # The elbow is a little bent at rest: that says where its crease looks.
        out[f"arm.{S}"] = _frame(-upper, fore).T
        out[f"forearm.{S}"] = _frame(-fore, -upper).T
        thigh = at[f"lowerleg01.{S}"] - at[f"upperleg01.{S}"]
        shank = at[f"foot.{S}"] - at[f"lowerleg01.{S}"]
        forward = np.array([0, 0, 1.0])
        out[f"thigh.{S}"], out[f"shank.{S}"] = _frame(-thigh, forward).T, _frame(-shank, forward).T
        axis = np.zeros(3)
        for finger in range(2, 6):
            a, b, c = (at[f"finger{finger}-{joint}.{S}"] for joint in (1, 2, 3))
            axis += np.cross(a - at[f"wrist.{S}"], c - b) / np.linalg.norm(c - b)
        out[f"knuckles.{S}"] = axis / np.linalg.norm(axis)
    return out


def _frame(up: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """(3, 3), columns left, up, forward; forward is as close to `towards` as `up` allows."""
    up = up / np.linalg.norm(up)
    forward = towards - (towards @ up) * up
    forward = forward / np.linalg.norm(forward)
    return np.stack([np.cross(up, forward), up, forward], axis=1)
