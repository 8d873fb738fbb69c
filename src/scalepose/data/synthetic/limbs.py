"""Arms, hands, legs and shoes as surfaces, bare and covered."""

from functools import cache

import numpy as np

from scalepose.data.synthetic.bodies import Stance
from scalepose.data.synthetic.meshes import Mesh, bent, join, loft, rings_along, tube
from scalepose.data.synthetic.outfits import LOWER, SHOE, SKIN, SLEEVE, Outfit
from scalepose.data.synthetic.textures import SWATCH

# Where along the limb (0 collar, 1 shoulder, 2 elbow, 3 wrist; 0 hip, 1 knee, 2 ankle), and the radius there as a
# fraction of the height.
ARM = np.array([(0, 0.019), (0.7, 0.027), (1, 0.0300), (1.25, 0.0288), (1.6, 0.0265), (2, 0.0215), (2.25, 0.0238),
                 (2.6, 0.0195), (3, 0.0145)])  # fmt: skip
LEG = np.array([(0, 0.046), (0.14, 0.0505), (0.3, 0.049), (0.6, 0.0425), (0.9, 0.034), (1, 0.0325), (1.1, 0.0315),
                (1.3, 0.0335), (1.6, 0.0265), (1.85, 0.0195), (2, 0.019)])  # fmt: skip


def arm(pose: Stance, outfit: Outfit, side: str, s: float) -> list[Mesh]:
    """Collar to finger tips of one side; s: 1 left, -1 right."""
    body, points = pose.body, pose.points
    collar = points["neck"] + pose.turns["chest"] @ np.array([s * 0.045, -0.045, -0.004]) * body.height
    joints = np.stack([collar, *(points[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))])
    path, where = bent(joints, 6, 0.035 * body.height)
    child = 1.1 - 0.1 * body.maturity
    thick = body.height * child * body.girth**0.6 * (1.06 - 0.14 * body.frame)
    radius = np.interp(where, ARM[:, 0], ARM[:, 1]) * thick
    left = pose.turns[f"{side}_arm"][:, 0]
    cut = radius + (outfit.loose + 0.003) * np.clip(where - 0.3, 0, 1)
    parts = _covered(path, where, left, radius, cut, outfit.sleeve, SLEEVE)
    return [*parts, _hand(pose, side, s)]


def leg(pose: Stance, outfit: Outfit, side: str) -> list[Mesh]:
    """Hip to toes of one side."""
    body, points = pose.body, pose.points
    joints = np.stack([points[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle")])
    path, where = bent(joints, 9, 0.05 * body.height)
    child = 1.08 - 0.08 * body.maturity
    radius = np.interp(where, LEG[:, 0], LEG[:, 1]) * body.height * child * body.girth**0.65
    left = pose.turns[f"{side}_thigh"][:, 0]
    slack = outfit.loose * (0.3 + 0.7 * np.clip(where, 0, 1)) + 0.004
    cut = np.maximum(radius + slack, 0.027 * body.height + outfit.loose)  # cloth does not follow a thin ankle
    parts = _covered(path, where, left, radius, cut, 0.0 if outfit.lower == "skirt" else outfit.leg, LOWER)
    return [*parts, _shoe(pose, side)]


def _covered(
    path: np.ndarray,
    where: np.ndarray,
    left: np.ndarray,
    radius: np.ndarray,
    cut: np.ndarray,
    until: float,
    tile: int,
) -> list[Mesh]:
    """A limb with radius `cut` in cloth as far as `until`, with `radius` in skin from a little before there."""
    parts = []
    for kept, r, what, segments, swatch in (
        (where > until - 0.35, radius, SKIN, 11, None),
        (where <= until, cut, tile, 13, SWATCH),
    ):
        if kept.sum() >= 2:
            half = np.stack([r[kept], r[kept]], axis=1)
            parts.append(tube(path[kept], left, half, what, segments, swatch, ends=(True, True)))
    return parts


def _hand(pose: Stance, side: str, s: float) -> Mesh:
    curl = pose.posture.arms[0 if s > 0 else 1]["curl"]
    hand = _unit_hand(s, round(curl, 1))
    return hand.moved(pose.turns[f"{side}_forearm"], pose.points[f"{side}_wrist"], pose.body.hand)


@cache
def _unit_hand(s: float, curl: float) -> Mesh:
    """Palm, four fingers and a thumb of a hand of length 1; the palm faces the thigh when the arm hangs."""
    left, forward, inner = np.array([1.0, 0, 0]), np.array([0, 0, 1.0]), np.array([-s, 0.0, 0.0])
    # Towards the finger tips is down; across the palm is forward (the thumb's side).
    palm = np.array([(0, 0.12, 0), (0, -0.02, 0), (0, -0.2, 0.01), (0, -0.36, 0.01), (0, -0.5, 0.0)])
    half = np.array([(0.12, 0.15), (0.125, 0.17), (0.12, 0.215), (0.11, 0.23), (0.07, 0.2)])
    parts = [tube(palm, left, half, SKIN, 10, ends=(False, True))]
    for z, length in ((-0.155, 0.4), (-0.05, 0.48), (0.055, 0.52), (0.155, 0.48)):
        bend = np.radians(np.array([5, 20 + 75 * curl, 35 + 150 * curl, 45 + 190 * curl]))
        steps = np.cos(bend)[:, None] * (0, -1.0, 0) + np.sin(bend)[:, None] * inner
        path = np.array([0, -0.44, z]) + np.concatenate([[[0, 0, 0]], np.cumsum(steps, axis=0) * length / 4])
        radius = np.array([0.062, 0.06, 0.055, 0.05, 0.03])
        parts.append(tube(path, forward, np.stack([radius, radius], axis=1), SKIN, 6, ends=(False, True)))
    thumb = np.array([(0, -0.08, 0.12), (-0.02 * s, -0.2, 0.24), (-0.07 * s, -0.34, 0.29), (-0.1 * s, -0.47, 0.28)])
    radius = np.array([0.09, 0.08, 0.062, 0.035])
    parts.append(tube(thumb, left, np.stack([radius, radius], axis=1), SKIN, 6, ends=(False, True)))
    return join(parts)


def _shoe(pose: Stance, side: str) -> Mesh:
    shoe = _unit_shoe(round(pose.body.ankle / pose.body.foot, 2))
    return shoe.moved(pose.turns[f"{side}_foot"], pose.points[f"{side}_ankle"], pose.body.foot)


@cache
def _unit_shoe(ankle: float) -> Mesh:
    """A shoe of length 1 whose sole is `ankle` below the origin."""
    # Along the foot, half width, height.
    shape = np.array([
        (-0.235, 0.05, 0.14), (-0.22, 0.115, 0.25), (-0.13, 0.145, 0.34), (0.0, 0.15, 0.36), (0.1, 0.15, 0.33),
        (0.22, 0.155, 0.26), (0.38, 0.175, 0.215), (0.55, 0.19, 0.18), (0.66, 0.165, 0.155), (0.73, 0.11, 0.12),
        (0.765, 0.04, 0.06),
    ])  # fmt: skip
    path = np.stack([np.zeros(len(shape)), shape[:, 2] / 2 - ankle, shape[:, 0]], axis=1)
    half = np.stack([shape[:, 1], shape[:, 2] / 2], axis=1)
    rings = rings_along(path, np.array([1.0, 0, 0]), half, 12, 0.75)
    rings[..., 1] = np.maximum(rings[..., 1], -ankle)
    return loft(rings, np.linspace(0, 1, 13), np.linspace(0, 1, len(shape)), SHOE)
