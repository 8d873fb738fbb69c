"""Keypoints without a peak of their own, because the same keypoint of a neighbour lies within a few pixels.

The heat of both runs together, but part of it has the tag of the one whose peak is missing. Only the surroundings of
peaks are searched: this is no filling-in of what nobody can see.
"""

import numpy as np

from scalepose.decode.peaks import Peaks, sub_pixel
from scalepose.decode.places import outside, read_tags, tag_distances

REACH = 4  # pixels around a peak: two standard deviations of the targets
NEAR = 1.0  # person's sizes: how far from its box a person's keypoints are looked for
LEAST_HEAT = 0.14  # of the peak nearby: what is left of a Gaussian at that distance
LEAST_PEAKS = 3  # of a person: with fewer, its tag is not known well enough
CLIMB = 2  # pixels from the best place with the right tag to the top of the heat, at most


def find_hidden(
    heatmaps: np.ndarray,
    tags: np.ndarray,
    peaks: Peaks,
    peak_points: np.ndarray,
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
    if not len(points):
        return
    _, h, w = heatmaps.shape
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    wanted = (values == 0) & ((values > 0).sum(axis=1, keepdims=True) >= LEAST_PEAKS)
    n, p = np.nonzero(wanted.T[peaks.types] & (outside(peak_points, low, high) <= NEAR))  # M pairs of peak and person
    k = peaks.types[n]
    dy, dx = (offset.ravel() for offset in np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1])
    y = np.clip(peaks.ys[n, None] + dy, 0, h - 1)  # (M, patch)
    x = np.clip(peaks.xs[n, None] + dx, 0, w - 1)
    places = np.stack([x + 0.5, y + 0.5], axis=-1) / (w, h)
    distance = np.sqrt(((read_tags(tags, k[:, None], places) - person_tags[p, None]) ** 2).sum(axis=-1))
    heat = heatmaps[k[:, None], y, x]
    enough = np.maximum(LEAST_HEAT * peaks.values[n], threshold)[:, None]
    merit = np.where((heat > enough) & (distance < same_tag), heat - distance, -np.inf)
    best = merit.argmax(axis=1)[:, None]
    merit, heat, y, x = (np.take_along_axis(a, best, axis=1)[:, 0] for a in (merit, heat, y, x))
    order = np.argsort(merit, kind="stable")  # of several places for one keypoint the best is written last
    order = order[np.isfinite(merit[order])]
    p, k, heat, y, x = p[order], k[order], heat[order], y[order], x[order]
    values[p, k] = heat
    points[p, k] = sub_pixel(heatmaps, k, *_climb(heatmaps, k, x, y))


def _climb(heatmaps: np.ndarray, types: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From pixels (M,) to the highest of the 3×3 around them, `CLIMB` times."""
    _, h, w = heatmaps.shape
    dy, dx = (offset.ravel() for offset in np.mgrid[-1:2, -1:2])
    for _ in range(CLIMB):
        ys = np.clip(y[:, None] + dy, 0, h - 1)
        xs = np.clip(x[:, None] + dx, 0, w - 1)
        best = heatmaps[types[:, None], ys, xs].argmax(axis=1)[:, None]
        y, x = (np.take_along_axis(a, best, axis=1)[:, 0] for a in (ys, xs))
    return x, y
