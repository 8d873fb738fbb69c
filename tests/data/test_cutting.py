"""Crops against pictures that are functions of the place, so that every pixel's value is known."""

import numpy as np
import pytest

from scalepose.data.cutting import Cutout
from scalepose.geometry import View

SIZE = (700, 500)


def wave(x, y):
    return 127 + 100 * np.sin(0.013 * x + 0.021 * y)


PICTURE = np.rint(np.stack([wave(*np.meshgrid(np.arange(700), np.arange(500)))] * 3, axis=-1)).astype(np.uint8)


def expected(view, size=None):
    """What lies in the middle of each pixel of a crop."""
    W, H = view.input_size
    w, h = size or (W, H)
    x, y = np.meshgrid((np.arange(w) + 0.5) * W / w - 0.5, (np.arange(h) + 0.5) * H / h - 0.5)
    return wave(*np.moveaxis(view.to_image(np.stack([x, y], axis=-1)), -1, 0))


@pytest.mark.parametrize("alignment", ["plain", "udp"])
@pytest.mark.parametrize(("angle", "mirrored"), [(0, False), (30, False), (-75, True)])
@pytest.mark.parametrize("box", [(200, 150, 150, 200), (300, 200, 30, 40)])  # shrunk and enlarged
def test_every_pixel_shows_its_place(alignment, angle, mirrored, box):
    view = View.crop(SIZE, box, (48, 64), alignment, angle=angle, mirrored=mirrored)
    whole = Cutout(PICTURE)
    error = whole.crop(view)[..., 0] - expected(view)
    assert abs(error).max() < 2.5  # grey levels; a pixel off would be 2 to 15
    assert abs(error.mean()) < 0.4
    small = whole.crop(view, (12, 16))[..., 0] - expected(view, (12, 16))
    assert abs(small.mean()) < 0.5
    centre = (box[0] + box[2] / 2, box[1] + box[3] / 2)
    for zoom in (1.0, 0.6):
        kept = Cutout.around(PICTURE, centre, 250, zoom)
        assert abs(kept.crop(view)[..., 0] - expected(view)).max() < 3


def test_what_is_kept_at_full_resolution_changes_nothing():
    view = View.crop(SIZE, (200, 150, 150, 200), (48, 64), "udp", angle=20)
    noise = np.random.default_rng(0).integers(0, 256, PICTURE.shape, np.uint8)
    np.testing.assert_array_equal(Cutout.around(noise, (275, 250), 240).crop(view), Cutout(noise).crop(view))


def test_a_small_crop_is_an_average():
    noise = np.random.default_rng(0).integers(0, 256, PICTURE.shape, np.uint8)
    view = View.crop(SIZE, (100, 50, 300, 400), (48, 64), "plain")  # 8 pixels become one
    assert Cutout(noise).crop(view).std() < 1.6 * noise.std() / 8
    assert view.warp(noise).std() > 0.6 * noise.std()  # single samples, as the published code takes them


def test_outside_is_black():
    view = View.crop(SIZE, (-100, 100, 150, 200), (48, 64), "udp")
    crop = Cutout(PICTURE).crop(view)
    outside = view.to_image(np.stack(np.meshgrid(np.arange(48.0), np.arange(64.0)), axis=-1))[..., 0] < -6
    assert (crop[outside] == 0).all()
    assert (crop[:, -1] > 0).any()
    away = View.crop(SIZE, (-500, -500, 10, 10), (48, 64), "udp")
    assert not Cutout(PICTURE).crop(away).any()
    assert Cutout.around(PICTURE, (-500, -500), 10).pixels.size
