"""Where peaks see their person's centre: the second cue for grouping, for networks that predict centre offsets.

After SPM (Nie et al., ICCV 2019), bottom-up: keypoints vote, nothing is regressed from the centre. Knows no people.
"""

from dataclasses import dataclass

import numpy as np

REACH = 1.5  # distances from peak to centre: votes that lie so far apart count as tags at the threshold do
LEAST_REACH = 4.0  # pixels: a peak near its centre tells nothing of the person's size


@dataclass(frozen=True)
class Votes:
    """centres: (2, N) float32, x and y on the heatmaps. reach: (N,) float32, how far apart votes for one centre lie."""

    centres: np.ndarray
    reach: np.ndarray


def read_votes(offsets: np.ndarray, types: np.ndarray, xs: np.ndarray, ys: np.ndarray, size: tuple[int, int]) -> Votes:
    """The votes of N peaks at pixels xs, ys of heatmaps of `size` (w, h).

    offsets: (K, 2, h', w') in their own pixels; the grid may be coarser than that of the heatmaps.
    """
    w, h = size
    rows, columns = offsets.shape[2:]
    scale = np.array([[w / columns], [h / rows]], np.float32)
    column, row = ((xs + 0.5) * (columns / w)).astype(np.intp), ((ys + 0.5) * (rows / h)).astype(np.intp)
    read = offsets[types, :, row, column].T * scale  # (2, N)
    from_pixels = (np.stack([column, row]) + np.float32(0.5)) * scale  # the middle of the pixel that was read
    distance = np.sqrt(np.square(read).sum(axis=0))
    return Votes(from_pixels + read, REACH * np.maximum(distance, LEAST_REACH))
