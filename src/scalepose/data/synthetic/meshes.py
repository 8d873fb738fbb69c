"""Surfaces as triangles: grids of rings, tubes along bent paths, ellipsoids and boxes, each with normals and a place in
a texture. It knows nothing of people.

A texture is one of the equal square tiles of an atlas; `Tile(n)` says which, and how a surface's own (u, v) in 0…1
lie in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

TILE = 160  # texels on a side


@dataclass(frozen=True, repr=False, eq=False)
class Mesh:
    """points, normals: (V, 3). texels: (V, 2) x, y in the atlas. triangles: (T, 3) vertex indices, counterclockwise as
    seen from outside."""

    points: np.ndarray
    normals: np.ndarray
    texels: np.ndarray
    triangles: np.ndarray

    def __repr__(self) -> str:
        return f"Mesh(V={len(self.points)}, T={len(self.triangles)})"

    def moved(self, turn: np.ndarray, shift: np.ndarray) -> "Mesh":
        """Turned by the rotation (3, 3) about the origin, then shifted."""
        turn, shift = turn.astype(self.points.dtype), shift.astype(self.points.dtype)
        return Mesh(self.points @ turn.T + shift, self.normals @ turn.T, self.texels, self.triangles)


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Several surfaces as one."""
    if not meshes:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 2)), np.zeros((0, 3), np.int64))
    offsets = np.cumsum([0] + [len(mesh.points) for mesh in meshes])
    return Mesh(
        np.concatenate([mesh.points for mesh in meshes], dtype=np.float32),
        np.concatenate([mesh.normals for mesh in meshes], dtype=np.float32),
        np.concatenate([mesh.texels for mesh in meshes], dtype=np.float32),
        np.concatenate([mesh.triangles + offset for mesh, offset in zip(meshes, offsets, strict=False)]),
    )


def texels(u: np.ndarray, v: np.ndarray, tile: int) -> np.ndarray:
    """(..., 2): where u, v in 0…1 (v downwards) lie in the atlas; half a texel of margin keeps neighbours out."""
    out = np.empty((*np.broadcast_shapes(u.shape, v.shape), 2))
    out[..., 0] = 0.5 + np.minimum(np.maximum(u, 0), 1) * (TILE - 2)
    out[..., 1] = tile * TILE + 0.5 + np.minimum(np.maximum(v, 0), 1) * (TILE - 2)
    return out


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., 3) cross products; NumPy's own is several times slower on small arrays."""
    ax, ay, az, bx, by, bz = a[..., 0], a[..., 1], a[..., 2], b[..., 0], b[..., 1], b[..., 2]
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), np.result_type(a, b))
    out[..., 0], out[..., 1], out[..., 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return out


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) of length 1; what has no length stays 0."""
    length = np.sqrt(np.maximum(np.einsum("...i,...i->...", vectors, vectors), 1e-24))
    return vectors / length[..., None]


def steps(points: np.ndarray) -> np.ndarray:
    """Twice the central differences along the first axis; one-sided at the ends."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    return padded[2:] - padded[:-2]


def loft(rings: np.ndarray, u: np.ndarray, v: np.ndarray, tile: int) -> Mesh:
    """The surface through R rings (R, S, 3) of S points each, closed around.

    u: (S + 1,) across the tile, the seam counted twice. v: (R,) down the tile.
    """
    R, S = rings.shape[:2]
    closed = np.concatenate([rings, rings[:, :1]], axis=1)  # (R, S + 1, 3)
    wrapped = np.concatenate([rings[:, -1:], closed, rings[:, 1:2]], axis=1)
    normals = unit(cross(wrapped[:, 2:] - wrapped[:, :-2], steps(closed)))
    triangles = _grid(R, S + 1)
    if np.vdot(closed - rings.mean(axis=1, keepdims=True), normals) < 0:
        normals = -normals
        triangles = triangles[:, ::-1]
    places = texels(u[None, :], v[:, None], tile)
    return Mesh(closed.reshape(-1, 3), normals.reshape(-1, 3), places.reshape(-1, 2), triangles)


@cache
def _grid(rows: int, columns: int) -> np.ndarray:
    """(2·(rows − 1)·(columns − 1), 3): the triangles of a grid of vertices."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1, 1)
    return np.concatenate([corner + np.array([0, 1, columns]), corner + np.array([1, columns + 1, columns])])


def bent(joints: np.ndarray, steps: int, rounding: float) -> tuple[np.ndarray, np.ndarray]:
    """A polyline through J joints (J, 3) with rounded corners: (path (R, 3), where (R,)).

    where: i + f is the fraction f of the way from joint i to joint i + 1. steps: points a bone; four more a corner.
    rounding: the radius of a corner in metres. The path stays within a few millimetres of the joints.
    """
    path, where = [], []
    bones = np.diff(joints, axis=0)
    lengths = np.maximum(np.linalg.norm(bones, axis=1), 1e-9)
    cut = np.minimum(rounding / lengths, 0.4)
    for i, bone in enumerate(bones):
        start = cut[i] if i else 0.0
        stop = 1 - cut[i] if i < len(bones) - 1 else 1.0
        f = np.linspace(start, stop, steps)
        path.append(joints[i] + f[:, None] * bone)
        where.append(i + f)
        if i < len(bones) - 1:
            before, after = joints[i + 1] - cut[i] * bone, joints[i + 1] + cut[i + 1] * bones[i + 1]
            # A control point a little outside of the corner brings the curve closer to the joint.
            control = joints[i + 1] + 0.45 * (joints[i + 1] - (before + after) / 2)
            s = np.linspace(0, 1, 6)[1:-1, None]
            path.append((1 - s) ** 2 * before + 2 * s * (1 - s) * control + s**2 * after)
            where.append(np.linspace(i + 1 - cut[i], i + 1 + cut[i + 1], 6)[1:-1])
    return np.concatenate(path), np.concatenate(where)


def rings_along(path: np.ndarray, side: np.ndarray, half: np.ndarray, segments: int, power: float = 1.0) -> np.ndarray:
    """(R, S, 3): a ring around every point of a path.

    side: (3,) or (R, 3), the direction of the rings' first half width. half: (R, 2) half widths along `side` and
    across it. power: 1 ellipse, below 1 more like a box.
    """
    tangent = unit(steps(path))
    first = unit(side - (side * tangent).sum(axis=1, keepdims=True) * tangent)
    second = cross(tangent, first)  # with a path downwards and `side` to the left: forward
    angle = np.arange(segments) * (2 * np.pi / segments)
    c, s = _powered(np.cos(angle), power), _powered(np.sin(angle), power)
    # Starts behind, so that the seam lies at the back and u = 0.5 in front.
    return (
        path[:, None] - (half[:, :1] * s)[..., None] * first[:, None] - (half[:, 1:] * c)[..., None] * second[:, None]
    )


def _powered(value: np.ndarray, power: float) -> np.ndarray:
    return np.sign(value) * np.abs(value) ** power


def tube(
    path: np.ndarray,
    side: np.ndarray,
    half: np.ndarray,
    tile: int,
    segments: int = 10,
    swatch: float | None = None,
    power: float = 1.0,
    ends: tuple[bool, bool] = (False, False),
) -> Mesh:
    """A tube along a path; arguments as in `rings_along`.

    swatch: metres that the tile shows, so that a pattern keeps its size; None stretches the tile over the tube.
    ends: whether the first and the last opening are closed.
    """
    rings = rings_along(path, side, half, segments, power)
    run = np.concatenate([[0], np.cumsum(np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1)))])
    if ends[0]:
        rings, run = np.concatenate([_lid(rings[0], path[0]), rings]), np.concatenate([run[:1], run])
    if ends[1]:
        rings, run = np.concatenate([rings, _lid(rings[-1], path[-1])]), np.concatenate([run, run[-1:]])
    width, length = (1.0, max(run[-1], 1e-9)) if swatch is None else (np.pi * 2 * half.mean() / swatch, swatch)
    u = 0.5 + min(width, 1.0) * (np.linspace(0, 1, segments + 1) - 0.5)
    return loft(rings, u, run / length, tile)


def _lid(ring: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return (centre + 0.3 * (ring - centre))[None]


def ellipsoid(centre: np.ndarray, axes: np.ndarray, tile: int, segments: int = 12, rows: int = 8) -> Mesh:
    """axes: (3, 3), rows are the half axes; the second points from bottom to top of the tile, the third to its
    middle."""
    polar = np.linspace(0.02, np.pi - 0.02, rows)
    angle = np.arange(segments) * (2 * np.pi / segments)
    ring = -np.sin(angle)[:, None] * axes[0] - np.cos(angle)[:, None] * axes[2]
    rings = centre + np.sin(polar)[:, None, None] * ring + np.cos(polar)[:, None, None] * axes[1]
    mesh = loft(rings, np.linspace(0, 1, segments + 1), polar / np.pi, tile)
    inverse = np.linalg.inv(axes)
    return Mesh(mesh.points, unit((mesh.points - centre) @ inverse @ inverse.T), mesh.texels, mesh.triangles)


def box(centre: np.ndarray, axes: np.ndarray, tile: int) -> Mesh:
    """axes: (3, 3), rows are the half axes, right-handed. Every face shows the whole tile."""
    corners, triangles = _cube()
    normals = np.repeat(np.concatenate([unit(axes), -unit(axes)]), 4, axis=0)
    places = texels(np.array([0.0, 1, 0, 1] * 6), np.array([1.0, 1, 0, 0] * 6), tile)
    return Mesh(centre + corners @ axes, normals, places, triangles if np.linalg.det(axes) > 0 else triangles[:, ::-1])


@cache
def _cube() -> tuple[np.ndarray, np.ndarray]:
    """(24, 3) corners, four a face (+x, +y, +z, -x, -y, -z), and (12, 3) triangles."""
    corners, triangles = [], []
    for f in range(6):
        normal, a, b = (np.roll(np.eye(3), i, axis=0)[f % 3] for i in (0, -1, -2))
        sign = 1.0 if f < 3 else -1.0
        corners += [normal * sign + sign * x * a + y * b for y in (-1, 1) for x in (-1, 1)]
        triangles += [[4 * f, 4 * f + 1, 4 * f + 2], [4 * f + 1, 4 * f + 3, 4 * f + 2]]
    return np.array(corners), np.array(triangles)
