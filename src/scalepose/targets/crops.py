"""What a network should say about one person's crop: heatmaps, and for some heads offsets, of all top-down methods.

One call, `encode`, draws the target of any `Head`; `losses.crops` compares it and `decode.crops` reads it back.

- heatmap: a Gaussian around the nearest map pixel, cut at 3 σ (SimpleBaseline, HRNet).
- dark: a Gaussian around the keypoint itself (DARK, Zhang et al. 2020).
- udp: the same in UDP's alignment, cut at 3 σ; udp-offset: a disc, and in it offsets (UDP, Huang et al. 2020).
- cal, cal-light: disc times Gaussian, and in the disc offsets with weights (CAL, Wang et al. 2022). They differ in the
  network alone.

Frames. Crop points are in the pixels in which the head's alignment warps: the middle of pixel i lies at i, in crops as
in maps. "plain" makes a map point of a crop point by 1/4; "udp" by (w − 1) / (W − 1), so that the outermost pixels meet
and a mirrored crop has exactly mirrored maps. It does not know how crops are cut.

Departures. CAL's Gaussian ends at the disc, as in the paper (the official code lets it run on: the same at small σ).
UDP's radius is 4 map pixels at every resolution, as CAL's, not a part of the map. A keypoint counts if its window holds
a map pixel; the published test is one pixel more lenient on the left and above. CAL's offsets have one unit at every
width, where the published W48 configuration leaves it out and so learns them in whole map pixels.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scalepose.geometry import Alignment, Size

Head = Literal["heatmap", "dark", "udp", "udp-offset", "cal", "cal-light"]

STRIDE = 4  # crop pixels per map pixel
RADIUS = 4.0  # map pixels: of the disc in which offsets are learned
OFFSET_UNITS: dict[Head, float] = {"udp-offset": RADIUS, "cal": 1.5, "cal-light": 1.5}
"""Map pixels per unit of the offset maps, for the heads that have them."""


@dataclass(frozen=True, repr=False, eq=False)
class CropTarget:
    """The target of one crop with K keypoint types and maps of h×w pixels; all float32 unless stated.

    heatmaps: (K, h, w), 0 to 1. offsets: (K, 2, h, w), x and y from a pixel to the keypoint in units of
    `OFFSET_UNITS`, 0 outside of the disc. disc: (K, h, w) bool, the pixels within `RADIUS` of the keypoint.
    static_mask: (K, h, w), the weights of CAL's offsets in its first stage. The last three are None for heads without.
    weights: (K,), 1 for keypoints that count, 0 for those not labelled or too far outside; their maps are 0.
    places: (K, 2) int64, x and y of the map pixel nearest to the keypoint: the maximum of its heatmap.
    """

    heatmaps: np.ndarray
    offsets: np.ndarray | None
    disc: np.ndarray | None
    static_mask: np.ndarray | None
    weights: np.ndarray
    places: np.ndarray

    def __repr__(self) -> str:
        return f"CropTarget(heatmaps={'×'.join(map(str, self.heatmaps.shape))}, counted={int(self.weights.sum())})"


def alignment(head: Head) -> Alignment:
    """How crops of this head are cut and their maps measured."""
    return "plain" if head in ("heatmap", "dark") else "udp"


def to_map(head: Head, points: np.ndarray, crop_size: Size) -> np.ndarray:
    """(..., 2) crop pixels → (..., 2) float64 map pixels, in the alignment of `head`."""
    crop, size = np.asarray(crop_size, np.float64), np.asarray(_map_size(crop_size), np.float64)
    return points * (size / crop if alignment(head) == "plain" else (size - 1) / (crop - 1))


def encode(head: Head, keypoints: np.ndarray, crop_size: Size, sigma: float) -> CropTarget:
    """The target of one crop.

    keypoints: (K, 3), x and y in crop pixels and visibility, 0 where not labelled (then x and y may be anything).
    crop_size: (W, H), multiples of 4. sigma: map pixels, of the Gaussian and of CAL's mask; udp-offset has none.
    """
    w, h = size = _map_size(crop_size)
    points = to_map(head, np.asarray(keypoints[:, :2], np.float64), crop_size)
    labelled = (keypoints[:, 2] > 0) & np.isfinite(points).all(axis=1)
    reach = RADIUS if head == "udp-offset" else math.ceil(3 * sigma)
    with np.errstate(invalid="ignore"):
        nearest = np.floor(points + 0.5)
        visible = ((nearest + reach >= 0) & (nearest - reach <= np.subtract(size, 1))).all(axis=1)
    counts = labelled & visible
    points, nearest = np.where(counts[:, None], points, 0), np.where(counts[:, None], nearest, 0)

    centres = nearest if head == "heatmap" else points
    x, y = np.arange(w) - centres[:, :1], np.arange(h) - centres[:, 1:]  # (K, w), (K, h), from the centre
    across, down = np.exp(-(x**2) / (2 * sigma**2)), np.exp(-(y**2) / (2 * sigma**2))
    if head in ("heatmap", "udp"):
        across *= abs(np.arange(w) - nearest[:, :1]) <= reach
        down *= abs(np.arange(h) - nearest[:, 1:]) <= reach
    heatmaps = np.where(counts[:, None, None], down[:, :, None] * across[:, None, :], 0)  # (K, h, w)

    offsets = disc = static_mask = None
    if head in OFFSET_UNITS:
        disc = ((y**2)[:, :, None] + (x**2)[:, None, :] <= RADIUS**2) & counts[:, None, None]
        counts = disc.any(axis=(1, 2))
        towards = np.stack(np.broadcast_arrays(-x[:, None, :], -y[:, :, None]), axis=1)  # (K, 2, h, w)
        offsets = np.where(disc[:, None], towards / OFFSET_UNITS[head], 0).astype(np.float32)
        heatmaps = disc if head == "udp-offset" else np.where(disc, heatmaps, 0)
        static_mask = None if head == "udp-offset" else (heatmaps / sigma).astype(np.float32)
    places = np.clip(nearest, 0, np.subtract(size, 1)).astype(np.int64)
    return CropTarget(heatmaps.astype(np.float32), offsets, disc, static_mask, np.asarray(counts, np.float32), places)


def _map_size(crop_size: Size) -> Size:
    return crop_size[0] // STRIDE, crop_size[1] // STRIDE
