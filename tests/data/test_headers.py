import struct
import zlib

import cv2
import numpy as np
import pytest

from scalepose.data.headers import read_header
from scalepose.data.images import decode_image

PICTURE = np.random.default_rng(0).integers(0, 255, (37, 53, 3), np.uint8)
KINDS = {
    ".png": "PNG", ".jpg": "JPEG", ".webp": "WebP", ".bmp": "BMP", ".tiff": "TIFF", ".ppm": "PNM", ".jp2": "JPEG 2000",
}  # fmt: skip


def encoded(suffix, image=PICTURE):
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.mark.parametrize(("suffix", "kind"), KINDS.items())
def test_kind_and_size(suffix, kind):
    header = read_header(encoded(suffix))
    assert header is not None
    assert (header.kind, header.width, header.height, header.fault) == (kind, 53, 37, None)


def test_lossy_webp_and_files_made_by_hand():
    lossy = cv2.imencode(".webp", PICTURE, (cv2.IMWRITE_WEBP_QUALITY, 50))[1].tobytes()
    gif = b"GIF89a" + struct.pack("<HH", 53, 37) + bytes(20)
    top_down = b"BM" + bytes(12) + struct.pack("<Iii", 40, 53, -37)
    old = b"BM" + bytes(12) + struct.pack("<IHH", 12, 53, 37)
    pgm = b"P5 # a comment\n# and another\n53 37\n255\n"
    big_tiff = (
        b"II+\0\x08\0\0\0"
        + struct.pack("<QQ", 16, 2)
        + b"".join(struct.pack("<HHQQ", tag, 16, 1, value) for tag, value in ((256, 53), (257, 37)))
    )
    for data in (lossy, gif, top_down, old, pgm, big_tiff):
        header = read_header(data)
        assert header is not None
        assert (header.width, header.height) == (53, 37)


def test_no_header_hides_a_larger_picture():
    """What the decoders read counts, whatever else a file holds."""
    tags = ((256, 9, 53), (257, 4, 37), (256, 4, 1), (257, 4, 1))
    tiff = b"II*\0" + struct.pack("<IH", 8, 4) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in tags)
    pgm = b"P5 # a comment\r53 37\n#\n1 1\n255\n"
    jp2 = encoded(".jp2")
    siz = b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 41, 0, 1, 1, 0, 0)
    at = jp2.index(b"jp2c") - 4
    small = jp2[:at] + struct.pack(">I4s", 8 + len(siz), b"xml ") + siz + jp2[at:]
    large = jp2[:at] + struct.pack(">I4sQ", 1, b"xml ", 16 + len(siz)) + siz + jp2[at:]
    for data in (tiff, pgm, small, large, jp2[at + 8 :]):
        header = read_header(data)
        assert header is not None
        assert (header.width, header.height) == (53, 37)
    for data in (small, large, jp2[at + 8 :]):
        assert decode_image(data, "a.jp2").shape == PICTURE.shape


def test_jp2_without_a_picture_is_broken():
    jp2 = encoded(".jp2")
    at = jp2.index(b"jp2c") - 4
    for data in (jp2[:at], jp2[:at] + struct.pack(">I4s", 0, b"xml "), jp2[: at + 8] + jp2[at + 12 :]):
        with pytest.raises((ValueError, struct.error)):
            read_header(data)


@pytest.mark.parametrize("data", [b"", b"hello", b"<html>", b"%PDF-1.7", b"RIFF0000WAVE", bytes(100)])
def test_other_files_are_no_pictures(data):
    assert read_header(data) is None


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("length", [4, 9, 13, 20, 30])
def test_stumps_raise_or_tell_but_never_anything_else(suffix, length):
    try:
        header = read_header(encoded(suffix)[:length])
    except (ValueError, IndexError, KeyError, struct.error):
        return
    assert header is None or header.fault or header.width * header.height == 53 * 37


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("part", [0.5, 0.9, 0.999])
def test_cut_off_files_are_noticed(suffix, part):
    data = encoded(suffix)
    header = read_header(data[: int(len(data) * part)])
    assert header is not None
    assert header.fault == "it ends too early"


def test_damaged_png_is_noticed():
    data = bytearray(encoded(".png"))
    data[200] ^= 1
    header = read_header(bytes(data))
    assert header is not None
    assert header.fault == "the data at byte 33 are damaged"


def test_thumbnail_in_a_jpeg_counts_neither_as_size_nor_as_end():
    thumbnail = encoded(".jpg", PICTURE[:8, :8])
    data = encoded(".jpg")
    data = data[:2] + b"\xff\xe2" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    header = read_header(data)
    assert header is not None
    assert (header.width, header.height, header.fault) == (53, 37, None)
    cut = read_header(data[:-2])
    assert cut is not None
    assert cut.fault == "it ends too early"


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_of_jpeg_png_and_webp(order):
    exif = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IHHHIHH", 8, 1, 274, 3, 1, 6, 0)
    app1 = b"Exif\0\0" + exif
    jpeg, png, webp = encoded(".jpg"), encoded(".png"), encoded(".webp")
    jpeg = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(app1) + 2) + app1 + jpeg[2:]
    png = (
        png[:33]
        + struct.pack(">I", len(exif))
        + b"eXIf"
        + exif
        + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
        + png[33:]
    )
    webp = webp + b"EXIF" + struct.pack("<I", len(exif)) + exif
    for data in (jpeg, png, webp):
        header = read_header(data)
        assert header is not None
        assert (header.orientation, header.width) == (6, 53)
    broken = read_header(jpeg.replace(b"Exif\0\0II", b"Exif\0\0XX").replace(b"Exif\0\0MM", b"Exif\0\0XX"))
    assert broken is not None
    assert broken.orientation == 1
