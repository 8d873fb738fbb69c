"""Where things are on maps: tags read at a place, distances between tags, distances from a person's box.

It takes no decisions; the fast profile does. Tag channels come first, (T, N): NumPy is slow along a last axis so short.
"""

import numpy as np

LEAST_SIZE = 16.0  # pixels: a person's size where its keypoints, so far, lie closer together


class TagGrid:
    """Tags (K, h', w', T) to be read at pixels of heatmaps of `size` (w, h).

    Of a coarser grid the nearest tag is read, not interpolated: between two people's pixels lies nobody's tag.
    """

    def __init__(self, tags: np.ndarray, size: tuple[int, int]):
        w, h = size
        _, rows, columns, _ = tags.shape
        if tags.strides[0] == 0:  # one map for all keypoint types, broadcast
            tags = tags[:1]
        self._planes = [tags[..., t].reshape(-1) for t in range(tags.shape[-1])]  # no copies, in either layout
        self._of_type = rows * columns if len(tags) > 1 else 0
        self._nearest: np.ndarray | None = None  # where the tag of each pixel stands
        if (columns, rows) != size:
            row = ((np.arange(h) + 0.5) * (rows / h)).astype(np.intp)
            column = ((np.arange(w) + 0.5) * (columns / w)).astype(np.intp)
            self._nearest = (row[:, None] * columns + column).reshape(-1)

    def at(self, types: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """types, pixels: keypoint types and flat indices y·w + x, (...) each → (T, ...)."""
        if self._nearest is not None:
            pixels = np.take(self._nearest, pixels)
        index = pixels + types * self._of_type
        return np.stack([plane[index] for plane in self._planes])


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(T, N) and (T, P) → (N, P) squares of Euclidean distances."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)  # or the result may lie in memory with T innermost
    difference = a[:, :, None] - b[:, None]  # (T, N, P)
    difference *= difference
    return difference.sum(axis=0)


def corners(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Boxes with corners low, high (2, P) → (4, P): left, top, −right, −bottom. Of several boxes the least numbers are
    those of the box around them.
    """
    return np.ascontiguousarray(np.concatenate([low, -high]))  # else with the four innermost, which is slow


def outside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """How far points, (4, N) as `corners(points, points)`, lie outside of people's boxes (4, P) → (N, P), in sizes:
    the longer side of the box.
    """
    beyond = boxes[:, None] - points[:, :, None]  # (4, N, P)
    beyond = np.maximum(beyond[:2], beyond[2:])
    np.maximum(beyond, 0, out=beyond)
    beyond *= beyond
    distance = np.sqrt(beyond[0] + beyond[1])
    distance /= np.maximum(-(boxes[:2] + boxes[2:]).min(axis=0), LEAST_SIZE)
    return distance
