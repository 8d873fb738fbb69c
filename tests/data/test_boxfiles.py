import json
from pathlib import Path

import numpy as np
import pytest
from made_annotations import coco_category, person_record

from scalepose.data.boxfiles import MAX_PEOPLE, read_boxes
from scalepose.errors import ScaleposeError


@pytest.fixture
def write(tmp_path):
    def write(content) -> Path:
        path = tmp_path / "boxes.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def image(id, name, **changes):
    return {"id": id, "file_name": name, "width": 90, "height": 100} | changes


def box(image_id, *numbers, **changes):
    return {"image_id": image_id, "category_id": 1, "bbox": list(numbers), "score": 0.5} | changes


def test_detections(write):
    file = read_boxes(write([box(7, 1, 2, 3, 4, score=0.25), box("beach", 5, 6, 7, 8), box(7, 9, 9, 9, 9)]))
    np.testing.assert_array_equal(file.people[7].boxes, [(1, 2, 3, 4), (9, 9, 9, 9)])
    assert file.people[7].scores.tolist() == [0.25, 0.5]
    assert (file.files, file.sizes, file.problems) == ({}, {}, ())
    pictures = [(Path("a/000007.jpg"), 7), (Path("beach.png"), "other"), (Path("c.png"), "c")]
    assert file.match(pictures) == [7, "beach", None]


def test_annotations_with_and_without_keypoints(write):
    people = [
        person_record(1, 3),
        person_record(2, 3, iscrowd=1),
        person_record(3, 3, (1, 1, 5, 5), keypoints=..., category_id=1),
        person_record(4, 3, category_id=18),
    ]
    categories = [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]
    file = read_boxes(write({"images": [image(3, "x.png")], "annotations": people, "categories": categories}))
    np.testing.assert_array_equal(file.people[3].boxes, [(20, 10, 30, 60), (1, 1, 5, 5)])
    assert file.sizes == {3: (90, 100)}
    assert [p.record for p in file.problems] == ["annotation 4"]
    assert "another category" in file.problems[0].reason


def test_people_found_before(write):
    keypoints = np.zeros((17, 3))
    keypoints[[0, 9]] = [(10, 20, 0.9), (30, 120, 0.4)]
    alone = np.zeros((17, 3))
    alone[0] = (1, 1, 1)
    entries = [{"image_id": 1, "keypoints": k.reshape(-1).tolist(), "score": 0.3} for k in (keypoints, alone)]
    file = read_boxes(write(entries))
    np.testing.assert_allclose(file.people[1].boxes, [(1, 11, 38, 118)])
    assert file.people[1].scores.tolist() == [np.float32(0.3)]
    assert [str(problem) for problem in file.problems] == [
        f"{file.source}: detection number 2: has fewer than two keypoints"
    ]


def test_pictures_are_told_by_name_and_folder(write):
    images = [image(1, "a/x.png"), image(2, "b/x.png"), image(3, "y.png")]
    content = {"images": images, "annotations": [person_record(i, i) for i in (1, 2, 3)]}
    file = read_boxes(write(content | {"categories": [coco_category()]}))
    paths = [Path(p) for p in ("/data/b/x.png", "/data/a/x.png", "x.png", "else/y.png", "z.png")]
    assert file.match([(path, 1) for path in paths]) == [2, 1, None, 3, None]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("text", "json object"),
        ({"bbox": [1, 2, 3, 4]}, "no image_id"),
        (box([1], 1, 2, 3, 4), "no image_id"),
        (box(1, 1, 2, 3), "list of 4 numbers"),
        (box(1, 1, 2, 0, 4), "no width or no height"),
        (box(1, 1, 2, -3, 4), "no width or no height"),
        (box(1, 1, 2, "x", 4), "finite"),
        (box(1, 1, 2, float("nan"), 4), "finite"),
        (box(1, 1, 2, 1e300, 4), "finite"),
        (box(1, 1, 2, 3, 4, score="high"), "finite"),
        (box(1, 1, 2, 3, 4, category_id=3), "another category"),
        ({"image_id": 1}, "neither bbox nor keypoints"),
        ({"image_id": 1, "keypoints": [1, 2]}, "x, y, score"),
        ({"image_id": 1, "keypoints": [{}, 2, 3]}, "finite"),
        ({"image_id": 1, "keypoints": [0, 0, 0, 1, 2, 1]}, "fewer than two keypoints"),
    ],
)
def test_a_broken_entry_is_named_and_the_rest_kept(write, entry, reason):
    file = read_boxes(write([box(1, 5, 5, 5, 5), entry]))
    assert len(file.people[1]) == 1
    assert [p.record for p in file.problems] == ["detection number 2"]
    assert reason in file.problems[0].reason
    with pytest.raises(ScaleposeError, match=r"none of its 1 entries.*detection number 1"):
        read_boxes(write([entry]))


def test_many_faults_alike_are_counted(write):
    entries = [box(1, 5, 5, 5, 5), *[box(1, 1, 1, 1, 1, category_id=c) for c in range(2, 900)]]
    file = read_boxes(write(entries))
    assert len(file.problems) == 6
    assert file.problems[-1].record == "893 more entries"


def test_a_picture_has_not_thousands_of_people(write):
    entries = [box(1, 5, 5, 5, 5, score=n) for n in range(MAX_PEOPLE + 10)]
    file = read_boxes(write(entries))
    assert len(file.people[1]) == MAX_PEOPLE
    assert file.people[1].scores.min() == 10
    assert "more than 1000 boxes" in file.problems[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not valid json"),
        ("[" * 100_000, "nested too deeply"),
        ('"text"', "neither a file of annotations nor a list"),
        ("{}", "neither a file of annotations nor a list"),
        ('{"annotations": []}', "no list 'images'"),
    ],
)
def test_files_that_are_no_boxes(write, content, reason):
    with pytest.raises(ScaleposeError, match=reason):
        read_boxes(write(content))


def test_a_file_that_fits_no_picture(write):
    pictures = [(Path("c.png"), "c")]
    with pytest.raises(ScaleposeError, match=r"none of these pictures; it has such as 1, they are such as 'c'"):
        read_boxes(write([box(1, 5, 5, 5, 5)])).match(pictures)
    content = {"images": [image(3, "x.png")], "annotations": [person_record(1, 3)], "categories": [coco_category()]}
    with pytest.raises(ScaleposeError, match=r"such as 'x.png', they are such as c.png"):
        read_boxes(write(content)).match(pictures)
    nobody = read_boxes(write([]))
    assert nobody.people == {}
    with pytest.raises(ScaleposeError, match="such as 'nothing'"):
        nobody.match(pictures)
