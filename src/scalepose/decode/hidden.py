"""Keypoints without a peak of their own, because the same keypoint of a neighbour lies within a few pixels.

The heat of both runs together, but part of it has the tag of the one whose peak is missing. Only the surroundings of
peaks are searched: this is no filling-in of what nobody can see.
"""

import numpy as np

from scalepose.decode.peaks import Peaks
from scalepose.decode.places import TagGrid, corners, outside
from scalepose.decode.subpixel import sub_pixel

REACH = 5  # pixels around a peak: two and a half standard deviations of the targets
NEAR = 1.0  # person's sizes: how far from its box a person's keypoints are looked for
LEAST_HEAT = 0.14  # of the peak nearby: what is left of a Gaussian at that distance
LEAST_PEAKS = 3  # of a person: with fewer, its tag is not known well enough
CLIMB = 2  # pixels from the best place with the right tag to the top of the heat, at most

_SQUARE = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
DISC_Y, DISC_X = _SQUARE[:, np.hypot(*_SQUARE) <= REACH]  # offsets from its centre
TOP_Y, TOP_X = np.mgrid[-CLIMB : CLIMB + 1, -CLIMB : CLIMB + 1].reshape(2, -1)


def find_hidden(
    heatmaps: np.ndarray,
    grid: TagGrid,
    peaks: Peaks,
    peak_points: np.ndarray,
    peak_tags: np.ndarray,
    points: np.ndarray,
    values: np.ndarray,
    person_tags: np.ndarray,
    threshold: float,
    same_tag: float,
) -> None:
    """Complete `points` (P, K, 2) and `values` (P, K) of people with tags (T, P), where heat above `threshold` and a
    tag nearer than `same_tag` meet.

    heatmaps: (K, h, w); grid: of the tags; peak_points: (N, 2), the peaks' sub-pixel places; peak_tags: (T, N).
    """
    _, h, w = heatmaps.shape
    if not len(points) or min(h, w) <= 2 * REACH:
        return
    wanted = (values == 0) & ((values > 0).sum(axis=1, keepdims=True) >= LEAST_PEAKS)  # (P, K)
    boxes = corners(np.nanmin(points, axis=1).T, np.nanmax(points, axis=1).T)
    near = outside(corners(peak_points.T, peak_points.T), boxes) <= NEAR  # (N, P)
    near &= wanted.T[peaks.types]
    asked = np.flatnonzero(near.any(axis=1))  # N' peaks
    near, types, xs, ys = near[asked], peaks.types[asked], peaks.xs[asked], peaks.ys[asked]
    # Around a peak near the border, the closest disc that lies in the map.
    centre = np.clip(ys, REACH, h - 1 - REACH) * w + np.clip(xs, REACH, w - 1 - REACH)
    pixel = centre[:, None] + (DISC_Y * w + DISC_X)  # (N', disc)
    own = types[:, None]
    heat = np.take(heatmaps, own * (h * w) + pixel)
    tags = grid.at(own, pixel)  # (T, N', disc)
    difference = tags - np.take(peak_tags, asked, axis=1)[..., None]
    difference *= difference
    kept = difference.sum(axis=0) >= (same_tag / 2) ** 2
    kept |= pixel == (ys * w + xs)[:, None]  # a peak that others hold may suit a person opened later better
    kept &= heat > np.maximum(LEAST_HEAT * peaks.values[asked], threshold)[:, None]
    n, d = np.nonzero(kept)  # (M,) pixels, each near peak n
    pixel, heat, tags = pixel[n, d], heat[n, d], tags[:, n, d]
    m, p = np.nonzero(near[n])  # (pairs,): few of the M·P
    difference = tags[:, m] - person_tags[:, p]
    difference *= difference
    distance = np.sqrt(difference.sum(axis=0))
    close = distance < same_tag
    m, p, distance = m[close], p[close], distance[close]
    order = np.argsort(heat[m] - distance, kind="stable")
    m, p = m[order], p[order]
    best = np.full(values.shape, -1)
    best[p, types[n[m]]] = m  # of several pixels the best is written last
    p, k = np.nonzero(best >= 0)
    m = best[p, k]
    values[p, k] = heat[m]
    y, x = np.divmod(pixel[m], w)
    points[p, k] = sub_pixel(heatmaps, k, *_top(heatmaps, k, x, y))


def _top(heatmaps: np.ndarray, types: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest pixels within `CLIMB` of the pixels (M,), in x and in y."""
    _, h, w = heatmaps.shape
    ys = np.minimum(np.maximum(y[:, None] + TOP_Y, 0), h - 1)  # (M, square)
    xs = np.minimum(np.maximum(x[:, None] + TOP_X, 0), w - 1)
    best = np.arange(len(types)), heatmaps[types[:, None], ys, xs].argmax(axis=1)
    return xs[best], ys[best]
