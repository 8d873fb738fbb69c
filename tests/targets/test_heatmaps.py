import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalepose.targets.heatmaps import heatmaps

NAN = float("nan")
EIGHTHS = st.integers(-160, 1184).map(lambda eighths: eighths / 8)
POINTS = st.lists(st.tuples(EIGHTHS, EIGHTHS), min_size=1, max_size=6)


def gaussian(size, centre, sigma=2.0):
    """The closed form on the whole map, without any patch."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))


def one(x, y):
    return np.array([[[x, y]]], np.float32)


def test_published_form_peaks_at_one_in_the_truncated_pixel():
    maps = heatmaps(one(83.9, 42.1), (32, 24), stride=4)
    assert maps.shape == (1, 24, 32)
    assert maps.dtype == np.float32
    expected = gaussian((32, 24), (20, 10))
    rows, columns = np.mgrid[:24, :32]
    patch = (abs(columns - 20) <= 7) & (abs(rows - 10) <= 7)  # 6·2 + 3 = 15 pixels
    np.testing.assert_allclose(maps[0], np.where(patch, expected, 0), atol=1e-6)
    assert maps[0, 10, 20] == 1


def test_subpixel_form_centres_where_the_keypoint_is():
    maps = heatmaps(one(83.9, 42.1), (32, 24), stride=4, subpixel=True)
    np.testing.assert_allclose(maps[0], gaussian((32, 24), (83.9 / 4 - 0.5, 42.1 / 4 - 0.5)), atol=0.002)


@pytest.mark.parametrize("sigma", [1.0, 1.5, 3.0])
def test_sigma_is_in_map_pixels(sigma):
    maps = heatmaps(one(64, 64), (64, 64), stride=2, sigma=sigma)
    np.testing.assert_allclose(maps[0], gaussian((64, 64), (32, 32), sigma), atol=0.012)


def test_people_are_merged_by_maximum_and_kinds_are_apart():
    keypoints = np.array([[[40, 40], [NAN, NAN]], [[52, 40], [20, 60]]], np.float32)
    maps = heatmaps(keypoints, (32, 32), stride=4)
    np.testing.assert_allclose(
        maps[0], np.maximum(gaussian((32, 32), (10, 10)), gaussian((32, 32), (13, 10))), atol=3e-3
    )
    np.testing.assert_allclose(maps[1], gaussian((32, 32), (5, 15)), atol=3e-3)


@pytest.mark.parametrize("point", [(-0.1, 5), (5, -3), (128, 5), (5, 96.5), (NAN, NAN), (NAN, 3), (1e9, -1e9)])
@pytest.mark.parametrize("subpixel", [False, True])
def test_points_outside_or_unlabelled_leave_no_trace(point, subpixel):
    assert not heatmaps(one(*point), (32, 24), stride=4, subpixel=subpixel).any()


def test_nobody_gives_empty_maps():
    assert heatmaps(np.zeros((0, 17, 2), np.float32), (8, 6), stride=4).shape == (17, 6, 8)


@given(POINTS)
def test_borders_cut_the_gaussian_and_change_nothing_else(points):
    keypoints = np.array(points, np.float32)[:, None]
    inside = ((keypoints >= 0) & (keypoints < (128, 96))).all(axis=(1, 2))
    small = heatmaps(keypoints, (32, 24), stride=4)
    large = heatmaps(keypoints[inside] + 40, (52, 44), stride=4)  # ten more map pixels all around
    np.testing.assert_array_equal(small, large[:, 10:34, 10:42])


@given(POINTS)
def test_subpixel_targets_of_mirrored_points_are_mirrored_targets(points):
    keypoints = np.array(points)[:, None] + 0.01  # off the borders between pixels, which belong to one side
    mirrored = keypoints * (-1, 1) + (128, 0)
    maps = heatmaps(keypoints, (32, 24), stride=4, subpixel=True)
    again = heatmaps(mirrored, (32, 24), stride=4, subpixel=True)[..., ::-1]
    np.testing.assert_allclose(maps, again, atol=1e-6)
