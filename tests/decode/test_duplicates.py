import numpy as np
import pytest

from scalepose.decode.duplicates import similarity, without_duplicates
from scalepose.skeletons import COCO17

SIGMAS = np.asarray(COCO17.sigmas, np.float32)


def person(seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((17, 2)) * (60, 100)).astype(np.float32)


def test_similarity_is_oks():
    a, b = person(), person() + np.array([3, -2], np.float32)
    b[5] = np.nan
    area = 0.53 * np.prod(a.max(axis=0) - a.min(axis=0))
    likeness = np.exp(-(3**2 + 2**2) / (2 * area * (2 * SIGMAS) ** 2))
    alike = similarity(np.stack([a, b]), SIGMAS, 1.0)
    np.testing.assert_allclose(np.diag(alike), 1)
    assert alike[0, 1] == pytest.approx(np.delete(likeness, 5).mean(), rel=1e-4)  # over the 16 that b has
    assert alike[1, 0] == pytest.approx(np.delete(likeness, 5).sum() / 17, rel=1e-4)


def test_the_better_of_two_alike_stays():
    people = np.stack([person(), person() + 200, person() + 0.5])
    kept, scores = without_duplicates(people, np.array([0.5, 0.6, 0.7]), SIGMAS, 0.7, 1.0)
    assert kept.tolist() == [2, 1]
    np.testing.assert_allclose(scores, [0.7, 0.6])


def test_a_part_of_a_person_is_a_duplicate_but_the_whole_is_not_one_of_a_part():
    part = person() + np.float32(0.3)
    part[4:] = np.nan
    people = np.stack([person(), part])
    kept, _ = without_duplicates(people, np.array([0.9, 0.2]), SIGMAS, 0.7, 1.0)
    assert kept.tolist() == [0]
    kept, scores = without_duplicates(people, np.array([0.2, 0.9]), SIGMAS, 0.7, 1.0)
    assert kept.tolist() == [1, 0]
    assert scores == pytest.approx([0.9, 0.2 * (1 - 4 / 17)], rel=0.01)  # the whole shares four keypoints with the part


def test_scores_fall_by_the_likeness_to_better_people():
    random = np.random.default_rng(5)
    people = person() + random.normal(0, 6, (8, 17, 2)).astype(np.float32)
    people[random.random((8, 17)) < 0.2] = np.nan
    scores = random.permutation(np.linspace(0.1, 0.9, 8))
    alike = similarity(people, SIGMAS, 1.0)
    expected = {}
    for p, score in enumerate(scores):
        likeness = max((alike[q, p] for q in range(8) if scores[q] > score), default=0)
        if likeness < 0.95:
            expected[p] = score * (1 - likeness)
    kept, reduced = without_duplicates(people, scores, SIGMAS, 0.95, 1.0)
    assert kept.tolist() == sorted(expected, key=lambda p: -expected[p])
    np.testing.assert_allclose(reduced, [expected[p] for p in kept], rtol=1e-6)
    assert (reduced[1:] < scores[kept[1:]]).all()


def test_nobody():
    kept, scores = without_duplicates(np.zeros((0, 17, 2)), np.zeros(0), SIGMAS, 0.7, 1.0)
    assert kept.tolist() == []
    assert scores.tolist() == []
