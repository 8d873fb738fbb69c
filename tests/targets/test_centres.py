import numpy as np
import pytest

from scalepose.targets.centres import LEAST_SIZE, centres


def test_centre_is_the_mean_and_size_the_root_of_the_area():
    keypoints = np.array([[[8, 8], [40, 8], [24, 80]]], float)
    np.testing.assert_allclose(centres(keypoints, (32, 32), 4), [[6, 8, np.sqrt(8 * 18)]], rtol=1e-6)


@pytest.mark.parametrize("elsewhere", [(np.nan, np.nan), (-1.0, 5.0), (5.0, 128.0)])
def test_keypoints_that_are_missing_or_outside_do_not_count(elsewhere):
    keypoints = np.array([[[8, 8], [40, 72], elsewhere]], float)
    np.testing.assert_allclose(centres(keypoints, (32, 32), 4), [[6, 10, np.sqrt(8 * 16)]], rtol=1e-6)


def test_one_keypoint_has_the_least_size_and_none_has_no_centre():
    keypoints = np.array([[[8, 8], [np.nan, np.nan]], [[np.nan, np.nan], [-4, -4]]], float)
    middle = centres(keypoints, (32, 32), 4)
    np.testing.assert_allclose(middle[0], [2, 2, LEAST_SIZE])
    assert np.isnan(middle[1, :2]).all()
    assert centres(keypoints[:0], (32, 32), 4).shape == (0, 3)
