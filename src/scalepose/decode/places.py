"""Where things are on maps: tags read at a place, distances between tags, distances from a person's box.

It takes no decisions; the fast profile's do.
"""

import numpy as np

LEAST_SIZE = 16.0  # pixels: a person's size where its keypoints, so far, lie closer together


def read_tags(tags: np.ndarray, types: np.ndarray, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Tags at pixels of heatmaps of `size` (w, h).

    Of a coarser grid the nearest tag is read, not interpolated: between two people's pixels lies nobody's tag.
    tags: (K, h', w', T). types: (...) keypoint types; pixels: (...) flat indices y·w + x → (..., T).
    """
    w, h = size
    K, rows, columns, T = tags.shape
    if (columns, rows) != size:
        row = ((np.arange(h) + 0.5) * (rows / h)).astype(np.intp)
        column = ((np.arange(w) + 0.5) * (columns / w)).astype(np.intp)
        pixels = np.take(row[:, None] * columns + column, pixels)
    return tags.reshape(K, -1, T)[types, pixels]


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, T) and (P, T) → (N, P) squares of Euclidean distances."""
    total = np.zeros((len(a), len(b)), np.float32)
    for of_a, of_b in zip(a.T, b.T, strict=True):  # T is 1 or 2; numpy is slow along such an axis
        total += (of_a[:, None] - of_b) ** 2
    return total


def outside(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far points (N, 2) lie outside of people's boxes with corners low, high (P, 2) → (N, P), in sizes: the longer
    side of the box.
    """
    (x, y), (left, top), (right, bottom) = points.T[:, :, None], low.T, high.T
    beyond_x = np.maximum(np.maximum(left - x, x - right), 0)  # (N, P)
    beyond_y = np.maximum(np.maximum(top - y, y - bottom), 0)
    return np.sqrt(beyond_x**2 + beyond_y**2) / np.maximum(np.maximum(right - left, bottom - top), LEAST_SIZE)
