"""Keypoints that a person still misses, searched for in the whole map: the place where the heatmap is high and the tag
is the person's.

Official `HeatmapParser.refine`, for all people at once and without looking at every pixel: the maps are cut into
blocks, the range of heat and tags within a block bounds what a pixel there can reach, and the most promising blocks
are opened until no other can win. The result is that of the exhaustive search, to the bit: every step of the sum is
monotone, also after rounding to float32, so the bound of a block is never below one of its pixels.
"""

import numpy as np

BLOCK = 16  # pixels; a power of two
STRIP = 8 * BLOCK  # rows that are read at once: they stay in the cache
OPEN_AT_ONCE = 1024  # blocks; bounds the memory


def recover_missing(
    heatmaps: np.ndarray, tags: np.ndarray, types: np.ndarray, references: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each of Q searches the pixel where heatmap − round(distance of tag and reference) is largest, the first in
    reading order where several are.

    heatmaps: (K, h, w) float32; tags: (K, h, w, T) float32; types: (Q,) keypoint types; references: (Q, T) float32
    → ys, xs: (Q,) pixel indices.
    """
    _, h, w = heatmaps.shape
    corners = (_starts(h)[:, None] * w + _starts(w)).ravel()  # (blocks,) first pixel of each, in reading order
    inside = (np.arange(min(BLOCK, h))[:, None] * w + np.arange(min(BLOCK, w))).ravel()  # (pixels of a block,)
    best = np.zeros(len(types), np.intp)
    for k in np.unique(types):
        searches = np.flatnonzero(types == k)
        best[searches] = _search(heatmaps[k], tags[k], references[searches], corners, inside)
    ys, xs = np.divmod(best, w)
    return ys, xs


def _search(
    heatmap: np.ndarray, tags: np.ndarray, references: np.ndarray, corners: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """One keypoint type: heatmap (h, w), tags (h, w, T), references (Q, T) → (Q,) flat pixel indices."""
    channels = tags.reshape(heatmap.size, -1).T  # (T, h·w), no copy
    bound = np.zeros((len(references), len(corners)), np.float32)  # (Q, blocks), at first squares of distances
    for own, low, high in zip(
        references.T[:, :, None], _over_blocks(np.minimum, tags), _over_blocks(np.maximum, tags), strict=True
    ):
        gap = np.maximum(low - own, own - high)
        np.maximum(gap, 0, out=gap)
        gap *= gap
        bound += gap
    np.round(np.sqrt(bound, out=bound), out=bound)
    np.subtract(_over_blocks(np.maximum, heatmap[..., None]), bound, out=bound)

    def open_blocks(searches: np.ndarray, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The largest value in each of N blocks for its search, and the flat index of the first pixel that has it."""
        pixels = corners[blocks, None] + inside  # (N, pixels of a block)
        squared = np.zeros(pixels.shape, np.float32)
        for tag, own in zip(channels, references[searches].T, strict=True):
            difference = tag[pixels]
            difference -= own[:, None]
            difference *= difference
            squared += difference
        value = np.take(heatmap, pixels)
        value -= np.round(np.sqrt(squared, out=squared), out=squared)
        at = np.arange(len(blocks)), value.argmax(axis=1)
        return value[at], pixels[at]

    def contends(searches: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        """A block that can only equal the best matters if it may hold an earlier pixel."""
        reach = bound[searches, blocks]
        return (reach > best[searches]) | ((reach == best[searches]) & (corners[blocks] < place[searches]))

    each = np.arange(len(references))
    first = bound.argmax(axis=1)
    best, place = open_blocks(each, first)
    bound[each, first] = -np.inf
    searches, blocks = np.nonzero(bound >= best[:, None])
    order = np.lexsort((-bound[searches, blocks], searches))
    searches, blocks = searches[order], blocks[order]
    many = 4  # blocks that each search opens next
    while len(searches):
        going = contends(searches, blocks)
        searches, blocks = searches[going], blocks[going]
        next_ones = np.arange(len(searches)) < np.searchsorted(searches, searches) + many
        found, (value, pixel) = searches[next_ones], open_blocks(searches[next_ones], blocks[next_ones])
        searches, blocks = searches[~next_ones], blocks[~next_ones]
        order = np.lexsort((-pixel, value))  # of each search the best, and of equals the first, is written last
        found, value, pixel = found[order], value[order], pixel[order]
        new_best, new_place = best.copy(), place.copy()
        new_best[found], new_place[found] = value, pixel
        better = (new_best > best) | ((new_best == best) & (new_place < place))
        best[better], place[better] = new_best[better], new_place[better]
        many = min(4 * many, max(OPEN_AT_ONCE // len(each), 1))
    return place


def _starts(side: int) -> np.ndarray:
    """First pixels of the blocks that cover `side` pixels: the last block is moved back to end with the map."""
    return np.minimum(np.arange(0, side, BLOCK), max(side - BLOCK, 0))


def _over_blocks(function: np.ufunc, maps: np.ndarray) -> np.ndarray:
    """Minimum or maximum over each block of (h, w, C), in reading order → (C, blocks)."""
    for _ in range(2):  # over rows, then, turned, over columns
        side = len(maps)
        whole = side // BLOCK * BLOCK
        strips = [_halve(function, maps[start : min(start + STRIP, whole)]) for start in range(0, whole, STRIP)]
        if whole < side:
            strips.append(function.reduce(maps[max(side - BLOCK, 0) :], axis=0, keepdims=True))
        maps = np.ascontiguousarray(np.concatenate(strips).swapaxes(0, 1))
    return maps.reshape(-1, maps.shape[-1]).T


def _halve(function: np.ufunc, maps: np.ndarray) -> np.ndarray:
    """Minimum or maximum over each `BLOCK` rows of (n·BLOCK, ...), twice as fast as NumPy's `reduce` → (n, ...)."""
    rows = maps.reshape(-1, BLOCK, *maps.shape[1:])
    while (half := rows.shape[1] // 2) > 0:
        rows = function(rows[:, :half], rows[:, half:])
    return rows[:, 0]
