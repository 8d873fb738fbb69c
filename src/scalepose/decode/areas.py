"""How much of a map or picture people cover of whom only keypoints are known: the size that OKS measures errors by."""

import numpy as np

from scalepose.geometry import AREA_OF_BOX


def areas(points: np.ndarray, least_side: float) -> np.ndarray:
    """(P,) square pixels: COCO's rule of thumb, a part of the box around each person's keypoints.

    points: (P, K, 2), NaN where missing, of people with one keypoint or more. least_side: pixels; shorter sides of a
    box count as this.
    """
    found = np.isfinite(points[..., :1])
    low = np.where(found, points, np.inf).min(axis=1)
    high = np.where(found, points, -np.inf).max(axis=1)
    return AREA_OF_BOX * np.maximum(high - low, least_side).prod(axis=-1)
