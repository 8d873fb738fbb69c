"""What a camera does to what it sees: exposure, colour cast, contrast, blur, motion, noise, few pixels, JPEG."""

from functools import cache

import cv2
import numpy as np

_GRAIN = 768  # pixels on a side of the table of noise


def take(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 0…255 → uint8."""
    H, W = image.shape[:2]
    gain = rng.uniform(0.85, 1.15) * (1 + 0.03 * rng.normal(size=3))
    contrast = rng.uniform(0.85, 1.15)
    lift = np.full((3, 1), 110 * (1 - contrast))
    image = cv2.transform(image, np.concatenate([np.diag(gain * contrast), lift], axis=1).astype(np.float32))
    kind = rng.choice(["sharp", "soft", "moved", "coarse"], p=[0.58, 0.22, 0.08, 0.12])
    if kind == "soft":
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.3)))
    elif kind == "moved":
        image = cv2.filter2D(image, -1, _streak(float(rng.uniform(2, 0.02 * W + 3)), float(rng.uniform(0, np.pi))))
    elif kind == "coarse":  # a small picture, enlarged
        scale = float(rng.uniform(0.35, 0.75))
        small = cv2.resize(image, (max(8, int(W * scale)), max(8, int(H * scale))), interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (W, H), interpolation=int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])))
    picture = _with_noise(rng, image, float(rng.uniform(0.5, 3.5) if rng.random() < 0.85 else rng.uniform(4, 12)))
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))]
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
        assert picture is not None
    return picture


def _with_noise(rng: np.random.Generator, image: np.ndarray, sigma: float) -> np.ndarray:
    """uint8. A piece of one large table: as good as fresh noise to a network, and many times faster."""
    H, W = image.shape[:2]
    table, out = _noise(), np.empty((H, W, 3), np.uint8)
    y, x = (int(n) for n in rng.integers(0, _GRAIN, size=2))
    for top in range(-y, H, _GRAIN):
        for left in range(-x, W, _GRAIN):
            t, b, lo, hi = max(top, 0), min(top + _GRAIN, H), max(left, 0), min(left + _GRAIN, W)
            grain = table[t - top : b - top, lo - left : hi - left]
            out[t:b, lo:hi] = cv2.addWeighted(image[t:b, lo:hi], 1, grain, sigma, 0, dtype=cv2.CV_8U)
    return out


@cache
def _noise() -> np.ndarray:
    grain = np.random.default_rng(0).standard_normal((_GRAIN, _GRAIN, 3)).astype(np.float32)
    grain.flags.writeable = False
    return grain


def _streak(length: float, angle: float) -> np.ndarray:
    """The kernel of a straight movement of `length` pixels."""
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    a, b = (tuple(int(v) for v in np.round((half + sign * step) * 16)) for sign in (-1, 1))
    cv2.line(kernel, a, b, 1.0, 1, cv2.LINE_AA, 4)
    return kernel / kernel.sum()
