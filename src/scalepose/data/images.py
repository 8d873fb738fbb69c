"""Picture files to (H, W, 3) uint8 RGB, whatever they hold: grey, alpha, 16 bits, floats, CMYK, turned by EXIF.

The files may be hostile: size and wholeness are checked before anything is decoded. It knows nothing of networks.
"""

import struct
from pathlib import Path

import cv2
import numpy as np

from scalepose.data.headers import read_header
from scalepose.errors import ScaleposeError

MAX_PIXELS = 200_000_000  # the largest telephones' pictures; 0.6 GB decoded
MAX_FILE_BYTES = 1 << 30

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


def read_image(path: str | Path, exif: bool = False, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """(H, W, 3) uint8 RGB, contiguous.

    exif: turn the picture as its EXIF orientation says. COCO's annotations and the published training ignore it.
    Grey becomes RGB; transparent parts become white; 16 bits are scaled down; floats mean 0…1 where none is above 1,
    else 0…255 or 0…65535.
    Raises ScaleposeError naming the file and why: missing, a folder, empty, no picture, broken, cut off, too large.
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
    pixels = _decode(data)
    if pixels is None or pixels.size == 0:
        raise ScaleposeError(f"{name}: is a broken or unusual {header.kind} file; it cannot be decoded")
    image = _rgb(_eight_bits(pixels), name)
    # OpenCV itself turns TIFF.
    if exif and header.kind != "TIFF" and header.orientation in _TURNS:
        swap, mirror, upside_down = _TURNS[header.orientation]
        image = image.transpose(1, 0, 2) if swap else image
        image = image[:: -1 if upside_down else 1, :: -1 if mirror else 1]
    return np.ascontiguousarray(image)


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


def _decode(data: bytes) -> np.ndarray | None:
    """OpenCV's decoder without its messages; the caller has better ones.

    A JPEG damaged within (not cut off) is decoded as far as possible, like everywhere; libjpeg's own line stays.
    """
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "f":
        pixels = np.nan_to_num(pixels, nan=0, posinf=0, neginf=0)
        top = next((full for full in (1, 255, 65535) if pixels.max() <= full), float(pixels.max()))
    else:
        top = np.iinfo(pixels.dtype).max
    return np.clip(np.rint(pixels * (255 / top)), 0, 255).astype(np.uint8)


def _rgb(pixels: np.ndarray, name: str) -> np.ndarray:
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 1:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if channels == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    if channels == 4:
        alpha = pixels[..., 3:].astype(np.float32) / 255
        colour = pixels[..., 2::-1]
        return np.rint(colour * alpha + 255 * (1 - alpha)).astype(np.uint8)
    raise ScaleposeError(f"{name}: has {channels} channels; 1 (grey), 3 (colour) or 4 (with alpha) are possible")
