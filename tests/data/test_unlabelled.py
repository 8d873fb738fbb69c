"""People whom a model found and nobody labelled become regions to be ignored."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from made_annotations import coco_category, person_record

from scalepose.data.annotations import read_annotations
from scalepose.data.regions import known_mask
from scalepose.data.unlabelled import ignore_unlabelled, main
from scalepose.errors import ScaleposeError


def found(image_id: int, left: float, top: float, right: float, bottom: float, score: float) -> dict:
    """Somebody found: two keypoints of 17, the box around them by its corners."""
    keypoints = np.zeros((17, 3))
    keypoints[[0, 9]] = (left, top, 0.9), (right, bottom, 0.4)
    return {"image_id": image_id, "category_id": 1, "keypoints": keypoints.reshape(-1).tolist(), "score": score}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Two pictures of 90×100; the first has somebody at x 20–50, y 10–70, the second nobody. And who was found."""
    annotations = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 90, "height": 100} for i in (3, 4)],
        "annotations": [person_record(7, 3)],
        "categories": [coco_category()],
    }
    people = [
        found(3, 22, 12, 48, 68, 0.9),  # the one who is labelled
        found(3, 60, 20, 80, 60, 0.5),  # another beside
        found(3, 60, 70, 80, 90, 0.1),  # hardly anybody
        found(4, 10, 10, 40, 60, 0.2),
    ]
    (tmp_path / "people.json").write_text(json.dumps(annotations))
    (tmp_path / "found.json").write_text(json.dumps(people))
    return tmp_path / "people.json", tmp_path / "found.json"


def test_who_is_found_and_not_labelled_is_hidden_from_the_loss(files: tuple[Path, Path], tmp_path: Path):
    assert ignore_unlabelled(*files, tmp_path / "out.json") == (2, 2)
    before, after = read_annotations(files[0]), read_annotations(tmp_path / "out.json")
    assert not after.problems
    first, second = after.pictures
    assert [person.id for person in first.people] == [7, 8]
    assert [person.id for person in second.people] == [9]
    np.testing.assert_array_equal(first.people[0].keypoints, before.pictures[0].people[0].keypoints)
    mask = known_mask(first)
    assert not mask[20:60, 60:80].any()  # all between the keypoints
    assert mask[:, :50].all()  # the one who is labelled
    assert mask[75:, 60:].all()  # hardly anybody
    assert not known_mask(second)[10:60, 10:40].any()


def test_the_score_decides(files: tuple[Path, Path], tmp_path: Path):
    assert ignore_unlabelled(*files, tmp_path / "out.json", score=0.05) == (3, 2)
    assert ignore_unlabelled(*files, tmp_path / "out.json", score=0.4) == (1, 1)


def test_nothing_is_added_twice(files: tuple[Path, Path], tmp_path: Path):
    ignore_unlabelled(*files, tmp_path / "out.json")
    assert ignore_unlabelled(tmp_path / "out.json", files[1], tmp_path / "again.json") == (0, 0)
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads((tmp_path / "out.json").read_text())


def test_nobody_labelled_is_hidden_by_a_larger_mixture(files: tuple[Path, Path], tmp_path: Path):
    content = json.loads(files[0].read_text())
    content["annotations"].append(person_record(8, 4, (30, 40, 10, 20)))  # a 46th part of what was found around it
    files[0].write_text(json.dumps(content))
    files[1].write_text(json.dumps([found(4, 2, 2, 88, 98, 0.8)]))
    assert ignore_unlabelled(*files, tmp_path / "out.json") == (0, 0)


def test_nobody_found(files: tuple[Path, Path], tmp_path: Path):
    files[1].write_text("[]")
    assert ignore_unlabelled(*files, tmp_path / "out.json") == (0, 0)
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(files[0].read_text())


def test_people_of_other_pictures_are_refused(files: tuple[Path, Path], tmp_path: Path):
    files[1].write_text(json.dumps([found(99, 1, 1, 20, 20, 0.9)]))
    with pytest.raises(ScaleposeError, match=r"found\.json: has boxes for none of these pictures"):
        ignore_unlabelled(*files, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_what_is_read_is_not_replaced(files: tuple[Path, Path]):
    for file in files:
        before = file.read_text()
        with pytest.raises(ScaleposeError, match="would replace what is read"):
            ignore_unlabelled(*files, file)
        assert file.read_text() == before


def test_command(files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    out = tmp_path / "out.json"
    for annotations, target, status in ((files[0], out, 0), (tmp_path / "none.json", out, 2), (files[0], tmp_path, 2)):
        command = ["unlabelled", str(annotations), "--found", str(files[1]), "--out", str(target)]
        monkeypatch.setattr(sys, "argv", command)
        assert main() == status
    output = capsys.readouterr()
    assert "out.json: 2 regions to be ignored added to 2 pictures" in output.out
    assert "none.json: cannot be read" in output.err
    assert f"{tmp_path}: cannot be written" in output.err
