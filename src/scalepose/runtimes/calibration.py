"""Pictures as a network sees them, to measure what goes on inside of it: `calibration_images`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scalepose.data.images import read_image
from scalepose.geometry import View
from scalepose.models.cropcards import CropCard
from scalepose.models.normalise import normalise
from scalepose.models.zoo import ModelCard

COUNT = 64  # pictures; from 24 on, the ranges of the default network hardly grow
LONGEST = 2  # the long side, in short sides


def calibration_images(card: ModelCard | CropCard, pictures: Sequence[str | Path] = ()) -> list[np.ndarray]:
    """(1, 3, H, W) float32 each: up to 64 of `pictures`, evenly spread, or without any that many rendered people.

    For a network that reads crops every picture is one person, cut out; of a rendered scene the largest one is.
    Raises ScaleposeError naming the picture that cannot be read.
    """
    if pictures:
        step = max(1, len(pictures) / COUNT)
        chosen = [pictures[int(i * step)] for i in range(min(COUNT, len(pictures)))]
        return [_seen(card, read_image(picture, exif=True)) for picture in chosen]
    return [_seen(card, *_rendered(seed)) for seed in range(COUNT)]


def _rendered(seed: int) -> tuple[np.ndarray, Sequence[float]]:
    from scalepose.data.synthetic import render_scene

    image, people = render_scene(seed, 320, 240, people=1 + seed % 4)
    return image, max((person["bbox"] for person in people), key=lambda box: box[2] * box[3], default=(0, 0, 320, 240))


def _seen(card: ModelCard | CropCard, image: np.ndarray, box: Sequence[float] | None = None) -> np.ndarray:
    h, w = image.shape[:2]
    if isinstance(card, CropCard):
        view = View.crop((w, h), box or (0, 0, w, h), card.crop_size, card.alignment, padding=1.25 if box else 1.0)
    else:
        view = View.fit((w, h), card.input_size, longest=LONGEST * card.input_size)
    return normalise(view.warp(image))[None]
