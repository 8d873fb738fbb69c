import numpy as np
import pytest

from scalepose.data import appearance

RNG = np.random.default_rng
PICTURE = RNG(0).integers(0, 256, (40, 60, 3), np.uint8)
GREY = np.full((40, 60, 3), 100, np.uint8)


@pytest.mark.parametrize(
    "same",
    [appearance.tone(PICTURE, 0, 1), appearance.noise(PICTURE, 0, RNG(1))],
    ids=["tone", "noise"],
)
def test_no_strength_no_change(same):
    np.testing.assert_array_equal(same, PICTURE)


def test_tone():
    assert (appearance.tone(GREY, 0.2, 1) == 151).all()
    assert (appearance.tone(GREY, 0, 2) == 72).all()  # 127.5 − 2·27.5
    assert (appearance.tone(GREY, 1, 1) == 255).all()


def test_tint():
    assert abs(appearance.tint(PICTURE, 1, 0).astype(int) - PICTURE).max() <= 12  # OpenCV's 2-degree hues
    red = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    assert appearance.tint(red, 1, 120)[0, 0].tolist() == [0, 255, 0]
    assert appearance.tint(red, 1, -120)[0, 0].tolist() == [0, 0, 255]
    assert appearance.tint(red, 0, 0)[0, 0].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(appearance.tint(GREY, 1.4, 50), GREY)


def test_grey_has_one_value_a_pixel():
    assert np.ptp(appearance.grey(PICTURE), axis=-1).max() == 0


def test_blur_keeps_the_place_and_the_sum():
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[15, 22] = 255
    blurred = appearance.blur(dot, 1.0)[..., 0].astype(float)
    y, x = (np.average(grid, weights=blurred) for grid in np.mgrid[:41, :41])
    assert (y, x) == pytest.approx((15, 22), abs=0.01)
    assert blurred.max() == pytest.approx(255 / (2 * np.pi), rel=0.05)


def test_noise_has_the_strength_asked_for_and_no_stripes():
    noisy = appearance.noise(np.full((300, 300, 3), 128, np.uint8), 8, RNG(0)).astype(float) - 128
    assert noisy.std() == pytest.approx(8, rel=0.02)
    assert abs(np.corrcoef(noisy[:-1].ravel(), noisy[1:].ravel())[0, 1]) < 0.02


def test_jpeg_looks_alike_and_keeps_the_colours_in_order():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[..., 0] = 200
    again = appearance.jpeg(picture, 50)
    assert abs(again.astype(int) - picture).max() < 8


def test_patch_hides_its_box_and_nothing_else():
    hidden = appearance.patch(PICTURE, (10, 5, 30, 25), RNG(3))
    changed = (hidden != PICTURE).any(axis=-1)
    assert changed[5:25, 10:30].mean() > 0.99
    assert changed.sum() == changed[5:25, 10:30].sum()
