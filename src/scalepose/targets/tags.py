"""Where the network's tags are compared: the map pixel under every labelled keypoint of every person (section 3.1).

Unlike the published code there is no limit on people. It knows neither tag maps nor the loss.
"""

import numpy as np


def tag_pixels(keypoints: np.ndarray, map_size: tuple[int, int], stride: float) -> np.ndarray:
    """(P, K) int64: flat index y·w + x into a map of `map_size` (w, h); −1 where not labelled or outside.

    keypoints: (P, K, 2) network-input pixels, NaN where not labelled. stride: input pixels per map pixel.
    """
    w, h = map_size
    points = np.asarray(keypoints / stride)
    with np.errstate(invalid="ignore"):
        inside = np.all((points >= 0) & (points < (w, h)), axis=-1)
    x, y = np.floor(np.where(inside[..., None], points, 0)).astype(np.int64).transpose(2, 0, 1)  # (P, K) each
    return np.where(inside, y * w + x, -1)
