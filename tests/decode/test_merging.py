import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalepose.decode.merging import merge, merge_scores, similarity

NAN = float("nan")


def one(first, second, agreement):
    """`merge` of one keypoint of one person, each estimate a place and a value → x, y, value."""
    (a, va), (b, vb) = ((np.array([[place]], np.float32), np.array([[value]])) for place, value in (first, second))
    points, values = merge(a, b, va, vb, np.array([[agreement]]))
    assert points.dtype == values.dtype == np.float32
    return (*points[0, 0].tolist(), values[0, 0].item())


@pytest.mark.parametrize(
    ("first", "second", "agreement", "merged"),
    [
        (((0, 0), 0.5), ((4, 8), 0.5), 1, (2, 4, 0.5)),  # equally sure and agreed: the middle
        (((0, 0), 0.3), ((4, 8), 0.9), 1, (3, 6, 0.75)),  # weights 1 to 3
        (((0, 0), 0.3), ((4, 8), 0.9), 0, (4, 8, 0.9)),  # no agreement: the surer one
        (((0, 0), 0.9), ((4, 8), 0.3), 0, (0, 0, 0.9)),
        (((0, 0), 0.8), ((4, 8), 0.4), 0.5, (0.8, 1.6, 0.72)),  # weights 0.8 to 0.2
        (((NAN, NAN), 0), ((4, 8), 0.1), 0, (4, 8, 0.1)),  # one lacks it: the other's
        (((4, 8), 0.1), ((NAN, NAN), 0), 0, (4, 8, 0.1)),
    ],
)
def test_closed_forms(first, second, agreement, merged):
    assert one(first, second, agreement) == pytest.approx(merged, rel=1e-6)


def test_nobody_saw_it():
    x, y, value = one(((NAN, NAN), 0), ((NAN, NAN), 0), 0)
    assert np.isnan([x, y]).all()
    assert value == 0


values = st.floats(0.0625, 1, width=32)


@given(values, values, st.floats(0, 1, width=32))
def test_the_order_does_not_matter_and_the_result_lies_between(va, vb, agreement):
    forth = one(((0, 0), va), ((10, 10), vb), agreement)
    back = one(((10, 10), vb), ((0, 0), va), agreement)
    if va != vb:
        assert forth == pytest.approx(back, abs=1e-5)
    assert 0 <= forth[0] <= 10
    assert min(va, vb) - 1e-6 <= forth[2] <= max(va, vb) + 1e-6


def test_scores_fall_where_the_sure_keypoints_disagree():
    values, other_values = np.array([[0.5, 0.5], [0.8, 0.1]]), np.array([[0.4, 0.4], [0.9, 0.2]])
    agreement = np.array([[1, 0], [1, 0]])
    scores, other_scores = np.array([0.5, 0.5]), np.array([0.4, 0.8])
    expected = [np.sqrt(0.5 * 0.4 * 1 / 2), np.sqrt(0.5 * 0.8 * 0.72 / 0.74)]
    np.testing.assert_allclose(merge_scores(scores, other_scores, values, other_values, agreement), expected, rtol=1e-6)
    nothing = np.zeros((2, 2))
    np.testing.assert_array_equal(merge_scores(scores, other_scores, values, nothing, agreement), [0, 0])
    same = merge_scores(scores, scores, values, values, np.ones((2, 2)))
    np.testing.assert_allclose(same, scores, rtol=1e-6)  # the same again says nothing new


def test_scores_of_small_people_reach_less():
    values = np.array([[0.8, 0.4]])  # mean 0.6; of somebody so small a third less is to be expected
    merged = merge_scores(np.array([0.4]), np.array([0.5]), values, values, np.ones((1, 2)))
    np.testing.assert_allclose(merged, [np.sqrt(0.4 * 0.5 * 2 / 3)], rtol=1e-6)


def test_similarity_is_oks():
    points = np.array([[[0, 0], [3, 4], [NAN, NAN]]], np.float32)
    others = np.array([[[0, 0], [0, 0], [0, 0]]], np.float32)
    expected = [[1, np.exp(-25 / (2 * 100 * (2 * 0.1) ** 2)), 0]]
    np.testing.assert_allclose(similarity(points, others, np.array([100.0]), np.full(3, 0.1)), expected, rtol=1e-5)
    assert similarity(points[:0], others[:0], np.zeros(0), np.full(3, 0.1)).shape == (0, 3)
