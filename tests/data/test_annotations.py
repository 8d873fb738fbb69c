import copy
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_annotations import K, coco_category, person_record

from scalepose.data.annotations import check_pictures, read_annotations
from scalepose.data.regions import known_mask
from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17, CROWDPOSE14, Skeleton

IMAGE = {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80}


def changed(keypoint: int, column: int, value):
    """Keypoints of `person_record` with one number replaced."""
    keypoints = person_record(7, 1)["keypoints"]
    keypoints[3 * keypoint + column] = value
    return keypoints


def test_reads_people_pictures_and_regions(write_json, tmp_path):
    polygon = [[1.0, 1, 5, 1, 5, 5]]
    records = [
        person_record(5, 1, segmentation=polygon),
        person_record(6, 1, keypoints=[0] * 51, segmentation=polygon),
        person_record(8, 1, iscrowd=1, keypoints=..., segmentation=None),
        person_record(9, "two", area=...),
    ]
    path = write_json([IMAGE, IMAGE | {"id": "two", "file_name": "deep/b.png"}], records)
    annotations = read_annotations(path)
    assert annotations.problems == ()
    assert annotations.skeleton is COCO17
    first, second = annotations.pictures
    assert (first.path, first.width, first.height, first.crowd_index) == (tmp_path / "a.jpg", 100, 80, None)
    assert second.path == tmp_path / "deep/b.png"
    person, region, crowd = first.people
    assert (person.id, person.area, person.crowd, person.labelled) == (5, 900, False, True)
    assert person.keypoints.shape == (K, 3)
    assert person.keypoints.dtype == np.float32
    np.testing.assert_allclose(person.keypoints.reshape(-1), records[0]["keypoints"], rtol=1e-6)
    assert person.box.tolist() == [20, 10, 30, 60]
    assert person.segmentation is None  # only regions to ignore need theirs
    assert (region.labelled, region.segmentation) == (False, polygon)
    assert (crowd.crowd, crowd.labelled) == (True, False)
    assert second.people[0].area == pytest.approx(0.53 * 30 * 60)
    assert "2 pictures, 4 people, 0 problems" in repr(annotations)


BROKEN_PEOPLE = {
    "not an object": (17, "not a json object"),
    "no id": (person_record(7, 1, id=...), "has no id"),
    "no keypoints": (person_record(7, 1, keypoints=...), "has no keypoints"),
    "no box": (person_record(7, 1, bbox=...), "has no bbox"),
    "id no number": (person_record(7, 1, id="x"), "id is 'x'"),
    "id twice": (person_record(1, 1), "more than once"),
    "unknown image": (person_record(7, 99), "image_id 99"),
    "image id a list": (person_record(7, 1, image_id=[1]), "image_id"),
    "too few keypoints": (person_record(7, 1, keypoints=[1, 1, 2]), "has 3 keypoint numbers; 17 keypoints need 51"),
    "keypoints no list": (person_record(7, 1, keypoints="51"), "17 keypoints need 51"),
    "keypoint a string": (person_record(7, 1, keypoints=changed(3, 0, "5")), "not a finite number"),
    "keypoint a list": (person_record(7, 1, keypoints=changed(3, 0, [5])), "not a finite number"),
    "keypoint null": (person_record(7, 1, keypoints=changed(3, 0, None)), "not a finite number"),
    "keypoint nan": (person_record(7, 1, keypoints=changed(3, 1, math.nan)), "not a finite number"),
    "keypoint huge": (person_record(7, 1, keypoints=changed(3, 1, 10**400)), "not a finite number"),
    "visibility 3": (person_record(7, 1, keypoints=changed(3, 2, 3)), "visibility is not 0, 1 or 2"),
    "visibility a half": (person_record(7, 1, keypoints=changed(3, 2, 0.5)), "visibility is not 0, 1 or 2"),
    "box of three": (person_record(7, 1, bbox=[1, 2, 3]), "bbox must be a list of 4"),
    "box of words": (person_record(7, 1, bbox=["a", 2, 3, 4]), "bbox holds something"),
    "box infinite": (person_record(7, 1, bbox=[0, 0, math.inf, 4]), "bbox holds something"),
    "box without size": (person_record(7, 1, bbox=[10, 10, 0, 4]), "no width or no height"),
    "box negative": (person_record(7, 1, bbox=[10, 10, 5, -4]), "no width or no height"),
    "box outside": (person_record(7, 1, bbox=[100, 10, 5, 5]), "outside the picture"),
    "area zero": (person_record(7, 1, area=0), "area is 0"),
    "area nan": (person_record(7, 1, area=math.nan), "area is nan"),
    "area a word": (person_record(7, 1, area="big"), "area is 'big'"),
    "crowd of two": (person_record(7, 1, iscrowd=2), "iscrowd is 2"),
}


@pytest.mark.parametrize(("record", "reason"), BROKEN_PEOPLE.values(), ids=BROKEN_PEOPLE)
def test_broken_person_is_named_and_left_out_and_the_rest_works(write_json, record, reason):
    path = write_json([IMAGE], [person_record(1, 1), record, person_record(2, 1)])
    annotations = read_annotations(path)
    (problem,) = annotations.problems
    assert reason in problem.reason
    assert problem.file == str(path)
    named = isinstance(record, dict) and "id" in record
    assert problem.record == (f"annotation {record['id']}" if named else "annotation number 2")
    (picture,) = annotations.pictures
    assert [person.id for person in picture.people] == [1, 2]
    np.testing.assert_allclose(picture.people[1].keypoints.reshape(-1), person_record(2, 1)["keypoints"], rtol=1e-6)


@pytest.mark.parametrize(("x", "y"), [(-1, 5), (100.5, 5), (5, 81)])
def test_stray_keypoint_is_named_and_taken_as_unlabelled(write_json, x, y):
    keypoints = changed(9, 0, x)
    keypoints[9 * 3 + 1] = y
    annotations = read_annotations(write_json([IMAGE], [person_record(7, 1, keypoints=keypoints)]))
    (problem,) = annotations.problems
    assert problem.record == "annotation 7"
    assert "left_wrist outside the picture of 100×80" in problem.reason
    labelled = annotations.pictures[0].people[0].keypoints[:, 2] > 0
    assert labelled.sum() == 16
    assert not labelled[9]


def test_coordinates_of_unlabelled_keypoints_do_not_matter(write_json):
    keypoints = [-5, 1000, 0, *person_record(7, 1)["keypoints"][3:]]
    annotations = read_annotations(write_json([IMAGE], [person_record(7, 1, keypoints=keypoints)]))
    assert annotations.problems == ()
    assert annotations.pictures[0].people[0].keypoints[0].tolist() == [0, 0, 0]


BROKEN_IMAGES = {
    "not an object": (None, "not a json object"),
    "no name": ({"id": 3, "width": 5, "height": 5}, "has no file_name"),
    "no size": ({"id": 3, "file_name": "b.jpg"}, "has no width, height"),
    "size zero": (IMAGE | {"id": 3, "width": 0}, "width and height are 0 and 80"),
    "size a string": (IMAGE | {"id": 3, "width": "100"}, "width and height"),
    "size enormous": (IMAGE | {"id": 3, "width": 10**6, "height": 10**6}, "pixels are more than"),
    "id a float": (IMAGE | {"id": 1.5}, "id is 1.5"),
    "id twice": (IMAGE | {"file_name": "b.jpg"}, "more than once"),
    "name a number": (IMAGE | {"id": 3, "file_name": 5}, "file_name is 5"),
    "name empty": (IMAGE | {"id": 3, "file_name": ""}, "file_name is ''"),
    "name with nul": (IMAGE | {"id": 3, "file_name": "a\0.jpg"}, "a file name is needed"),
    "name no text": (IMAGE | {"id": 3, "file_name": "\ud800.jpg"}, r"file_name is '\ud800.jpg', which is no text"),
    "id no text": (IMAGE | {"id": "\udcff", "file_name": "b.jpg"}, r"id is '\udcff', which is no text"),
    "name upwards": (IMAGE | {"id": 3, "file_name": "../../etc/passwd"}, "leads out of the folder"),
    "name upwards inside": (IMAGE | {"id": 3, "file_name": "a/../../b.jpg"}, "leads out of the folder"),
    "name absolute": (IMAGE | {"id": 3, "file_name": "/etc/passwd"}, "leads out of the folder"),
    "name with drive": (IMAGE | {"id": 3, "file_name": "C:\\x.jpg"}, "leads out of the folder"),
    "name upwards, other slash": (IMAGE | {"id": 3, "file_name": "..\\x.jpg"}, "leads out of the folder"),
    "name the folder above": (IMAGE | {"id": 3, "file_name": ".."}, "leads out of the folder"),
}


@pytest.mark.parametrize(("record", "reason"), BROKEN_IMAGES.values(), ids=BROKEN_IMAGES)
def test_broken_image_is_named_and_left_out(write_json, record, reason):
    annotations = read_annotations(write_json([IMAGE, record], [person_record(1, 1)]))
    (problem,) = annotations.problems
    assert reason in problem.reason
    assert problem.record.startswith("image ")
    assert [picture.id for picture in annotations.pictures] == [1]


BROKEN_FILES = {
    "no json": (b"{'images': ", "not valid json"),
    "html": (b"<html>", "not valid json"),
    "binary": (b"\xff\xfe\x00\x01", "not valid json"),
    "empty": (b"", "not valid json"),
    "a list": (b"[]", "must hold a json object"),
    "results": (b'{"predictions": []}', "no list 'images'"),
    "no annotations": (b'{"images": []}', "no list 'annotations'"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "no skeleton": (b'{"images": [], "annotations": []}', "names no keypoints"),
    "odd categories": (b'{"images": [], "annotations": [], "categories": 5}', "must be a list"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_unusable_file_is_an_error_with_its_name(tmp_path, content, reason):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ScaleposeError, match=reason) as caught:
        read_annotations(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ScaleposeError, match="cannot be read"):
        read_annotations(tmp_path / "none.json")
    with pytest.raises(ScaleposeError, match="is a folder"):
        read_annotations(tmp_path)


def test_enormous_file_is_refused_unread(tmp_path):
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(3 << 30)  # sparse: takes no space
    with pytest.raises(ScaleposeError, match="3,221,225,472 bytes"):
        read_annotations(path)


def test_crowdpose(write_json):
    category = {"id": 1, "name": "person", "keypoints": list(CROWDPOSE14.keypoints), "skeleton": [[16, 14]]}
    record = person_record(4, 1, keypoints=person_record(4, 1)["keypoints"][:42], area=...)
    path = write_json([IMAGE | {"crowdIndex": 0.62}], [record], categories=[category])
    annotations = read_annotations(path)
    assert annotations.problems == ()
    assert annotations.skeleton is CROWDPOSE14
    (picture,) = annotations.pictures
    assert picture.crowd_index == 0.62
    assert picture.people[0].area == pytest.approx(0.53 * 30 * 60)


def test_skeleton_of_its_own(write_json):
    category = {"id": 3, "name": "horse", "keypoints": ["head", "left_hoof", "right_hoof"], "skeleton": [[1, 2]]}
    other = {"id": 9, "name": "cart"}
    records = [
        person_record(1, 1, category_id=3, keypoints=[20, 20, 2, 30, 30, 1, 0, 0, 0]),
        {"id": 2, "image_id": 1, "category_id": 9, "bbox": [1, 2, 3, 4]},  # not of this kind, and no fault
    ]
    annotations = read_annotations(write_json([IMAGE], records, categories=[other, category]))
    assert annotations.problems == ()
    assert annotations.skeleton.keypoints == ("head", "left_hoof", "right_hoof")
    assert annotations.skeleton.flip_pairs == ((1, 2),)
    assert len(annotations.pictures[0].people) == 1


def test_skeleton_given(write_json):
    three = Skeleton("three", ("a", "b", "c"))
    record = person_record(1, 1, keypoints=[20, 20, 2, 30, 30, 1, 0, 0, 0])
    bare = write_json([IMAGE], [record], categories=[])
    assert read_annotations(bare, skeleton=three).skeleton is three
    with pytest.raises(ScaleposeError, match="has 17 keypoints, the skeleton 'three' 3"):
        read_annotations(write_json([IMAGE], [record]), skeleton=three)
    turned = coco_category() | {"keypoints": list(reversed(COCO17.keypoints))}
    with pytest.raises(ScaleposeError, match="in another order"):
        read_annotations(write_json([IMAGE], [], categories=[turned]), skeleton=COCO17)
    two = [coco_category(), coco_category() | {"id": 2, "name": "robot"}]
    with pytest.raises(ScaleposeError, match="person, robot"):
        read_annotations(write_json([IMAGE], [], categories=two))


def test_broken_region_becomes_its_box(write_json):
    record = person_record(1, 1, keypoints=[0] * 51, segmentation=[[1, 2, "x", 4, 5, 6]])
    annotations = read_annotations(write_json([IMAGE], [record]))
    assert "its box is taken instead" in annotations.problems[0].reason
    assert annotations.pictures[0].people[0].segmentation is None


def test_many_records_with_one_fault(write_json):
    """More records than are checked at once, one of which spoils the quick way."""
    records = [person_record(n, 1) for n in range(9000)]
    records[4500]["keypoints"] = changed(3, 0, None)
    annotations = read_annotations(write_json([IMAGE], records))
    assert [problem.record for problem in annotations.problems] == ["annotation 4500"]
    assert len(annotations.pictures[0].people) == 8999


def test_check_pictures(small_set):
    folder = small_set.parent / "images"
    (folder / "3.png").unlink()
    (folder / "5.png").write_bytes((folder / "5.png").read_bytes()[:200])
    content = json.loads(small_set.read_text())
    content["images"][7]["width"] = 91
    small_set.write_text(json.dumps(content))
    problems = check_pictures(read_annotations(small_set))
    assert [problem.record for problem in problems] == ["image 3", "image 5", "image 7"]
    for problem, reason in zip(problems, ("no such file", "ends too early", "has 90×100 pixels"), strict=True):
        assert reason in problem.reason
        assert problem.file == str(small_set)


@pytest.mark.parametrize(
    ("name", "pictures", "labelled"), [("coco-dev", 149, 433), ("coco-train", 2925, 7753), ("lspet", 4500, 4500)]
)
def test_real_sets_are_read_without_a_problem(shared, name, pictures, labelled):
    annotations = read_annotations(shared / "data" / name / "person_keypoints.json")
    assert annotations.problems == ()
    assert len(annotations.pictures) == pictures
    assert sum(person.labelled for picture in annotations.pictures for person in picture.people) == labelled
    assert annotations.pictures[0].path.is_file()


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([]), st.just({}),
    st.just(10**400), st.just([[1, 2, 3, 4, 5, 6]]), st.just({"size": [80, 100], "counts": "0"}),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_stands_there_is_named_or_harmless(tmp_path_factory, data):
    records = [person_record(1, 1), person_record(2, 1, keypoints=[0] * 51, segmentation=[[1, 1, 5, 1, 5, 5]])]
    content = {"images": [dict(IMAGE)], "annotations": records, "categories": [coco_category()]}
    for _ in range(data.draw(st.integers(1, 3))):
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(place[key], (dict, list)) and data.draw(st.integers(0, 3)):
                place = place[key]
            else:
                place[key] = copy.deepcopy(data.draw(ODD))
                break
    path = tmp_path_factory.mktemp("odd") / "x.json"
    path.write_text(json.dumps(content))
    try:
        annotations = read_annotations(path)
    except ScaleposeError:
        return
    for picture in annotations.pictures:
        known_mask(picture)
        for person in picture.people:
            assert np.isfinite(person.keypoints).all()
            assert np.isfinite([*person.box, person.area]).all()
