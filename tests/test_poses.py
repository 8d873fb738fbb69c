"""Poses: selection, the forms they take outside, and drawing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalepose.errors import ScaleposeError
from scalepose.poses import CSV_FIELDS, Poses
from scalepose.skeletons import COCO17, Skeleton

PAIR = Skeleton("pair", ("left", "right"), ((0, 1),), ((0, 1),))


def people(P: int, K: int = 17, seed: int = 0, missing: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    points = random.uniform(0, 500, (P, K, 2)).astype(np.float32)
    values = random.uniform(0.01, 1, (P, K)).astype(np.float32)
    gone = random.random((P, K)) < missing
    points[gone], values[gone] = np.nan, 0
    return points, values, values.mean(axis=1)


def poses(P: int, seed: int = 0) -> Poses:
    return Poses(*people(P, seed=seed), COCO17)


@given(st.integers(0, 6), st.integers(0, 100))
def test_coco_there_and_back(P, seed):
    before = poses(P, seed)
    results = before.to_coco(7)
    assert all(entry["image_id"] == 7 and entry["category_id"] == 1 for entry in results)
    after = Poses.from_coco(results, COCO17)
    np.testing.assert_allclose(after.keypoints, before.keypoints, atol=1e-4)  # NaN where it was NaN
    np.testing.assert_allclose(after.keypoint_scores, before.keypoint_scores, atol=1e-4)
    np.testing.assert_allclose(after.scores, before.scores, atol=1e-6)


def test_a_missing_keypoint_is_three_zeros_in_coco():
    one = Poses(np.array([[[np.nan, np.nan], [3, 4]]]), np.array([[0, 0.5]]), np.array([0.25]), PAIR)
    assert one.to_coco("a") == [
        {"image_id": "a", "category_id": 1, "keypoints": [0, 0, 0, 3, 4, 0.5], "score": 0.25},
    ]


def test_results_of_another_skeleton_are_refused():
    with pytest.raises(ScaleposeError, match="result 1 has 6 keypoint numbers; coco17 needs 51"):
        Poses.from_coco([{"keypoints": [0] * 51}, {"keypoints": [0] * 6}], COCO17)


def test_tidy_rows():
    one = Poses(np.array([[[np.nan, np.nan], [3, 4]]]), np.array([[0, 0.5]]), np.array([0.25]), PAIR)
    assert [dict(zip(CSV_FIELDS, row, strict=True)) for row in one.to_rows("a.jpg")] == [
        {"image": "a.jpg", "person": 0, "keypoint": "right", "x": 3, "y": 4, "keypoint_score": 0.5, "score": 0.25}
    ]


def test_choosing_people():
    four = poses(4)
    assert len(four[1:3]) == 2
    assert len(four[2]) == 1
    np.testing.assert_array_equal(four[2].keypoints[0], four.keypoints[2])
    np.testing.assert_array_equal(four[[3, 0]].scores, four.scores[[3, 0]])
    np.testing.assert_array_equal(four[four.scores > 0.3].scores, four.scores[four.scores > 0.3])
    assert repr(four[:0]) == "Poses(P=0, K=17, skeleton='coco17')"


def test_filter():
    five = poses(5)
    strong = five.filter(score=0.35, keypoint_score=0.5)
    assert (strong.scores >= 0.35).all()
    assert len(strong) == (five.scores >= np.float32(0.35)).sum()
    kept = strong.keypoint_scores > 0
    assert (strong.keypoint_scores[kept] >= 0.5).all()
    np.testing.assert_array_equal(kept, np.isfinite(strong.keypoints[..., 0]))
    unfiltered = five.filter()
    np.testing.assert_array_equal(unfiltered.keypoints, five.keypoints)


def test_boxes():
    points = np.array([[[1, 8], [5, 2]], [[np.nan] * 2, [3, 4]], [[np.nan] * 2] * 2], np.float32)
    boxes = Poses(points, np.ones((3, 2)), np.ones(3), PAIR).boxes
    np.testing.assert_array_equal(boxes, [[1, 2, 5, 8], [3, 4, 3, 4], [np.nan] * 4])


def test_nobody():
    nobody = Poses.empty(COCO17)
    assert nobody.keypoints.shape == (0, 17, 2)
    assert nobody.to_coco(1) == list(nobody.to_rows("a")) == []
    assert nobody.boxes.shape == (0, 4)
    image = np.full((5, 6, 3), 9, np.uint8)
    np.testing.assert_array_equal(nobody.draw(image), image)


def test_shapes_must_agree():
    with pytest.raises(ScaleposeError, match=r"keypoint_scores must have the shape \(2, 2\), not \(2, 3\)"):
        Poses(np.zeros((2, 2, 2)), np.zeros((2, 3)), np.zeros(2), PAIR)


def test_drawing_changes_the_picture_where_the_person_is():
    image = np.full((100, 120, 3), 128, np.uint8)
    person = Poses(np.array([[[30.5, 50.5], [90.5, 50.5]]]), np.ones((1, 2)), np.ones(1), PAIR)
    drawn = person.draw(image)
    assert (image == 128).all()
    changed = (drawn != image).any(axis=-1)
    assert changed[50, 30]  # a keypoint at (30.5, 50.5) lies in the middle of the pixel in column 30, row 50
    assert changed[50, 90]
    assert changed[50, 30:91].all()  # the limb
    ys, xs = np.nonzero(changed)
    assert ys.min() >= 44
    assert ys.max() <= 56
    assert xs.min() >= 24
    assert xs.max() <= 96
    np.testing.assert_array_equal(ys.min() + ys.max(), 100)  # centred on the row


def test_weak_and_missing_keypoints_are_not_drawn():
    image = np.zeros((60, 60, 3), np.uint8)
    points = np.array([[[10.5, 10.5], [40.5, 40.5]]])
    weak = Poses(points, np.array([[0.9, 0.1]]), np.ones(1), PAIR).draw(image, keypoint_score=0.5)
    points[0, 1] = np.nan
    missing = Poses(points, np.array([[0.9, 0]]), np.ones(1), PAIR).draw(image)
    np.testing.assert_array_equal(weak, missing)
    assert weak[10, 10].any()
    assert not weak[20:, 20:].any()


def test_two_people_have_two_colours():
    image = np.zeros((60, 60, 3), np.uint8)
    points = np.array([[[10.5, 10.5], [50.5, 10.5]], [[10.5, 40.5], [50.5, 40.5]]])
    drawn = Poses(points, np.ones((2, 2)), np.ones(2), PAIR).draw(image)
    assert drawn[10, 30].any()
    assert drawn[40, 30].any()
    assert (drawn[10, 30] != drawn[40, 30]).any()


def test_points_far_outside_can_be_drawn():
    image = np.zeros((20, 20, 3), np.uint8)
    points = np.array([[[-1e9, 1e9], [10.5, 10.5]]])
    assert Poses(points, np.ones((1, 2)), np.ones(1), PAIR).draw(image)[10, 10].any()


def test_nobody_is_left_without_a_keypoint():
    points = np.array([[[1, 8], [5, 2]], [[np.nan] * 2, [3, 4]], [[np.nan] * 2] * 2], np.float32)
    values, scores = np.array([[0.9, 0.2], [0, 0.4], [0, 0]]), np.array([0.9, 0.8, 0.7])
    three = Poses(points, values, scores, PAIR)
    assert three.filter(keypoint_score=0.5).scores.tolist() == [np.float32(0.9)]
    assert len(three.filter()) == 2
    assert len(three.filter(keypoint_score=0.95)) == 0
