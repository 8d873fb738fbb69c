"""Things to sit on and to stand behind: seats, tables, posts, crates, bushes. Body frame of whoever uses them."""

import numpy as np

from scalepose.data.synthetic.meshes import Mesh, box, ellipsoid, join, tube
from scalepose.data.synthetic.textures import Colour, folded, foliage, pick, plain

PROP_TILES = 2  # what it is made of, and its legs or leaves
_WOODS: tuple[Colour, ...] = (
    (150, 106, 70), (190, 150, 106), (92, 66, 48), (70, 72, 76), (196, 60, 52), (52, 84, 120), (226, 224, 218),
)  # fmt: skip
_LEAVES: tuple[Colour, ...] = ((70, 104, 52), (88, 116, 60), (58, 88, 52))


def sample_seat(rng: np.random.Generator, height: float, hips: np.ndarray) -> tuple[Mesh, np.ndarray]:
    """A chair, bench or block of that height below `hips` (3,), and its tiles."""
    wood, metal = pick(rng, _WOODS, 8), pick(rng, ((60, 60, 64), (120, 84, 56), (190, 190, 192)), 6)
    x, z = float(hips[0]), float(hips[2]) + 0.1
    kind = rng.choice(["chair", "bench", "block"], p=[0.5, 0.3, 0.2])
    half = 0.23 if kind != "bench" else float(rng.uniform(0.6, 0.95))
    parts = [box(np.array([x, height - 0.025, z]), np.diag([half, 0.025, 0.23]), 0)]
    if kind == "block":
        parts = [box(np.array([x, height / 2, z]), np.diag([0.26, height / 2, 0.25]), 0)]
    else:
        for sx in (-1, 1):
            for sz in (-1, 1):
                foot = np.array([x + sx * (half - 0.04), (height - 0.05) / 2, z + sz * 0.19])
                parts.append(box(foot, np.diag([0.018, (height - 0.05) / 2, 0.018]), 1))
    if kind == "chair" or (kind == "bench" and rng.random() < 0.6):
        for y in (0.2, 0.36):
            parts.append(box(np.array([x, height + y, z - 0.24]), np.diag([half, 0.055, 0.012]), 0))
        for sx in (-1, 1):
            parts.append(
                box(np.array([x + sx * (half - 0.03), height + 0.2, z - 0.24]), np.diag([0.018, 0.22, 0.016]), 1)
            )
    return join(parts), np.concatenate([folded(rng, plain(wood), 0.05), plain(metal)])


def _rough(rng: np.random.Generator, mesh: Mesh, amount: float) -> Mesh:
    """The closed surface with bumps, as foliage has."""
    middle = mesh.points.mean(axis=0)
    bumps = 1 + amount * np.sin(mesh.points @ rng.normal(size=(3, 4)) * 22 + rng.uniform(0, 6, 4)).mean(axis=1)
    return Mesh(middle + (mesh.points - middle) * bumps[:, None], mesh.normals, mesh.texels, mesh.triangles)


def sample_obstacle(rng: np.random.Generator) -> tuple[Mesh, np.ndarray]:
    """Something that stands on the ground at the origin and may hide a part of somebody."""
    kind = rng.choice(["post", "crate", "table", "bush", "plant"], p=[0.2, 0.2, 0.25, 0.2, 0.15])
    wood, leaf = pick(rng, _WOODS, 8), pick(rng, _LEAVES, 8)
    left = np.array([1.0, 0, 0])
    if kind == "post":
        high = float(rng.uniform(0.9, 3.2))
        radius = float(rng.uniform(0.035, 0.09))
        parts = [
            tube(np.linspace((0, 0, 0), (0, high, 0), 4), left, np.full((4, 2), radius), 0, 10, ends=(False, True))
        ]
    elif kind == "crate":
        parts = [box(np.array([0, 0.3, 0]), np.diag([0.34, 0.3, 0.28]), 0)]
    elif kind == "table":
        parts = [box(np.array([0, 0.72, 0]), np.diag([0.62, 0.02, 0.4]), 0)]
        parts += [
            box(np.array([sx * 0.55, 0.35, sz * 0.33]), np.diag([0.025, 0.35, 0.025]), 0)
            for sx in (-1, 1)
            for sz in (-1, 1)
        ]
    else:
        base = 0.3 if kind == "plant" else 0.0
        parts = []
        if kind == "plant":
            pot = np.array([(0.13, 0.13), (0.16, 0.16), (0.18, 0.18)])
            parts.append(tube(np.linspace((0, 0, 0), (0, 0.32, 0), 3), left, pot, 0, 12, ends=(False, True)))
        size = 0.2 if kind == "plant" else 0.34
        for level in np.linspace(0.5, 1.8, 11):
            centre = rng.normal(size=3) * (size * 0.6, 0, size * 0.6) + (0, base + size * level, 0)
            parts.append(_rough(rng, ellipsoid(centre, np.diag(rng.uniform(0.45, 0.8, 3) * size), 1, 14, 10), 0.16))
    leaves = foliage(rng, leaf) if kind in ("bush", "plant") else plain(leaf)
    return join(parts), np.concatenate([folded(rng, plain(wood), 0.05), leaves])
