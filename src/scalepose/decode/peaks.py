"""Where keypoints may be: the local maxima of heatmaps.

It does not know which person a peak belongs to. HigherHRNet, section 3; the official parser's NMS and top-k.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scalepose.decode.topk import strongest_published
from scalepose.errors import ScaleposeError


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
    heatmaps = np.ascontiguousarray(heatmaps)
    index = _highest_around(heatmaps, threshold, window, all_equals=published)
    types = index // (h * w)
    values = heatmaps.ravel()[index]
    order = np.lexsort((-values, types))  # stable: reading order among equals
    index, types, values = index[order], types[order], values[order]
    starts = np.searchsorted(types, np.arange(K + 1))
    if published:
        for k in np.unique(types[1:][(np.diff(types) == 0) & (np.diff(values) == 0)]):
            first = _published_order(heatmaps[k], most, window)[: starts[k + 1] - starts[k]]
            index[starts[k] : starts[k] + len(first)] = k * h * w + first
    among = np.arange(len(index)) - starts[types]
    index, types = index[among < most], types[among < most]
    ys, xs = np.divmod(index - types * (h * w), w)
    starts = np.searchsorted(types, np.arange(K + 1))
    return Peaks(types, xs, ys, heatmaps[types, ys, xs], starts)


def _published_order(heatmap: np.ndarray, most: int, window: int) -> np.ndarray:
    """Flat indices of the `most` first pixels of one heatmap (h, w) for the official code, which sorts all of them
    after setting those that are no peaks to zero.
    """
    highest = cv2.dilate(heatmap, np.ones((window, window), np.uint8))
    return strongest_published(np.where(heatmap == highest, heatmap, np.float32(0)).ravel(), most)


def _highest_around(heatmaps: np.ndarray, threshold: float, window: int, all_equals: bool) -> np.ndarray:
    """Flat indices of the peaks of (K, h, w), in reading order.

    Few pixels are above the threshold, and fewer are left after each comparison with one of the neighbours, the
    closest first.
    """
    _, h, w = heatmaps.shape
    flat = heatmaps.ravel()
    index = np.flatnonzero(flat > threshold)
    # Neighbours in a row stand one after the other in `index`, unless they are not above the threshold.
    rows, here = index // w, flat[index]
    beside = (index[1:] - index[:-1] == 1) & (rows[1:] == rows[:-1])
    keep = np.ones(len(index), bool)
    keep[:-1] &= ~(beside & (here[:-1] < here[1:]))
    keep[1:] &= ~(beside & (here[1:] < here[:-1] if all_equals else here[1:] <= here[:-1]))
    index, rows = index[keep], rows[keep]
    xs, ys = index - rows * w, rows % h
    reach = range(-(window // 2), window // 2 + 1)
    offsets = [(dy, dx) for dy in reach for dx in reach if dy or abs(dx) > 1]
    offsets.sort(key=lambda offset: offset[0] ** 2 + offset[1] ** 2)
    for dy, dx in offsets:
        inside = (ys + dy >= 0) & (ys + dy < h) if dy else True
        if dx:
            inside = inside & (xs + dx >= 0) & (xs + dx < w)
        neighbour = np.take(flat, index + (dy * w + dx), mode="clip")
        earlier = not all_equals and (dy, dx) < (0, 0)
        lower = flat[index] <= neighbour if earlier else flat[index] < neighbour
        keep = np.flatnonzero(~(lower & inside))
        index, xs, ys = index[keep], xs[keep], ys[keep]
    return index


def require_finite(peaks: Peaks, tags: np.ndarray) -> None:
    """Raise ScaleposeError when a peak's value or its tags (N, T) are infinite or not a number."""
    if not (np.isfinite(peaks.values).all() and np.isfinite(tags).all()):
        raise ScaleposeError(
            "the network's maps hold infinite values or NaN; its weights or its precision are at fault"
        )
