"""Random changes of one person's crop: half of the body, size, turn, mirror image (HRNet's recipe), and colours.

All that is geometric becomes one `View`. What makes a crop worse is for `degrade`.
"""

from dataclasses import dataclass, fields

import numpy as np

from scalepose.data import appearance
from scalepose.errors import ScaleposeError
from scalepose.geometry import PADDING, Alignment, Size, View
from scalepose.skeletons import Skeleton

HALF_PADDING = 1.5  # of the box around half of a body
_UPPER = 0.6915  # probability of the upper half: that of a normal variable below 0.5, as the official code draws it
_LOWER_PARTS = ("hip", "knee", "ankle", "heel", "foot", "toe")
_LIMITS = {"scale": (0, 0.9), "rotation": (0, 90), "half_body_keypoints": (2, 1000), "hue": (0, 180)}


@dataclass(frozen=True)
class CropAugmentation:
    """What may happen to a crop; the defaults are HRNet's (SimpleBaseline: half_body 0, scale 0.3, rotation 40).

    half_body: probability of looking at the upper or lower half of the body only, of people with more than
    `half_body_keypoints` labelled. scale: spread of the size, normal around 1, cut at 1 ± this. rotation: spread in
    degrees, normal, cut at twice this; it happens with the probability `rotation_chance`. flip: probability of
    mirroring.

    Not in the papers, off by default: with the probability `appearance`, drawn evenly from ± the value: brightness (a
    part of the full range), contrast and saturation (factors less 1), hue (degrees); or all colour is lost, with the
    probability `grey`.

    Raises ScaleposeError naming the field that makes no sense.
    """

    half_body: float = 0.3
    half_body_keypoints: int = 8
    scale: float = 0.35
    rotation: float = 45.0
    rotation_chance: float = 0.6
    flip: float = 0.5
    appearance: float = 0.0
    brightness: float = 0.15
    contrast: float = 0.3
    saturation: float = 0.4
    hue: float = 12.0
    grey: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (low, high) = getattr(self, field.name), _LIMITS.get(field.name, (0, 1))
            kinds = (int,) if field.name == "half_body_keypoints" else (int, float)
            if type(value) not in kinds or not low <= value <= high:
                raise ScaleposeError(
                    f"crop augmentation: {field.name} must be a number from {low} to {high}, not {value!r}"
                )

    def draw_view(
        self,
        image_size: Size,
        box: np.ndarray,
        keypoints: np.ndarray,
        skeleton: Skeleton,
        crop_size: Size,
        alignment: Alignment,
        rng: np.random.Generator,
    ) -> tuple[View, bool]:
        """A random view of a person with a box (4,), x, y, width, height, and keypoints (K, 3); and whether it is
        mirrored.
        """
        padding = PADDING
        labelled = keypoints[:, 2] > 0
        if rng.random() < self.half_body and labelled.sum() > self.half_body_keypoints:
            half = _half_body(keypoints, skeleton, rng)
            if half is not None:
                box, padding = half, HALF_PADDING
        padding *= float(np.clip(1 + self.scale * rng.standard_normal(), 1 - self.scale, 1 + self.scale))
        turned, angle = rng.random() < self.rotation_chance, self.rotation * rng.standard_normal()
        angle = float(np.clip(angle, -2 * self.rotation, 2 * self.rotation)) if turned else 0.0
        mirrored = bool(rng.random() < self.flip)
        return View.crop(image_size, box, crop_size, alignment, padding, angle, mirrored), mirrored

    def recolour(self, crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(H, W, 3) uint8 → the same in other colours, perhaps."""
        if rng.random() >= self.appearance:
            return crop
        b, c, s, h = rng.uniform(-1, 1, 4) * (self.brightness, self.contrast, self.saturation, self.hue)
        crop = appearance.tone(crop, b, 1 + c)
        return appearance.grey(crop) if rng.random() < self.grey else appearance.tint(crop, 1 + s, h)


def _half_body(keypoints: np.ndarray, skeleton: Skeleton, rng: np.random.Generator) -> np.ndarray | None:
    """The box around the labelled keypoints of the upper half or of the lower (from the hips down), centred on their
    mean as published; None where neither half has three, or they have no extent.
    """
    lower = np.array([any(part in name for part in _LOWER_PARTS) for name in skeleton.keypoints])
    labelled = keypoints[:, 2] > 0
    halves = [labelled & lower, labelled & ~lower]
    if rng.random() < _UPPER:
        halves.reverse()
    for half in halves:
        if half.sum() > 2:
            points = keypoints[half, :2].astype(np.float64)
            extent = np.ptp(points, axis=0)
            return np.concatenate([points.mean(axis=0) - extent / 2, extent]) if extent.max() >= 1 else None
    return None
