"""People labelled with left and right exchanged are turned around where a model sees them so, and nobody else."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from scalepose.data.annotations import read_annotations
from scalepose.errors import ScaleposeError
from scalepose.evaluation.sides import main, turn_sides
from scalepose.skeletons import COCO17

# Somebody who faces the camera in a picture of 100×120; the person's left is on the right.
FRONT = np.array(
    [
        *[(50, 12), (54, 9), (46, 9), (58, 11), (42, 11), (64, 28), (36, 28), (70, 45), (30, 45), (72, 60), (28, 60)],
        *[(58, 62), (42, 62), (60, 84), (40, 84), (60, 104), (40, 104)],
    ],
    float,
)
CATEGORY = {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints)}


def person(id: int, image_id: int, points: np.ndarray) -> dict:
    """An annotation, all keypoints visible."""
    left, top = points.min(0)
    w, h = np.ptp(points, axis=0)
    keypoints = np.hstack([points, np.full((17, 1), 2)]).reshape(-1).tolist()
    box = [float(v) for v in (left, top, w, h)]
    return {"id": id, "image_id": image_id, "category_id": 1, "bbox": box, "area": float(w * h), "keypoints": keypoints}


def found(image_id: int | str, points: np.ndarray) -> dict:
    """The same as found."""
    keypoints = np.hstack([points, np.full((17, 1), 0.8)]).reshape(-1).tolist()
    return {"image_id": image_id, "category_id": 1, "keypoints": keypoints, "score": 0.7}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Four pictures with a person each: labelled as found, labelled the wrong way round, not found, found elsewhere."""
    turned = FRONT[COCO17.flip_index]
    labels = [person(7, 1, FRONT), person(8, 2, turned), person(9, 3, turned), person(10, 4, turned)]
    annotations = {
        "images": [{"id": i, "file_name": f"im{i}.png", "width": 100, "height": 120} for i in (1, 2, 3, 4)],
        "annotations": labels,
        "categories": [CATEGORY],
    }
    people = [found("im1", FRONT + 1), found("im2", FRONT + 1), found("im4", FRONT + 25), found("im9", FRONT)]
    (tmp_path / "people.json").write_text(json.dumps(annotations))
    (tmp_path / "found.json").write_text(json.dumps(people))
    return tmp_path / "people.json", tmp_path / "found.json"


def test_only_who_is_labelled_the_wrong_way_round_is_turned(files: tuple[Path, Path], tmp_path: Path):
    assert turn_sides(*files, tmp_path / "out.json") == (1, 4)
    before, after = read_annotations(files[0]), read_annotations(tmp_path / "out.json")
    assert not after.problems
    for old, new in zip(before.pictures, after.pictures, strict=True):
        wanted = FRONT if old.id == 2 else old.people[0].keypoints[:, :2]
        np.testing.assert_array_equal(new.people[0].keypoints[:, :2], wanted)


def test_nobody_is_turned_back(files: tuple[Path, Path], tmp_path: Path):
    turn_sides(*files, tmp_path / "out.json")
    assert turn_sides(tmp_path / "out.json", files[1], tmp_path / "again.json") == (0, 4)
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads((tmp_path / "out.json").read_text())


def test_who_is_found_both_ways_is_left_alone(files: tuple[Path, Path], tmp_path: Path):
    both = [found("im2", FRONT), found("im2", FRONT[COCO17.flip_index])]
    files[1].write_text(json.dumps(both))
    assert turn_sides(*files, tmp_path / "out.json") == (0, 4)


def test_the_visibility_goes_with_the_keypoint(files: tuple[Path, Path], tmp_path: Path):
    content = json.loads(files[0].read_text())
    content["annotations"][1]["keypoints"][3 * 5 : 3 * 6] = [0, 0, 0]  # the left shoulder, in truth the right one
    files[0].write_text(json.dumps(content))
    assert turn_sides(*files, tmp_path / "out.json") == (1, 4)
    keypoints = read_annotations(tmp_path / "out.json").pictures[1].people[0].keypoints
    assert keypoints[6, 2] == 0
    assert keypoints[5, 2] == 2


def test_records_that_cannot_be_used_stay_as_they_are(files: tuple[Path, Path], tmp_path: Path):
    content = json.loads(files[0].read_text())
    content["annotations"] += [{"id": 8}, {"id": [8]}, "nobody"]
    files[0].write_text(json.dumps(content))
    assert turn_sides(*files, tmp_path / "out.json") == (1, 4)
    assert json.loads((tmp_path / "out.json").read_text())["annotations"][4:] == [{"id": 8}, {"id": [8]}, "nobody"]


def test_nobody_found(files: tuple[Path, Path], tmp_path: Path):
    files[1].write_text("[]")
    assert turn_sides(*files, tmp_path / "out.json") == (0, 4)


def test_a_skeleton_without_sides_is_refused(files: tuple[Path, Path], tmp_path: Path):
    content = json.loads(files[0].read_text())
    names = [f"point_{k}" for k in range(17)]
    content["categories"] = [{"id": 1, "name": "person", "keypoints": names, "skeleton": []}]
    files[0].write_text(json.dumps(content))
    with pytest.raises(ScaleposeError, match="knows no left and right"):
        turn_sides(*files, tmp_path / "out.json")


def test_people_of_other_pictures_and_skeletons_are_refused(files: tuple[Path, Path], tmp_path: Path):
    files[1].write_text(json.dumps([found("beach", FRONT)]))
    with pytest.raises(ScaleposeError, match=r"found\.json: has boxes for none of these pictures"):
        turn_sides(*files, tmp_path / "out.json")
    short = {**found("im2", FRONT), "keypoints": [1, 2, 0.5] * 3, "bbox": [0, 0, 9, 9]}
    files[1].write_text(json.dumps([short]))
    with pytest.raises(ScaleposeError, match="needs 51 keypoint numbers"):
        turn_sides(*files, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_what_is_read_is_not_replaced(files: tuple[Path, Path]):
    for file in files:
        before = file.read_text()
        with pytest.raises(ScaleposeError, match="would replace what is read"):
            turn_sides(*files, file)
        assert file.read_text() == before


def test_command(files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    out = tmp_path / "out.json"
    for annotations, target, status in ((files[0], out, 0), (tmp_path / "none.json", out, 2), (files[0], tmp_path, 2)):
        command = ["sides", str(annotations), "--found", str(files[1]), "--out", str(target)]
        monkeypatch.setattr(sys, "argv", command)
        assert main() == status
    output = capsys.readouterr()
    assert "out.json: left and right exchanged of 1 of 4 people" in output.out
    assert "none.json: cannot be read" in output.err
    assert f"{tmp_path}: cannot be written" in output.err
