import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from threading import Event, Thread, current_thread

import cv2
import numpy as np
import pytest

from scalepose.data import images
from scalepose.data.images import decode_image, read_image
from scalepose.errors import ScaleposeError

# Four fields of plain colour: survives lossy kinds, and shows every turn and mixed-up channel.
RGB = np.zeros((32, 48, 3), np.uint8)
RGB[:16, :24], RGB[:16, 24:], RGB[16:, :24], RGB[16:, 24:] = (200, 30, 60), (20, 180, 40), (10, 20, 230), (90, 90, 90)
GREY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)


def write(path, image, *parameters):
    """OpenCV's writer for RGB, RGBA or grey of any depth."""
    if image.ndim == 3:
        image = image[..., [2, 1, 0, 3][: image.shape[2]]]
    assert cv2.imwrite(str(path), image, parameters)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".jp2", ".webp", ".jpg"])
def test_kinds(tmp_path, suffix):
    image = read_image(write(tmp_path / f"a{suffix}", RGB))
    assert (image.shape, image.dtype) == ((32, 48, 3), np.uint8)
    assert image.flags.c_contiguous
    for y, x in ((8, 12), (8, 36), (24, 12), (24, 36)):
        np.testing.assert_allclose(image[y, x].astype(int), RGB[y, x], atol=4)


def test_depths_and_channels(tmp_path):
    wide = RGB.astype(np.uint16) * 257
    kinds = {
        "16 bits": (write(tmp_path / "a.png", wide), RGB),
        "16 bits, tiff": (write(tmp_path / "a.tiff", wide), RGB),
        "16 bits, grey": (write(tmp_path / "b.png", GREY.astype(np.uint16) * 257), np.dstack([GREY] * 3)),
        "grey": (write(tmp_path / "c.png", GREY), np.dstack([GREY] * 3)),
        "floats to 1": (write(tmp_path / "d.tiff", RGB.astype(np.float32) / 255), RGB),
        "floats to 255": (write(tmp_path / "e.tiff", RGB.astype(np.float32)), RGB),
    }
    for name, (path, expected) in kinds.items():
        np.testing.assert_array_equal(read_image(path), expected, name)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_strips_leave_no_seams(kind, channels, monkeypatch):
    pixels = (np.random.default_rng(0).random((31, 48, channels)) * (1 if kind == np.float32 else 255)).astype(kind)
    pixels[-1, -1] = 40_000 if kind != np.uint8 else 255  # what the floats are measured by is in the last strip
    data = cv2.imencode(".tiff", pixels)[1].tobytes()
    whole = decode_image(data, "a.tiff")
    monkeypatch.setattr(images, "_STRIP", 100)
    np.testing.assert_array_equal(decode_image(data, "a.tiff"), whole)


@pytest.mark.parametrize(("kind", "channels"), [(np.uint8, 4), (np.uint16, 3), (np.float64, 3)])
def test_memory_is_that_of_what_is_decoded_and_returned(kind, channels):
    pixels = np.full((1500, 2000, channels), 200, kind)
    data = cv2.imencode(".tiff", pixels)[1].tobytes()
    tracemalloc.start()
    image = decode_image(data, "a.tiff", exif=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * (pixels.nbytes + image.nbytes)


def test_dark_16_bits_stay_dark(tmp_path):
    image = read_image(write(tmp_path / "a.png", np.full((5, 5), 2570, np.uint16)))
    np.testing.assert_array_equal(image, 10)


def test_transparent_parts_become_white(tmp_path):
    alpha = np.full((32, 48, 1), 255, np.uint8)
    alpha[:16], alpha[16:, 24:] = 0, 128
    image = read_image(write(tmp_path / "a.png", np.concatenate([RGB, alpha], axis=2)))
    assert (image[:16] == 255).all()
    np.testing.assert_array_equal(image[16:, :24], RGB[16:, :24])
    np.testing.assert_allclose(image[24, 36], 90 * 128 / 255 + 255 * 127 / 255, atol=1)


def test_cmyk(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    pillow.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg")[8, 12].astype(int), RGB[8, 12], atol=6)


# What a viewer shows for each orientation, from the standard's description of where row 0 and column 0 lie.
TURNED = {
    1: RGB,
    2: RGB[:, ::-1],
    3: RGB[::-1, ::-1],
    4: RGB[::-1],
    5: RGB.transpose(1, 0, 2),
    6: np.rot90(RGB, -1),
    7: RGB[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(RGB),
}


@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation_by_choice(tmp_path, orientation):
    png = write(tmp_path / "a.png", RGB).read_bytes()
    exif = b"MM\0*" + struct.pack(">IHHHIHH", 8, 1, 274, 3, 1, orientation, 0)
    chunk = b"eXIf" + exif
    (tmp_path / "a.png").write_bytes(
        png[:33] + struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]
    )
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", exif=True), TURNED[orientation])


def tiff(pixels, orientation=1):
    """An uncompressed file of (H, W, C) unsigned numbers."""
    h, w, channels = pixels.shape
    tags = [(256, w), (257, h), (258, 8 * pixels.itemsize), (259, 1), (262, 2 if channels == 3 else 1), (273, 134)]
    tags += [(274, orientation), (277, channels), (278, h), (279, pixels.nbytes)]
    entries = b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + pixels.tobytes()


@pytest.mark.parametrize("orientation", TURNED)
def test_tiff_is_turned_by_choice_too(orientation):
    for pixels in (RGB, RGB.astype(np.uint16) * 257):
        data = tiff(pixels, orientation)
        np.testing.assert_array_equal(decode_image(data, "a.tiff"), RGB)
        np.testing.assert_array_equal(decode_image(data, "a.tiff", exif=True), TURNED[orientation])


def test_orientation_agrees_with_pillow_for_every_kind(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    from PIL import ImageOps

    for suffix in ("jpg", "webp", "tiff"):
        for orientation in (1, 3, 6, 8):
            exif = pillow.Exif()
            exif[274] = orientation
            pillow.fromarray(RGB).save(tmp_path / f"a.{suffix}", exif=exif)
            expected = np.asarray(ImageOps.exif_transpose(pillow.open(tmp_path / f"a.{suffix}")))
            image = read_image(tmp_path / f"a.{suffix}", exif=True)
            assert image.shape == expected.shape
            assert abs(image.astype(int) - expected).mean() < 2


def bomb(width, height):
    """A PNG of a few bytes that unpacks to any size."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def test_decompression_bomb_is_refused_before_decoding(tmp_path):
    (tmp_path / "a.png").write_bytes(bomb(60_000, 60_000))
    with pytest.raises(ScaleposeError, match=r"a\.png: has 60000×60000 = 3,600,000,000 pixels; at most 200,000,000"):
        read_image(tmp_path / "a.png")
    with pytest.raises(ScaleposeError, match="at most 1,000 "):
        read_image(write(tmp_path / "b.png", RGB), max_pixels=1000)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".jp2", ".webp", ".jpg"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.8])
def test_cut_off_files_are_errors_with_their_name(tmp_path, suffix, part):
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    path = write(tmp_path / f"cut{suffix}", image)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ScaleposeError, match=f"cut{suffix}: is "):
        read_image(path)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "zero.png").write_bytes(bomb(0, 5))
    os.mkfifo(tmp_path / "pipe.jpg")
    cases = {
        "missing.jpg": "no such file",
        "empty.jpg": "is empty",
        "text.jpg": "no picture of a known kind",
        "zero.png": "states 0×5 pixels",
        "pipe.jpg": "not an ordinary file",
        "": "is a folder",
        "a\0b": "no such file",
    }
    for name, reason in cases.items():
        with pytest.raises(ScaleposeError, match=reason):
            read_image(tmp_path / name)


def test_five_channels_are_refused(tmp_path):
    with pytest.raises(ScaleposeError, match=r"x\.tiff"):
        decode_image(tiff(np.zeros((4, 4, 5), np.uint8)), "x.tiff")


@pytest.mark.parametrize("step", ["imdecode", "cvtColor"])
@pytest.mark.parametrize("text", ["alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate", "std::bad_alloc"])
def test_lack_of_memory_is_not_the_file_s_fault(step, text, monkeypatch):
    def fail(*_):
        raise cv2.error(text)

    monkeypatch.setattr(cv2, step, fail)
    with pytest.raises(MemoryError):
        decode_image(tiff(RGB), "a.tiff")


def test_opencv_itself_refuses_what_the_header_hides(tmp_path):
    (tmp_path / "a.png").write_bytes(bomb(20_000, 20_000))
    code = """
import os, sys
from scalepose.data import images
from scalepose.data.headers import Header
print(images.MAX_PIXELS, os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"])
images.read_header = lambda data: Header("PNG", 1, 1)
try:
    images.read_image(sys.argv[1])
except ValueError as error:
    print(error)
"""
    for set_by_user, limit in (({}, 200_000_000), ({"OPENCV_IO_MAX_IMAGE_PIXELS": "300000000"}, 300_000_000)):
        others = {name: value for name, value in os.environ.items() if name != "OPENCV_IO_MAX_IMAGE_PIXELS"}
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "a.png")],
            capture_output=True, text=True, check=True, env=others | set_by_user,
        )  # fmt: skip
        numbers, reason = run.stdout.splitlines()
        assert numbers == f"200000000 {limit}"
        assert "a.png: has more pixels than OpenCV reads; OPENCV_IO_MAX_IMAGE_PIXELS" in reason


def test_opencv_speaks_again_after_overlapping_reads(monkeypatch):
    def log_level():
        level = images._set_log_level(0)
        images._set_log_level(level)
        return level

    before, decode = images._set_log_level(2), cv2.imdecode
    entered, leave = ({name: Event() for name in "ab"} for _ in range(2))

    def slow(*arguments):
        entered[current_thread().name].set()
        assert leave[current_thread().name].wait(10)
        return decode(*arguments)

    monkeypatch.setattr(cv2, "imdecode", slow)
    threads = [Thread(target=decode_image, args=(tiff(RGB), "a.tiff"), name=name) for name in "ab"]
    try:
        for thread in threads:
            thread.start()
            assert entered[thread.name].wait(10)
        for thread, level in zip(threads, (0, 2), strict=True):  # the first one in is the first one out
            leave[thread.name].set()
            thread.join()
            assert log_level() == level
    finally:
        images._set_log_level(before)


def test_opencv_says_nothing(tmp_path):
    """Its messages come from C, past Python: look at a whole process."""
    for n, suffix in enumerate((".png", ".jpg", ".webp", ".tiff", ".bmp", ".jp2")):
        path = write(tmp_path / f"{n}{suffix}", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
        data = bytearray(path.read_bytes())
        (tmp_path / f"cut{n}{suffix}").write_bytes(data[: len(data) // 2])
        if suffix != ".jpg":  # libjpeg itself writes a line
            data[len(data) // 2 : len(data) // 2 + 9] = bytes(9)
        (tmp_path / f"spoilt{n}{suffix}").write_bytes(data)
    code = """
import pathlib, sys
from scalepose.data.images import read_image
for path in pathlib.Path(sys.argv[1]).iterdir():
    try:
        read_image(path)
    except ValueError:
        pass
"""
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout + run.stderr == ""
