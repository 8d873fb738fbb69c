"""Where every person's keypoints point when the network predicts centre offsets: the mean of the labelled keypoints.

The second cue for grouping beside the tags, after SPM's root (Nie et al., ICCV 2019). A person's size is given with it,
since an error matters by how large it is for the person.
"""

import numpy as np

LEAST_SIZE = 2.0  # map pixels: of a person with one keypoint, or seen from very far


def centres(keypoints: np.ndarray, map_size: tuple[int, int], stride: float) -> np.ndarray:
    """(P, 3) float32: x and y of each person's centre and the person's size, in map pixels; NaN without keypoints.

    keypoints: (P, K, 2) network-input pixels, NaN where not labelled; those outside of the map do not count, as nothing
    of the rest of a person can be known there. size: root of the area of the box around them, at least `LEAST_SIZE`.
    """
    points = np.asarray(keypoints / stride, np.float64)
    with np.errstate(invalid="ignore"):
        inside = np.all((points >= 0) & (points < map_size), axis=-1, keepdims=True)  # (P, K, 1)
    count = inside.sum(axis=1)  # (P, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(inside, points, 0).sum(axis=1) / count  # (P, 2)
    low, high = np.where(inside, points, np.inf).min(axis=1), np.where(inside, points, -np.inf).max(axis=1)
    sides = np.maximum(np.where(count > 0, high - low, 0), LEAST_SIZE)
    return np.concatenate([middle, np.sqrt(sides.prod(axis=1, keepdims=True))], axis=1).astype(np.float32)
