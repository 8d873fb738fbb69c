"""Hair and hats, grown from the dome around a head at rest.

Heights are fractions of the head's own height above the eyes' level, more or less; angles go around the head from 0 in
front, the person's left positive. Everything is carried by the head as one piece.
"""

from dataclasses import dataclass

import numpy as np

from scalepose.data.synthetic.meshes import Mesh, ellipsoid, loft, tube
from scalepose.data.synthetic.people import load_people


@dataclass(frozen=True, repr=False, eq=False)
class Dome:
    """rings: (R, S, 3) metres around the bare head at rest, top to bottom. centre: (3,). unit: height of the head."""

    rings: np.ndarray
    centre: np.ndarray
    unit: float

    @classmethod
    def around(cls, points: np.ndarray) -> "Dome":
        """From a body's dome (R·S, 3)."""
        R, S = load_people().dome
        rings = points.reshape(R, S, 3).astype(np.float64)
        level = rings[8]  # where the rays leave horizontally
        centre = np.array([0.0, level[:, 1].mean(), (level[:, 2].max() + level[:, 2].min()) / 2])
        return cls(rings, centre, 2.15 * float(rings[0, :, 1].mean() - centre[1]))

    @property
    def angles(self) -> np.ndarray:
        """(S,): of the columns; the first lies behind."""
        S = self.rings.shape[1]
        return (np.arange(S) / S * 2 - 1) * np.pi

    def shell(self, thickness: float, line: np.ndarray, tile: int, ragged: np.ndarray | float = 1.0) -> Mesh:
        """What lies over the head above a line, as thick as `thickness` heads.

        line: (S,) its lower edge by column; far below the ears it hangs straight down. ragged: (S,) factors.
        """
        cap = self.rings[:9]
        hang = np.arange(-0.1, float(line.min()) - 0.12, -0.1) * self.unit
        side = self.rings[8]
        below = np.repeat(side[None], len(hang), axis=0)
        below[..., 1] = self.centre[1] + hang[:, None]
        rings = np.concatenate([cap, below])
        y = (rings[..., 1] - self.centre[1]) / self.unit
        # Outwards is up on top of the head and sideways below.
        centre = np.stack(
            [0 * y, np.minimum(rings[..., 1], self.centre[1] + 0.1 * self.unit), 0 * y + self.centre[2]], -1
        )
        out = rings - centre
        length = np.sqrt((out**2).sum(axis=2, keepdims=True))
        above = np.clip((y - line) / 0.07, -1, 1)[..., None]
        # Below its line the shell dives into the head, and below the chin into the neck.
        depth = 0.07 * self.unit + 0.8 * length * np.clip((-0.2 - y) / 0.12, 0, 1)[..., None]
        full = np.sqrt(np.maximum(above, 0)) * thickness * self.unit * np.broadcast_to(ragged, y.shape)[..., None]
        rings = centre + out * (1 + np.where(above > 0, full, depth * above) / length)
        run = np.linspace(0, 1, len(rings))
        return loft(rings, np.linspace(0, 1, rings.shape[1] + 1), run, tile)

    def placed(self, mesh: Mesh) -> Mesh:
        """A surface in heads from the centre → metres of the body at rest."""
        return Mesh(mesh.points * self.unit + self.centre, mesh.normals, mesh.texels, mesh.triangles)


def hair(rng: np.random.Generator, dome: Dome, tile: int, femininity: float, age: float, hat: bool) -> list[Mesh]:
    """A hair style, or none at all."""
    if femininity < 0.5 and age > 0.62 and rng.random() < 0.1 + 0.25 * (age > 0.8):
        if hat or rng.random() < 0.5:
            return []
        angle = np.abs(dome.angles)  # a wreath
        return [
            dome.shell(0.03, np.where(angle < 1.2, 0.6, np.interp(angle, (1.2, 1.9, np.pi), (0.1, -0.2, -0.25))), tile)
        ]
    angle = np.abs(dome.angles)
    long_ = rng.random() < (0.75 if femininity > 0.5 else 0.07)
    front = float(rng.uniform(0.26, 0.36))
    if rng.random() < 0.3:  # a fringe
        front = float(rng.uniform(0.13, 0.2))
    style = rng.choice(["loose", "tail", "bun"], p=[0.6, 0.25, 0.15]) if long_ else "short"
    drop = float(rng.uniform(0.45, 1.1)) if style == "loose" else float(rng.uniform(0.2, 0.3))
    if style == "loose":
        line = np.interp(angle, (0, 0.7, 1.0, 1.3, np.pi), (front, front - 0.02, 0.05, -drop * 0.85, -drop))
    else:  # forehead, temple, in front of the ear, behind the ear, nape
        line = np.interp(angle, (0, 0.75, 1.15, 1.5, 1.75, np.pi), (front, front - 0.02, 0.12, -0.06, -0.16, -drop))
    thickness = 0.03 if hat else float(rng.uniform(0.03, 0.085))
    if style == "loose":
        thickness = max(thickness, 0.07)  # over the ears
    if not hat and not long_ and rng.random() < 0.14:
        thickness = float(rng.uniform(0.12, 0.24))  # afro
    rows = 1 + 0.25 * rng.uniform(-1, 1, size=len(angle)) * (0.5 if hat else 1)  # strands and locks
    parts = [dome.shell(thickness, line, tile, rows)]
    if style == "tail":
        path = np.array([(0, 0.2, -0.42), (0, 0.2, -0.56), (0, 0.05, -0.66), (0, -0.25, -0.66), (0, -0.6, -0.58)])
        half = np.array([(0.07, 0.07), (0.1, 0.1), (0.12, 0.11), (0.1, 0.09), (0.02, 0.02)])
        parts.append(dome.placed(tube(path, np.array([1.0, 0, 0]), half, tile, 8)))
    if style == "bun":
        parts.append(dome.placed(ellipsoid(np.array([0, 0.26, -0.48]), np.diag([0.16, 0.15, 0.14]), tile, 10, 7)))
    return parts


def hat(rng: np.random.Generator, dome: Dome, tile: int) -> list[Mesh]:
    """A cap, a woollen hat, a brimmed hat or a helmet."""
    kind = rng.choice(["cap", "wool", "brim", "helmet"], p=[0.4, 0.25, 0.2, 0.15])
    line = np.interp(np.abs(dome.angles), (0, np.pi), (0.25, 0.06))
    if kind == "helmet":
        return [dome.shell(0.13, line - 0.02, tile)]
    if kind == "wool":
        return [dome.shell(0.08, line - 0.07, tile)]
    if kind == "cap":
        centre, axes, segments = (0, 0.25, 0.36), [(0.27, 0, 0), (0, 0.02, 0.006), (0, -0.07, 0.3)], 16
    else:
        centre, axes, segments = (0, 0.23, 0.0), [(0.62, 0, 0), (0, 0.025, 0.005), (0, -0.06, 0.68)], 24
    return [dome.shell(0.06, line, tile), dome.placed(ellipsoid(np.array(centre), np.array(axes), tile, segments, 6))]
