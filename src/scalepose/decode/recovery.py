"""Keypoints that a person still misses, searched for in the whole map: the place where the heatmap is high and the tag
is the person's.

Official `HeatmapParser.refine`, for all people at once and without looking at every pixel: the maps are cut into
blocks, the range of heat and tags within a block bounds what a pixel there can reach, and the most promising blocks
are opened until no other can win. The result is that of the exhaustive search, to the bit: every step of the sum is
monotone, also after rounding to float32, so the bound of a block is never below one of its pixels.
"""

import numpy as np

BLOCK = 16  # pixels
OPEN_AT_ONCE = 4096  # blocks; bounds the memory


def recover_missing(
    heatmaps: np.ndarray, tags: np.ndarray, types: np.ndarray, references: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each of Q searches the pixel where heatmap − round(distance of tag and reference) is largest, the first in
    reading order where several are.

    heatmaps: (K, h, w) float32; tags: (K, h, w, T) float32; types: (Q,) keypoint types; references: (Q, T) float32
    → ys, xs: (Q,) pixel indices.
    """
    w = heatmaps.shape[2]
    best = np.zeros(len(types), np.intp)
    for k in np.unique(types):
        searches = np.flatnonzero(types == k)
        best[searches] = _search(heatmaps[k], tags[k], references[searches])
    ys, xs = np.divmod(best, w)
    return ys, xs


def _search(heatmap: np.ndarray, tags: np.ndarray, references: np.ndarray) -> np.ndarray:
    """One keypoint type: heatmap (h, w), tags (h, w, T), references (Q, T) → (Q,) flat pixel indices."""
    h, w = heatmap.shape
    planes = [np.ascontiguousarray(tags[..., t]) for t in range(tags.shape[-1])]  # T × (h, w)
    rows, columns = _starts(h), _starts(w)
    top, left = np.repeat(rows, len(columns)), np.tile(columns, len(rows))  # (blocks,)
    gaps = [
        np.maximum(np.maximum(_over_blocks(np.minimum, plane) - own, own - _over_blocks(np.maximum, plane)), 0)
        for plane, own in zip(planes, references.T[:, :, None], strict=True)
    ]
    bound = _over_blocks(np.maximum, heatmap) - np.round(_norm(gaps))  # (Q, blocks)

    def open_blocks(searches: np.ndarray, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The largest value in each of N blocks for its search, and the flat index of the first pixel that has it."""
        y = top[blocks, None] + np.arange(min(BLOCK, h))
        x = left[blocks, None] + np.arange(min(BLOCK, w))
        pixels = (y[:, :, None] * w + x[:, None, :]).reshape(len(blocks), -1)  # (N, pixels of a block)
        own = references[searches, None]  # (N, 1, T)
        distance = _norm([np.take(plane, pixels) - own[..., t] for t, plane in enumerate(planes)])
        value = np.take(heatmap, pixels) - np.round(distance)
        at = value.argmax(axis=1)
        each = np.arange(len(at))
        return value[each, at], pixels[each, at]

    first = top * w + left  # no pixel of a block comes earlier
    best, place = np.full(len(references), -np.inf, np.float32), np.zeros(len(references), np.intp)
    many = 1  # blocks that each search opens next
    while True:
        # A block that can only equal the best matters if it may hold an earlier pixel; an opened one (NaN) never does.
        contends = (bound > best[:, None]) | ((bound == best[:, None]) & (first < place[:, None]))
        going = np.flatnonzero(contends.any(axis=1))
        if not len(going):
            return place
        hope = np.where(contends[going], bound[going], -np.inf)
        blocks = np.argpartition(-hope, min(many, len(first)) - 1, axis=1)[:, :many]
        searches, blocks = np.repeat(going, blocks.shape[1]), blocks.ravel()
        able = contends[searches, blocks]
        searches, blocks = searches[able], blocks[able]
        value, pixel = open_blocks(searches, blocks)
        bound[searches, blocks] = np.nan
        order = np.lexsort((-pixel, value))  # of each search the best, and of equals the first, is written last
        searches, value, pixel = searches[order], value[order], pixel[order]
        new_best, new_place = best.copy(), place.copy()
        new_best[searches], new_place[searches] = value, pixel
        better = (new_best > best) | ((new_best == best) & (new_place < place))
        best[better], place[better] = new_best[better], new_place[better]
        many = min(4 * many, max(OPEN_AT_ONCE // len(going), 1))


def _norm(differences: list[np.ndarray]) -> np.ndarray:
    """Euclidean length of vectors given by their coordinates, summed in this order."""
    total = np.square(differences[0])
    for difference in differences[1:]:
        total += np.square(difference)
    return np.sqrt(total, out=total)


def _starts(side: int) -> np.ndarray:
    """First pixels of the blocks that cover `side` pixels: the last block is moved back to end with the map."""
    return np.minimum(np.arange(0, side, BLOCK), max(side - BLOCK, 0))


def _over_blocks(function: np.ufunc, plane: np.ndarray) -> np.ndarray:
    """Minimum or maximum over each block of (h, w), in reading order → (blocks,)."""
    for _ in range(2):  # over rows, then, turned, over columns: both run along contiguous memory
        side, across = plane.shape
        whole = side // BLOCK * BLOCK
        parts = [function.reduce(plane[:whole].reshape(-1, BLOCK, across), axis=1)]
        if whole < side:
            parts.append(function.reduce(plane[max(side - BLOCK, 0) :], axis=0, keepdims=True))
        plane = np.ascontiguousarray(np.concatenate(parts).T)
    return plane.ravel()
