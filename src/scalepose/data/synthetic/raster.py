"""Triangles to pixels: which triangle is nearest at every pixel, and the attributes of its corners there.

All triangles are filled at once: each is cut into the pixel rows it covers, each row into pixels, and the nearest wins
by one unbuffered maximum. It knows nothing of people, cameras or light.
"""

from dataclasses import dataclass

import numpy as np
from numpy import take  # a[i] for one axis, several times as fast

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
        y, x = np.divmod(self.pixels.astype(np.int32), np.int32(self.size[0]))
        return x.astype(np.float32) + np.float32(0.5), y.astype(np.float32) + np.float32(0.5)


def rasterise(points: np.ndarray, nearness: np.ndarray, triangles: np.ndarray, size: tuple[int, int]) -> Raster:
    """Fill triangles with a depth test.

    points: (V, 2) pixels. nearness: (V,) inverse depth, positive, the larger the nearer; it is linear on the screen.
    triangles: (T, 3) vertex indices; corners in any order. size: (W, H).
    A pixel belongs to a triangle when its centre lies inside, so triangles that share an edge leave no gap.
    """
    W, H = size
    y = take(points[:, 1], triangles)
    top, middle, bottom = y.T
    first = np.clip(np.ceil(np.minimum(np.minimum(top, middle), bottom) - 0.5), 0, H).astype(np.int32)
    last = np.clip(np.ceil(np.maximum(np.maximum(top, middle), bottom) - 0.5), 0, H).astype(np.int32)
    used = np.flatnonzero(first < last)  # the rest lies outside, or between two rows
    triangles, first, rows = triangles[used], first[used], (last - first)[used]
    corners = _from_top(triangles, y[used])
    x, y = (take(points[:, i].astype(np.float64), corners) for i in (0, 1))  # (3, T)
    with np.errstate(divide="ignore", invalid="ignore"):
        long = (x[2] - x[0]) / (y[2] - y[0])
        # Per triangle the upper short edge, then the lower.
        short = np.stack([(x[1] - x[0]) / (y[1] - y[0]), (x[2] - x[1]) / (y[2] - y[1])], axis=1).reshape(-1)
    from_x, from_y = np.stack([x[0], x[1]], axis=1).reshape(-1), np.stack([y[0], y[1]], axis=1).reshape(-1)

    count, step = _expand(rows)  # of every row of a triangle: whose it is, and which
    index = np.repeat(np.arange(len(used), dtype=np.int32), count)
    row = take(first, index) + step
    centre = row + 0.5
    edge = 2 * index + (centre >= take(y[1], index))
    a = take(x[0], index) + take(long, index) * (centre - take(y[0], index))
    b = take(from_x, edge) + take(short, edge) * (centre - take(from_y, edge))
    left = np.clip(np.ceil(np.minimum(a, b) - 0.5), 0, W).astype(np.int32)
    right = np.clip(np.ceil(np.maximum(a, b) - 0.5), 0, W).astype(np.int32)
    some = np.flatnonzero(right > left)
    index, row, centre = take(index, some), take(row, some), take(centre, some)
    left, right = take(left, some), take(right, some)
    if not len(some):
        return Raster(size, np.zeros(0, np.int64), np.zeros(0, np.int64))

    across, down, origin = np.ascontiguousarray(gradients(points, nearness[:, None], triangles)[:, :, 0].T)
    slope = take(across, index)
    start = (take(origin, index) + take(down, index) * centre + slope * (left + 0.5)).astype(np.float32)
    pixels, step = _expand(right - left)  # of every pixel of a row of a triangle
    near = np.repeat(slope.astype(np.float32), pixels)
    near *= step
    near += np.repeat(start, pixels)
    # The bits of positive floats are ordered as the floats are.
    key = np.maximum(near, np.float32(0), out=near).view(np.int32).astype(np.int64)
    key <<= _INDEX_BITS
    key |= np.repeat(index + 1, pixels)
    above = int(row.min())
    step += np.repeat((row - above) * W + left, pixels)
    buffer = np.zeros((int(row.max()) + 1 - above) * W, np.int64)
    np.maximum.at(buffer, step, key)
    covered = np.flatnonzero(buffer)
    return Raster(size, covered + above * W, used[(buffer[covered] & (2**_INDEX_BITS - 1)) - 1])


def gradients(points: np.ndarray, values: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T, 3, A): per triangle the plane through the values (V, A) of its corners: value = g0·x + g1·y + g2.

    A triangle without area has its first corner's value everywhere.
    """
    a, b, c = (take(points, triangles[:, i], axis=0).astype(np.float64) for i in range(3))
    va, vb, vc = (take(values, triangles[:, i], axis=0) for i in range(3))
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    inverse = np.where(np.abs(area) > 1e-9, 1 / np.where(np.abs(area) > 1e-9, area, 1), 0)[:, None]
    gx = ((vb - va) * ac[:, 1:] - (vc - va) * ab[:, 1:]) * inverse
    gy = ((vc - va) * ab[:, :1] - (vb - va) * ac[:, :1]) * inverse
    return np.stack([gx, gy, va - gx * a[:, :1] - gy * a[:, 1:]], axis=1)


def interpolate(raster: Raster, points: np.ndarray, values: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(A, N) float32: the values (V, A) of the corners, interpolated at the raster's pixels."""
    # One array an attribute and coefficient: NumPy is slow where the last axis is short.
    planes = np.ascontiguousarray(gradients(points, values, triangles).transpose(2, 1, 0), np.float32)  # (A, 3, T)
    x, y = raster.centres()
    out = np.empty((len(planes), len(x)), np.float32)
    for (across, down, start), row in zip(planes, out, strict=True):
        take(across, raster.triangles, out=row)
        row *= x
        row += take(down, raster.triangles) * y
        row += take(start, raster.triangles)
    return out


def _from_top(triangles: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(3, T) the corners of triangles (T, 3), by their heights y (T, 3), which are many times too many for a sort."""
    a, b, c = triangles.T
    ya, yb, yc = y.T
    swap = ya > yb
    a, b, ya, yb = np.where(swap, b, a), np.where(swap, a, b), np.where(swap, yb, ya), np.where(swap, ya, yb)
    swap = yb > yc
    b, c, yb = np.where(swap, c, b), np.where(swap, b, c), np.where(swap, yc, yb)
    swap = ya > yb
    return np.stack([np.where(swap, b, a), np.where(swap, a, b), c])


def _expand(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lengths, none below 0; the numbers 0, 1, … of every run one after the other, int32)."""
    counts = np.maximum(lengths, 0)
    step = np.arange(counts.sum(), dtype=np.int32)
    step -= np.repeat((np.cumsum(counts) - counts).astype(np.int32), counts)
    return counts, step
