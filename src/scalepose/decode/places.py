"""Where things are on maps: tags read at a place, distances of tags, distances from a person's box.

It takes no decisions; the fast profile's do.
"""

import numpy as np

LEAST_SIZE = 16.0  # pixels: a person's size where its keypoints, so far, lie closer together


def read_tags(tags: np.ndarray, types: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Tags of the nearest pixels, not interpolated: between two people's pixels lies nobody's tag.

    tags: (K, h, w, T). types: (...) keypoint types. places: (..., 2) x and y as fractions of the map, moved into it
    where they lie outside → (..., T).
    """
    _, h, w, _ = tags.shape
    x = np.clip((places[..., 0] * w).astype(np.intp), 0, w - 1)
    y = np.clip((places[..., 1] * h).astype(np.intp), 0, h - 1)
    return tags[types, y, x]


def tag_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, T) and (P, T) → (N, P) Euclidean distances."""
    return np.sqrt(((a[:, None] - b) ** 2).sum(axis=-1))


def outside(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far points (N, 2) lie outside of people's boxes with corners low, high (P, 2) → (N, P), in sizes: the longer
    side of the box.
    """
    beyond = np.maximum(np.maximum(low - points[:, None], points[:, None] - high), 0)  # (N, P, 2)
    return np.sqrt((beyond**2).sum(axis=-1)) / np.maximum((high - low).max(axis=-1), LEAST_SIZE)
