"""Where keypoints may be: the local maxima of heatmaps, and where within its pixel each one lies.

It does not know which person a peak belongs to. HigherHRNet, section 3; the official parser's NMS, top-k and
quarter-pixel adjustment; the log-parabola of a Gaussian as in DARK (Zhang et al. 2020), on three pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scalepose.decode.topk import strongest_published

FLOOR = 1e-3  # heat below this is taken as this before a logarithm


@dataclass(frozen=True)
class Peaks:
    """N local maxima of K heatmaps, sorted by keypoint type, strongest first within a type.

    types: (N,) keypoint types. xs, ys: (N,) pixel indices. values: (N,) float32 heatmap values.
    starts: (K + 1,) the peaks of type k are those from starts[k] up to starts[k + 1].
    """

    types: np.ndarray
    xs: np.ndarray
    ys: np.ndarray
    values: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


def find_peaks(heatmaps: np.ndarray, threshold: float, most: int, window: int = 5, published: bool = False) -> Peaks:
    """The pixels above `threshold` that no other pixel of the surrounding `window`×`window` exceeds; of each keypoint
    type the `most` strongest.

    heatmaps: (K, h, w) float32. published: of equal neighbours all are peaks, and equally strong peaks come in the
    order of the official code; otherwise the first of equal neighbours is the peak, and reading order decides.
    """
    K, h, w = heatmaps.shape
    square = np.ones((window, window), np.uint8)
    highest = np.empty((h, w), np.float32)
    found: list[np.ndarray] = []
    for heatmap in heatmaps:
        heatmap = np.ascontiguousarray(heatmap)
        cv2.dilate(heatmap, square, dst=highest)
        is_peak = heatmap == highest
        index = np.flatnonzero(is_peak & (heatmap > threshold))
        values = heatmap.ravel()[index]
        order = np.argsort(-values, kind="stable")[: None if not published else most + 1]
        if (np.diff(values[order]) == 0).any():
            if published:
                order = strongest_published(np.where(is_peak, heatmap, np.float32(0)).ravel(), most)
                index = order[heatmap.ravel()[order] > threshold]
                order = np.arange(len(index))
            else:
                order = order[~_repeats(index[order], values[order], w, window // 2)]
        found.append(index[order[:most]])
    counts = [len(index) for index in found]
    types = np.repeat(np.arange(K), counts)
    ys, xs = np.divmod(np.concatenate(found), w)
    return Peaks(types, xs, ys, heatmaps[types, ys, xs], np.concatenate([[0], np.cumsum(counts)]))


def _repeats(index: np.ndarray, values: np.ndarray, w: int, reach: int) -> np.ndarray:
    """(n,) bool: a peak of equal value stands earlier and within `reach` pixels. Equal values stand together."""
    ys, xs = np.divmod(index, w)
    repeated = np.zeros(len(index), bool)
    for first in np.flatnonzero(np.diff(values) == 0):
        equal = slice(np.searchsorted(-values, -values[first]), first + 1)
        near = (abs(xs[equal] - xs[first + 1]) <= reach) & (abs(ys[equal] - ys[first + 1]) <= reach)
        repeated[first + 1] = near.any()
    return repeated


def quarter_pixel(heatmaps: np.ndarray, types: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """The published sub-pixel step: a quarter of a pixel towards the larger neighbour in x and in y, to the left or
    up when both are equal.

    heatmaps: (K, h, w). types, xs, ys: (N,) pixels → (N, 2) float32 points (centres of pixels at + 0.5).
    """
    _, h, w = heatmaps.shape
    right = heatmaps[types, ys, np.minimum(xs + 1, w - 1)] > heatmaps[types, ys, np.maximum(xs - 1, 0)]
    below = heatmaps[types, np.minimum(ys + 1, h - 1), xs] > heatmaps[types, np.maximum(ys - 1, 0), xs]
    return np.stack([xs + np.where(right, 0.75, 0.25), ys + np.where(below, 0.75, 0.25)], axis=-1).astype(np.float32)


def sub_pixel(heatmaps: np.ndarray, types: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """The centre of a Gaussian through three pixels in x and three in y, kept within the pixel; next to the border the
    three pixels closest to it.

    heatmaps: (K, h, w). types, xs, ys: (N,) pixels → (N, 2) float32 points (centres of pixels at + 0.5).
    """
    _, h, w = heatmaps.shape

    def vertex(position: np.ndarray, side: int, heat: list[np.ndarray], middle: np.ndarray) -> np.ndarray:
        if side < 3:
            return position + 0.5
        before, here, after = (np.log(np.maximum(value, FLOOR)) for value in heat)
        bend = 2 * here - before - after
        step = np.divide(after - before, 2 * bend, out=np.zeros(len(bend), np.float32), where=bend > 1e-6)
        return np.clip(middle + step - position, -0.5, 0.5) + position + 0.5

    x = np.clip(xs, 1, max(w - 2, 1))
    y = np.clip(ys, 1, max(h - 2, 1))
    across = [heatmaps[types, ys, np.clip(x + d, 0, w - 1)] for d in (-1, 0, 1)]
    down = [heatmaps[types, np.clip(y + d, 0, h - 1), xs] for d in (-1, 0, 1)]
    return np.stack([vertex(xs, w, across, x), vertex(ys, h, down, y)], axis=-1).astype(np.float32)
