"""The loop, with people of blobs and a stand-in that reads them."""

import json

import cv2
import numpy as np
import pytest

from blob_people import BlobRuntime, blob_person, blob_picture
from scalepose.apps.predict_boxes import predict_boxes_command
from scalepose.crops import CropPredictor
from scalepose.errors import ScaleposeError

PLACES = [(80, 60, 90, 200), (390, 130, 80, 150)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two pictures of two people, in photos/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("000000000007.png", "beach.png"):
        cv2.imwrite(str(tmp_path / "photos" / name), blob_picture((520, 300), *PLACES)[..., ::-1])
    return tmp_path


def write(folder, content, name="boxes.json"):
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def box(image_id, *numbers, **changes):
    return {"image_id": image_id, "category_id": 1, "bbox": list(numbers), "score": 1} | changes


def annotations(**size):
    image = {"id": 40, "file_name": "photos/beach.png", "width": 520, "height": 300} | size
    people = [{"id": n, "image_id": 40, "bbox": list(place)} for n, place in enumerate(PLACES)]
    return {"images": [image], "annotations": people}


def predict(boxes, *sources, **options):
    arguments = {"out": None, "json": None, "csv": None, "draw": None, "score": 0.1, "keypoint_score": 0.0} | options
    return predict_boxes_command(sources or ["photos"], boxes, CropPredictor(BlobRuntime("cal")), **arguments)


def test_everything_is_written(folder, capsys):
    boxes = write(folder, [box(7, *PLACES[0]), box(7, *PLACES[1], score=0.5), box("beach", *PLACES[1])])
    assert predict(boxes) == 0
    people = json.loads((folder / "out/people.json").read_text())
    assert [person["image_id"] for person in people] == [7, 7, "beach"]
    for person, place in zip(people, (PLACES[0], PLACES[1], PLACES[1]), strict=True):
        points = np.array(person["keypoints"]).reshape(3, 3)[:, :2]
        assert abs(points - blob_person(place)).max() < 1
    assert people[1]["score"] == pytest.approx(people[2]["score"] / 2, rel=1e-3)
    assert len((folder / "out/people.csv").read_text().splitlines()) == 10
    assert (folder / "out/beach.png").is_file()
    assert capsys.readouterr().out.startswith("3 people in 2 pictures · blobs on blobs · ")


def test_pictures_may_lie_in_the_folder_out(folder):
    (folder / "photos").rename(folder / "out")
    boxes = write(folder, [box("beach", *PLACES[1])])
    assert predict(boxes, "out/b*.png", json=folder / "people.json") == 0
    assert len(json.loads((folder / "people.json").read_text())) == 1


def test_annotations_find_their_pictures_by_name(folder, capsys):
    assert predict(write(folder, annotations()), json=folder / "people.json") == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("2 people in 1 picture ·")
    assert "000000000007.png: boxes.json has no picture of this name" in shown.err.replace(f"{folder}/", "")
    assert not (folder / "out").exists()


def test_pictures_are_turned_as_when_the_boxes_were_drawn(folder, capsys):
    upright = blob_picture((520, 300), *PLACES)[..., ::-1]
    jpeg = cv2.imencode(".jpg", np.rot90(upright), (cv2.IMWRITE_JPEG_QUALITY, 95))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    content = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    (folder / "photos/beach.png").write_bytes(content)
    for boxes in (annotations(), [box("beach", *place) for place in PLACES]):
        assert predict(write(folder, boxes), "photos/beach.png", json=folder / "p.json") == 0
        points = np.array(json.loads((folder / "p.json").read_text())[0]["keypoints"]).reshape(3, 3)[:, :2]
        assert min(abs(points - blob_person(place)).max() for place in PLACES) < 1
    assert predict(write(folder, annotations(width=90)), "photos/beach.png", json=folder / "p.json") == 1
    assert "pixels, but" in capsys.readouterr().err


def test_what_cannot_be_used_is_named_and_the_rest_done(folder, capsys):
    (folder / "photos/broken.png").write_bytes(b"\x89PNG\r\n")
    rows = [box(7, *PLACES[0]), box(7, 600, 10, 5, 5), box(7, 1, 1, 0, 0), box(7, 1, 1, 5, 5, category_id=2)]
    boxes = write(folder, [*rows, box("broken", 1, 1, 5, 5), box("elsewhere", 1, 1, 5, 5)])
    assert predict(boxes, "photos", "nowhere.png", json=folder / "people.json") == 1
    shown = capsys.readouterr()
    assert "1 person in 2 pictures, 1 of them without boxes" in shown.out
    for words in (
        "nowhere.png: there is no such file",
        "detection number 3: box has no width or no height",
        "detection number 4: is of another category",
        "000000000007.png: box (600, 10, 5, 5) lies outside the picture of 520×300",
        "broken.png: ",
        "5 inputs failed, named above",
    ):
        assert words in shown.err
    assert len(json.loads((folder / "people.json").read_text())) == 1


def test_mistakes(folder):
    boxes = write(folder, [box("elsewhere", 1, 1, 5, 5)])
    with pytest.raises(ScaleposeError, match="none of these pictures"):
        predict(boxes)
    with pytest.raises(ScaleposeError, match="would replace the boxes"):
        predict(boxes, json=boxes)
    with pytest.raises(ScaleposeError, match="cannot be read"):
        predict(folder / "no.json")
    assert predict(write(folder, []), "no.png") == 1


def test_the_same_people_again(folder):
    """What one run writes, the next reads as boxes."""
    assert predict(write(folder, [box(7, *place) for place in PLACES]), json=folder / "first.json") == 0
    assert predict(folder / "first.json", "photos/000000000007.png", json=folder / "second.json") == 0
    first, second = (json.loads((folder / f"{name}.json").read_text()) for name in ("first", "second"))
    assert len(first) == len(second) == len(PLACES)
    for a in first:
        assert min(np.abs(np.subtract(a["keypoints"], b["keypoints"])).max() for b in second) < 1
