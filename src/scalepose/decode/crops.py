"""One person's maps to keypoints, for every top-down head; and the average of a crop's maps with its mirror image's.

heatmap: the maximum and a quarter of a pixel towards the larger neighbour (SimpleBaseline, HRNet). dark, udp: the
maximum and a Newton step on the logarithm of the smoothed map (DARK, Zhang et al. 2020; UDP, Huang et al. 2020).
udp-offset: the maximum of the smoothed disc, then the offset there. cal, cal-light: the maximum, then the offset there
(CAL, Wang et al. 2022).

Only NumPy, whole batches at once. Points are in map pixels of the head's alignment, the middle of pixel i at i
(`targets.crops`); the way back to the image is `geometry`'s. It knows no boxes and no scores of people.

As published, and a reason why these two lose a little on small maps: DARK refines nothing within two pixels of the
border, and what it and UDP smooth is pulled inwards near the border, beyond which there are zeros.

Departures. A Newton step is taken only where the map has a maximum, and no farther than the pixels from which it was
estimated (the published ones can leave the map). UDP's mixed derivative is DARK's. UDP's offsets are not smoothed, as
in mmpose 1: smoothing pulls them to zero near the border. A keypoint without heat stays at the maximum, where the
published code moves it to the corner.
"""

import numpy as np

from scalepose.errors import ScaleposeError
from scalepose.models.outputs import Outputs
from scalepose.skeletons import Skeleton
from scalepose.targets.crops import OFFSET_UNITS, Head, alignment

DISC_WINDOW = 15  # pixels: a disc is smoothed with this window before its maximum is taken


def decode_crops(
    head: Head, heatmaps: np.ndarray, offsets: np.ndarray | None, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """The K keypoints of each of B crops.

    heatmaps: (B, K, h, w). offsets: (B, K, 2, h, w) in units of `OFFSET_UNITS` for heads with offsets. sigma: map
    pixels, that of the targets; it sets how much DARK and UDP smooth.

    Returns points (B, K, 2) float32, x and y in map pixels, and values (B, K) float32, the heat of each keypoint's
    highest pixel. Raises ScaleposeError for maps that are not finite, and where offsets are missing.
    """
    B, K, h, w = heatmaps.shape
    maps = np.asarray(heatmaps, np.float32).reshape(B * K, h, w)
    values = maps.max(axis=(1, 2))
    smooth = _smooth(maps, DISC_WINDOW) if head == "udp-offset" else maps
    y, x = np.divmod(smooth.reshape(B * K, h * w).argmax(axis=1), w)
    points = np.stack([x, y], axis=1).astype(np.float32)
    if head == "heatmap":
        points += _quarter(maps, x, y)
    elif head in ("dark", "udp"):
        points += _newton(head, maps, values, x, y, sigma)
    else:
        if offsets is None or offsets.shape != (B, K, 2, h, w):
            shape = None if offsets is None else offsets.shape
            raise ScaleposeError(f"the head {head!r} needs offsets of the shape {(B, K, 2, h, w)}, not {shape}")
        at_peak = np.asarray(offsets, np.float32).reshape(B * K, 2, h, w)[np.arange(B * K), :, y, x]
        points += OFFSET_UNITS[head] * at_peak
    if not (np.isfinite(values).all() and np.isfinite(points).all()):
        raise ScaleposeError(
            "the network's maps hold infinite values or NaN; its weights or its precision are at fault"
        )
    return points.reshape(B, K, 2), values.reshape(B, K)


def average_flip(
    head: Head, plain: Outputs[np.ndarray], mirrored: Outputs[np.ndarray], skeleton: Skeleton
) -> Outputs[np.ndarray]:
    """What the network said about crops and about the same crops mirrored left to right, averaged as seen in the first.

    In UDP's alignment mirrored maps fit as they are. In the plain one they lie three quarters of a pixel to the left:
    they are moved by one to the right, as published, which leaves an error of a quarter.
    """
    heatmaps = mirrored.heatmaps[-1][:, skeleton.flip_index, :, ::-1]  # (B, K, h, w)
    if alignment(head) == "plain":
        heatmaps = np.concatenate([heatmaps[..., :1], heatmaps[..., :-1]], axis=-1)
    offsets = None
    if plain.offsets is not None and mirrored.offsets is not None:
        back = mirrored.offsets[:, skeleton.flip_index, :, :, ::-1]  # (B, K, 2, h, w)
        back = back * np.array([-1, 1], np.float32)[:, None, None]
        offsets = (plain.offsets + back) / 2
    return Outputs([(plain.heatmaps[-1] + heatmaps) / 2], offsets=offsets)


def _quarter(maps: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, 2) steps of a quarter of a pixel from the pixels x, y of (N, h, w), 0 beside the border."""
    N, h, w = maps.shape
    inside = (x > 1) & (x < w - 1) & (y > 1) & (y < h - 1)
    x, y, n = np.where(inside, x, 0), np.where(inside, y, 0), np.arange(N)
    right, below = np.minimum(x + 1, w - 1), np.minimum(y + 1, h - 1)
    rise = np.stack([maps[n, y, right] - maps[n, y, x - 1], maps[n, below, x] - maps[n, y - 1, x]], axis=1)
    return np.where(inside[:, None], 0.25 * np.sign(rise), 0)


def _newton(head: Head, maps: np.ndarray, values: np.ndarray, x: np.ndarray, y: np.ndarray, sigma: float) -> np.ndarray:
    """(N, 2) steps to the vertex of the parabola through the logarithms of the smoothed maps (N, h, w) around x, y.

    values: (N,) highest values of the maps, to which the smoothed maps are brought. DARK takes second derivatives over
    two pixels to each side, UDP over one; UDP repeats the outermost pixels beyond the border.
    """
    N, h, w = maps.shape
    smooth = _smooth(maps, dark_window(sigma))
    highest = smooth.max(axis=(1, 2))
    scale = np.divide(values, highest, out=np.ones_like(values), where=highest > 0)
    lowest, wide = (1e-10, 2) if head == "dark" else (1e-3, 1)
    n = np.arange(N)

    def log(dx: int, dy: int) -> np.ndarray:
        heat = smooth[n, np.clip(y + dy, 0, h - 1), np.clip(x + dx, 0, w - 1)] * scale
        return np.log(np.clip(heat, lowest, 50))

    here = log(0, 0)
    gx, gy = (log(1, 0) - log(-1, 0)) / 2, (log(0, 1) - log(0, -1)) / 2
    gxx = (log(wide, 0) - 2 * here + log(-wide, 0)) / wide**2
    gyy = (log(0, wide) - 2 * here + log(0, -wide)) / wide**2
    gxy = (log(1, 1) - log(-1, 1) - log(1, -1) + log(-1, -1)) / 4
    determinant = gxx * gyy - gxy**2
    peak = (determinant > 1e-9) & (gxx < 0)
    if head == "dark":
        peak &= (x > 1) & (x < w - 2) & (y > 1) & (y < h - 2)
    step = np.stack([gxy * gy - gyy * gx, gxy * gx - gxx * gy], axis=1) / np.where(peak, determinant, 1)[:, None]
    return np.where(peak[:, None], np.clip(step, -wide, wide), 0)


def dark_window(sigma: float) -> int:
    """The side of the smoothing window, odd: 3, 7, 11 and 17 pixels for σ of 1, 1.5, 2 and 3 as published; 1, that is
    none, for less than 1.
    """
    return max(1, 2 * int(min(4 * sigma - 2.5, 3 * sigma - 0.5) - 0.5) + 1)


def _smooth(maps: np.ndarray, window: int) -> np.ndarray:
    """(N, h, w) smoothed by a Gaussian in a window of so many pixels, zeros beyond the border.

    Two products with band matrices: fast for maps as small as these.
    """
    if window == 1:
        return maps
    _, h, w = maps.shape
    return _band(h, window) @ (maps @ _band(w, window))


def _band(size: int, window: int) -> np.ndarray:
    """(size, size) float32: row i is the Gaussian kernel around i. Its σ follows OpenCV's rule for a window."""
    sigma = 0.3 * ((window - 1) / 2 - 1) + 0.8
    reach = np.arange(-(window // 2), window // 2 + 1)
    kernel = np.exp(-(reach**2) / (2 * sigma**2))
    distance = np.arange(size)[:, None] - np.arange(size)
    band = np.where(abs(distance) <= window // 2, np.exp(-(distance**2) / (2 * sigma**2)), 0)
    return (band / kernel.sum()).astype(np.float32)
