import json

import numpy as np
import pytest
from made_people import annotations, person, picture, result

from scalepose.errors import ScaleposeError
from scalepose.evaluation.results import MAX_PEOPLE, found_people, read_results
from scalepose.poses import Poses
from scalepose.skeletons import COCO17

TRUTH = annotations(picture(1, person()), picture(2))


def test_the_best_twenty_best_first_and_stable():
    scores = [0.5] * 15 + [0.9] + [0.5] * 15
    found = found_people(TRUTH, [result(1, person(), s, shift=i) for i, s in enumerate(scores)])[1]
    assert len(found.scores) == MAX_PEOPLE
    shifts = found.keypoints[:, 0, 0] - person().keypoints[0, 0]
    np.testing.assert_allclose(shifts, [15, *range(15), *range(16, 20)], atol=1e-3)


def test_areas_as_coco_has_them():
    rows = np.zeros((17, 3))
    rows[0] = 30, 40, 1
    entry = {"image_id": 1, "keypoints": rows.reshape(-1).tolist(), "score": 1}
    boxed = entry | {"bbox": [0, 0, 5, 6]}
    assert found_people(TRUTH, [entry, boxed])[1].areas.tolist() == [30 * 40, 5 * 6]


def test_what_poses_write_is_read():
    poses = Poses(person().keypoints[None, :, :2], np.full((1, 17), 0.5), np.array([0.5]), COCO17)
    np.testing.assert_allclose(
        found_people(TRUTH, poses.to_coco(2))[2].keypoints[0, :, :2], poses.keypoints[0], atol=1e-4
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 3}, "result 1 .*image_id 3"),
        ({"image_id": "1"}, "result 1 .*image_id '1'"),
        ({"image_id": [1]}, "result 1"),
        ({"keypoints": [1.0] * 50}, "result 1 .*51"),
        ({"keypoints": None}, "result 1 .*51"),
        ({"keypoints": [float("nan")] * 51}, "result 1 .*not finite"),
        ({"keypoints": ["x"] * 51}, "keypoints"),
        ({"score": None}, "score"),
        ({"score": float("inf")}, "result 1 .*not finite"),
        ({"category_id": 2}, "categories 1, 2"),
        ({"bbox": [1, 2]}, "bbox"),
        ({"bbox": [1, 2, float("nan"), 4]}, "result 1 .*not finite"),
        ({"score": 10**400}, "score"),
    ],
)
def test_an_entry_that_does_not_fit_is_named(change, message):
    with pytest.raises(ScaleposeError, match=message):
        found_people(TRUTH, [result(1, person()), result(1, person()) | change])


@pytest.mark.parametrize("entry", [3, {}, {"image_id": 1, "keypoints": [0] * 51}])
def test_an_entry_without_its_keys_is_named(entry):
    with pytest.raises(ScaleposeError, match=r"result 0 .*needs the keys"):
        found_people(TRUTH, [entry])


def test_files(tmp_path):
    file = tmp_path / "results.json"
    with pytest.raises(ScaleposeError, match="cannot be read"):
        read_results(file)
    for content in ("{", "[" * 100_000, "\xff"):
        file.write_bytes(content.encode("latin1"))
        with pytest.raises(ScaleposeError, match="is no json"):
            read_results(file)
    file.write_text("{}")
    with pytest.raises(ScaleposeError, match="must hold a list"):
        read_results(file)
    file.write_text(json.dumps([result(1, person())]))
    assert read_results(file) == [result(1, person())]
