"""Keypoints that a person still misses, searched for in the whole map: the place where the heatmap is high and the tag
is the person's.

Official `HeatmapParser.refine`, for all people at once and without looking at every pixel: the maps are cut into
blocks, the range of heat and tags within a block bounds what a pixel there can reach, and the most promising blocks
are opened until no other can win. The result is that of the exhaustive search, to the bit: every step of the sum is
monotone, also after rounding to float32, so the bound of a block is never below one of its pixels.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

BLOCK = 16  # pixels; a power of two
STRIP = 4 * BLOCK  # rows that are read at once: they stay in the cache
OPEN_AT_ONCE = 1024  # blocks; bounds the memory


def recover_missing(
    heatmaps: np.ndarray, tags: np.ndarray, types: np.ndarray, references: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each of Q searches the pixel where heatmap − round(distance of tag and reference) is largest, the first in
    reading order where several are.

    heatmaps: (K, h, w) float32; tags: (K, h, w, T) float32; types: (Q,) keypoint types; references: (Q, T) float32
    → ys, xs: (Q,) pixel indices.
    """
    w = heatmaps.shape[2]
    maps = np.moveaxis(tags, -1, 0)  # (T, K, h, w)
    block = (min(BLOCK, heatmaps.shape[1]), min(BLOCK, w))
    heat_windows = sliding_window_view(heatmaps, block, axis=(1, 2))
    tag_windows = sliding_window_view(maps, block, axis=(2, 3))
    best = np.zeros(len(types), np.intp)
    for k in np.unique(types):
        searches = np.flatnonzero(types == k)
        best[searches] = _search(heatmaps[k], maps[:, k], heat_windows[k], tag_windows[:, k], references[searches].T)
    ys, xs = np.divmod(best, w)
    return ys, xs


def _search(
    heatmap: np.ndarray, tags: np.ndarray, heat_windows: np.ndarray, tag_windows: np.ndarray, references: np.ndarray
) -> np.ndarray:
    """One keypoint type: heatmap (h, w), tags (T, h, w), what a block at each pixel holds of both, references (T, Q)
    → (Q,) flat pixel indices.
    """
    h, w = heatmap.shape
    rows, columns = _starts(h), _starts(w)
    top, left = np.repeat(rows, len(columns)), np.tile(columns, len(rows))  # (blocks,) first pixel of each
    corner = top * w + left
    block = heat_windows.shape[2:]

    def open_blocks(searches: np.ndarray, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The largest value in each of N blocks for its search, and the flat index of the first pixel that has it."""
        where = top[blocks], left[blocks]
        squared = np.zeros((len(blocks), *block), np.float32)
        for windows, own in zip(tag_windows, references[:, searches], strict=True):
            difference = windows[where]
            difference -= own[:, None, None]
            difference *= difference
            squared += difference
        value = heat_windows[where]
        value -= np.round(np.sqrt(squared, out=squared), out=squared)
        at = value.reshape(len(blocks), block[0] * block[1]).argmax(axis=1)
        y, x = np.divmod(at, block[1])
        return value[np.arange(len(blocks)), y, x], corner[blocks] + y * w + x

    low, high = _over_blocks(np.moveaxis(tags, 0, -1), np.minimum, np.maximum)  # (T, blocks) each
    bound = np.zeros((references.shape[1], len(corner)), np.float32)  # (Q, blocks), at first squares of distances
    for own, least, most in zip(references[..., None], low, high, strict=True):
        gap = np.maximum(least - own, own - most)
        np.maximum(gap, 0, out=gap)
        gap *= gap
        bound += gap
    np.round(np.sqrt(bound, out=bound), out=bound)
    np.subtract(_over_blocks(heatmap[..., None], np.maximum)[0], bound, out=bound)
    each = np.arange(len(bound))
    first = bound.argmax(axis=1)
    best, place = open_blocks(each, first)
    bound[each, first] = -np.inf

    searches, blocks = np.nonzero(bound >= best[:, None])  # (pairs,)
    reach = bound[searches, blocks]
    span = 1 + reach.max(initial=0) - reach.min(initial=0)
    order = np.argsort(searches * span - reach)  # search by search, the most promising first
    searches, blocks, reach = searches[order], blocks[order], reach[order]
    many = 4  # blocks that each search opens next
    while len(searches):
        # A block that can only equal the best matters if it may hold an earlier pixel.
        kept = (reach > best[searches]) | ((reach == best[searches]) & (corner[blocks] < place[searches]))
        searches, blocks, reach = searches[kept], blocks[kept], reach[kept]
        now = np.arange(len(searches)) < np.searchsorted(searches, searches) + many
        found, (value, pixel) = searches[now], open_blocks(searches[now], blocks[now])
        searches, blocks, reach = searches[~now], blocks[~now], reach[~now]
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


def _over_blocks(maps: np.ndarray, *functions: np.ufunc) -> list[np.ndarray]:
    """Minimum, maximum over each block of (h, w, C), blocks in reading order → (C, blocks) each."""
    h, w, C = maps.shape
    whole_rows, whole_columns = h - h % BLOCK, w - w % BLOCK
    strips = [maps[top : min(top + STRIP, whole_rows)] for top in range(0, whole_rows, STRIP)]
    halves = [[_halve(function, strip) for function in functions] for strip in strips]  # while it is in the cache
    found = []
    for n, function in enumerate(functions):
        rows = [own[n] for own in halves]
        if whole_rows < h:
            rows.append(function.reduce(maps[-BLOCK:], axis=0, keepdims=True))
        rows = np.ascontiguousarray(np.moveaxis(np.concatenate(rows), 2, 0))  # (C, n, w)
        blocks = rows[..., :whole_columns]
        for _ in range(BLOCK.bit_length() - 1):
            blocks = function(blocks[..., ::2], blocks[..., 1::2])
        if whole_columns < w:
            blocks = np.concatenate([blocks, function.reduce(rows[..., -BLOCK:], axis=2, keepdims=True)], axis=2)
        found.append(blocks.reshape(C, -1))
    return found


def _halve(function: np.ufunc, rows: np.ndarray) -> np.ndarray:
    """Minimum or maximum over each `BLOCK` rows of (n·BLOCK, w, C), twice as fast as NumPy's `reduce` → (n, w, C)."""
    rows = rows.reshape(-1, BLOCK, *rows.shape[1:])
    while (half := rows.shape[1] // 2) > 0:
        rows = function(rows[:, :half], rows[:, half:])
    return rows[:, 0]
