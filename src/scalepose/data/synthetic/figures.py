"""People as surfaces: a body in a posture, its flesh, clothes, shoes, hair and bag, and where its keypoints are.

Everybody is dressed. It knows nothing of cameras, places or other people.
"""

from dataclasses import dataclass

import numpy as np

from scalepose.data.synthetic import heads, textures
from scalepose.data.synthetic.bodies import SIDES, Body, Stance, stance
from scalepose.data.synthetic.meshes import Mesh, bent, box, join, loft, rings_along, tube
from scalepose.data.synthetic.postures import sample_posture

SKIN, FACE, HAIR, UPPER, SLEEVE, LOWER, SHOE, EXTRA = range(8)
TILES = 8

# How thick the flesh over each COCO keypoint is, as a fraction of the height: a surface that is nearer to the camera
# by more than that hides it.
DEPTHS = (0.012, *(0.014,) * 2, *(0.022,) * 2, *(0.062,) * 2, *(0.04,) * 2, *(0.032,) * 2, *(0.1,) * 2, *(0.055,) * 2,
          *(0.05,) * 2)  # fmt: skip

# Height above the hips as a fraction of the trunk; half width, half depth and shift forward as fractions of the height.
_TRUNK = np.array([
    (-0.18, 0.030, 0.036, -0.004), (-0.13, 0.070, 0.056, -0.006), (-0.06, 0.090, 0.066, -0.008),
    (0.02, 0.097, 0.069, -0.009), (0.12, 0.094, 0.067, -0.007), (0.24, 0.084, 0.060, -0.002), (0.37, 0.078, 0.055, 0.0),
    (0.50, 0.083, 0.059, 0.0), (0.64, 0.092, 0.066, 0.0), (0.76, 0.098, 0.067, -0.002), (0.85, 0.095, 0.060, -0.006),
    (0.92, 0.084, 0.050, -0.009), (0.97, 0.062, 0.042, -0.010), (1.01, 0.040, 0.036, -0.010),
])  # fmt: skip
_ARM = np.array([(0, 0.019), (0.7, 0.027), (1, 0.0300), (1.25, 0.0288), (1.6, 0.0265), (2, 0.0215), (2.25, 0.0238),
                 (2.6, 0.0195), (3, 0.0145)])  # fmt: skip
_LEG = np.array([(0, 0.046), (0.25, 0.0485), (0.6, 0.0425), (0.9, 0.034), (1, 0.0325), (1.1, 0.0315), (1.3, 0.0335),
                 (1.6, 0.0265), (1.85, 0.0195), (2, 0.019)])  # fmt: skip


@dataclass(frozen=True)
class Outfit:
    """What somebody wears. sleeve: where the sleeve ends (`_ARM`'s scale: 1 shoulder, 2 elbow, 3 wrist). lower:
    trousers, shorts, skirt. hem: lower edge of the top, as a fraction of the trunk. leg: where the legs' cloth ends
    (1 knee, 2 ankle). loose: metres between skin and cloth."""

    sleeve: float
    lower: str
    hem: float
    leg: float
    loose: float
    bag: str
    hat: bool


@dataclass(frozen=True, repr=False, eq=False)
class Figure:
    """A dressed person in the body frame, its lowest point at y = 0 (or in the air).

    keypoints: (17, 3) metres, in COCO's order. depths: (17,) metres of flesh over them. tiles: (TILES·TILE, TILE, 3)
    uint8 RGB, the atlas of `mesh`. stance: the joints. seat: height of a seat below, or None.
    """

    mesh: Mesh
    keypoints: np.ndarray
    depths: np.ndarray
    tiles: np.ndarray
    stance: Stance
    seat: float | None

    @property
    def height(self) -> float:
        """From the lowest to the highest point, metres."""
        return float(np.ptp(self.mesh.points[:, 1]))


def sample_figure(rng: np.random.Generator, kind: str | None = None) -> Figure:
    """Somebody: body, posture (of a named kind if given), clothes."""
    body = Body.sample(rng)
    pose = stance(body, sample_posture(rng, kind))
    outfit = _outfit(rng, pose)
    colour = textures.pick(rng, textures.SKINS, 4)
    mesh, landmarks = _surface(rng, pose, outfit)
    points = [*landmarks, *(pose.points[f"{side}_{joint}"] for joint in _JOINTS for side, _ in SIDES)]
    keypoints = np.array(points)
    low = float(mesh.points[:, 1].min())
    seat = None
    if pose.posture.seat:
        seat = float(pose.points["pelvis"][1] - 0.068 * body.height * body.girth**0.5 - low)
    shift = np.array([0.0, pose.posture.trunk["air"] * body.height - low, 0.0])
    moved = Stance(body, pose.posture, {name: p + shift for name, p in pose.points.items()}, pose.turns)
    tiles = _paint(rng, body, outfit, colour)
    depths = np.array(DEPTHS) * body.height + outfit.loose * (np.arange(17) > 4)
    return Figure(mesh.moved(np.eye(3), shift), keypoints + shift, depths, tiles, moved, seat)


_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def _outfit(rng: np.random.Generator, pose: Stance) -> Outfit:
    upright = all(leg["knee"] < 45 and leg["hip"] < 35 for leg in pose.posture.legs)
    stride = abs(pose.posture.legs[0]["hip"] - pose.posture.legs[1]["hip"]) > 35
    skirt = pose.body.frame > 0.5 and not stride and pose.posture.trunk["lie"] == 0 and rng.random() < 0.45
    lower = "skirt" if skirt else str(rng.choice(["trousers", "shorts"], p=[0.76, 0.24]))
    leg = {"trousers": 1.93, "shorts": rng.uniform(0.55, 1.08), "skirt": rng.uniform(0.7, 1.6 if upright else 0.98)}
    return Outfit(
        sleeve=float(rng.choice([1.12, 1.55, 1.65, 2.3, 2.93, 2.96], p=[0.1, 0.25, 0.15, 0.08, 0.21, 0.21])),
        lower=lower,
        hem=0.24 if skirt or rng.random() < 0.4 else float(rng.uniform(-0.08, 0.12)),
        leg=float(leg[lower]),
        loose=float(rng.uniform(0.004, 0.014)),
        bag=str(rng.choice(["", "back", "hand", "shoulder"], p=[0.72, 0.12, 0.08, 0.08])),
        hat=bool(rng.random() < 0.2),
    )


def _paint(rng: np.random.Generator, body: Body, outfit: Outfit, colour: np.ndarray) -> np.ndarray:
    hair = textures.pick(rng, textures.HAIRS if colour.mean() > 130 else textures.HAIRS[:4], 5)
    cloth = textures.cloth(rng, textures.pick(rng, textures.CLOTHS))
    if outfit.lower == "skirt" and rng.random() < 0.5:
        lower = cloth  # a dress
    else:
        lower = textures.cloth(rng, textures.pick(rng, textures.TROUSERS), 0.08 if outfit.lower != "skirt" else 0.4)
    extra = textures.pick(rng, textures.CLOTHS)
    straps = extra * 0.8 if outfit.bag == "back" else None
    tiles = {
        SKIN: textures.skin(rng, colour),
        FACE: heads.paint_face(rng, colour, hair, body.maturity, body.frame),
        HAIR: textures.hair(rng, hair),
        UPPER: textures.folded(rng, textures.upper(rng, cloth, colour, body.trunk * 1.05, straps)),
        SLEEVE: textures.folded(rng, cloth),
        LOWER: textures.folded(rng, lower),
        SHOE: textures.shoe(rng, textures.pick(rng, textures.SHOES)),
        EXTRA: textures.folded(rng, textures.plain(extra), 0.04),
    }
    return np.concatenate([tiles[i] for i in range(TILES)])


def _surface(rng: np.random.Generator, pose: Stance, outfit: Outfit) -> tuple[Mesh, np.ndarray]:
    """The whole surface and the five keypoints of the head."""
    body = pose.body
    head, landmarks = _head(rng, pose, outfit)
    parts = [head, *_trunk(pose, outfit)]
    for side, s in SIDES:
        parts += _arm(pose, outfit, side, s)
        parts += _leg(pose, outfit, side, s)
    if outfit.lower == "skirt":
        parts.append(_skirt(pose, outfit))
    parts += _bag(pose, outfit, body)
    return join(parts), landmarks


def _head(rng: np.random.Generator, pose: Stance, outfit: Outfit) -> tuple[Mesh, np.ndarray]:
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
    frames = np.stack([turns["pelvis"], turns["pelvis"], turns["waist"], turns["chest"], turns["chest"], turns["chest"]])
    left, front = (
        np.stack([np.interp(up, knots, frames[:, i, axis]) for i in range(3)], axis=1) for axis in (0, 2)
    )
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


def _trunk(pose: Stance, outfit: Outfit) -> list[Mesh]:
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
        ends = (True, False) if tile == UPPER else (False, True)
        swatch = None if tile == UPPER else textures.SWATCH
        parts.append(tube(path[::-1], left[::-1], half[::-1], tile, 22, swatch, power=0.86, ends=ends[::-1]))
    return parts


def _limb(path: np.ndarray, where: np.ndarray, radius: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return path[keep], np.repeat(radius[keep][:, None], 2, axis=1)


def _arm(pose: Stance, outfit: Outfit, side: str, s: float) -> list[Mesh]:
    body, points = pose.body, pose.points
    collar = points["neck"] + pose.turns["chest"] @ np.array([s * 0.045 * body.height, -0.15 * body.trunk, -0.006])
    joints = np.stack([collar, *(points[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))])
    path, where = bent(joints, 6, 0.035 * body.height)
    child = 1.1 - 0.1 * body.maturity
    radius = np.interp(where, _ARM[:, 0], _ARM[:, 1]) * body.height * child * body.girth**0.6 * (1.06 - 0.14 * body.frame)
    left = pose.turns[f"{side}_arm"][:, 0]
    bare = where > outfit.sleeve - 0.35
    parts = []
    if bare.sum() >= 2:
        parts.append(tube(*_tubed(path[bare], left, radius[bare]), SKIN, 10))
    covered = where <= outfit.sleeve + 1e-9
    if covered.sum() >= 2:
        slack = (outfit.loose + 0.003) * np.clip(where - 0.3, 0, 1)
        parts.append(tube(*_tubed(path[covered], left, (radius + slack)[covered]), SLEEVE, 12, textures.SWATCH, ends=(False, True)))
    return parts + _hand(pose, side, s)


def _tubed(path: np.ndarray, left: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return path, left, np.stack([radius, radius], axis=1)


def _hand(pose: Stance, side: str, s: float) -> list[Mesh]:
    """Palm, four fingers and a thumb; the palm faces the thigh when the arm hangs."""
    body = pose.body
    curl = pose.posture.arms[0 if s > 0 else 1]["curl"]
    turn, wrist, unit = pose.turns[f"{side}_forearm"], pose.points[f"{side}_wrist"], body.hand
    inner = np.array([-s, 0.0, 0.0])
    # Towards the finger tips is down; across the palm is forward (the thumb's side).
    palm = np.array([(0, 0.12, 0), (0, -0.02, 0), (0, -0.2, 0.01), (0, -0.36, 0.01), (0, -0.5, 0.0)]) * unit
    half = np.array([(0.12, 0.15), (0.125, 0.17), (0.12, 0.215), (0.11, 0.23), (0.07, 0.2)]) * unit
    parts = [tube(palm, np.array([1.0, 0, 0]), half, SKIN, 10, ends=(False, True))]
    for z, length in ((-0.155, 0.4), (-0.05, 0.48), (0.055, 0.52), (0.155, 0.48)):
        bend = np.radians(np.array([5, 20 + 75 * curl, 35 + 150 * curl, 45 + 190 * curl]))
        steps = np.cos(bend)[:, None] * (0, -1.0, 0) + np.sin(bend)[:, None] * inner
        path = np.array([0, -0.44, z]) + np.concatenate([[[0, 0, 0]], np.cumsum(steps, axis=0) * length / 4])
        radius = np.array([0.062, 0.06, 0.055, 0.05, 0.03])
        parts.append(tube(path * unit, np.array([0, 0, 1.0]), np.stack([radius, radius], 1) * unit, SKIN, 6, ends=(False, True)))
    thumb = np.array([(0, -0.08, 0.12), (-0.02 * s, -0.2, 0.24), (-0.07 * s, -0.34, 0.29), (-0.1 * s, -0.47, 0.28)]) * unit
    radius = np.array([0.09, 0.08, 0.062, 0.035]) * unit
    parts.append(tube(thumb, np.array([1.0, 0, 0]), np.stack([radius, radius], 1), SKIN, 6, ends=(False, True)))
    return [part.moved(turn, wrist) for part in parts]


def _leg(pose: Stance, outfit: Outfit, side: str, s: float) -> list[Mesh]:
    body, points = pose.body, pose.points
    joints = np.stack([points[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle")])
    path, where = bent(joints, 9, 0.05 * body.height)
    child = 1.08 - 0.08 * body.maturity
    radius = np.interp(where, _LEG[:, 0], _LEG[:, 1]) * body.height * child * body.girth**0.65
    left = pose.turns[f"{side}_thigh"][:, 0]
    parts = []
    covered_to = outfit.leg if outfit.lower != "skirt" else 0.0
    bare = where > covered_to - 0.3
    if bare.sum() >= 2:
        parts.append(tube(*_tubed(path[bare], left, radius[bare]), SKIN, 12))
    covered = where <= covered_to + 1e-9
    if covered.sum() >= 2:
        slack = outfit.loose * (0.3 + 0.7 * np.clip(where, 0, 1)) + 0.004
        cut = np.maximum(radius + slack, 0.027 * body.height + outfit.loose)  # cloth does not follow a thin ankle
        parts.append(tube(*_tubed(path[covered], left, cut[covered]), LOWER, 14, textures.SWATCH, ends=(False, True)))
    return [*parts, _shoe(pose, side)]


def _shoe(pose: Stance, side: str) -> Mesh:
    body = pose.body
    size, sole = body.foot, -body.ankle
    # Along the foot, half width, height: fractions of its length.
    shape = np.array([
        (-0.235, 0.05, 0.14), (-0.22, 0.115, 0.25), (-0.13, 0.145, 0.34), (0.0, 0.15, 0.36), (0.1, 0.15, 0.33),
        (0.22, 0.155, 0.26), (0.38, 0.175, 0.215), (0.55, 0.19, 0.18), (0.66, 0.165, 0.155), (0.73, 0.11, 0.12),
        (0.765, 0.04, 0.06),
    ]) * size  # fmt: skip
    path = np.stack([np.zeros(len(shape)), sole + shape[:, 2] / 2, shape[:, 0]], axis=1)
    rings = rings_along(path, np.array([1.0, 0, 0]), np.stack([shape[:, 1], shape[:, 2] / 2], axis=1), 12, 0.75)
    rings[..., 1] = np.maximum(rings[..., 1], sole)
    mesh = loft(rings, np.linspace(0, 1, 13), np.linspace(0, 1, len(shape)), SHOE)
    return mesh.moved(pose.turns[f"{side}_foot"], pose.points[f"{side}_ankle"])


def _skirt(pose: Stance, outfit: Outfit) -> Mesh:
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
    ring = _trunk_ring(body, np.array([0.3, 0.16, 0.0]))
    thigh = np.interp(down, _LEG[:, 0], _LEG[:, 1]) * body.height * body.girth**0.65 + 0.012 + 0.03 * down
    half = np.stack([
        np.concatenate([ring[:2, 0] + outfit.loose + 0.012, np.maximum(across[2:] + thigh, ring[2, 0] * (1 - 0.1 * down) + outfit.loose + 0.014)]),
        np.concatenate([ring[:2, 1] + outfit.loose + 0.012, np.maximum(ahead[2:] + thigh, ring[2, 1] + outfit.loose + 0.014)]),
    ], axis=1)  # fmt: skip
    return tube(middle, axis, half, LOWER, 20, textures.SWATCH, power=0.92, ends=(False, True))


def _bag(pose: Stance, outfit: Outfit, body: Body) -> list[Mesh]:
    h, chest = body.height, pose.turns["chest"]
    if outfit.bag == "back":
        up = np.array([-0.13, -0.125, -0.09, 0.0, 0.09, 0.13, 0.145])
        half = np.array([(0.05, 0.03), (0.078, 0.046), (0.088, 0.056), (0.088, 0.058), (0.08, 0.05), (0.055, 0.032), (0.02, 0.012)])
        path = np.stack([0 * up, up + 0.035, -0.075 - half[:, 1] * 0.7], axis=1) * h * 0.92
        pack = tube(path, np.array([1.0, 0, 0]), half * h * 0.92, EXTRA, 16, power=0.7, ends=(True, True))
        return [pack.moved(chest, pose.points["chest"])]
    if outfit.bag == "hand":
        hand = pose.points["left_wrist"] - pose.turns["left_forearm"][:, 1] * 0.5 * body.hand
        return [box(hand - np.array([0, 0.13 * h, 0]), np.diag([0.028, 0.06, 0.085]) * h, EXTRA)]
    if outfit.bag == "shoulder":
        turn = pose.turns["pelvis"]
        centre = pose.points["left_hip"] + turn @ np.array([0.085, 0.03, -0.01]) * h
        return [box(centre, (turn * (0.025 * h, 0.055 * h, 0.075 * h)).T, EXTRA)]
    return []
