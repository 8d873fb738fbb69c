"""How people hold themselves: postures as ranges of joint angles, sampled within the limits of the joints.

Angles are in degrees, in the person's own terms (forward, outward, inward), so a posture and its mirror image differ
by a swap of sides only. It does not know how long the limbs are.
"""

from dataclasses import dataclass

import numpy as np

# Per arm: flex (raise forward), abduct (raise sideways), inward (turn of the upper arm: bent forearm to the middle),
# elbow, palm (turn of the hand: + palm to the back), curl (fingers: 0 flat, 1 fist).
# Per leg: hip (raise forward), spread (sideways), turnout, knee, toe (sole against the ground, + toes down).
ARM = ("flex", "abduct", "inward", "elbow", "palm", "curl")
LEG = ("hip", "spread", "turnout", "knee", "toe")
# Trunk: lean and tilt of the pelvis, twist, bend and side of the spine, head down (nod), head turn, head tilt, and
# `lie`, the pitch of the whole person (-90 on the back).
TRUNK = ("lean", "tilt", "twist", "bend", "side", "nod", "turn", "cock", "lie", "air")

LIMITS = {
    "flex": (-50, 178), "abduct": (-5, 175), "inward": (-95, 85), "elbow": (0, 148), "palm": (-80, 80), "curl": (0, 1),
    "hip": (-30, 125), "spread": (-5, 60), "turnout": (-15, 50), "knee": (0, 148), "toe": (-25, 70),
    "lean": (-25, 85), "tilt": (-18, 18), "twist": (-40, 40), "bend": (-25, 60), "side": (-32, 32),
    "nod": (-40, 45), "turn": (-70, 70), "cock": (-25, 25), "lie": (-90, 90), "air": (0, 1),
}  # fmt: skip

_EASY = {
    "flex": (-8, 14), "abduct": (5, 14), "inward": (0, 35), "elbow": (6, 32), "palm": (-30, 30), "curl": (0.15, 0.6),
    "hip": (-3, 5), "spread": (1, 8), "turnout": (0, 18), "knee": (0, 8), "toe": (0, 0),
    "lean": (-3, 4), "tilt": (-4, 4), "twist": (-8, 8), "bend": (-2, 8), "side": (-4, 4),
    "nod": (-10, 16), "turn": (-35, 35), "cock": (-8, 8), "lie": (0, 0), "air": (0, 0),
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of posture: how often it is drawn and where it differs from standing at ease.

    ranges: "flex" sets both sides, "left.flex" one of them; every draw is mirrored with probability one half.
    seat: True when something to sit on belongs below.
    """

    name: str
    weight: float
    ranges: dict[str, tuple[float, float]]
    seat: bool = False


KINDS = (
    Kind("stand", 3, {}),
    Kind("one leg eased", 2, {"tilt": (4, 9), "left.hip": (6, 18), "left.knee": (14, 34), "side": (-9, -3)}),
    Kind("walk", 4, {
        "lean": (1, 6), "left.hip": (18, 32), "left.knee": (2, 16), "left.toe": (-18, 0), "right.hip": (-24, -12),
        "right.knee": (8, 40), "right.toe": (10, 40), "left.flex": (-28, -10), "right.flex": (12, 32),
        "elbow": (8, 40), "spread": (0, 4), "twist": (-9, -2), "turn": (-20, 20)}),
    Kind("run", 2, {
        "lean": (6, 16), "left.hip": (48, 78), "left.knee": (70, 110), "left.toe": (0, 20), "right.hip": (-26, -6),
        "right.knee": (12, 60), "right.toe": (20, 55), "left.flex": (-48, -28), "right.flex": (22, 52),
        "elbow": (75, 110), "inward": (10, 40), "spread": (0, 4), "twist": (-14, -4), "curl": (0.7, 1),
        "turn": (-15, 15), "air": (0, 0.08)}),
    Kind("sit", 3, {
        "lean": (-8, 8), "bend": (2, 18), "hip": (80, 94), "knee": (72, 98), "spread": (2, 18), "flex": (22, 44),
        "elbow": (35, 75), "inward": (5, 35), "turnout": (0, 14)}, seat=True),
    Kind("sit cross-kneed", 1, {
        "lean": (-10, 2), "left.hip": (98, 108), "left.knee": (60, 85), "left.spread": (-5, -2),
        "left.toe": (10, 40), "right.hip": (82, 90), "right.knee": (80, 95), "right.spread": (0, 4),
        "flex": (18, 36), "elbow": (40, 80), "inward": (20, 50)}, seat=True),
    Kind("sit with legs out", 0.6, {
        "lean": (-14, 4), "bend": (4, 20), "hip": (89, 95), "knee": (2, 14), "spread": (4, 22), "toe": (10, 25),
        "left.flex": (-30, 40), "right.flex": (10, 60), "elbow": (5, 60), "abduct": (8, 24)}),
    Kind("sit with knees up", 0.6, {
        "lean": (-14, 0), "bend": (8, 24), "hip": (112, 120), "knee": (54, 62), "spread": (0, 10), "toe": (0, 4),
        "flex": (40, 64), "elbow": (10, 45), "abduct": (2, 10), "inward": (20, 50)}),
    Kind("squat", 0.8, {
        "lean": (18, 34), "hip": (98, 118), "knee": (112, 138), "spread": (10, 24), "turnout": (8, 26),
        "flex": (30, 70), "elbow": (20, 80), "toe": (0, 12)}),
    Kind("kneel", 0.7, {
        "left.hip": (78, 92), "left.knee": (82, 98), "right.hip": (-4, 6), "right.knee": (84, 96),
        "right.toe": (40, 65), "lean": (0, 12), "flex": (5, 45), "elbow": (20, 80)}),
    Kind("bend down", 1, {
        "lean": (35, 68), "bend": (15, 40), "knee": (4, 35), "hip": (0, 18), "flex": (40, 85), "elbow": (2, 35),
        "abduct": (0, 12), "nod": (-25, 20)}),
    Kind("lunge", 0.8, {
        "left.hip": (58, 80), "left.knee": (74, 96), "right.hip": (-28, -18), "right.knee": (6, 40),
        "right.toe": (25, 50), "abduct": (10, 70), "elbow": (5, 80)}),
    Kind("arms up", 1.2, {"abduct": (130, 165), "flex": (0, 15), "elbow": (0, 45), "inward": (-60, 10),
                          "nod": (-20, 5), "curl": (0, 1)}),
    Kind("wave", 1.2, {"left.abduct": (75, 115), "left.inward": (-92, -62), "left.elbow": (60, 110),
                       "left.curl": (0, 0.15), "left.flex": (0, 20)}),
    Kind("arms wide", 0.7, {"abduct": (70, 100), "elbow": (0, 25), "inward": (-50, 10), "spread": (6, 18)}),
    Kind("hands on hips", 1, {"abduct": (38, 50), "flex": (-22, -10), "inward": (52, 72), "elbow": (86, 102),
                              "spread": (5, 14), "curl": (0.4, 0.8)}),
    Kind("arms crossed", 0.8, {"flex": (26, 36), "abduct": (2, 8), "left.inward": (60, 74), "right.inward": (52, 64),
                               "elbow": (96, 112), "curl": (0.3, 0.6)}),
    Kind("look at a phone", 1.2, {"left.flex": (24, 42), "left.elbow": (96, 122), "left.inward": (14, 34),
                                  "left.curl": (0.6, 0.9), "nod": (18, 34), "turn": (-12, 12)}),
    Kind("carry", 0.7, {"flex": (8, 24), "elbow": (80, 98), "inward": (-5, 14), "abduct": (6, 14), "lean": (-6, 0)}),
    Kind("point", 0.8, {"left.flex": (60, 95), "left.elbow": (0, 20), "left.inward": (-10, 30),
                        "left.curl": (0.4, 0.9), "turn": (-45, 45)}),
    Kind("reach up", 0.8, {"left.flex": (140, 175), "left.elbow": (0, 30), "left.curl": (0, 0.4), "nod": (-35, -8),
                           "toe": (0, 25), "side": (-14, -2)}),
    Kind("jump", 1, {"hip": (5, 65), "knee": (15, 100), "toe": (15, 50), "spread": (2, 24), "abduct": (60, 160),
                     "elbow": (5, 80), "inward": (-60, 20), "bend": (-12, 14), "air": (0.12, 0.55)}),
    Kind("kick", 0.7, {"left.hip": (45, 88), "left.knee": (2, 40), "left.toe": (20, 50), "right.hip": (-12, 4),
                       "right.knee": (4, 24), "lean": (-16, 2), "abduct": (20, 80), "left.flex": (-30, 10),
                       "right.flex": (20, 60), "elbow": (10, 70)}),
    Kind("dance", 1.6, {"lean": (-8, 16), "tilt": (-15, 15), "twist": (-32, 32), "side": (-24, 24), "flex": (-30, 110),
                        "abduct": (10, 140), "inward": (-80, 60), "elbow": (5, 125), "hip": (-10, 60),
                        "spread": (4, 32), "knee": (5, 70), "toe": (0, 35), "nod": (-25, 25), "cock": (-18, 18),
                        "curl": (0, 0.8)}),
    Kind("stretch aside", 0.6, {"side": (16, 30), "right.abduct": (150, 172), "right.elbow": (5, 40),
                                "left.abduct": (20, 45), "left.elbow": (60, 95), "spread": (12, 26)}),
    Kind("lie", 0.3, {"lie": (-90, -86), "hip": (-4, 40), "knee": (4, 70), "abduct": (10, 60), "elbow": (5, 90),
                      "nod": (0, 15)}),
)  # fmt: skip


@dataclass(frozen=True)
class Posture:
    """Sampled angles in degrees. arms, legs: left then right, each with the keys `ARM`, `LEG`; trunk: `TRUNK`.

    `air` is how far above the ground the person is, as a fraction of the height.
    """

    kind: str
    trunk: dict[str, float]
    arms: tuple[dict[str, float], dict[str, float]]
    legs: tuple[dict[str, float], dict[str, float]]
    seat: bool = False

    def mirror(self) -> "Posture":
        """The posture that a mirror shows: sides change places, and what turns to one side turns to the other."""
        sideways = ("tilt", "twist", "side", "turn", "cock")
        trunk = {name: -angle if name in sideways else angle for name, angle in self.trunk.items()}
        (left_arm, right_arm), (left_leg, right_leg) = self.arms, self.legs
        return Posture(self.kind, trunk, (right_arm, left_arm), (right_leg, left_leg), self.seat)


def sample_posture(rng: np.random.Generator, kind: str | None = None) -> Posture:
    """Draw a posture: of the named kind, or of any by weight."""
    kinds = [k for k in KINDS if kind in (None, k.name)]
    weights = np.array([k.weight for k in kinds])
    chosen = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]

    def draw(name: str, side: str = "") -> float:
        ranges = _EASY | chosen.ranges
        low, high = ranges[f"{side}.{name}" if f"{side}.{name}" in ranges else name]
        # A little outside of the range now and then, never outside of what a joint can do.
        value = rng.uniform(low, high) + rng.normal() * 0.08 * (high - low)
        lowest, highest = LIMITS[name]
        return min(max(value, lowest), highest)

    trunk = {name: draw(name) for name in TRUNK}
    left_arm, right_arm = ({name: draw(name, side) for name in ARM} for side in ("left", "right"))
    left_leg, right_leg = ({name: draw(name, side) for name in LEG} for side in ("left", "right"))
    posture = Posture(chosen.name, trunk, (left_arm, right_arm), (left_leg, right_leg), chosen.seat)
    return posture.mirror() if rng.random() < 0.5 else posture
