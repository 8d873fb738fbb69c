"""Pictures to measure on: a folder's, or rendered ones, and mosaics of them, so that one picture holds many people."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from scalepose.data.images import read_image
from scalepose.data.synthetic import write_scenes
from scalepose.errors import ScaleposeError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MOSAIC = (1280, 960)  # width, height in pixels of every mosaic, so that only what is in it differs
TILES = (1, 4, 9, 16, 30)


def find_pictures(folder: Path, most: int) -> list[Path]:
    """At most `most` pictures of a folder, spread evenly over their names in order.

    Raises ScaleposeError when there is no such folder or no picture in it.
    """
    if not folder.is_dir():
        raise ScaleposeError(f"{folder}: is no folder of pictures")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise ScaleposeError(f"{folder}: holds no pictures ({', '.join(SUFFIXES)})")
    count = min(len(found), most)
    return [found[i * len(found) // count] for i in range(count)]


def render_pictures(folder: Path, count: int) -> list[Path]:
    """`count` rendered pictures of 640×480 pixels, the same everywhere, written to `folder`."""
    write_scenes(count, folder)
    return find_pictures(folder, count)


def mosaic(pictures: Sequence[Path], tiles: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB of size `MOSAIC`: the first `tiles` pictures in rows and columns, in turn where there are
    fewer. Each is cut around its middle to fill its tile.
    """
    width, height = MOSAIC
    rows = math.floor(math.sqrt(tiles))
    columns = math.ceil(tiles / rows)
    canvas = np.zeros((height, width, 3), np.uint8)
    for i in range(tiles):
        row, column = divmod(i, columns)
        top, bottom = row * height // rows, (row + 1) * height // rows
        left, right = column * width // columns, (column + 1) * width // columns
        canvas[top:bottom, left:right] = _filling(read_image(pictures[i % len(pictures)]), right - left, bottom - top)
    return canvas


def _filling(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """The middle of a picture, at the size (width, height)."""
    h, w = picture.shape[:2]
    zoom = max(width / w, height / h)
    w_kept, h_kept = min(w, max(1, round(width / zoom))), min(h, max(1, round(height / zoom)))
    left, top = (w - w_kept) // 2, (h - h_kept) // 2
    kept = picture[top : top + h_kept, left : left + w_kept]
    return cv2.resize(kept, (width, height), interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
