"""What a picture file says about itself before it is decoded: kind, size, EXIF orientation, whether it is whole.

A decoder reserves memory for the size in the header, whatever the file's own size; this is read first, so that a small
file cannot ask for all memory. Knows PNG, JPEG, WebP, BMP, GIF, TIFF, PNM, JPEG 2000 and AVIF.
"""

import re
import struct
import zlib
from dataclasses import dataclass

_MOST_PARTS = 100_000  # chunks or segments of one file; real ones have a few thousand


@dataclass(frozen=True)
class Header:
    """kind: such as "PNG". width, height: as stored, before any turning. orientation: EXIF's 1 to 8.
    fault: why the file cannot be decoded as a whole, or None.
    """

    kind: str
    width: int
    height: int
    orientation: int = 1
    fault: str | None = None


def read_header(data: bytes) -> Header | None:
    """The header of a picture file, or None when it is of none of the known kinds.

    Raises ValueError, IndexError, KeyError, OverflowError or struct.error when it is of a known kind but broken.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        tags = _tiff_tags(data)
        return Header("TIFF", tags[256], tags[257], tags.get(274, 1))
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return Header("GIF", *struct.unpack_from("<HH", data, 6))
    if data[:2] == b"BM":
        return _bmp(data)
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        sizes = [struct.unpack_from(">II", data, match.end() + 4) for match in re.finditer(b"ispe", data)]
        turned = re.search(b"irot([\x00-\x03])", data)  # quarter turns to the left
        orientation = (1, 8, 3, 6)[turned[1][0]] if turned else 1
        return Header("AVIF", *max(sizes, key=lambda size: size[0] * size[1]), orientation)
    if data[:12] == b"\0\0\0\x0cjP  \r\n\x87\n":
        return _jpeg2000(data, _jp2_codestream(data))
    if data[:4] == b"\xff\x4f\xff\x51":
        return _jpeg2000(data, 0)
    comments = rb"(?:#[^\r\n]*[\r\n]\s*)*"
    match = re.match(rb"P[1-6]\s+" + comments + rb"(\d{1,9})\s+" + comments + rb"(\d{1,9})\s", data[:4096])
    return Header("PNM", int(match[1]), int(match[2])) if match else None


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    orientation, fault, at = 1, "it ends too early", 8
    for _ in range(_MOST_PARTS):
        if at + 12 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(memoryview(data)[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            fault = f"the data at byte {at} are damaged"
            break
        if kind == b"eXIf":
            orientation = _exif_orientation(data[at + 8 : end])
        if kind == b"IEND":
            fault = None
            break
        at = end + 4
    return Header("PNG", width, height, orientation, fault)


def _jpeg(data: bytes) -> Header:
    size, orientation, at = None, 1, 2
    for _ in range(_MOST_PARTS):
        if data[at] != 0xFF:
            raise ValueError(f"no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without content
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = width, height
        elif marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = _exif_orientation(data[at + 10 : at + 2 + length])
        elif marker == 0xDA:
            break
        at += 2 + length
    if size is None:
        raise ValueError("no size before the picture")
    # Within the picture 0xFF is always followed by something else, so the end marker is unmistakable.
    fault = None if data.find(b"\xff\xd9", at) >= 0 else "it ends too early"
    return Header("JPEG", *size, orientation, fault)


def _webp(data: bytes) -> Header:
    size, orientation, at = None, 1, 12
    for _ in range(_MOST_PARTS):
        if at + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        content = at + 8
        if kind == b"VP8X":
            w, h = (int.from_bytes(data[content + i : content + i + 3], "little") + 1 for i in (4, 7))
            size = w, h
        elif kind == b"VP8 " and size is None:
            w, h = struct.unpack_from("<HH", data, content + 6)
            size = w & 0x3FFF, h & 0x3FFF
        elif kind == b"VP8L" and size is None:
            (bits,) = struct.unpack_from("<I", data, content + 1)
            size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif kind == b"EXIF":
            exif = data[content : content + length]
            orientation = _exif_orientation(exif.removeprefix(b"Exif\0\0"))
        at = content + length + (length & 1)
    if size is None:
        raise ValueError("no size")
    whole = len(data) >= struct.unpack_from("<I", data, 4)[0] + 8
    return Header("WebP", *size, orientation, None if whole else "it ends too early")


def _bmp(data: bytes) -> Header:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the first version of the format
        return Header("BMP", *struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return Header("BMP", abs(width), abs(height))  # a negative height: stored from the top


def _jpeg2000(data: bytes, at: int) -> Header:
    if data[at : at + 4] != b"\xff\x4f\xff\x51":
        raise ValueError(f"no codestream at byte {at}")
    right, below, left, above = struct.unpack_from(">IIII", data, at + 8)
    return Header("JPEG 2000", right - left, below - above)


def _jp2_codestream(data: bytes) -> int:
    """Where the picture of a JP2 file begins. The boxes before it may hold anything, what looks like one too."""
    at = 0
    for _ in range(_MOST_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = at + 8
        if length == 1:  # it follows, with more digits
            (length,) = struct.unpack_from(">Q", data, content)
            content += 8
        if kind == b"jp2c":
            return content
        if at + length < content:
            raise ValueError(f"a box of {length} bytes at byte {at}")
        at += length
    raise ValueError("no picture among its boxes")


def _exif_orientation(block: bytes) -> int:
    """EXIF is a small TIFF; a broken one turns nothing."""
    try:
        return _tiff_tags(block).get(274, 1)
    except (ValueError, IndexError, OverflowError, struct.error):
        return 1


def _tiff_tags(data: bytes) -> dict[int, int]:
    """The single whole numbers of the first directory of a TIFF, classic or big, by tag.

    Of a tag that comes twice the first counts, as for libtiff, which decodes.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no byte order")
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    count, value_at, entry_size = ("Q", 12, 20) if big else ("H", 8, 12)
    (entries,) = struct.unpack_from(order + count, data, at)
    at += struct.calcsize(order + count)
    first: dict[int, tuple[int, int]] = {}  # tag → kind of value, place of it
    for _ in range(min(entries, 1 << 16)):
        tag, kind = struct.unpack_from(order + "HH", data, at)
        first.setdefault(tag, (kind, at + value_at))
        at += entry_size
    forms = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}
    return {
        tag: struct.unpack_from(order + forms[kind], data, place)[0]
        for tag, (kind, place) in first.items()
        if kind in forms
    }
