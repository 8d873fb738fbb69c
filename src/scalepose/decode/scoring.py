"""How good a person found is likely to be, so that the better ones are reported first.

A map tells where a keypoint is to a pixel or two, and a pixel is more of a small person than of a large one. COCO's
measure of a keypoint that is off by d is exp(−d²/2τ²), τ = 2σ·√area; for an error that is normal with a standard
deviation e in x and in y its mean is τ²/(τ² + e²). Scores that leave this out put small people, of whom little can be
right, before large ones. COCO then takes the mean over the labelled keypoints, and those are not known here: mostly
they are the ones found. So whoever is half out of the picture is not scored as half found. It knows keypoints and
their values, not maps.

The constants are the best of a few on training photos; together they are worth a fifth of AP there.
"""

import numpy as np

from scalepose.decode.areas import areas

ERROR = 1.7  # pixels of the map
POWER = 1.5  # of the mean over keypoints: somebody with a few strong ones is likelier to be there than with all weak
MORE = 3  # keypoints beyond those found that the mean is taken over: who shows few is less sure to be anybody


def expected_likeness(points: np.ndarray, values: np.ndarray, sigmas: np.ndarray, least_side: float) -> np.ndarray:
    """The OKS to expect of people: (Σ value^1.5 · τ²/(τ² + e²) / (n + 3))^(1/1.5) over the n keypoints found.

    points: (P, K, 2) pixels of the map, NaN where missing, of people with one keypoint or more; values: (P, K), 0 where
    missing and nowhere less; sigmas: (K,). least_side: as for `areas`. → (P,) float32.
    """
    squared = 4 * np.square(sigmas) * areas(points, least_side)[:, None]  # (P, K): τ²
    likely = (values**POWER * squared / (squared + ERROR**2)).sum(axis=1)
    found = np.isfinite(points[..., 0]).sum(axis=1)
    return ((likely / (found + MORE)) ** (1 / POWER)).astype(np.float32)
