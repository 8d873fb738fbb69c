"""Changes of colour and sharpness that leave every keypoint where it is. Not in the paper; all off by default.

Each takes (H, W, 3) uint8 RGB and how strong it is, and returns a new picture of the same kind.
"""

import cv2
import numpy as np


def tone(image: np.ndarray, brightness: float, contrast: float) -> np.ndarray:
    """Brightness is added in parts of the full range, −1…1; contrast multiplies the distance from mid-grey."""
    levels = (np.arange(256, dtype=np.float32) - 127.5) * contrast + 127.5 + 255 * brightness
    return cv2.LUT(image, np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def tint(image: np.ndarray, saturation: float, hue: float) -> np.ndarray:
    """Saturation is multiplied (0 is grey); hue is turned by degrees."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # hue in steps of 2 degrees
    steps = np.arange(256)
    turned = ((steps + round(hue / 2)) % 180).astype(np.uint8)
    scaled = np.clip(np.rint(steps * saturation), 0, 255).astype(np.uint8)
    table = np.stack([turned, scaled, steps.astype(np.uint8)], axis=-1)[None]  # (1, 256, 3)
    return cv2.cvtColor(cv2.LUT(hsv, table), cv2.COLOR_HSV2RGB)


def grey(image: np.ndarray) -> np.ndarray:
    """Without colour."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; sigma in pixels, above 0."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Normal noise in every channel; sigma in grey levels."""
    # A picture's worth of samples is slow to draw: a strip is repeated, of prime length so that rows differ.
    strength = np.resize(rng.standard_normal(32749, np.float32) * np.float32(sigma), image.shape)
    return np.clip(np.rint(image + strength), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Saved as JPEG and read again; quality 1 to 100."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    again = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert again is not None  # OpenCV reads what it wrote
    return cv2.cvtColor(again, cv2.COLOR_BGR2RGB)


def patch(image: np.ndarray, box: tuple[int, int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Hide box (x1, y1, x2, y2) behind a plain colour with some noise: something stands before the picture."""
    x1, y1, x2, y2 = box
    image = image.copy()
    hidden = image[y1:y2, x1:x2]
    colour = rng.integers(0, 256, 3) + rng.integers(-20, 21, hidden.shape)
    hidden[...] = np.clip(colour, 0, 255)
    return image
