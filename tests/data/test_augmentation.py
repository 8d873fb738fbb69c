import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalepose.data.augmentation import Augmentation
from scalepose.data.samples import Sample
from scalepose.errors import ScaleposeError
from scalepose.geometry import View
from scalepose.skeletons import COCO17, Skeleton

PAIR = Skeleton("pair", ("left", "right", "middle"), flip_pairs=((0, 1),))
STILL = Augmentation(scale=(1, 1), rotation=0, translation=0, flip=0)
SEEDS = st.integers(0, 2**32 - 1)


def scene(w=160, h=120, points=((70, 60), (90, 60), (80, 40)), box=(60, 30, 100, 90)):
    """A dark picture with one person: a bright dot of each colour channel at its three keypoints."""
    image = np.zeros((h, w, 3), np.uint8)
    for channel, point in enumerate(points):
        dot = np.zeros((h, w), np.uint8)
        centre = tuple(round((value - 0.5) * 16) for value in point)
        cv2.circle(dot, centre, 4 * 16, (255,), -1, cv2.LINE_AA, 4)
        image[..., channel] = cv2.GaussianBlur(dot, (0, 0), 1.5)
    return Sample(
        image=image,
        view=View((w, h), (w, h), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))),
        keypoints=np.array([points], np.float32),
        hidden=np.arange(len(points))[None] == 0,
        boxes=np.array([box], np.float32),
        mask=np.ones((h, w), bool),
        channels=np.ones(3, bool),
        image_id=1,
    )


def centre_of(channel):
    """Centre of gravity in the frame of the pictures: pixel centres at integers + 0.5."""
    y, x = np.mgrid[: channel.shape[0], : channel.shape[1]] + 0.5
    return np.array([np.average(x, weights=channel), np.average(y, weights=channel)])


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(0, 1))
def test_keypoints_follow_the_pixels(seed, person_views):
    augmentation = Augmentation(person_views=person_views, person_size=(50, 200))
    sample = augmentation(scene(), PAIR, 192, np.random.default_rng(seed))
    assert sample.image.shape == (192, 192, 3)
    mirrored = np.linalg.det(np.asarray(sample.view.matrix)[:, :2]) < 0
    for k, channel in enumerate((1, 0, 2) if mirrored else (0, 1, 2)):  # mirrored, the left is the old right
        point = sample.keypoints[0, k]
        if (point > 25).all() and (point < 167).all():
            np.testing.assert_allclose(centre_of(sample.image[..., channel].astype(float)), point, atol=0.5)


@given(SEEDS)
def test_views_lead_back(seed):
    before = scene()
    sample = Augmentation(person_views=0.5)(before, PAIR, 64, np.random.default_rng(seed))
    mirrored = np.linalg.det(np.asarray(sample.view.matrix)[:, :2]) < 0
    points = sample.view.to_image(sample.keypoints.astype(np.float64))
    expected = before.keypoints[:, PAIR.flip_index] if mirrored else before.keypoints
    assert sample.hidden.tolist() == [[False, True, False] if mirrored else [True, False, False]]
    np.testing.assert_allclose(points, expected, atol=1e-3)
    np.testing.assert_allclose(sample.view.to_input(sample.view.to_image(points)), points, atol=1e-6)


@given(SEEDS)
def test_mirroring_twice_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    before = scene(64, 64, points=rng.uniform(5, 59, (3, 2)), box=(1, 2, 60, 50))
    mirror = dataclasses.replace(STILL, flip=1)
    once = mirror(before, PAIR, 64, rng)
    twice = mirror(once, PAIR, 64, rng)
    np.testing.assert_array_equal(once.image, before.image[:, ::-1])
    np.testing.assert_array_equal(twice.image, before.image)
    np.testing.assert_allclose(twice.keypoints, before.keypoints, atol=1e-5)
    np.testing.assert_allclose(twice.boxes, before.boxes, atol=1e-5)
    np.testing.assert_array_equal(twice.mask, before.mask)


def test_nothing_random_is_a_centred_square():
    sample = STILL(scene(), PAIR, 120, np.random.default_rng(0))
    np.testing.assert_array_equal(sample.image, scene().image[:, 20:140])
    np.testing.assert_allclose(sample.keypoints, scene().keypoints - (20, 0))
    assert sample.boxes.tolist() == [[40, 30, 80, 90]]
    assert sample.mask.all()


def test_published_ranges():
    """Crop side short × U(0.75, 1.5), rotation ±30°, centre within ±0.2 crops, half mirrored: seen from many draws."""
    rng = np.random.default_rng(0)
    matrices = np.array(
        [Augmentation().draw_view((160, 120), np.zeros((0, 4)), 512, rng)[0].matrix for _ in range(2000)]
    )
    linear = matrices[..., :2]
    sides = 512 / np.sqrt(abs(np.linalg.det(linear))) / 120
    assert (sides.min(), sides.max(), sides.mean()) == pytest.approx((0.75, 1.5, 1.125), abs=0.01)
    mirrored = np.linalg.det(linear) < 0
    assert mirrored.mean() == pytest.approx(0.5, abs=0.04)
    angles = np.degrees(np.arctan2(linear[:, 1, 0], linear[:, 1, 1]))
    assert (angles.min(), angles.max(), angles.mean()) == pytest.approx((-30, 30, 0), abs=1)
    centres = np.linalg.solve(linear, (256 - matrices[..., 2])[..., None])[..., 0]
    shifts = (centres - (80, 60)) / (sides * 120)[:, None]
    assert abs(shifts).max() == pytest.approx(0.2, abs=0.001)
    assert shifts.mean(axis=0) == pytest.approx((0, 0), abs=0.01)


@settings(deadline=None)
@given(SEEDS, st.floats(0, 0.4), st.floats(0, 1))
def test_views_stay_in_the_picture_where_it_has_room(seed, outside, person_views):
    augmentation = Augmentation((0.5, 1.5), rotation=0, translation=0.5, outside=outside, person_views=person_views)
    view, _ = augmentation.draw_view((160, 120), scene().boxes, 64, np.random.default_rng(seed))
    corners = view.to_image(np.array([(0.0, 0.0), (64.0, 64.0)]))
    (x1, y1), (x2, y2) = corners.min(axis=0), corners.max(axis=0)
    for low, high, length in ((x1, x2, 160), (y1, y2, 120)):
        crop = high - low
        if crop <= length:
            assert low >= -outside * crop - 1e-6
            assert high <= length + outside * crop + 1e-6
        else:
            assert abs((low + high) / 2 - length / 2) <= outside * crop + 1e-6


def test_long_side_shows_the_whole_picture():
    sample = dataclasses.replace(STILL, side="long")(scene(), PAIR, 160, np.random.default_rng(0))
    np.testing.assert_array_equal(sample.image[20:140], scene().image)
    assert not sample.mask[:20].any()
    assert sample.mask[20:140].all()


@given(SEEDS)
def test_people_come_at_the_size_asked_for(seed):
    augmentation = dataclasses.replace(STILL, person_views=1, person_size=(40, 90), person_shift=0.2, scale=(1, 4))
    sample = augmentation(scene(), PAIR, 128, np.random.default_rng(seed))
    x1, y1, x2, y2 = sample.boxes[0]
    assert max(x2 - x1, y2 - y1) * 1.0001 >= 40
    assert max(x2 - x1, y2 - y1) <= 90.001
    assert abs((x1 + x2) / 2 - 64) <= 0.2 * 128 + 0.01
    assert abs((y1 + y2) / 2 - 64) <= 0.2 * 128 + 0.01


def test_sizes_are_spread_evenly_in_the_logarithm():
    augmentation = dataclasses.replace(STILL, person_views=1, person_size=(30, 120), scale=(1, 8))
    rng = np.random.default_rng(0)
    zooms = [augmentation.draw_view((160, 120), scene().boxes, 128, rng)[0].zoom * 60 for _ in range(1000)]
    assert np.median(zooms) == pytest.approx(60, rel=0.05)


@pytest.mark.parametrize(("person_size", "zoom"), [((500, 900), 3.0), ((1, 2), 256 / 180)])
def test_neither_enlarged_nor_shrunk_beyond_the_limits(person_size, zoom):
    augmentation = dataclasses.replace(STILL, person_views=1, person_size=person_size, person_zoom=3, scale=(1, 1.5))
    view, _ = augmentation.draw_view((160, 120), scene().boxes, 256, np.random.default_rng(0))
    assert view.zoom == pytest.approx(zoom)


def test_pictures_without_people_have_whole_views():
    empty = dataclasses.replace(scene(), keypoints=np.zeros((0, 3, 2), np.float32), boxes=np.zeros((0, 4), np.float32))
    sample = dataclasses.replace(STILL, person_views=1)(empty, PAIR, 120, np.random.default_rng(0))
    assert (sample.keypoints.shape, sample.boxes.shape) == ((0, 3, 2), (0, 4))
    np.testing.assert_array_equal(sample.image, scene().image[:, 20:140])


def test_unlabelled_stays_unlabelled_and_outside_stays_outside():
    points = np.array([[[2, 60], [np.nan, np.nan], [80, 40]]], np.float32)
    before = dataclasses.replace(scene(), keypoints=points)
    sample = STILL(before, PAIR, 120, np.random.default_rng(0))
    assert sample.keypoints[0, 0].tolist() == [-18, 60]
    assert np.isnan(sample.keypoints[0, 1]).all()


def test_mask_follows_the_picture_and_ends_with_it():
    before = scene()
    before.mask[40:80, 60:100] = False
    image = before.image.copy()
    image[:] = 255
    image[40:80, 60:100] = 0
    augmentation = Augmentation(flip=0.5)
    for seed in range(10):
        sample = augmentation(dataclasses.replace(before, image=image), PAIR, 128, np.random.default_rng(seed))
        assert (sample.mask == (sample.image[..., 0] > 127)).mean() > 0.999


def test_appearance_moves_nothing():
    plain = Augmentation(person_views=0.5)
    strong = dataclasses.replace(plain, appearance=1, grey=0.2, jpeg=1, patches=3)
    for seed in range(8):
        a, b = (some(scene(), PAIR, 96, np.random.default_rng(seed)) for some in (plain, strong))
        np.testing.assert_array_equal(a.keypoints, b.keypoints)
        np.testing.assert_array_equal(a.mask, b.mask)
        assert (a.image != b.image).any()
        assert (b.image.shape, b.image.dtype) == ((96, 96, 3), np.uint8)


def test_same_generator_same_sample():
    augmentation = Augmentation(person_views=0.5, appearance=1, patches=3)
    a, b = (augmentation(scene(), PAIR, 96, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.keypoints, b.keypoints)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("scale", (1.5, 0.75), "two numbers, the smaller first, from 0.01 to 100"),
        ("scale", 1.0, "two numbers"),
        ("scale", (0, 1), "two numbers"),
        ("scale", (1, 2, 3), "two numbers"),
        ("side", "width", "'short' or 'long'"),
        ("flip", 1.5, "a number from 0 to 1"),
        ("flip", "half", "a number"),
        ("flip", True, "a number"),
        ("rotation", float("nan"), "a number from 0 to 180"),
        ("rotation", [1, 2], "a number"),
        ("patches", 1.5, "a whole number"),
        ("patches", -1, "a whole number"),
        ("jpeg_quality", (0, 50), "two whole numbers"),
        ("person_size", (0, 10), "two numbers"),
        ("person_shift", 0.6, "a number from 0 to 0.5"),
    ],
)
def test_what_makes_no_sense_is_named(field, value, reason):
    with pytest.raises(ScaleposeError, match=f"augmentation: {field} must be .*{reason}"):
        Augmentation(**{field: value})


def test_ranges_may_come_as_lists():
    lists: dict[str, Any] = {"scale": [1, 2], "jpeg_quality": [10, 20]}
    assert Augmentation(**lists) == Augmentation(scale=(1, 2), jpeg_quality=(10, 20))


def test_coco_left_and_right_change_places():
    points = np.stack([np.arange(17) * 5.0 + 20, np.full(17, 60)], axis=1)
    before = dataclasses.replace(scene(), keypoints=points[None].astype(np.float32))
    before = dataclasses.replace(before, hidden=np.zeros((1, 17), bool), channels=np.ones(17, bool))
    mirrored = dataclasses.replace(STILL, flip=1)(before, COCO17, 120, np.random.default_rng(0))
    np.testing.assert_allclose(mirrored.keypoints[0, 5, 0], 120 - (points[6, 0] - 20))


def test_mirroring_takes_along_which_types_are_labelled():
    """Where a data set labels the left alone, a mirrored picture shows it as the right, and of the left nothing."""
    sample = dataclasses.replace(scene(), channels=np.array([True, False, True]))
    mirrored = dataclasses.replace(STILL, flip=1)(sample, PAIR, 64, np.random.default_rng(0))
    np.testing.assert_array_equal(mirrored.channels, [False, True, True])
    np.testing.assert_array_equal(STILL(sample, PAIR, 64, np.random.default_rng(0)).channels, sample.channels)
