"""Triangles to pixels: which triangle is nearest at every pixel, and the attributes of its corners there.

All triangles are filled at once: each is cut into the pixel rows it covers, each row into pixels, and the nearest wins
by one unbuffered maximum. It knows nothing of people, cameras or light.
"""

from dataclasses import dataclass

import numpy as np

_INDEX_BITS = 31  # of the triangle, below the 31 bits of a positive float32 of inverse depth


@dataclass(frozen=True, repr=False, eq=False)
class Raster:
    """The nearest surface at every covered pixel of a (H, W) frame.

    pixels: (N,) int64, flat indices y·W + x, ascending. triangles: (N,) int64, the nearest triangle there.
    """

    size: tuple[int, int]  # W, H
    pixels: np.ndarray
    triangles: np.ndarray

    def __repr__(self) -> str:
        return f"Raster({self.size[0]}×{self.size[1]}, N={len(self.pixels)})"

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y, (N,) float32 each, of the pixels' centres."""
        y, x = np.divmod(self.pixels, self.size[0])
        return x.astype(np.float32) + np.float32(0.5), y.astype(np.float32) + np.float32(0.5)


def rasterise(points: np.ndarray, nearness: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> Raster:
    """Fill triangles with a depth test.

    points: (V, 2) pixels. nearness: (V,) inverse depth, positive, the larger the nearer; it is linear on the screen.
    triangles: (T, 3) vertex indices; corners in any order. size: (W, H).
    A pixel belongs to a triangle when its centre lies inside, so triangles that share an edge leave no gap.
    """
    W, H = size
    order = np.argsort(points[triangles, 1], axis=1)
    corners = np.take_along_axis(triangles, order, axis=1)  # (T, 3), top to bottom
    x, y = points[corners, 0].astype(np.float64), points[corners, 1].astype(np.float64)

    first = np.clip(np.ceil(y[:, 0] - 0.5), 0, H).astype(np.int64)
    last = np.clip(np.ceil(y[:, 2] - 0.5), 0, H).astype(np.int64)
    rows, step = _expand(last - first)  # of every row of a triangle: whose it is, and which
    index = np.repeat(np.arange(len(triangles)), rows)
    row = first[index] + step
    centre = row + 0.5
    x0, x1, x2 = x[index].T
    y0, y1, y2 = y[index].T
    long = x0 + (x2 - x0) * (centre - y0) / (y2 - y0)
    upper = centre < y1
    xa, ya, xb, yb = (np.where(upper, a, b) for a, b in ((x0, x1), (y0, y1), (x1, x2), (y1, y2)))
    with np.errstate(divide="ignore", invalid="ignore"):
        short = np.where(yb > ya, xa + (xb - xa) * (centre - ya) / (yb - ya), xa)
    left = np.clip(np.ceil(np.minimum(long, short) - 0.5), 0, W).astype(np.int64)
    right = np.clip(np.ceil(np.maximum(long, short) - 0.5), 0, W).astype(np.int64)

    slope_x, slope_y, base = gradients(points, nearness[:, None], triangles)[:, :, 0].T
    start = base[index] + slope_y[index] * centre + slope_x[index] * (left + 0.5)
    pixels, step = _expand(right - left)  # of every pixel of a row of a triangle
    near = np.repeat(slope_x[index].astype(np.float32), pixels) * step.astype(np.float32)
    near += np.repeat(start.astype(np.float32), pixels)
    # The bits of positive floats are ordered as the floats are.
    key = np.maximum(near, np.float32(0)).view(np.int32).astype(np.int64) << _INDEX_BITS
    key |= np.repeat(index + 1, pixels)
    buffer = np.zeros(W * H, np.int64)
    np.maximum.at(buffer, np.repeat(row * W + left, pixels) + step, key)
    covered = np.flatnonzero(buffer)
    return Raster(size, covered, (buffer[covered] & (2**_INDEX_BITS - 1)) - 1)


def gradients(points: np.ndarray, values: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T, 3, A): per triangle the plane through the values (V, A) of its corners: value = g0·x + g1·y + g2.

    A triangle without area has its first corner's value everywhere.
    """
    a, b, c = (points[triangles[:, i]].astype(np.float64) for i in range(3))
    va, vb, vc = (values[triangles[:, i]] for i in range(3))
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    inverse = np.where(np.abs(area) > 1e-9, 1 / np.where(np.abs(area) > 1e-9, area, 1), 0)[:, None]
    gx = ((vb - va) * ac[:, 1:] - (vc - va) * ab[:, 1:]) * inverse
    gy = ((vc - va) * ab[:, :1] - (vb - va) * ac[:, :1]) * inverse
    return np.stack([gx, gy, va - gx * a[:, :1] - gy * a[:, 1:]], axis=1)


def interpolate(raster: Raster, points: np.ndarray, values: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(N, A) float32: the values (V, A) of the corners, interpolated at the raster's pixels."""
    planes = gradients(points, values, triangles).astype(np.float32)
    x, y = raster.centres()
    t = raster.triangles
    return planes[t, 0] * x[:, None] + planes[t, 1] * y[:, None] + planes[t, 2]


def _expand(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lengths, none below 0; the numbers 0, 1, … of every run one after the other, int32)."""
    counts = np.maximum(lengths, 0)
    step = np.arange(counts.sum(), dtype=np.int32)
    step -= np.repeat((np.cumsum(counts) - counts).astype(np.int32), counts)
    return counts, step
