"""Heads: the skull with nose and ears, hair and hats.

Head frame: units of the head's height (chin to crown), x left, y up, z forward, origin in the middle of the skull at
the height of the eyes. It does not know what is below the chin, except that long hair falls there.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from scalepose.data.synthetic.meshes import Mesh, ellipsoid, join, loft, tube

# Height, half width, depth to the front, depth to the back.
_PROFILE = np.array([
    (-0.520, 0.050, 0.250, -0.100), (-0.505, 0.110, 0.310, -0.020), (-0.470, 0.165, 0.352, 0.060),
    (-0.400, 0.208, 0.368, 0.140), (-0.310, 0.246, 0.364, 0.235), (-0.220, 0.274, 0.358, 0.310),
    (-0.140, 0.292, 0.356, 0.360), (-0.060, 0.304, 0.352, 0.395), (0.000, 0.311, 0.346, 0.418),
    (0.060, 0.317, 0.358, 0.430), (0.120, 0.322, 0.366, 0.440), (0.220, 0.324, 0.356, 0.444),
    (0.310, 0.306, 0.322, 0.412), (0.390, 0.262, 0.264, 0.350), (0.450, 0.192, 0.190, 0.260),
    (0.490, 0.100, 0.100, 0.140), (0.502, 0.020, 0.020, 0.030),
])  # fmt: skip
_CROWD = 0.45  # columns crowd in front, where the face is
EYE, NOSE, EAR = (0.135, 0.0), -0.15, (1.62, -0.04)  # x, y of the left eye; y of the nose; angle, y of the left ear
_SEGMENTS = 30
_ROUND = 0.92  # exponent of the rings: 1 an ellipse, less is boxier
_CROWN = np.array([0.5021, 0.499, 0.485, 0.455, 0.415])


@dataclass(frozen=True)
class Head:
    """A head's surface and its keypoints in the head frame. landmarks: (5, 3) nose, left eye, right eye, left ear,
    right ear."""

    mesh: Mesh
    landmarks: np.ndarray


def _angle(column: np.ndarray) -> np.ndarray:
    """Column -π…π (0 in front, left positive) → angle around the head."""
    return column - _CROWD * np.sin(column)


_COLUMNS = (np.arange(_SEGMENTS) / _SEGMENTS * 2 - 1) * np.pi  # starts behind
_AROUND = _angle(_COLUMNS)
_FINE = np.linspace(0, np.pi, 257)
_FINE_ANGLES = _angle(_FINE)


def column_of(x: float, y: float) -> float:
    """The column, -π…π, at which the front of the head at height y has this x."""
    w = float(np.interp(y, _PROFILE[:, 0], _PROFILE[:, 1]))
    return math.copysign(float(np.interp(_angle_of(abs(x), w), _FINE_ANGLES, _FINE)), x)


def _angle_of(x: float, w: float) -> float:
    """The angle at which a ring of half width w has x, both positive."""
    return math.asin(min(1.0, (x / w) ** (1 / _ROUND)))


def surface(angle: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(..., 3): the bare head at an angle from the front (left positive) and a height."""
    angle, y = np.broadcast_arrays(angle, y)
    w, front, back = (np.interp(y, _PROFILE[:, 0], _PROFILE[:, i]) for i in (1, 2, 3))
    c, s = np.cos(angle), np.sin(angle)
    x = w * np.sign(s) * np.abs(s) ** _ROUND
    z = np.where(c > 0, front, back) * np.sign(c) * np.abs(c) ** _ROUND
    face = np.where(c > 0, 1.0, 0.0)
    bridge = np.interp(y, (-0.215, -0.185, NOSE, -0.1, 0.02, 0.08), (0, 0.055, 0.1, 0.078, 0.022, 0))
    wide = np.interp(y, (-0.2, NOSE, 0.0), (0.075, 0.062, 0.045))
    z = z + face * bridge * np.exp(-((x / wide) ** 2))
    for sign in (-1, 1):
        socket = np.exp(-(((x - sign * EYE[0]) / 0.075) ** 2) - ((y - EYE[1]) / 0.05) ** 2)
        z = z - face * 0.022 * socket
    z = z + face * 0.018 * np.exp(-((x / 0.08) ** 2) - ((y + 0.3) / 0.05) ** 2)  # lips
    return np.stack([x, y, z], axis=-1)


@cache
def skull(skin_tile: int, face_tile: int) -> Head:
    """The bare head."""
    y = np.concatenate([_PROFILE[:4, 0], np.linspace(-0.34, 0.16, 14), _PROFILE[-6:, 0]])[::-1]
    rings = surface(_AROUND[None, :], y[:, None])
    face = loft(rings, np.linspace(0, 1, _SEGMENTS + 1), 0.5 - y, face_tile)
    eye = _angle_of(EYE[0], float(np.interp(EYE[1], _PROFILE[:, 0], _PROFILE[:, 1])))
    eyes = [surface(np.array(sign * eye), np.array(EYE[1])) for sign in (1, -1)]
    ears = [surface(np.array(sign * EAR[0]), np.array(EAR[1])) + np.array([sign * 0.03, 0, 0]) for sign in (1, -1)]
    nose = surface(np.array(0.0), np.array(NOSE))
    parts = [face]
    for sign, ear in zip((1, -1), ears, strict=True):
        axes = np.array([(sign * 0.022, 0, 0.035), (0.02 * sign, 0.095, -0.02), (-0.03 * sign, 0.01, 0.055)])
        parts.append(ellipsoid(ear, axes, skin_tile, 8, 6))
    return Head(join(parts), np.stack([nose, *eyes, *ears]))


def _shell(thickness: float, line: np.ndarray, tile: int) -> Mesh:
    """What lies over the head above a line: hair or the crown of a hat.

    line: (S,) its lower edge by column; where that is below the jaw, the shell hangs straight down.
    """
    bottom = float(line.min()) - 0.1
    y = np.concatenate([_CROWN, np.linspace(0.36, max(bottom, -0.3), 14), np.arange(-0.38, bottom, -0.1)])
    rings = surface(_AROUND[None, :], np.maximum(y, -0.12)[:, None])  # hair does not follow the jaw
    rings[..., 1] = y[:, None]
    # Outwards is up on top of the head and sideways below.
    centre = np.stack([np.zeros_like(y), np.minimum(y, 0.1), np.full_like(y, -0.03)], axis=-1)[:, None]
    out = rings - centre
    length = np.sqrt((out**2).sum(axis=2, keepdims=True))
    above = np.clip((y[:, None] - line[None, :]) / 0.07, -1, 1)[..., None]
    # Below its line the shell dives into the head, and below the chin into the neck.
    depth = 0.09 + 0.75 * length * np.clip((-0.2 - y) / 0.12, 0, 1)[:, None, None]
    lift = np.where(above > 0, np.sqrt(np.maximum(above, 0)) * thickness, depth * above)
    rings = centre + out * (1 + lift / length)
    return loft(rings, np.linspace(0, 1, _SEGMENTS + 1), (0.6 - y) / (0.6 - y[-1]), tile)


def hair(rng: np.random.Generator, tile: int, frame: float, maturity: float, hat: bool) -> list[Mesh]:
    """A hair style, or none at all."""
    if maturity == 1 and frame < 0.5 and rng.random() < 0.08:
        return []
    angle = np.abs(_AROUND)
    long_ = rng.random() < (0.75 if frame > 0.5 else 0.06)
    front = float(rng.uniform(0.26, 0.36))
    if rng.random() < 0.3:  # a fringe
        front = float(rng.uniform(0.12, 0.2))
    style = rng.choice(["loose", "tail", "bun"], p=[0.6, 0.25, 0.15]) if long_ else "short"
    drop = float(rng.uniform(0.45, 1.05)) if style == "loose" else 0.28
    if style == "loose":
        line = np.interp(angle, (0, 0.7, 1.0, 1.3, np.pi), (front, front - 0.02, 0.05, -drop * 0.85, -drop))
    else:  # forehead, temple, in front of the ear, behind the ear, nape
        line = np.interp(angle, (0, 0.75, 1.15, 1.5, 1.75, np.pi), (front, front - 0.02, 0.12, -0.1, -0.2, -drop))
    thickness = 0.03 if hat else float(rng.uniform(0.035, 0.085))
    if style == "loose":
        thickness = max(thickness, 0.07)  # over the ears
    if not hat and not long_ and rng.random() < 0.14:
        thickness = float(rng.uniform(0.12, 0.26))  # afro
    parts = [_shell(thickness, line, tile)]
    if style == "tail":
        path = np.array([(0, 0.2, -0.42), (0, 0.2, -0.56), (0, 0.05, -0.66), (0, -0.25, -0.66), (0, -0.6, -0.58)])
        half = np.array([(0.07, 0.07), (0.1, 0.1), (0.12, 0.11), (0.1, 0.09), (0.02, 0.02)])
        parts.append(tube(path, np.array([1.0, 0, 0]), half, tile, 8))
    if style == "bun":
        parts.append(ellipsoid(np.array([0, 0.26, -0.5]), np.diag([0.16, 0.15, 0.14]), tile, 10, 7))
    return parts


def hat(rng: np.random.Generator, tile: int) -> list[Mesh]:
    """A cap, a woollen hat, a brimmed hat or a helmet."""
    kind = rng.choice(["cap", "wool", "brim", "helmet"], p=[0.4, 0.25, 0.2, 0.15])
    line = np.interp(np.abs(_AROUND), (0, np.pi), (0.23, 0.06))
    if kind == "helmet":
        return [_shell(0.13, line - 0.02, tile)]
    if kind == "wool":
        return [_shell(0.08, line - 0.05, tile)]
    if kind == "cap":
        centre, axes, segments = (0, 0.22, 0.42), [(0.27, 0, 0), (0, 0.02, 0.006), (0, -0.07, 0.3)], 16
    else:
        centre, axes, segments = (0, 0.2, -0.03), [(0.62, 0, 0), (0, 0.025, 0.005), (0, -0.06, 0.68)], 24
    return [_shell(0.06, line, tile), ellipsoid(np.array(centre), np.array(axes), tile, segments, 6)]
