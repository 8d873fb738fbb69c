"""A folder of photos to stand behind rendered people. Photos that cannot be read are left out and named."""

import hashlib
from pathlib import Path

import numpy as np

from scalepose.data.images import read_image
from scalepose.errors import ScaleposeError

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


class Photos:
    """Calling it with a generator gives one photo, (h, w, 3) uint8 RGB: a piece of it, sometimes mirrored.

    unreadable: file → why, of those met so far. Raises ScaleposeError when the folder cannot be read or holds no
    picture.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        try:
            self.files = sorted(path for path in self.folder.iterdir() if path.suffix.lower() in _SUFFIXES)
        except OSError as error:
            raise ScaleposeError(f"{self.folder}: cannot be read ({error.strerror})") from error
        if not self.files:
            raise ScaleposeError(f"{self.folder}: holds no pictures to stand behind people")
        self.unreadable: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """Stands for the names and sizes of all files: what is rendered depends on them."""
        listing = "".join(f"{path.name} {path.stat().st_size}\n" for path in self.files)
        return hashlib.sha256(listing.encode()).hexdigest()[:16]

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """One photo. Raises ScaleposeError when none can be read."""
        first, keep, mirror = int(rng.integers(len(self.files))), float(rng.uniform(0.65, 1)), rng.random() < 0.5
        corner = rng.random(2)
        for step in range(len(self.files)):
            path = self.files[(first + step) % len(self.files)]
            try:
                image = read_image(path)
            except ScaleposeError as error:
                self.unreadable[path.name] = str(error)
                continue
            h, w = (max(1, int(side * keep)) for side in image.shape[:2])
            y, x = int(corner[0] * (image.shape[0] - h)), int(corner[1] * (image.shape[1] - w))
            piece = image[y : y + h, x : x + w]
            return np.ascontiguousarray(piece[:, ::-1]) if mirror else piece
        raise ScaleposeError(f"{self.folder}: none of its {len(self.files)} pictures can be read")
