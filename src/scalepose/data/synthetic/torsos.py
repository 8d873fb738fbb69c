"""Head, neck and trunk as surfaces, with skirt and bags: all that is not a limb."""

import numpy as np

from scalepose.data.synthetic import heads
from scalepose.data.synthetic.bodies import SIDES, Body, Stance
from scalepose.data.synthetic.limbs import LEG
from scalepose.data.synthetic.meshes import Mesh, box, join, tube
from scalepose.data.synthetic.outfits import EXTRA, FACE, HAIR, LOWER, SKIN, UPPER, Outfit
from scalepose.data.synthetic.textures import SWATCH

# Height above the hips as a fraction of the trunk; half width, half depth and shift forward as fractions of the height.
_TRUNK = np.array([
    (-0.18, 0.024, 0.030, -0.004), (-0.13, 0.054, 0.047, -0.006), (-0.06, 0.081, 0.060, -0.008),
    (0.02, 0.097, 0.069, -0.009), (0.12, 0.094, 0.067, -0.007), (0.24, 0.084, 0.060, -0.002), (0.37, 0.078, 0.055, 0.0),
    (0.50, 0.083, 0.059, 0.0), (0.64, 0.092, 0.066, 0.0), (0.76, 0.098, 0.067, -0.002), (0.85, 0.095, 0.060, -0.006),
    (0.92, 0.084, 0.050, -0.009), (0.97, 0.062, 0.042, -0.010), (1.01, 0.040, 0.036, -0.010),
])  # fmt: skip


def head(rng: np.random.Generator, pose: Stance, outfit: Outfit) -> tuple[Mesh, np.ndarray]:
    """Head with hair, hat and neck, and its keypoints (5, 3): nose, eyes, ears, left before right."""
    body, turn, centre = pose.body, pose.turns["head"], pose.points["head"]
    skull = heads.skull(SKIN, FACE)
    parts = [skull.mesh, *heads.hair(rng, HAIR, body.frame, body.maturity, outfit.hat)]
    if outfit.hat:
        parts += heads.hat(rng, EXTRA)
    # Children's skulls are as broad but their faces are flatter and rounder; one shape serves with a wider scale.
    wide = 1.05 - 0.05 * body.maturity
    scale = np.diag([wide, 1.0, wide]) * body.head
    mesh = join(parts)
    mesh = Mesh(mesh.points @ scale, mesh.normals, mesh.texels, mesh.triangles).moved(turn, centre)
    base = pose.points["neck"] - pose.turns["chest"] @ np.array([0, 0.08 * body.trunk, 0.012 * body.height])
    top = centre + turn @ np.array([0, -0.18, -0.06]) * body.head
    path = base + np.linspace(0, 1, 5)[:, None] * (top - base)
    radius = 0.0305 * body.height * (0.8 + 0.2 * body.girth) * (1.06 - 0.12 * body.frame)
    neck = tube(path, turn[:, 0], np.array([1.25, 1.08, 1, 0.98, 1])[:, None] * (radius, radius), SKIN)
    return join([mesh, neck]), skull.landmarks @ scale @ turn.T + centre


def trunk(pose: Stance, outfit: Outfit) -> list[Mesh]:
    """The top and what covers the hips."""
    body = pose.body
    parts = []
    pieces = [(UPPER, np.linspace(outfit.hem, 1.0, 16), outfit.loose + 0.004)]
    pieces.append((LOWER, np.linspace(-0.18, 0.3, 10), 0.004))
    for tile, up, loose in pieces:
        path, left, front = _spine(pose, up)
        ring = _trunk_ring(body, up)
        slack = loose * np.clip((1.06 - up) / 0.2, 0.3, 1)
        if tile == UPPER and outfit.hem < 0.15:  # what is not tucked in hangs from the chest
            hang = np.clip((0.7 - up) / 0.5, 0, 1)
            widest = _trunk_ring(body, np.array([0.72]))[0]
            ring[:, 0] = np.maximum(ring[:, 0], widest[0] * (0.9 - 0.06 * body.frame) * hang)
        half = ring[:, :2] + slack[:, None]
        path = path + front * ring[:, 2:]
        swatch = None if tile == UPPER else SWATCH
        parts.append(tube(path[::-1], left[::-1], half[::-1], tile, 22, swatch, power=0.86, ends=(True, True)))
    return parts


def skirt(pose: Stance, outfit: Outfit) -> Mesh:
    """Hangs from the waist around both thighs, as far as `outfit.leg`."""
    body, p = pose.body, pose.points
    down = np.linspace(0, outfit.leg, 9)
    legs = []
    for side, _ in SIDES:
        joints = np.stack([p[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle")])
        legs.append(np.stack([np.interp(down, (0, 1, 2), joints[:, i]) for i in range(3)], axis=1))
    waist, _, _ = _spine(pose, np.array([0.3, 0.16]))
    middle = np.concatenate([waist, (legs[0] + legs[1]) / 2])
    apart = np.concatenate([np.zeros((2, 3)), legs[0] - legs[1]])
    axis = pose.turns["pelvis"][:, 0]
    across = np.abs(apart @ axis) / 2
    ahead = np.linalg.norm(apart - (apart @ axis)[:, None] * axis, axis=1) / 2
    waistband = _trunk_ring(body, np.array([0.3, 0.16]))[:, :2] + outfit.loose + 0.012
    hips = _trunk_ring(body, np.zeros(1))[0, :2] + outfit.loose + 0.014
    thigh = np.interp(down, LEG[:, 0], LEG[:, 1]) * body.height * body.girth**0.65 + 0.012 + 0.03 * down
    around = np.stack([across[2:] + thigh, ahead[2:] + thigh], axis=1)
    narrower = np.stack([1 - 0.1 * down, np.ones_like(down)], axis=1)
    half = np.concatenate([waistband, np.maximum(around, hips * narrower)])
    return tube(middle, axis, half, LOWER, 20, SWATCH, power=0.92, ends=(False, True))


def bag(pose: Stance, outfit: Outfit) -> list[Mesh]:
    """On the back, in the left hand or over the left shoulder."""
    body = pose.body
    h, chest = body.height, pose.turns["chest"]
    if outfit.bag == "back":
        up = np.array([-0.13, -0.125, -0.09, 0.0, 0.09, 0.13, 0.145])
        half = np.array(
            [(0.05, 0.03), (0.078, 0.046), (0.088, 0.056), (0.088, 0.058), (0.08, 0.05), (0.055, 0.032), (0.02, 0.012)]
        )
        path = np.stack([0 * up, up + 0.035, -0.075 - half[:, 1] * 0.7], axis=1) * h * 0.92
        pack = tube(path, np.array([1.0, 0, 0]), half * h * 0.92, EXTRA, 16, power=0.7, ends=(True, True))
        return [pack.moved(chest, pose.points["chest"])]
    if outfit.bag == "hand":
        top = pose.points["left_wrist"] - pose.turns["left_forearm"][:, 1] * 0.5 * body.hand
        return _hung(top, top - np.array([0, 0.15 * h, 0]), np.diag([0.028, 0.06, 0.085]) * h)
    if outfit.bag == "shoulder":
        turn = pose.turns["pelvis"]
        top = pose.points["left_shoulder"] + chest @ np.array([-0.01, 0.038, 0]) * h
        centre = pose.points["left_hip"] + turn @ np.array([0.085, 0.03, -0.01]) * h
        return _hung(top, centre, (turn * (0.025 * h, 0.055 * h, 0.075 * h)).T)
    return []


def _hung(top: np.ndarray, centre: np.ndarray, axes: np.ndarray) -> list[Mesh]:
    """A box with half `axes` (rows: across, up, along) and the two straps that hold it."""
    strap = np.full((4, 2), 0.08 * np.linalg.norm(axes[1]))
    ends = [centre + axes[1] + 0.8 * sign * axes[2] for sign in (-1, 1)]
    return [box(centre, axes, EXTRA), *(tube(np.linspace(top, end, 4), axes[0], strap, EXTRA, 5) for end in ends)]


def _spine(pose: Stance, up: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (R, 3), left axes and forward axes on the curve of the back, `up` as fractions of the trunk."""
    knots = np.array([-0.3, 0.0, 0.36, 0.64, 1.0, 1.2])
    p, turns = pose.points, pose.turns
    below = p["pelvis"] - turns["pelvis"][:, 1] * 0.3 * pose.body.trunk
    above = p["neck"] + turns["chest"][:, 1] * 0.2 * pose.body.trunk
    joints = np.stack([below, p["pelvis"], p["waist"], p["chest"], p["neck"], above])
    points = np.stack([np.interp(up, knots, joints[:, i]) for i in range(3)], axis=1)
    # The corners of the polyline are smoothed over a tenth of the trunk.
    for shift in (-0.1, 0.1):
        points = points + np.stack([np.interp(up + shift, knots, joints[:, i]) for i in range(3)], axis=1)
    frames = np.stack(
        [turns["pelvis"], turns["pelvis"], turns["waist"], turns["chest"], turns["chest"], turns["chest"]]
    )
    left, front = (np.stack([np.interp(up, knots, frames[:, i, axis]) for i in range(3)], axis=1) for axis in (0, 2))
    return points / 3, left, front


def _trunk_ring(body: Body, up: np.ndarray) -> np.ndarray:
    """(R, 3): half width, half depth and shift forward in metres."""
    w, d, f = (np.interp(up, _TRUNK[:, 0], _TRUNK[:, i]) for i in (1, 2, 3))
    grown = body.maturity
    chest, waist, hips = (np.exp(-(((up - at) / wide) ** 2)) for at, wide in ((0.8, 0.3), (0.36, 0.2), (0.0, 0.22)))
    w = w * (1 + grown * (0.07 - 0.14 * body.frame) * chest + (0.06 - 0.12 * body.frame) * grown * waist)
    w = w * (1 + grown * (0.13 * body.frame - 0.05) * hips)
    bust = grown * max(0.0, body.frame - 0.45) * np.exp(-(((up - 0.68) / 0.1) ** 2))
    belly = max(0.0, body.girth - 1.0) * np.exp(-(((up - 0.3) / 0.24) ** 2)) + 0.12 * (1 - grown) * waist
    d = d + 0.02 * bust + 0.05 * belly
    f = f + 0.018 * bust + 0.045 * belly
    neck = np.clip((1.02 - up) / 0.2, 0, 1)  # the base of the neck grows little with girth
    girth = 1 + (body.girth**0.85 - 1) * neck
    return np.stack([w * girth, d * girth, f], axis=1) * body.height
