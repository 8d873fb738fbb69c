"""Keypoints that a person still misses, searched for in the whole map: the place where the heatmap is high and the tag
is the person's.

Official `HeatmapParser.refine`, for all people at once and without looking at every pixel: the maps are cut into
blocks, the largest heat of a block and, where that says too little, the range of its tags bound what a pixel there can
reach, and the most promising blocks are opened until no other can win. The result is that of the exhaustive search, to
the bit: every step of the sum is monotone, also after rounding to float32, so the bound of a block is never below one
of its pixels.
"""

from collections.abc import Iterable

import numpy as np

BLOCK = 16  # pixels; a power of two
OPEN_AT_ONCE = 4096  # blocks; bounds the memory
READING = 2  # the time it takes to open all blocks of a map, in those that it takes to find the ranges of their tags


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
    heat, channels = heatmap.reshape(-1), tags.reshape(len(heatmap) * heatmap.shape[1], -1).T  # (h·w,), (T, h·w)

    def open_blocks(searches: np.ndarray, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The largest value in each of N blocks for its search, and the flat index of the first pixel that has it."""
        pixels = corners[blocks, None] + inside  # (N, pixels of a block)
        distance = _norm(
            [tag[pixels] - own[:, None] for tag, own in zip(channels, references[searches].T, strict=True)]
        )
        value = heat[pixels] - np.round(distance)
        at = np.arange(len(blocks)), value.argmax(axis=1)
        return value[at], pixels[at]

    Q = len(references)
    most_heat = _over_blocks(np.maximum, heatmap[..., None])[0]  # (blocks,)
    bound = np.tile(most_heat, (Q, 1))  # (Q, blocks)
    opened = np.zeros(bound.shape, bool)
    tags_known = False  # to the bound
    best, place = np.full(Q, -np.inf, np.float32), np.zeros(Q, np.intp)
    many = 1  # blocks that each search opens next
    while True:
        # A block that can only equal the best matters if it may hold an earlier pixel.
        contends = (bound > best[:, None]) | ((bound == best[:, None]) & (corners < place[:, None]))
        contends &= ~opened
        going = np.flatnonzero(contends.any(axis=1))
        if not len(going):
            return place
        if many > 1 and not tags_known and READING * np.count_nonzero(contends) > len(corners):
            low, high = _over_blocks(np.minimum, tags), _over_blocks(np.maximum, tags)  # (T, blocks)
            own = references.T[:, :, None]
            bound -= np.round(_norm(np.maximum(np.maximum(low[:, None] - own, own - high[:, None]), 0)))
            tags_known = True
            continue
        hope = np.where(contends[going], bound[going], -np.inf)
        blocks = np.argpartition(-hope, min(many, len(corners)) - 1, axis=1)[:, :many]
        searches, blocks = np.repeat(going, blocks.shape[1]), blocks.ravel()
        able = contends[searches, blocks]
        searches, blocks = searches[able], blocks[able]
        value, pixel = open_blocks(searches, blocks)
        opened[searches, blocks] = True
        order = np.lexsort((-pixel, value))  # of each search the best, and of equals the first, is written last
        searches, value, pixel = searches[order], value[order], pixel[order]
        new_best, new_place = best.copy(), place.copy()
        new_best[searches], new_place[searches] = value, pixel
        better = (new_best > best) | ((new_best == best) & (new_place < place))
        best[better], place[better] = new_best[better], new_place[better]
        many = min(4 * many, max(OPEN_AT_ONCE // len(going), 1))


def _starts(side: int) -> np.ndarray:
    """First pixels of the blocks that cover `side` pixels: the last block is moved back to end with the map."""
    return np.minimum(np.arange(0, side, BLOCK), max(side - BLOCK, 0))


def _norm(differences: Iterable[np.ndarray]) -> np.ndarray:
    """Euclidean length of vectors given by their coordinates, summed in this order."""
    total = np.float32(0)
    for difference in differences:
        total = total + difference * difference
    return np.sqrt(total)


def _over_blocks(function: np.ufunc, maps: np.ndarray) -> np.ndarray:
    """Minimum or maximum over each block of (h, w, C), in reading order → (C, blocks)."""
    for _ in range(2):  # over rows, then, turned, over columns
        side = len(maps)
        whole = side // BLOCK * BLOCK
        parts = maps[:whole].reshape(-1, BLOCK, *maps.shape[1:])
        while parts.shape[1] > 1:  # halved again and again, which NumPy does twice as fast as `reduce`
            half = parts.shape[1] // 2
            parts = function(parts[:, :half], parts[:, half:])
        parts = parts[:, 0]
        if whole < side:
            parts = np.concatenate([parts, function.reduce(maps[max(side - BLOCK, 0) :], axis=0, keepdims=True)])
        maps = np.ascontiguousarray(parts.swapaxes(0, 1))
    return maps.reshape(-1, maps.shape[-1]).T
