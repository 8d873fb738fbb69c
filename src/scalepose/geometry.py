"""From image pixels to network input and back: `View`, the one record of resize, pad, crop, rotation and flip.

Frames. A point (x, y) of a frame of W×H pixels lies in [0, W] × [0, H]; the centre of the pixel with index (0, 0) is
(0.5, 0.5). Annotations, network inputs, maps and results all use it, so a map pixel i of stride s covers the input
from i·s to (i+1)·s and frames convert by a plain factor. The published code treats matrices for such points as if they
moved pixel *indices* when it warps a picture, half a pixel of the difference in scale away; `View.paper` repeats that
(`pixel_centre=0`), every other view warps exactly.

The top-down papers have one more frame: points of `View.crop` are pixel indices throughout, in picture, crop and maps.
Two alignments relate sizes there. "plain" (SimpleBaseline, HRNet) takes W pixels for W wide, though their centres are
W - 1 apart; "udp" (Huang et al. 2020) takes W - 1, so that crops, maps and mirrored crops fit each other exactly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from scalepose.errors import ScaleposeError

Size = tuple[int, int]  # width, height
Alignment = Literal["plain", "udp"]
PADDING = 1.25  # of a person's box in the top-down papers
AREA_OF_BOX = 0.53  # is the person's, where no area is stated (COCO's rule of thumb; CrowdPose's evaluation)


@dataclass(frozen=True)
class View:
    """An affine map from image pixels to network-input pixels.

    image_size: (W, H) of the picture. input_size: (W, H) of the network input.
    matrix: ((a, b, c), (d, e, f)), x' = a·x + b·y + c and y' = d·x + e·y + f, on points.
    pixel_centre: where the centre of pixel 0 lies when the picture is warped: 0.5, or 0 as in the published code.
    alignment: what the width of W pixels is, in the input and in maps of it: W, or W - 1 ("udp").
    """

    image_size: Size
    input_size: Size
    matrix: tuple[tuple[float, float, float], tuple[float, float, float]]
    pixel_centre: float = 0.5
    alignment: Alignment = "plain"

    @classmethod
    def paper(cls, image_size: Size, input_size: int, scale: float = 1.0, min_scale: float = 1.0) -> "View":
        """The published test-time resize: the short side fills, the long side is padded to a multiple of 64.

        `scale` and `min_scale` are this entry and the smallest of the multi-scale test (HigherHRNet's official
        `resize_align_multi_scale`).
        """
        w, h = _positive(image_size)
        base = int(_ceil64(min_scale * input_size))
        short = int(base * scale / min_scale)
        long = int(_ceil64(base / min(w, h) * max(w, h)) * scale / min_scale)
        width, height = (short, long) if w < h else (long, short)
        zoom = short / min(w, h)
        cx, cy = int(w / 2 + 0.5), int(h / 2 + 0.5)
        matrix = ((zoom, 0.0, width / 2 - zoom * cx), (0.0, zoom, height / 2 - zoom * cy))
        return cls((w, h), (width, height), matrix, pixel_centre=0.0)

    @classmethod
    def fit(cls, image_size: Size, short_side: int, longest: int | None = None, multiple: int = 32) -> "View":
        """Resize so that the short side has `short_side` pixels (or the long side `longest`, where that is smaller),
        then pad right and below to a multiple of `multiple`. Nothing of the picture is lost.
        """
        w, h = _positive(image_size)
        zoom = short_side / min(w, h)
        if longest is not None:
            zoom = min(zoom, longest / max(w, h))
        width, height = (max(1, math.ceil(side * zoom / multiple - 1e-6)) * multiple for side in (w, h))
        return cls((w, h), (width, height), ((zoom, 0.0, 0.0), (0.0, zoom, 0.0)))

    @classmethod
    def around(
        cls,
        image_size: Size,
        centre: tuple[float, float],
        zoom: float,
        input_size: Size,
        angle: float = 0.0,
        mirrored: bool = False,
    ) -> "View":
        """The image point `centre` comes to the middle of the input, enlarged by `zoom`, turned by `angle` degrees
        (clockwise on the screen), then mirrored left to right if asked.
        """
        w, h = _positive(image_size)
        cos, sin = zoom * math.cos(math.radians(angle)), zoom * math.sin(math.radians(angle))
        cx, cy = centre
        matrix = (
            (cos, -sin, input_size[0] / 2 - cos * cx + sin * cy),
            (sin, cos, input_size[1] / 2 - sin * cx - cos * cy),
        )
        view = cls((w, h), input_size, matrix)
        return view.mirror() if mirrored else view

    @classmethod
    def crop(
        cls,
        image_size: Size,
        box: Sequence[float] | np.ndarray,
        crop_size: Size,
        alignment: Alignment = "plain",
        padding: float = PADDING,
        angle: float = 0.0,
        mirrored: bool = False,
    ) -> "View":
        """One person's box (x, y, width, height), as the top-down papers cut it out: extended on two sides to the shape
        of the crop, enlarged by `padding` around its centre, turned by `angle` degrees (clockwise on the screen), and
        mirrored left to right if asked.

        With "udp" the sides of the box become 1 less than the crop's, so it is stretched by a little, as published.
        Raises ScaleposeError for a box without finite numbers or without any extent.
        """
        x, y, w, h = (float(value) for value in box)
        if not (all(map(math.isfinite, (x, y, w, h))) and min(w, h) >= 0 < max(w, h)):
            raise ScaleposeError(f"a box needs finite numbers and a width or height above 0, not {(x, y, w, h)}")
        W, H = crop_size
        width, height = _extent(crop_size, alignment)
        zoom_x, zoom_y = width / (padding * max(w, h * W / H)), height / (padding * max(h, w * H / W))
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        cx, cy = x + w / 2, y + h / 2
        matrix = (
            (zoom_x * cos, -zoom_x * sin, width / 2 - zoom_x * (cos * cx - sin * cy)),
            (zoom_y * sin, zoom_y * cos, height / 2 - zoom_y * (sin * cx + cos * cy)),
        )
        view = cls(_positive(image_size), crop_size, matrix, pixel_centre=0.0, alignment=alignment)
        return view.mirror() if mirrored else view

    def mirror(self) -> "View":
        """This view, mirrored left to right in the network input."""
        (a, b, c), (d, e, f) = self.matrix
        return replace(self, matrix=((-a, -b, _extent(self.input_size, self.alignment)[0] - c), (d, e, f)))

    def resized(self, factor: float, multiple: int = 32) -> "View":
        """The same part of the picture in an input `factor` times the size, its sides rounded to `multiple`.

        Maps of both views cover the same, so resizing brings one onto the other; the rounding stretches by a little.
        """
        W, H = self.input_size
        size = (max(1, round(W * factor / multiple)) * multiple, max(1, round(H * factor / multiple)) * multiple)
        x, y = size[0] / W, size[1] / H
        (a, b, c), (d, e, f) = self.matrix
        return replace(self, input_size=size, matrix=((x * a, x * b, x * c), (y * d, y * e, y * f)))

    @property
    def zoom(self) -> float:
        """Input pixels per image pixel: the square root of the change of area."""
        (a, b, _), (d, e, _) = self.matrix
        return math.sqrt(abs(a * e - b * d))

    def to_input(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) image pixels → (..., 2) input pixels. NaN stays NaN."""
        matrix = np.asarray(self.matrix)
        return points @ matrix[:, :2].T + matrix[:, 2]

    def to_image(self, points: np.ndarray, map_size: Size | None = None) -> np.ndarray:
        """(..., 2) points in pixels of a map of `map_size` (W, H) that covers the input (default: the input itself)
        → (..., 2) image pixels. NaN stays NaN.
        """
        matrix = np.asarray(self.matrix)
        if map_size is not None:
            inputs, maps = (_extent(size, self.alignment) for size in (self.input_size, map_size))
            points = points * (np.asarray(inputs) / np.asarray(maps))
        return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T

    def warp(self, image: np.ndarray, border: int = 0) -> np.ndarray:
        """The picture as the network sees it: (H, W[, C]) uint8 or float32, bilinear, `border` outside.

        A picture that shrinks to less than half is first averaged down by whole factors, or thin limbs would be
        lost between the samples (not for `pixel_centre=0`: the published code samples directly).
        """
        matrix = np.asarray(self.matrix, np.float64)
        factor = int(1 / self.zoom + 1e-9) if self.pixel_centre else 1
        if factor >= 2:
            h, w = image.shape[:2]
            small = (max(1, round(w / factor)), max(1, round(h / factor)))
            image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
            matrix = matrix @ np.diag([w / small[0], h / small[1], 1.0])
        centre = self.pixel_centre
        matrix = matrix.copy()
        matrix[:, 2] += matrix[:, :2].sum(axis=1) * centre - centre
        fill = (border,) * 4
        return cv2.warpAffine(image, matrix, self.input_size, flags=cv2.INTER_LINEAR, borderValue=fill)


def _extent(size: Size, alignment: Alignment) -> Size:
    """How wide and high so many pixels are taken to be."""
    return size if alignment == "plain" else (size[0] - 1, size[1] - 1)


def _positive(size: Size) -> Size:
    w, h = int(size[0]), int(size[1])
    if w < 1 or h < 1:
        raise ScaleposeError(f"a picture of {w}×{h} pixels has nothing to look at")
    return w, h


def _ceil64(value: float) -> float:
    """`value` rounded up to a multiple of 64, as the official code does it (truncated first)."""
    return (int(value) + 63) // 64 * 64
