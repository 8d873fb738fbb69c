from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalepose.geometry import View
from scalepose.targets.crops import OFFSET_UNITS, RADIUS, Head, alignment, encode, to_map

NAN = float("nan")
HEADS = get_args(Head)
SIZES = [(48, 64), (96, 128), (192, 256), (288, 384)]
COORDINATE = st.floats(-30, 130)
WITH_OFFSETS = tuple(OFFSET_UNITS)


def given_maps(maps):
    """`maps`, which this head has."""
    assert maps is not None
    return maps


def keypoints(*rows):
    return np.array([(*row, 2) if len(row) == 2 else row for row in rows], np.float64)


def at_map(head, points, crop_size):
    """Keypoints (K, 3) whose places in the map are `points`."""
    return keypoints(*(np.asarray(points, np.float64) / to_map(head, np.ones(2), crop_size)))


def by_the_formula(head, point, size, sigma):
    """Heatmap, offsets and mask of one keypoint at map place `point`, pixel by pixel."""
    w, h = size
    nearest = np.floor(np.asarray(point) + 0.5)
    centre = nearest if head == "heatmap" else point
    heat, offsets, mask = np.zeros((h, w)), np.zeros((2, h, w)), np.zeros((h, w))
    for y in range(h):
        for x in range(w):
            squared = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
            gaussian = np.exp(-squared / (2 * sigma**2))
            near = abs(x - nearest[0]) <= 3 * sigma and abs(y - nearest[1]) <= 3 * sigma
            in_disc = squared <= 4**2
            kinds = {"heatmap": near, "udp": near, "dark": True, "udp-offset": in_disc}
            heat[y, x] = kinds.get(head, in_disc) * (1 if head == "udp-offset" else gaussian)
            if in_disc:
                offsets[:, y, x] = (np.asarray(point) - (x, y)) / (4 if head == "udp-offset" else 1.5)
                mask[y, x] = gaussian / sigma
    return heat, offsets, mask


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("point", [(5.3, 7.6), (0.2, 0.4), (11.4, 15.3), (-1.3, 4.2)])
def test_maps_are_the_formula(head, point):
    target = encode(head, at_map(head, [point], (48, 64)), (48, 64), sigma=1.0)
    heat, offsets, mask = by_the_formula(head, point, (12, 16), 1.0)
    np.testing.assert_allclose(target.heatmaps[0], heat, atol=1e-6)
    assert target.heatmaps.dtype == np.float32
    if head not in WITH_OFFSETS:
        assert target.offsets is target.disc is target.static_mask is None
        return
    np.testing.assert_allclose(given_maps(target.offsets)[0], offsets, atol=1e-6)
    np.testing.assert_array_equal(given_maps(target.disc)[0], offsets.any(axis=0))
    if head == "udp-offset":
        assert target.static_mask is None
    else:
        np.testing.assert_allclose(given_maps(target.static_mask)[0], mask, atol=1e-6)


@pytest.mark.parametrize("crop_size", SIZES)
def test_plain_maps_are_a_quarter_and_udp_maps_join_the_outermost_pixels(crop_size):
    W, H = crop_size
    corner = np.array([W - 1.0, H - 1.0])
    np.testing.assert_allclose(to_map("dark", corner, crop_size), corner / 4)
    np.testing.assert_allclose(to_map("udp", corner, crop_size), (W / 4 - 1, H / 4 - 1))
    np.testing.assert_allclose(to_map("cal", np.zeros(2), crop_size), 0)


@pytest.mark.parametrize("head", HEADS)
def test_the_way_to_the_map_and_a_views_way_back_are_inverse(head):
    crop_size, map_size = (96, 128), (24, 32)
    view = View.crop((640, 480), (100, 50, 80, 200), crop_size, alignment(head))
    points = np.random.default_rng(0).uniform(50, 250, (9, 2))
    there = to_map(head, view.to_input(points), crop_size)
    np.testing.assert_allclose(view.to_image(there, map_size), points, atol=1e-9)


@given(x=COORDINATE, y=COORDINATE)
@pytest.mark.parametrize("head", [head for head in HEADS if alignment(head) == "udp"])
def test_udp_targets_of_mirrored_crops_are_mirrored_targets(head, x, y):
    W, H = 96, 128
    there = encode(head, keypoints((x, y)), (W, H), sigma=1.0)
    back = encode(head, keypoints((W - 1 - x, y)), (W, H), sigma=1.0)
    if abs(x * 23 / 95 % 1 - 0.5) < 1e-3:
        return  # half-way between two pixels the nearest one is the right one, mirrored or not
    edge = np.zeros(there.heatmaps.shape, bool)  # pixels at exactly the radius, up to rounding
    if there.offsets is not None:
        edge = given_maps(there.disc) != given_maps(back.disc)[..., ::-1]
        mirrored = given_maps(back.offsets)[..., ::-1] * np.array([-1, 1])[:, None, None]
        np.testing.assert_allclose(np.where(edge[:, None], 0, there.offsets - mirrored), 0, atol=1e-5)
    np.testing.assert_allclose(np.where(edge, 0, there.heatmaps - back.heatmaps[..., ::-1]), 0, atol=1e-5)
    assert edge.sum() <= 4
    np.testing.assert_array_equal(there.weights, back.weights)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("crop_size", SIZES)
def test_places_are_where_the_heat_is_highest(head, crop_size):
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.4, 1, (50, 2)) * (np.array(crop_size) / 4 - 0.6)
    target = encode(head, at_map(head, points, crop_size), crop_size, sigma=0.5)
    for heat, (x, y), counts in zip(target.heatmaps, target.places, target.weights, strict=True):
        if counts and head != "udp-offset":
            assert heat[y, x] == heat.max()


@pytest.mark.parametrize("head", HEADS)
def test_what_is_not_labelled_or_far_outside_does_not_count(head):
    rows = [
        (20, 20, 0),
        (NAN, NAN, 2),
        (np.inf, 3, 2),
        (1e300, 3, 1),
        (-60, 20, 2),
        (20, 1000, 1),
        (20, 20, 1),
        (50, 20, 2),
    ]
    target = encode(head, np.array(rows), (48, 64), sigma=1.0)
    np.testing.assert_array_equal(target.weights, [0, 0, 0, 0, 0, 0, 1, 1])  # the last is just outside
    assert not target.heatmaps[:6].any()
    assert target.heatmaps[6:].any(axis=(1, 2)).all()
    for maps in (target.offsets, target.disc, target.static_mask):
        assert maps is None or (not maps[:6].any() and np.isfinite(maps).all())
    assert ((target.places >= 0) & (target.places < (12, 16))).all()


@given(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=4), st.sampled_from([0.3, 1.0, 2.0]))
@pytest.mark.parametrize("head", WITH_OFFSETS)
def test_every_pixel_of_the_disc_points_at_the_keypoint(head, points, sigma):
    target = encode(head, keypoints(*points), (96, 128), sigma)
    offsets, disc = OFFSET_UNITS[head] * given_maps(target.offsets), given_maps(target.disc)
    wanted = to_map(head, np.array(points), (96, 128))
    y, x = np.mgrid[:32, :24]
    error = np.stack([x, y]) + offsets - wanted[:, :, None, None]  # (K, 2, h, w)
    np.testing.assert_allclose(np.where(disc[:, None], error, 0), 0, atol=1e-5)
    assert not np.where(disc[:, None], 0, offsets).any()
    assert (np.hypot(offsets[:, 0], offsets[:, 1]) <= RADIUS + 1e-5).all()
    np.testing.assert_array_equal(target.weights == 1, disc.any(axis=(1, 2)))


def test_a_wide_gaussian_of_cal_ends_at_the_disc():
    target = encode("cal", at_map("cal", [(30, 40)], (288, 384)), (288, 384), sigma=3.0)
    assert target.heatmaps[0, 40, 34] == pytest.approx(np.exp(-16 / 18))
    assert target.heatmaps[0, 40, 35] == 0
    assert encode("dark", at_map("dark", [(30, 40)], (288, 384)), (288, 384), sigma=3.0).heatmaps[0, 40, 35] > 0.2


def test_both_forms_of_cal_learn_the_same():
    points = keypoints((10, 20), (33.3, 41.7))
    one, other = (encode(head, points, (48, 64), 0.5) for head in ("cal", "cal-light"))
    for name in ("heatmaps", "offsets", "disc", "static_mask", "weights", "places"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert repr(one) == "CropTarget(heatmaps=2×16×12, counted=2)"
