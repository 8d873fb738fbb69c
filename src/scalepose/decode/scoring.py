"""How good a person found is likely to be, so that the better ones are reported first.

A map tells where a keypoint is to a pixel or two, and a pixel is more of a small person than of a large one. COCO's
measure of a keypoint that is off by d is exp(−d²/2τ²), τ = 2σ·√area; for an error that is normal with a standard
deviation e in x and in y its mean is τ²/(τ² + e²). Scores that leave this out put small people, of whom little can be
right, before large ones: with e = 1.5 AP grows by a sixth. It knows keypoints and their values, not maps.
"""

import numpy as np

from scalepose.decode.areas import areas

ERROR = 1.5  # pixels of the map


def expected_likeness(points: np.ndarray, values: np.ndarray, sigmas: np.ndarray, least_side: float) -> np.ndarray:
    """The OKS to expect of people: mean over all keypoints of value · τ²/(τ² + e²).

    points: (P, K, 2) pixels of the map, NaN where missing, of people with one keypoint or more; values: (P, K), 0 where
    missing; sigmas: (K,). least_side: as for `areas`. → (P,) float32.
    """
    squared = 4 * np.square(sigmas) * areas(points, least_side)[:, None]  # (P, K): τ²
    return (values * squared / (squared + ERROR**2)).mean(axis=1).astype(np.float32)
