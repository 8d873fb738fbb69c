import numpy as np
import pytest

from scalepose.decode.suppress import rescore, suppress
from scalepose.skeletons import COCO17

SIGMAS = np.asarray(COCO17.sigmas)
PERSON = np.random.default_rng(0).uniform(0, 100, (17, 2)).astype(np.float32)


def test_scores_are_the_boxes_times_the_sure_keypoints():
    values = np.array([[0.9, 0.5, 0.2, 0.1], [0.2, 0.1, 0, 0], [0.6, 0.6, 0.6, 0.6]])
    np.testing.assert_allclose(rescore(values, np.array([0.5, 1, 1])), [0.35, 0, 0.6], rtol=1e-6)
    assert rescore(np.zeros((0, 17)), np.zeros(0)).shape == (0,)


def shift_of(oks: float, area: float) -> float:
    """How far all keypoints must move sideways for this OKS, by bisection on its definition."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        value = np.mean([np.exp(-(middle**2) / (2 * area * (2 * s) ** 2)) for s in SIGMAS])
        low, high = (middle, high) if value > oks else (low, middle)
    return low


@pytest.mark.parametrize("areas", [(5000.0, 5000.0), (2000.0, 8000.0)])
def test_the_limit_is_at_the_mean_of_both_areas(areas):
    limit = shift_of(0.9, sum(areas) / 2)
    for factor, count in ((0.98, 1), (1.02, 2)):
        points = np.stack([PERSON, PERSON + np.array([limit * factor, 0])])
        kept = suppress(points, np.array([0.3, 0.7]), np.array(areas), SIGMAS)
        assert kept.tolist() == [1, 0][:count]


def test_the_best_stays_and_chains_break():
    step = shift_of(0.93, 5000)
    points = np.stack([PERSON + np.array([i * step, 0]) for i in range(4)])
    kept = suppress(points, np.array([0.9, 0.8, 0.7, 0.6]), np.full(4, 5000.0), SIGMAS)
    assert kept.tolist() == [0, 2]  # 1 is like 0; 2 is like 1 only, who has gone; 3 is like 2
    assert suppress(points, np.array([0.5] * 4), np.full(4, 5000.0), SIGMAS, most_similar=1.0).tolist() == [0, 1, 2, 3]
    assert suppress(points[:0], np.zeros(0), np.zeros(0), SIGMAS).tolist() == []
