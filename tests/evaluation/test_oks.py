import math

import numpy as np
from made_people import person

from scalepose.evaluation.oks import keypoint_similarity, oks
from scalepose.skeletons import COCO17

SIGMAS = np.asarray(COCO17.sigmas)


def similarity(someone, found):
    return oks(someone.keypoints[None], someone.box[None], np.array([someone.area]), found[None], SIGMAS)[0, 0]


def test_the_same_place_is_one():
    assert similarity(person(), person().keypoints) == 1


def test_a_shift_is_the_mean_of_the_gaussians():
    found = person().keypoints + np.array([3, 4, 0], np.float32)
    expected = np.mean([math.exp(-25 / (2 * person().area * (2 * s) ** 2)) for s in SIGMAS])
    assert math.isclose(similarity(person(), found), expected, rel_tol=1e-6)


def test_only_labelled_keypoints_count():
    someone = person(visible=[1] * 5 + [0] * 12)
    found = person().keypoints.copy()
    found[5:] += 1000
    assert similarity(someone, found) == 1


def test_without_labels_anything_within_the_doubled_box_fits():
    region = person(at=(100, 100), size=50, visible=False)
    assert similarity(region, np.full((17, 3), 52.0)) == 1  # the box with one more on every side: 50 to 200
    assert similarity(region, np.full((17, 3), 198.0)) == 1
    assert similarity(region, np.full((17, 3), 300.0)) < 1e-3


def test_people_and_keypoints_are_told_apart():
    truth = np.stack([person().keypoints, person(at=(300, 50)).keypoints])
    found = np.stack([truth[1], truth[0], truth[0]])
    areas = np.array([person().area] * 2)
    result = oks(truth, np.stack([person().box] * 2), areas, found, SIGMAS)
    np.testing.assert_allclose(result, [[0, 1], [1, 0], [1, 0]], atol=1e-6)
    assert keypoint_similarity(truth, areas, found, SIGMAS).shape == (3, 2, 17)


def test_nobody():
    empty = np.zeros((0, 17, 3))
    assert oks(empty, np.zeros((0, 4)), np.zeros(0), empty, SIGMAS).shape == (0, 0)
    assert oks(person().keypoints[None], person().box[None], np.ones(1), empty, SIGMAS).shape == (0, 1)
