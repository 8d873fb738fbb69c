"""Where within its pixel, or beside it, a peak lies: the official parser's quarter of a pixel, and a fitted Gaussian.

The logarithm of a Gaussian is a parabola, as in DARK (Zhang et al. 2020); here it is fitted to the surroundings of the
peak rather than to its next neighbours, for a small network's maps have noise.
"""

import numpy as np

REACH = 3  # pixels on every side to which a Gaussian is fitted
FLOOR = 1e-3  # heat below this is taken as this before a logarithm
LEAST_BEND = 1e-3  # of the logarithm, per square pixel: flatter is no peak
FARTHEST = 1.5  # pixels from the middle of the peak's pixel, in x and in y
_RIDGE = 1e-9  # keeps the equations solvable where hardly a pixel is left

_Y, _X = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1].reshape(2, -1)  # (n,) the surroundings, from the peak
_RING = np.maximum(abs(_X), abs(_Y))
_PEAK = len(_RING) // 2


def _inwards(offset: np.ndarray) -> np.ndarray:
    """The same of the next pixel on the straight way to the peak."""
    return offset - np.round(offset / np.maximum(_RING, 1)).astype(np.intp)


_INNER = (_inwards(_Y) + REACH) * (2 * REACH + 1) + _inwards(_X) + REACH  # (n,) indices of those
_RINGS = [np.flatnonzero(r == _RING) for r in range(1, REACH + 1)]
_TERMS = np.stack([np.ones(len(_X)), _X, _Y, _X**2 + _Y**2], axis=-1)  # (n, 4) of the parabola
_SQUARES = (_TERMS[:, :, None] * _TERMS[:, None]).reshape(-1, 16)  # (n, 16) of the normal equations


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
    """The centre of the round Gaussian that fits the 7×7 pixels around best; where the heat does not fall on all sides,
    the centre of the pixel.

    Least squares on logarithms, each weighted by the third power of its heat. In every direction only the pixels count
    before the heat rises again, where somebody else's begins.

    heatmaps: (K, h, w). types, xs, ys: (N,) pixels → (N, 2) float32 points (centres of pixels at + 0.5), at most 1.5
    pixels from these.
    """
    _, h, w = heatmaps.shape
    x, y = xs[:, None] + _X, ys[:, None] + _Y  # (N, n)
    own = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    x, y = np.minimum(np.maximum(x, 0), w - 1), np.minimum(np.maximum(y, 0), h - 1)
    heat = np.maximum(heatmaps[types[:, None], y, x], FLOOR)
    for ring in _RINGS:
        inner = _INNER[ring]
        own[:, ring] &= own[:, inner] & (heat[:, ring] <= heat[:, inner])
    weights = np.where(own, heat, 0) / heat[:, _PEAK, None]
    weights *= weights * weights
    squares = (weights @ _SQUARES).reshape(-1, 4, 4) + _RIDGE * np.eye(4)
    moments = (weights * np.log(heat)) @ _TERMS  # (N, 4)
    parabola = np.linalg.solve(squares, moments[..., None])[..., 0]  # (N, 4)
    bend = parabola[:, 3:]
    step = np.divide(-parabola[:, 1:3], 2 * bend, out=np.zeros((len(xs), 2)), where=bend < -LEAST_BEND)
    step = np.minimum(np.maximum(step, -FARTHEST), FARTHEST)
    return (np.stack([xs, ys], axis=-1) + 0.5 + step).astype(np.float32)
