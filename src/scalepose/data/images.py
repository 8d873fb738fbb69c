"""Picture files to (H, W, 3) uint8 RGB, whatever they hold: grey, alpha, 16 bits, floats, CMYK, turned by EXIF.

The files may be hostile: size and wholeness are checked before anything is decoded. It knows nothing of networks.
"""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from scalepose.data.headers import read_header
from scalepose.errors import ScaleposeError

MAX_PIXELS = 200_000_000  # the largest telephones' pictures; 0.6 GB decoded
MAX_FILE_BYTES = 1 << 30
_STRIP = 1 << 18  # pixels that are converted at a time

# EXIF orientation: (swap the axes first, then mirror left-right, then mirror top-bottom)
_TURNS = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
_BACK = {6: 8, 8: 6}  # the orientation that undoes another; all others undo themselves


def read_image(path: str | Path, exif: bool = False, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """(H, W, 3) uint8 RGB, contiguous.

    exif: turn the picture as its EXIF orientation says. COCO's annotations and the published training ignore it.
    max_pixels: larger pictures are refused. OpenCV has a limit of its own, which importing scalepose before cv2 sets to
    `MAX_PIXELS`; whoever reads larger ones sets OPENCV_IO_MAX_IMAGE_PIXELS too, before Python starts.
    Grey becomes RGB; transparent parts become white; 16 bits are scaled down; floats mean 0…1 where none is above 1,
    else 0…255 or 0…65535.
    Raises ScaleposeError naming the file and why: missing, a folder, empty, no picture, broken, cut off, too large.
    MemoryError when there is too little for it.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise ScaleposeError(f"{path}: is a folder, not a picture")
        if not path.exists():
            raise ScaleposeError(f"{path}: there is no such file")
        if not path.is_file():
            raise ScaleposeError(f"{path}: is not an ordinary file")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ScaleposeError(f"{path}: has {size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
        data = path.read_bytes()
    except OSError as error:
        raise ScaleposeError(f"{path}: cannot be read ({error.strerror})") from error
    return decode_image(data, str(path), exif, max_pixels)


def decode_image(data: bytes, name: str, exif: bool = False, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """`read_image` of a file's content; `name` is what errors call it."""
    if not data:
        raise ScaleposeError(f"{name}: is empty")
    try:
        header = read_header(data)
    except (ValueError, IndexError, KeyError, OverflowError, struct.error) as error:
        raise ScaleposeError(f"{name}: is broken or cut off: its header cannot be read") from error
    if header is None:
        raise ScaleposeError(f"{name}: is no picture of a known kind (JPEG, PNG, WebP, TIFF, BMP, GIF, PNM, JP2, AVIF)")
    w, h = header.width, header.height
    if w < 1 or h < 1:
        raise ScaleposeError(f"{name}: is broken: its header states {w}×{h} pixels")
    if w * h > max_pixels:
        raise ScaleposeError(f"{name}: has {w}×{h} = {w * h:,} pixels; at most {max_pixels:,} are read")
    if header.fault is not None:
        raise ScaleposeError(f"{name}: is a broken {header.kind} file: {header.fault}")
    orientation = header.orientation if exif else 1
    if header.kind == "TIFF":  # OpenCV turns it, whatever its flags
        orientation = 1 if exif else _BACK.get(header.orientation, header.orientation)
    try:
        with _SILENCE:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.size == 0:
            raise cv2.error("nothing was decoded")
        return _rgb(_turn(pixels, orientation), name)
    except cv2.error as error:
        text = str(error)  # `error.code` is the class's: that of the last error in any thread
        if "(-4:" in text or "bad_alloc" in text:
            raise MemoryError from error
        if "CV_IO_MAX_IMAGE_PIXELS" in text:
            raise ScaleposeError(
                f"{name}: has more pixels than OpenCV reads; OPENCV_IO_MAX_IMAGE_PIXELS says how many"
            ) from error
        raise ScaleposeError(f"{name}: is a broken or unusual {header.kind} file; it cannot be decoded") from error


def check_image(image: np.ndarray) -> None:
    """Raise ScaleposeError, with what to do, unless `image` is an (H, W, 3) uint8 RGB array."""
    if not isinstance(image, np.ndarray):
        raise ScaleposeError(f"a picture is a file name or an (H, W, 3) uint8 RGB array, not a {type(image).__name__}")
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size:
        return
    if image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):
        hint = "; make RGB of a grey one with np.stack([image.squeeze()] * 3, axis=-1)"
    elif image.ndim == 3 and image.shape[2] == 4:
        hint = "; leave the alpha channel out with image[..., :3]"
    elif image.ndim == 3 and image.shape[2] == 3 and image.size:
        hint = "; scale it to 0…255 and convert it with .astype(np.uint8)"
    else:
        hint = ""
    raise ScaleposeError(f"a picture is an (H, W, 3) uint8 RGB array, not {image.shape} {image.dtype}{hint}")


# Gives the level before. OpenCV 4 has it at the one place, OpenCV 5 at the other.
_set_log_level: Callable[[int], int] = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel


class _Silence:
    """OpenCV's decoders without their messages; the caller has better ones.

    A JPEG damaged within (not cut off) is decoded as far as possible, like everywhere; libjpeg's own line stays.
    The level is one for the whole process, and several threads read: the first one in keeps it, the last one out puts
    it back.
    """

    def __init__(self):
        self._lock = Lock()
        self._inside = 0
        self._level = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._level = _set_log_level(0)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _set_log_level(self._level)


_SILENCE = _Silence()


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """A view of (H, W) or (H, W, C) `pixels`, turned as an EXIF orientation says."""
    swap, mirror, upside_down = _TURNS.get(orientation, (False, False, False))
    pixels = pixels.swapaxes(0, 1) if swap else pixels
    return pixels[:: -1 if upside_down else 1, :: -1 if mirror else 1]


def _rgb(pixels: np.ndarray, name: str) -> np.ndarray:
    """(H, W) or (H, W, C) as OpenCV decodes it, of any depth → (H, W, 3) uint8 RGB, contiguous.

    Strip by strip, for as floats a whole picture takes many times its memory.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels not in (1, 3, 4):
        raise ScaleposeError(f"{name}: has {channels} channels; 1 (grey), 3 (colour) or 4 (with alpha) are possible")
    h, w = pixels.shape[:2]
    rows = max(1, _STRIP // w)
    strips = [slice(y, y + rows) for y in range(0, h, rows)]
    full = _full(pixels, strips)
    image = np.empty((h, w, 3), np.uint8)
    for strip in strips:
        image[strip] = _colours(_eight_bits(pixels[strip], full))
    return image


def _full(pixels: np.ndarray, strips: Sequence[slice]) -> float:
    """The value that becomes 255."""
    if pixels.dtype.kind != "f":
        return np.iinfo(pixels.dtype).max
    highest = max(float(_finite(pixels[strip]).max()) for strip in strips)
    return next((full for full in (1, 255, 65535) if highest <= full), highest)


def _eight_bits(pixels: np.ndarray, full: float) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    return np.clip(np.rint(_finite(pixels) * (255 / full)), 0, 255).astype(np.uint8)


def _finite(pixels: np.ndarray) -> np.ndarray:
    return np.nan_to_num(pixels, nan=0, posinf=0, neginf=0) if pixels.dtype.kind == "f" else pixels


def _colours(pixels: np.ndarray) -> np.ndarray:
    """uint8 grey, BGR or BGRA → RGB, white where it is transparent."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 4:
        alpha = pixels[..., 3:].astype(np.float32) / 255
        return np.rint(pixels[..., 2::-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB if channels == 1 else cv2.COLOR_BGR2RGB)
