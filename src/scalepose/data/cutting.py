"""Cutting a person out of a picture: the crop as a view says, without the false detail of too few samples.

A pixel of a small crop of a large person must be the average of what it covers. The published code takes single
samples instead, so that at 64x48 (height before width) detail turns into noise; this is the one departure.
`Cutout` is a part of a picture, kept so that many crops of one person can be taken from it.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from scalepose.geometry import Size, View

_MARGIN = 2  # pixels around a window, for the interpolation


@dataclass(frozen=True, eq=False)
class Cutout:
    """A part of a picture, at its resolution or at a lower one.

    pixels: (h, w, 3) uint8 RGB. corner: x and y of its upper left corner in the picture. zoom: its pixels per pixel of
    the picture, across and down.
    """

    pixels: np.ndarray
    corner: tuple[int, int] = (0, 0)
    zoom: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def around(cls, image: np.ndarray, centre: tuple[float, float], reach: float, zoom: float = 1.0) -> "Cutout":
        """A copy of what lies up to `reach` pixels from `centre` to each side, averaged down if `zoom` is below 1."""
        h, w = image.shape[:2]
        (x1, x2), (y1, y2) = (
            (max(0, min(math.floor(c - reach), side - 1)), min(side, max(math.ceil(c + reach), 1)))
            for c, side in zip(centre, (w, h), strict=True)
        )
        pixels = image[y1:y2, x1:x2]
        if zoom >= 1:
            return cls(pixels.copy(), (x1, y1))
        size = max(1, round((x2 - x1) * zoom)), max(1, round((y2 - y1) * zoom))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return cls(small, (x1, y1), (size[0] / (x2 - x1), size[1] / (y2 - y1)))

    def crop(self, view: View, size: Size | None = None) -> np.ndarray:
        """(H, W, 3) uint8: what `view`, a view of the whole picture, shows; black where the cutout ends.

        size: (W, H) of the result, by default the view's `input_size`. Whatever the size, the result shows the same:
        all that the pixels of the view's input cover. Each pixel is the average of what it covers.
        """
        W, H = view.input_size if size is None else size
        # From here on points are measured so that pixel 0 covers 0 to 1, in the cutout as in the result.
        shift = 0.5 - view.pixel_centre
        matrix = np.asarray(view.matrix, np.float64)
        matrix[:, 2] += shift - matrix[:, :2].sum(axis=1) * shift + matrix[:, :2] @ self.corner
        matrix[:, :2] /= self.zoom
        matrix *= np.divide((W, H), view.input_size)[:, None]
        finer = 1 if abs(np.linalg.det(matrix[:, :2])) >= 1 else 2
        fine = View(self.pixels.shape[1::-1], (finer * W, finer * H), _rows(finer * matrix))
        crop = self._warp(fine)
        return crop if finer == 1 else cv2.resize(crop, (W, H), interpolation=cv2.INTER_AREA)

    def _warp(self, view: View) -> np.ndarray:
        """`view`, a view of the cutout, warped from no more of it than is needed."""
        W, H = view.input_size
        corners = view.to_image(np.array([(0, 0), (W, 0), (0, H), (W, H)]))
        low = np.clip(np.floor(corners.min(axis=0)) - _MARGIN, 0, view.image_size).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + _MARGIN, 0, view.image_size).astype(int)
        if (low >= high).any():
            return np.zeros((H, W, 3), np.uint8)
        matrix = np.array(view.matrix)
        matrix[:, 2] += matrix[:, :2] @ low
        part = self.pixels[low[1] : high[1], low[0] : high[0]]
        return replace(view, image_size=part.shape[1::-1], matrix=_rows(matrix)).warp(part)


def _rows(matrix: np.ndarray) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    (a, b, c), (d, e, f) = matrix.tolist()
    return (a, b, c), (d, e, f)
