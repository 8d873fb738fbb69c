"""Bodies in three dimensions: proportions by age, build and frame, and where a posture puts the joints.

Body frame: metres, right-handed; x to the person's own LEFT, y up, z forward; the origin on the ground below the
pelvis. It knows nothing of surfaces, clothes or cameras.
"""

from dataclasses import dataclass

import numpy as np

from scalepose.data.synthetic.postures import Posture

SIDES = (("left", 1.0), ("right", -1.0))


@dataclass(frozen=True)
class Body:
    """Lengths in metres. maturity: 0 toddler to 1 grown up. girth: 1 average. frame: 0 broad shoulders to 1 hips."""

    height: float
    maturity: float
    girth: float
    frame: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Body":
        """Mostly grown-ups; every fourth a child."""
        frame = float(np.clip(rng.beta(0.9, 0.9), 0, 1))
        girth = float(np.clip(rng.lognormal(0, 0.13), 0.8, 1.5))
        if rng.random() < 0.25:
            maturity = float(rng.uniform(0.05, 0.9))
            return cls(0.85 + 0.8 * maturity + rng.normal() * 0.04, maturity, 0.9 + 0.5 * (girth - 0.9), frame)
        return cls(float(np.clip(1.74 - 0.12 * frame + rng.normal() * 0.065, 1.45, 2.0)), 1.0, girth, frame)

    def _grown(self, child: float, adult: float) -> float:
        return (child + (adult - child) * self.maturity) * self.height

    @property
    def head(self) -> float:
        """Chin to crown."""
        return self._grown(0.205, 0.134)

    @property
    def neck(self) -> float:
        """Pit of the neck to the height of the chin."""
        return self._grown(0.014, 0.028)

    @property
    def hip_height(self) -> float:
        """Hip joint above the sole of a straight leg."""
        return self._grown(0.41, 0.525)

    @property
    def ankle(self) -> float:
        """Ankle above the sole."""
        return 0.04 * self.height

    @property
    def thigh(self) -> float:
        """Hip to knee; the shank is as long."""
        return (self.hip_height - self.ankle) / 2

    @property
    def trunk(self) -> float:
        """Hip joints to the pit of the neck."""
        return self.height - self.head - self.neck - self.hip_height

    @property
    def shoulder(self) -> float:
        """Middle to shoulder joint."""
        return self._grown(0.108, 0.114) * (1.09 - 0.17 * self.frame) * (0.75 + 0.25 * self.girth)

    @property
    def hip(self) -> float:
        """Middle to hip joint."""
        return self._grown(0.05, 0.053) * (0.94 + 0.14 * self.frame)

    @property
    def upper_arm(self) -> float:
        """Shoulder to elbow."""
        return self._grown(0.158, 0.176)

    @property
    def forearm(self) -> float:
        """Elbow to wrist."""
        return self._grown(0.125, 0.146)

    @property
    def hand(self) -> float:
        """Wrist to finger tips."""
        return self._grown(0.095, 0.104)

    @property
    def foot(self) -> float:
        """Heel to toe."""
        return self._grown(0.148, 0.152)


@dataclass(frozen=True)
class Stance:
    """A body in a posture. points: name → (3,). turns: name → (3, 3), columns left, up, forward of that part.

    Points: pelvis, waist, chest, neck, head (middle of the skull) and left_/right_ shoulder, elbow, wrist, hip, knee,
    ankle. Turns: pelvis, waist, chest, head and left_/right_ arm, forearm, thigh, shank, foot.
    """

    body: Body
    posture: Posture
    points: dict[str, np.ndarray]
    turns: dict[str, np.ndarray]


def turn_x(degrees: float) -> np.ndarray:
    """Rotation about the left axis: up goes forward."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def turn_y(degrees: float) -> np.ndarray:
    """Rotation about the up axis: forward goes left."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def turn_z(degrees: float) -> np.ndarray:
    """Rotation about the forward axis: left goes up."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def stance(body: Body, posture: Posture) -> Stance:
    """Put a body into a posture, pelvis at hip height; the caller sets it on the ground."""
    t = posture.trunk
    root = turn_x(t["lie"])
    pelvis = root @ turn_z(t["tilt"]) @ turn_x(t["lean"])
    waist = pelvis @ turn_y(t["twist"] / 2) @ turn_z(-t["side"] / 2) @ turn_x(t["bend"] / 2)
    chest = waist @ turn_y(t["twist"] / 2) @ turn_z(-t["side"] / 2) @ turn_x(t["bend"] / 2)
    head = chest @ turn_y(t["turn"]) @ turn_z(-t["cock"]) @ turn_x(t["nod"])
    turns = {"pelvis": pelvis, "waist": waist, "chest": chest, "head": head}
    up = np.array([0.0, 1.0, 0.0])
    points = {"pelvis": up * body.hip_height}
    points["waist"] = points["pelvis"] + pelvis @ up * (0.36 * body.trunk)
    points["chest"] = points["waist"] + waist @ up * (0.28 * body.trunk)
    points["neck"] = points["chest"] + chest @ up * (0.36 * body.trunk)
    # Half of a nod happens in the neck, half in the head.
    halfway = chest @ turn_y(t["turn"] / 2) @ turn_z(-t["cock"] / 2) @ turn_x(t["nod"] / 2)
    skull = points["neck"] + halfway @ np.array([0, body.neck + 0.26 * body.head, 0.1 * body.head])
    points["head"] = skull + head @ up * (0.24 * body.head)
    for arm, leg, (side, s) in zip(posture.arms, posture.legs, SIDES, strict=True):
        # The collar bone lifts with the arm.
        raised = max(0.0, (max(arm["flex"], arm["abduct"]) - 50) / 125)
        shoulder = np.array(
            [s * body.shoulder * (1 - 0.16 * raised), 0.19 * raised * body.trunk - 0.036 * body.height, 0]
        )
        points[f"{side}_shoulder"] = points["neck"] + chest @ shoulder
        turns[f"{side}_arm"] = chest @ turn_z(s * arm["abduct"]) @ turn_x(-arm["flex"]) @ turn_y(-s * arm["inward"])
        turns[f"{side}_forearm"] = turns[f"{side}_arm"] @ turn_x(-arm["elbow"])
        points[f"{side}_elbow"] = points[f"{side}_shoulder"] - turns[f"{side}_arm"] @ up * body.upper_arm
        points[f"{side}_wrist"] = points[f"{side}_elbow"] - turns[f"{side}_forearm"] @ up * body.forearm
        points[f"{side}_hip"] = points["pelvis"] + pelvis @ np.array([s * body.hip, 0, 0])
        turns[f"{side}_thigh"] = root @ turn_z(s * leg["spread"]) @ turn_x(-leg["hip"]) @ turn_y(s * leg["turnout"])
        turns[f"{side}_shank"] = turns[f"{side}_thigh"] @ turn_x(leg["knee"])
        points[f"{side}_knee"] = points[f"{side}_hip"] - turns[f"{side}_thigh"] @ up * body.thigh
        points[f"{side}_ankle"] = points[f"{side}_knee"] - turns[f"{side}_shank"] @ up * body.thigh
        # Soles stay flat as far as the ankle allows.
        ankle = np.clip(leg["hip"] - leg["knee"] + leg["toe"], -28, 55)
        turns[f"{side}_foot"] = turns[f"{side}_shank"] @ turn_x(ankle)
    return Stance(body, posture, points, turns)
