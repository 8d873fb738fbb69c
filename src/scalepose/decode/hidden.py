"""Keypoints without a peak of their own, because the same keypoint of a neighbour lies within a few pixels.

The heat of both runs together, but part of it has the tag of the one whose peak is missing. Only the surroundings of
peaks are searched: this is no filling-in of what nobody can see.
"""

import numpy as np

from scalepose.decode.peaks import Peaks, sub_pixel
from scalepose.decode.places import outside, read_tags, squared_distances

REACH = 5  # pixels around a peak: two and a half standard deviations of the targets
NEAR = 1.0  # person's sizes: how far from its box a person's keypoints are looked for
LEAST_HEAT = 0.14  # of the peak nearby: what is left of a Gaussian at that distance
LEAST_PEAKS = 3  # of a person: with fewer, its tag is not known well enough
CLIMB = 2  # pixels from the best place with the right tag to the top of the heat, at most


def find_hidden(
    heatmaps: np.ndarray,
    tags: np.ndarray,
    peaks: Peaks,
    peak_points: np.ndarray,
    peak_tags: np.ndarray,
    points: np.ndarray,
    values: np.ndarray,
    person_tags: np.ndarray,
    threshold: float,
    same_tag: float,
) -> None:
    """Complete `points` (P, K, 2) and `values` (P, K) of people with tags (P, T), where heat above `threshold` and a
    tag nearer than `same_tag` meet.

    heatmaps: (K, h, w); tags: (K, h', w', T); peak_points: (N, 2), the peaks' sub-pixel places.
    """
    _, h, w = heatmaps.shape
    if not len(points) or min(h, w) <= 2 * REACH:
        return
    dy, dx = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    disc = (dy * w + dx)[dy**2 + dx**2 <= REACH**2]
    # Around a peak near the border, the closest disc that lies in the map.
    centre_y, centre_x = (np.clip(c, REACH, side - 1 - REACH) for c, side in ((peaks.ys, h), (peaks.xs, w)))
    around = ((peaks.types * h + centre_y) * w + centre_x)[:, None] + disc  # (N, disc)
    warm = np.take(heatmaps, around) > np.maximum(LEAST_HEAT * peaks.values, threshold)[:, None]
    n = np.repeat(np.arange(len(peaks)), np.count_nonzero(warm, axis=1))  # M pixels, each near peak n
    pixel = around[warm] - (peaks.types * (h * w))[n]
    pixel_tags = read_tags(tags, peaks.types[n], pixel, (w, h))
    difference = sum((a - b[n]) ** 2 for a, b in zip(pixel_tags.T, peak_tags.T, strict=True))
    centre = pixel == (peaks.ys * w + peaks.xs)[n]  # a peak that others hold may suit a person opened later better
    kept = np.flatnonzero(centre | (difference >= (same_tag / 2) ** 2))
    n, pixel, pixel_tags = n[kept], pixel[kept], pixel_tags[kept]
    y, x = np.divmod(pixel, w)
    heat = heatmaps[peaks.types[n], y, x]
    wanted = (values == 0) & ((values > 0).sum(axis=1, keepdims=True) >= LEAST_PEAKS)
    near = outside(peak_points, np.nanmin(points, axis=1), np.nanmax(points, axis=1)) <= NEAR  # (N, P)
    near &= wanted.T[peaks.types]
    distance = np.sqrt(squared_distances(pixel_tags, person_tags))  # (M, P)
    m, p = np.nonzero((distance < same_tag) & near[n])
    order = np.argsort(heat[m] - distance[m, p], kind="stable")
    m, p = m[order], p[order]
    best = np.full(values.shape, -1)
    best[p, peaks.types[n[m]]] = m  # of several pixels the best is written last
    p, k = np.nonzero(best >= 0)
    m = best[p, k]
    values[p, k] = heat[m]
    points[p, k] = sub_pixel(heatmaps, k, *_top(heatmaps, k, x[m], y[m]))


def _top(heatmaps: np.ndarray, types: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest pixels within `CLIMB` of the pixels (M,), in x and in y."""
    _, h, w = heatmaps.shape
    dy, dx = (offset.ravel() for offset in np.mgrid[-CLIMB : CLIMB + 1, -CLIMB : CLIMB + 1])
    ys, xs = np.clip(y[:, None] + dy, 0, h - 1), np.clip(x[:, None] + dx, 0, w - 1)  # (M, square)
    best = heatmaps[types[:, None], ys, xs].argmax(axis=1)[:, None]
    return np.take_along_axis(xs, best, axis=1)[:, 0], np.take_along_axis(ys, best, axis=1)[:, 0]
