"""Heatmaps to learn: a Gaussian at every labelled keypoint, people of one picture merged by maximum (section 3.3).

As published, the centre is the corner of the map pixel that holds the keypoint; `subpixel` puts it where the keypoint
is. The mask of what counts is not made here.
"""

import math

import numpy as np


def heatmaps(
    keypoints: np.ndarray, map_size: tuple[int, int], stride: float, sigma: float = 2.0, subpixel: bool = False
) -> np.ndarray:
    """(K, h, w) float32, 0…1, for P people of one picture.

    keypoints: (P, K, 2) network-input pixels; NaN and points outside the map are left out. map_size: (w, h).
    stride: input pixels per map pixel. sigma: in map pixels, the same at every stride (published: 2).
    subpixel: False peaks at exactly 1 in the pixel floor(x / stride); True centres at x / stride − 0.5.
    """
    w, h = map_size
    maps = np.zeros((keypoints.shape[1], h, w), np.float32)
    points = keypoints.reshape(-1, 2) / stride  # (P·K, 2)
    kind = np.tile(np.arange(keypoints.shape[1]), len(keypoints))
    with np.errstate(invalid="ignore"):
        inside = ((points >= 0) & (points < (w, h))).all(axis=1)  # False for NaN
    points, kind = points[inside], kind[inside]
    pixels = np.floor(points).astype(np.intp)  # (N, 2)
    centres = points - 0.5 if subpixel else pixels
    reach = math.ceil(3 * sigma + 1)  # the published patch: 15 pixels for sigma 2
    offsets = np.arange(-reach, reach + 1)
    columns, rows = (pixels[:, axis, None] + offsets for axis in (0, 1))  # (N, 15) each
    across, down = (
        np.exp(-((grid - centres[:, axis, None]) ** 2) / (2 * sigma**2)).astype(np.float32)
        for axis, grid in ((0, columns), (1, rows))
    )
    for n, k in enumerate(kind):
        x, y = pixels[n]
        left, top = max(0, reach - x), max(0, reach - y)
        right, bottom = min(2 * reach + 1, w - x + reach), min(2 * reach + 1, h - y + reach)
        patch = maps[k, y - reach + top : y - reach + bottom, x - reach + left : x - reach + right]
        np.maximum(patch, down[n, top:bottom, None] * across[n, left:right], out=patch)
    return maps
