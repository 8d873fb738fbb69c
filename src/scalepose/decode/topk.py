"""The order of the strongest pixels as the published code has it, where some are equally strong.

A keypoint half-way between two pixels gives two equal peaks, and which one comes first decides about people further on.
The official parser asks `torch.topk`, which on a CPU is C++'s `std::partial_sort`: a heap, so its order among equals
is fixed but follows no simple rule. This module repeats that heap; without equal values any sort will do.
"""

import numpy as np

Heap = list[tuple[float, int]]  # (value, index), the smallest value on top


def strongest_published(values: np.ndarray, most: int) -> np.ndarray:
    """Indices of the `most` largest of (n,) values, largest first, equals in the order of `std::partial_sort`."""
    heap = [(float(value), i) for i, value in enumerate(values[:most])]
    for hole in range(len(heap) // 2 - 1, -1, -1):
        _settle(heap, hole, len(heap), heap[hole])
    if len(values) > most:
        later = most + np.flatnonzero(values[most:] > heap[0][0])  # nothing else can ever enter
        for value, i in zip(values[later].tolist(), later.tolist(), strict=True):
            if value > heap[0][0]:
                _settle(heap, 0, len(heap), (value, i))
    for size in range(len(heap) - 1, 0, -1):
        last, heap[size] = heap[size], heap[0]
        _settle(heap, 0, size, last)
    return np.array([i for _, i in heap], np.intp)


def _settle(heap: Heap, hole: int, size: int, item: tuple[float, int]) -> None:
    """Put `item` into the heap of `size` entries whose entry `hole` is free: the hole sinks to a leaf along the
    smaller children, then `item` rises from there to its place.
    """
    top = hole
    while (child := 2 * hole + 2) < size:
        if heap[child][0] > heap[child - 1][0]:
            child -= 1
        heap[hole] = heap[child]
        hole = child
    if child == size:  # the last parent has one child
        heap[hole] = heap[child - 1]
        hole = child - 1
    while hole > top and heap[parent := (hole - 1) // 2][0] > item[0]:
        heap[hole] = heap[parent]
        hole = parent
    heap[hole] = item
