"""Crops made worse on purpose: fewer pixels, blur, noise, JPEG. The low-resolution protocol, in training and in tests.

The network's crop keeps its size; what is in it has been brought down to fewer pixels (each the average of what it
covers) and up again. The published protocol only warps to a small crop.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from scalepose.data import appearance
from scalepose.data.cutting import Cutout
from scalepose.errors import ScaleposeError
from scalepose.geometry import Size, View

MAX_SIDE = 4096

Enlarge = Callable[[np.ndarray, Size], np.ndarray]
"""(h, w, 3) uint8 RGB and a larger size (W, H) → (H, W, 3) uint8 RGB that covers the same."""


def bicubic(image: np.ndarray, size: Size) -> np.ndarray:
    """The plain way to enlarge."""
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


@dataclass(frozen=True)
class Degradation:
    """What crops have gone through.

    size: (width, height), the pixels that are left of the crop. blur: sigma in those pixels. noise: sigma in grey
    levels. jpeg: quality 1 to 100; None for none.
    Raises ScaleposeError naming what makes no sense.
    """

    size: Size
    blur: float = 0.0
    noise: float = 0.0
    jpeg: int | None = None

    def __post_init__(self) -> None:
        try:
            width, height = self.size
        except (TypeError, ValueError):
            raise ScaleposeError(f"low resolution: size must be width and height, not {self.size!r}") from None
        object.__setattr__(self, "size", (width, height))  # yaml gives a list
        for name, value, kinds, low, high in (
            ("width", width, (int,), 1, MAX_SIDE),
            ("height", height, (int,), 1, MAX_SIDE),
            ("blur", self.blur, (int, float), 0, 100),
            ("noise", self.noise, (int, float), 0, 255),
            ("jpeg", 1 if self.jpeg is None else self.jpeg, (int,), 1, 100),
        ):
            if type(value) not in kinds or not low <= value <= high:
                raise ScaleposeError(f"low resolution: {name} must be a number from {low} to {high}, not {value!r}")

    @classmethod
    def parse(cls, text: str) -> "Degradation":
        """From "64x48" (height before width, as the papers write it), or "64x48,blur=0.5,noise=4,jpeg=60"."""
        size, *others = text.replace("×", "x").split(",")
        try:
            height, width = (int(side) for side in size.split("x"))
            given = dict(other.split("=") for other in others)
            unknown = given.keys() - {"blur", "noise", "jpeg"}
            if unknown or len(given) < len(others):
                raise ValueError(text)
            strengths = {name: float(given.get(name, 0)) for name in ("blur", "noise")}
            jpeg = int(given["jpeg"]) if "jpeg" in given else None
        except ValueError:
            raise ScaleposeError(
                f"{text!r} is no low resolution; write HEIGHTxWIDTH, as in 64x48, or 64x48,blur=0.5,noise=4,jpeg=60"
            ) from None
        return cls((width, height), strengths["blur"], strengths["noise"], jpeg)

    def __str__(self) -> str:
        """As `parse` reads it."""
        width, height = self.size
        others = [f"{name}={getattr(self, name):g}" for name in ("blur", "noise", "jpeg") if getattr(self, name)]
        return ",".join([f"{height}x{width}", *others])

    def milder(self, crop_size: Size, rng: np.random.Generator) -> "Degradation":
        """One at random for training, from none at all to this one.

        The size is drawn on a logarithmic scale up to `crop_size`; blur and noise evenly; JPEG is used half of the
        time, of a quality up to 95.
        """
        step = rng.random()
        width, height = (round(low * (full / low) ** step) for low, full in zip(self.size, crop_size, strict=True))
        blur, noise = self.blur * float(rng.random()), self.noise * float(rng.random())
        jpeg = None if self.jpeg is None else int(rng.integers(self.jpeg, max(self.jpeg, 95) + 1))
        return Degradation((width, height), blur, noise, jpeg if rng.random() < 0.5 else None)

    def __call__(
        self, cutout: Cutout, view: View, enlarge: Enlarge = bicubic, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """(H, W, 3) uint8: the crop that `view` takes from `cutout`, made worse.

        enlarge: what brings it back to the size of the crop. rng: for the noise; by default the same for every crop.
        """
        crop = cutout.crop(view, self.size)
        if self.blur > 0.2:  # less cannot be seen
            crop = appearance.blur(crop, self.blur)
        if self.noise:
            crop = appearance.noise(crop, self.noise, np.random.default_rng(0) if rng is None else rng)
        if self.jpeg is not None:
            crop = appearance.jpeg(crop, self.jpeg)
        W, H = view.input_size
        if self.size == (W, H):
            return crop
        if self.size[0] > W or self.size[1] > H:
            return cv2.resize(crop, (W, H), interpolation=cv2.INTER_AREA)
        return enlarge(crop, (W, H))
