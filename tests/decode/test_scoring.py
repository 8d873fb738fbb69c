"""The score of a person found: the OKS to expect of it."""

import numpy as np
import pytest

from scalepose.decode.scoring import ERROR, MORE, POWER, expected_likeness
from scalepose.skeletons import COCO17

SIGMAS = np.asarray(COCO17.sigmas)


@pytest.mark.parametrize("size", [6, 20, 120])
def test_it_grows_from_the_mean_oks_of_keypoints_that_err(size: int):
    rng = np.random.default_rng(0)
    points = (rng.uniform(0, size, (1, 17, 2))).astype(np.float32)
    off = rng.normal(0, ERROR, (20000, 17, 2))
    area = 0.53 * np.ptp(points[0], axis=0).prod()
    oks = np.exp(-(off**2).sum(axis=2) / (2 * area * (2 * SIGMAS) ** 2)).mean()  # COCO's formula
    score = expected_likeness(points, np.ones((1, 17), np.float32), SIGMAS, 0.0)
    assert score.dtype == np.float32
    assert score[0] ** POWER * (17 + MORE) / 17 == pytest.approx(oks, abs=0.003)


def test_a_missing_keypoint_counts_little_and_values_count():
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 50, (1, 17, 2)).repeat(3, axis=0).astype(np.float32)
    points[:, :4] = [[0, 0], [50, 0], [0, 50], [50, 50]]  # so all three are as large
    values = np.full((3, 17), 0.5, np.float32)
    for person, found in ((1, 12), (2, 4)):
        points[person, found:] = np.nan
        values[person, found:] = 0
    whole, most, few = expected_likeness(points, values, SIGMAS, 2.0)
    assert whole > most > 0.9 * whole
    assert few < 0.8 * whole
    assert expected_likeness(points, values * 2, SIGMAS, 2.0) == pytest.approx([2 * whole, 2 * most, 2 * few])


def test_a_few_strong_keypoints_are_worth_more_than_many_weak_ones():
    points = np.random.default_rng(3).uniform(0, 80, (2, 17, 2)).astype(np.float32)
    points[1] = points[0]
    values = np.full((2, 17), 0.4, np.float32)
    values[1, :8], values[1, 8:] = 0.7, 0.1
    assert values[0].sum() > values[1].sum()
    even, uneven = expected_likeness(points, values, np.full(17, 0.08), 2.0)
    assert uneven > even


def test_larger_people_come_first_and_very_large_ones_keep_their_values():
    person = np.random.default_rng(2).uniform(0, 1, (17, 2)).astype(np.float32)
    sizes = np.array([1e-3, 1, 10, 100, 1e5])
    values = np.full((5, 17), 0.8, np.float32)
    scores = expected_likeness(person * sizes[:, None, None], values, SIGMAS, 2.0)
    assert (np.diff(scores[1:]) > 0).all()
    assert 0 < scores[0] == pytest.approx(scores[1])  # both count as the least size
    assert scores[-1] == pytest.approx(0.8 * (17 / 20) ** (2 / 3), abs=1e-4)
