"""Random changes of training pictures: the affine and mirroring of the paper (section 4.1), and more by choice.

Everything geometric is one `View`, so the picture is sampled once and keypoints, boxes and mask follow exactly. The
published code mirrors keypoints in map pixels and warps pixel corners, up to 0.75 map pixels off; here they are exact.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from scalepose.data import appearance
from scalepose.data.samples import Sample
from scalepose.errors import ScaleposeError
from scalepose.geometry import Size, View
from scalepose.skeletons import Skeleton

Range = tuple[float, float]

_RANGES = {"scale", "person_size", "jpeg_quality", "patch_size"}  # two numbers
_WHOLE = {"jpeg_quality", "patches"}
_LIMITS = {  # what is not here is a probability or a part: 0 to 1
    "scale": (0.01, 100),
    "rotation": (0, 180),
    "person_size": (1, 100_000),
    "person_shift": (0, 0.5),
    "person_zoom": (0.01, 100),
    "hue": (0, 180),
    "blur": (0, 100),
    "noise": (0, 255),
    "jpeg_quality": (1, 100),
    "patches": (0, 100),
}


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a picture, and how strongly; the defaults are the paper's. Calling it changes a `Sample`.

    Whole-picture views, as published:
    scale: the crop's side as a multiple of the picture's `side`, drawn evenly; below 1 enlarges.
    side: "short" or "long". rotation: up to so many degrees either way. translation: the crop's centre moves up to this
    part of the crop's side, along each axis. flip: probability of mirroring.

    outside: how far views, also those of persons, reach beyond the picture where it has room for them, at most; a part
    of the crop's side. 1: wherever the centre falls, as published; a fifth of the default model's views was black then,
    with 0.03 a tenth.

    Person views, for small networks that should see people at the sizes they will meet:
    person_views: probability that the view is about a random labelled person instead. person_size: the longer side of
    that person's box, in input pixels, drawn evenly on a logarithmic scale, as far as the crop does not become larger
    than any whole-picture view, nor the picture enlarged more than `person_zoom` times. person_shift: the person's
    place in the input, up to this part of the input's side from the middle.

    Appearance: a picture changes at all with the probability `appearance`. Drawn evenly from ± the value: brightness
    (a part of the full range), contrast and saturation (factors less 1), hue (degrees). Drawn from 0 to the value, half
    of the time: blur (sigma, pixels), noise (sigma, grey levels). grey: probability of losing all colour. jpeg:
    probability of being saved as JPEG, of a quality in the range `jpeg_quality`.

    Hiding: patches: up to so many patches of plain colour, their sides drawn from `patch_size`, parts of the input's
    side. Keypoints under a patch stay labelled, as hidden ones do in COCO.

    Raises ScaleposeError naming the field that makes no sense.
    """

    scale: Range = (0.75, 1.5)
    side: Literal["short", "long"] = "short"
    rotation: float = 30.0
    translation: float = 0.2
    flip: float = 0.5
    outside: float = 1.0
    person_views: float = 0.0
    person_size: Range = (64.0, 384.0)
    person_shift: float = 0.25
    person_zoom: float = 3.0
    appearance: float = 0.0
    brightness: float = 0.15
    contrast: float = 0.3
    saturation: float = 0.4
    hue: float = 12.0
    grey: float = 0.05
    blur: float = 1.0
    noise: float = 6.0
    jpeg: float = 0.3
    jpeg_quality: tuple[int, int] = (30, 90)
    patches: int = 0
    patch_size: Range = (0.05, 0.2)

    def __post_init__(self) -> None:
        if self.side not in ("short", "long"):
            raise ScaleposeError(f"augmentation: side must be 'short' or 'long', not {self.side!r}")
        for field in fields(self):
            if field.name != "side":
                object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))

    def __call__(self, sample: Sample, skeleton: Skeleton, input_size: int, rng: np.random.Generator) -> Sample:
        """An augmented `Sample` of input_size² pixels from one as it came from the file.

        All randomness comes from `rng`: the same state gives the same result.
        """
        h, w = sample.image.shape[:2]
        view, mirrored = self.draw_view((w, h), sample.boxes, input_size, rng)
        keypoints = view.to_input(sample.keypoints).astype(np.float32)
        known = view.warp(np.where(sample.mask, np.uint8(255), np.uint8(0)))
        return replace(
            sample,
            image=self._appearance(view.warp(sample.image), rng),
            view=view,
            keypoints=keypoints[:, skeleton.flip_index] if mirrored else keypoints,
            hidden=sample.hidden[:, skeleton.flip_index] if mirrored else sample.hidden,
            boxes=_turned(sample.boxes, view),
            mask=known > 127,
            channels=sample.channels[skeleton.flip_index] if mirrored else sample.channels,
        )

    def draw_view(self, size: Size, boxes: np.ndarray, input_size: int, rng: np.random.Generator) -> tuple[View, bool]:
        """A random view of a picture of `size` (w, h) with boxes (P, 4), corners; and whether it is mirrored."""
        angle = rng.uniform(-self.rotation, self.rotation)
        mirrored = bool(rng.random() < self.flip)
        side = min(size) if self.side == "short" else max(size)
        if rng.random() < self.person_views and len(boxes):
            x1, y1, x2, y2 = boxes[rng.integers(len(boxes))].astype(np.float64)
            zooms = np.array(self.person_size) / max(x2 - x1, y2 - y1)
            low, high = np.log(np.clip(zooms, input_size / (self.scale[1] * side), self.person_zoom))
            crop = input_size / math.exp(rng.uniform(low, high))
            centre = np.array([x1 + x2, y1 + y2]) / 2 + rng.uniform(-self.person_shift, self.person_shift, 2) * crop
        else:
            crop = side * rng.uniform(*self.scale)
            centre = np.array(size) / 2 + rng.uniform(-self.translation, self.translation, 2) * crop
        x, y = (self._within(c, length, crop) for c, length in zip(centre.tolist(), size, strict=True))
        return View.around(size, (x, y), input_size / crop, (input_size, input_size), angle, mirrored), mirrored

    def _within(self, centre: float, length: int, crop: float) -> float:
        """A view's centre along an axis, moved until the view reaches beyond the picture's `length` by no more than
        `outside`, or, when it is the larger one, is off the picture's middle by no more."""
        room = max(length - crop, 0) / 2 + self.outside * crop
        return min(max(centre, length / 2 - room), length / 2 + room)

    def _appearance(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if rng.random() < self.appearance:
            b, c, s, h = rng.uniform(-1, 1, 4) * (self.brightness, self.contrast, self.saturation, self.hue)
            image = appearance.tone(image, b, 1 + c)
            image = appearance.grey(image) if rng.random() < self.grey else appearance.tint(image, 1 + s, h)
            sigma = self.blur * rng.random()
            if sigma > 0.2 and rng.random() < 0.5:  # less cannot be seen
                image = appearance.blur(image, sigma)
            if self.noise and rng.random() < 0.5:
                image = appearance.noise(image, self.noise * rng.random(), rng)
            if rng.random() < self.jpeg:
                image = appearance.jpeg(image, int(rng.integers(self.jpeg_quality[0], self.jpeg_quality[1] + 1)))
        for _ in range(rng.integers(self.patches + 1) if self.patches else 0):
            side = image.shape[0]
            size = np.maximum(np.rint(rng.uniform(*self.patch_size, 2) * side).astype(int), 1)
            x, y = rng.integers(0, side - size + 1)
            image = appearance.patch(image, (x, y, x + size[0], y + size[1]), rng)
        return image


def _checked(name: str, value: Any) -> Any:
    """The value of a field; a range that yaml gives as a list becomes a tuple. Raises ScaleposeError."""
    low, high = _LIMITS.get(name, (0, 1))
    ranged = name in _RANGES
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    kinds = (int,) if name in _WHOLE else (int, float)
    sound = all(type(v) in kinds and low <= v <= high for v in values)
    if not sound or len(values) != (2 if ranged else 1) or values[0] > values[-1]:
        kind = "whole number" if name in _WHOLE else "number"
        needed = f"two {kind}s, the smaller first," if ranged else f"a {kind}"
        raise ScaleposeError(f"augmentation: {name} must be {needed} from {low} to {high}, not {value!r}")
    return values if ranged else value


def _turned(boxes: np.ndarray, view: View) -> np.ndarray:
    """(P, 4) the smallest upright boxes around the corners of the seen boxes."""
    corners = view.to_input(boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]].astype(np.float64))  # (P, 4, 2)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)
