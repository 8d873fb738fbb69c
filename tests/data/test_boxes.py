import numpy as np
import pytest
from made_annotations import person_record

from scalepose.data.annotations import read_annotations
from scalepose.data.boxes import Boxes, annotated_box, annotated_boxes, boxes_of_poses, pose_boxes
from scalepose.poses import Poses
from scalepose.skeletons import COCO17


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 20, 30, 40), (10, 20, 29, 39)),
        ((-5, -5, 30, 40), (0, 0, 29, 39)),  # as published: moved inside, not cut
        ((80, 90, 30, 40), (80, 90, 19, 9)),
        ((10, 20, 0.5, 40), (10, 20, 0, 39)),
    ],
)
def test_annotated_boxes_end_in_their_last_pixels(box, expected):
    np.testing.assert_array_equal(annotated_box(np.array(box), (100, 100)), expected)


def test_boxes_of_annotations(write_json):
    images = [{"id": i, "file_name": f"{i}.png", "width": 90, "height": 100} for i in (1, 2)]
    people = [
        person_record(1, 1, (10, 20, 40, 70)),
        person_record(2, 1, (50, 20, 1, 70)),
        person_record(3, 1, (0, 0, 20, 20), iscrowd=1),
        person_record(4, 1, keypoints=[0] * 51),
        person_record(5, 1, (5, 5, 20, 20)),
    ]
    boxes, problems = annotated_boxes(read_annotations(write_json(images, people)))
    np.testing.assert_array_equal(boxes[1].boxes, [(10, 20, 39, 69), (5, 5, 19, 19)])
    assert boxes[1].scores.tolist() == [1, 1]
    assert len(boxes[2]) == 0
    assert [problem.record for problem in problems] == ["annotation 2"]


def test_boxes_around_poses():
    points = np.full((4, 17, 2), np.nan, np.float32)
    points[0, [0, 5, 16]] = [(10, 10), (30, 60), (50, 110)]
    points[1, 3] = (5, 5)
    points[3, :2] = [(7, 7), (7, 7)]
    boxes = pose_boxes(points, padding=0.1)
    np.testing.assert_allclose(boxes[0], (0, 0, 60, 120))
    assert np.isnan(boxes[1:3]).all()
    poses = Poses(points, np.isfinite(points[..., 0]), np.array([0.9, 0.8, 0.7, 0.6]), COCO17)
    found = boxes_of_poses(poses)
    assert found.scores.tolist() == [np.float32(0.9)]
    assert pose_boxes(points[:0]).shape == (0, 4)


def test_boxes_overlap_those_of_annotators(shared):
    """Around keypoints, padded: what the constant promises, on people it was not fitted to."""
    annotations = read_annotations(shared / "data/lspet/person_keypoints.json")
    whole = [p for q in annotations.pictures for p in q.people if (p.keypoints[:, 2] > 0).sum() >= 12]
    points = np.stack([np.where(p.keypoints[:, 2:] > 0, p.keypoints[:, :2], np.nan) for p in whole])
    truth = np.stack([p.box for p in whole])

    def overlap(boxes):
        low, high = np.maximum(boxes[:, :2], truth[:, :2]), np.minimum(*(b[:, :2] + b[:, 2:] for b in (boxes, truth)))
        common = np.maximum(high - low, 0).prod(axis=1)
        return (common / (boxes[:, 2:].prod(axis=1) + truth[:, 2:].prod(axis=1) - common)).mean()

    assert overlap(pose_boxes(points)) > 0.6


def test_unusable_boxes_are_named():
    rows = [
        (10, 10, 20, 20),
        (90, 0, 5, 5),
        (-9, 0, 9, 9),
        (0, 0, 0, 5),
        (0, 0, np.inf, 5),
        (1, 1, 0.5, 0.5),
        (0, 0, 9e9, 1),
        (-5, -5, 10, 10),
    ]
    boxes = Boxes(np.array(rows, np.float32), np.linspace(1, 0, 8, dtype=np.float32))
    usable, faults = boxes.usable((90, 100))
    np.testing.assert_array_equal(usable.boxes, [rows[0], rows[-1]])
    assert usable.scores.tolist() == [1, 0]
    words = ["outside", "outside", "no width", "finite", "smaller than a pixel", "far larger"]
    assert all(word in fault for word, fault in zip(words, faults, strict=True)), faults
    assert faults[0] == "box (90, 0, 5, 5) lies outside the picture of 90×100"
