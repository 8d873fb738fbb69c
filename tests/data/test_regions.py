from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scalepose.data.annotations import Person, Picture
from scalepose.data.regions import decode_run_lengths, known_mask, region_fault

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def picture(*people, size=(60, 40)):
    return Picture(1, Path("a.jpg"), size[0], size[1], people, None)


def person(box, labelled=False, crowd=False, segmentation=None):
    keypoints = np.zeros((17, 3), np.float32)
    if labelled:
        keypoints[0] = (box[0], box[1], 2)
    return Person(1, keypoints, np.array(box, np.float32), 1.0, crowd, segmentation)


@given(SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 1))))
def test_run_lengths_are_read_as_coco_writes_them(mask):
    coco = pytest.importorskip("faster_coco_eval.core.mask")
    packed = coco.encode(np.asfortranarray(mask))
    size = [int(s) for s in packed["size"]]
    segmentation = {"size": size, "counts": packed["counts"].decode()}
    assert region_fault(segmentation, (mask.shape[1], mask.shape[0])) is None
    np.testing.assert_array_equal(decode_run_lengths(segmentation), mask)
    flat = mask.T.reshape(-1)
    runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]])).tolist()
    counts = [0, *runs] if flat[0] else runs
    np.testing.assert_array_equal(decode_run_lengths({"size": size, "counts": counts}), mask)


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        (5, "must be a list of polygons or run lengths"),
        ([[1, 2, 3, 4]], "at least 3"),
        ([[1, 2, 3, 4, 5, 6, 7]], "at least 3"),
        ([[1, 2, 3, 4, 5, None]], "finite number"),
        ([[1, 2, 3, 4, 5, float("nan")]], "finite number"),
        ({"counts": [10], "size": [5, 2]}, "is not the picture's"),
        ({"counts": [10], "size": [10**9, 10**9]}, "is not the picture's"),
        ({"counts": [2399], "size": [40, 60]}, "cover 2399 pixels of 2400"),
        ({"counts": [3000, -600], "size": [40, 60]}, "no list of whole numbers"),
        ({"counts": [1 << 62, 1 << 62], "size": [40, 60]}, "no list of whole numbers"),
        ({"counts": "zzzzzzzzzzzzzzzzzz", "size": [40, 60]}, "are not"),
        ({"counts": "oo", "size": [40, 60]}, "end in the middle"),
        ({"counts": "äöü", "size": [40, 60]}, "cover"),
        ({"size": [40, 60]}, "no list of whole numbers"),
    ],
)
def test_regions_that_cannot_be_drawn(segmentation, reason):
    fault = region_fault(segmentation, (60, 40))
    assert fault is not None
    assert reason in fault


def test_polygons_cover_what_coco_says_they_do():
    coco = pytest.importorskip("faster_coco_eval.core.mask")
    polygon = [5.0, 5.0, 50.5, 8.0, 40.0, 35.5, 12.0, 30.0]
    expected = coco.decode(coco.merge(coco.frPyObjects([polygon], 40, 60))).astype(bool)
    unknown = known_mask(picture(person((5, 5, 46, 31), segmentation=[polygon]))) == 0
    assert (unknown & expected).sum() / (unknown | expected).sum() > 0.93


def test_boxes_stand_in_for_missing_regions_and_end_at_the_border():
    known = known_mask(picture(person((50.5, -5, 30, 15.5)), person((2, 30, 5, 5), crowd=True, labelled=True)))
    expected = np.full((40, 60), 255, np.uint8)
    expected[:11, 50:] = 0
    expected[30:35, 2:7] = 0
    np.testing.assert_array_equal(known, expected)


def test_labelled_people_are_known():
    assert (known_mask(picture(person((5, 5, 10, 10), labelled=True))) == 255).all()


def test_run_lengths_of_a_crowd():
    known = known_mask(
        picture(person((0, 0, 60, 40), crowd=True, segmentation={"size": [40, 60], "counts": [400, 40, 1960]}))
    )
    np.testing.assert_array_equal(np.argwhere(known == 0)[:, 1], 10)


def test_only_near_people():
    known = known_mask(picture(person((20, 10, 10, 20), labelled=True), person((22, 12, 2, 2))), only_near_people=True)
    expected = np.zeros((40, 60), np.uint8)
    expected[5:35, 15:35] = 255  # a quarter of the longer side farther each way
    expected[12:14, 22:24] = 0  # unlabelled people stay unknown
    np.testing.assert_array_equal(known, expected)


def test_far_polygons_do_no_harm():
    known = known_mask(
        picture(person((0, 0, 5, 5), segmentation=[[-1e30, -1e30, 1e30, -1e30, 1e30, 1e30, -1e30, 1e30]]))
    )
    assert (known == 0).all()
