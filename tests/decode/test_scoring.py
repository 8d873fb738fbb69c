"""The score of a person found: the OKS to expect of it."""

import numpy as np
import pytest

from scalepose.decode.scoring import ERROR, expected_likeness
from scalepose.skeletons import COCO17

SIGMAS = np.asarray(COCO17.sigmas)


@pytest.mark.parametrize("size", [6, 20, 120])
def test_it_is_the_mean_oks_of_keypoints_that_err(size: int):
    rng = np.random.default_rng(0)
    points = (rng.uniform(0, size, (1, 17, 2))).astype(np.float32)
    off = rng.normal(0, ERROR, (20000, 17, 2))
    area = 0.53 * np.ptp(points[0], axis=0).prod()
    oks = np.exp(-(off**2).sum(axis=2) / (2 * area * (2 * SIGMAS) ** 2)).mean()  # COCO's formula
    score = expected_likeness(points, np.ones((1, 17), np.float32), SIGMAS, 0.0)
    assert score.dtype == np.float32
    assert score[0] == pytest.approx(oks, abs=0.003)


def test_a_missing_keypoint_is_worth_nothing_and_values_count():
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 50, (2, 17, 2)).astype(np.float32)
    values = np.full((2, 17), 0.5, np.float32)
    points[1] = points[0]
    points[1, 4:] = np.nan
    values[1, 4:] = 0
    whole, part = expected_likeness(points, values, SIGMAS, 2.0)
    assert part < whole * 4 / 17
    assert expected_likeness(points, values * 2, SIGMAS, 2.0) == pytest.approx([2 * whole, 2 * part])


def test_larger_people_come_first_and_very_large_ones_keep_their_values():
    person = np.random.default_rng(2).uniform(0, 1, (17, 2)).astype(np.float32)
    sizes = np.array([1e-3, 1, 10, 100, 1e5])
    values = np.full((5, 17), 0.8, np.float32)
    scores = expected_likeness(person * sizes[:, None, None], values, SIGMAS, 2.0)
    assert (np.diff(scores[1:]) > 0).all()
    assert 0 < scores[0] == pytest.approx(scores[1])  # both count as the least size
    assert scores[-1] == pytest.approx(0.8, abs=1e-4)
