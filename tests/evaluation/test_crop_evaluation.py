import json

import cv2
import numpy as np
import pytest

from blob_people import BLOBS, BlobRuntime, blob_person, blob_picture
from scalepose.crops import CropPredictor
from scalepose.data.annotations import read_annotations
from scalepose.data.boxes import Boxes, annotated_boxes
from scalepose.errors import ScaleposeError
from scalepose.evaluation import crops
from scalepose.evaluation.crops import (
    boxes_from_file,
    boxes_of_people,
    evaluate_crops,
    evaluate_crops_command,
    known_boxes,
)
from scalepose.poses import Poses

PLACES = {1: [(80, 60, 90, 200)], 2: [(60, 60, 110, 160), (390, 130, 80, 150)], 3: [(200, 100, 60, 90)]}


@pytest.fixture
def truth(tmp_path):
    """Three pictures with four people of blobs, and somebody without keypoints."""
    (tmp_path / "images").mkdir()
    images, people = [], []
    for id, places in PLACES.items():
        cv2.imwrite(str(tmp_path / "images" / f"{id}.png"), blob_picture((520, 300), *places)[..., ::-1])
        images.append({"id": id, "file_name": f"{id}.png", "width": 520, "height": 300})
        for x, y, w, h in places:
            keypoints = np.concatenate([blob_person((x, y, w, h)), np.full((3, 1), 2)], axis=1).reshape(-1).tolist()
            entry = {"id": len(people), "image_id": id, "bbox": [x, y, w, h], "area": w * h / 2, "iscrowd": 0}
            people.append(entry | {"category_id": 1, "keypoints": keypoints})
    people.append(people[0] | {"id": 99, "keypoints": [0] * 9, "bbox": [400, 10, 50, 80]})
    content = {"images": images, "annotations": people, "categories": [BLOBS.to_category()]}
    (tmp_path / "truth.json").write_text(json.dumps(content))
    return read_annotations(tmp_path / "truth.json")


def test_annotated_boxes(truth):
    boxes, problems = annotated_boxes(truth)
    receipt = evaluate_crops(CropPredictor(BlobRuntime("cal"), flip=True), known_boxes(boxes), truth, progress=False)
    assert receipt.metrics["AP"] == pytest.approx(1)
    assert receipt.errors["people"] == {"annotated": 4, "found": 4, "poor": 0, "missed": 0, "duplicate": 0, "false": 0}
    assert problems == []


def test_boxes_of_found_people(truth):
    def find(image: np.ndarray) -> Poses:  # as a bottom-up model does, a little off
        colours = {1: PLACES[1], 2: PLACES[2], 3: PLACES[3]}
        id = next(i for i, places in colours.items() if (image == blob_picture((520, 300), *places)).all())
        points = np.stack([blob_person(place) + 3 for place in colours[id]])
        return Poses(points, np.ones(points.shape[:2]), np.full(len(points), 0.7), BLOBS)

    receipt = evaluate_crops(CropPredictor(BlobRuntime("cal")), boxes_of_people(find), truth, progress=False)
    assert receipt.metrics["AP"] == pytest.approx(1)


def test_a_file_of_boxes_in_all_states(truth, tmp_path):
    def box(image_id, *numbers, **changes):
        return {"image_id": image_id, "category_id": 1, "bbox": list(numbers), "score": 0.5} | changes

    x, y, w, h = PLACES[1][0]
    detections = [
        *(box(id, *place) for id, places in PLACES.items() for place in places if id != 3),
        box(1, x + 1, y + 1, w, h, score=0.4),  # the same person again
        box(1, 900, 10, 20, 20),
        box(2, 10, 10, 0, 20),
        box(2, 10, 10, float("nan"), 20),
        box(2, 10, 10, 5, 5, category_id=44),
        box(77, 10, 10, 5, 5),
        box(78, 10, 10, 5, 5),
    ]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(detections))
    boxes, problems = boxes_from_file(path, truth)
    assert {id: len(b) for id, b in boxes.items()} == {1: 2, 2: 2}
    named = "\n".join(map(str, problems))
    assert len(problems) == 5
    for words in (
        "no width",
        "finite",
        "another category",
        "outside the picture of 520×300",
        "2 boxes of 2 images that",
    ):
        assert words in named
    receipt = evaluate_crops(CropPredictor(BlobRuntime("cal")), known_boxes(boxes), truth, progress=False)
    assert receipt.metrics["AR"] == pytest.approx(0.75)  # nobody looked at picture 3
    assert receipt.errors["people"]["duplicate"] == 0
    assert receipt.errors["people"]["false"] == 0
    path.write_text(json.dumps([box(77, 10, 10, 5, 5)]))
    with pytest.raises(ScaleposeError, match="none of these pictures"):
        boxes_from_file(path, truth)


def test_command(truth, tmp_path, capsys, monkeypatch):
    made = []

    def predictor(model, runtime, flip, low_res):
        made.append((model, runtime, flip, str(low_res)))
        return CropPredictor(BlobRuntime("cal"), flip=flip, low_res=low_res)

    monkeypatch.setattr(crops, "CropPredictor", predictor)
    model, receipt = tmp_path / "model.onnx", tmp_path / "receipt.json"
    model.write_bytes(b"weights")
    options = {"model": str(model), "json": receipt}
    assert evaluate_crops_command(truth.source, "annotations", low_res="64x48,jpeg=90", **options) == 0
    assert made == [(str(model), "auto", True, "64x48,jpeg=90")]
    plain = json.loads(receipt.read_text())
    assert plain["AP"] > 0.9
    assert (plain["boxes"], plain["low_res"], plain["profile"]) == ("annotations", "64x48,jpeg=90", "top-down")
    assert "boxes: annotations · low resolution 64x48,jpeg=90" in capsys.readouterr().out
    lines = (tmp_path / "receipt.per-image.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["scalepose_evaluation"]["low_res"] == "64x48,jpeg=90"

    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 1, "bbox": PLACES[1][0]}, {"image_id": 2, "bbox": [0, 0, 0, 0]}]))
    assert evaluate_crops_command(truth.source, str(boxes), **options) == 1
    assert "detection number 2: box has no width" in capsys.readouterr().err
    plain = json.loads(receipt.read_text())
    assert plain["AR"] == pytest.approx(0.25)
    assert plain["boxes"] == str(boxes)
    assert plain["boxes_sha256"]
    assert "no width" in plain["problems"][0]
    with pytest.raises(ScaleposeError, match="would replace"):
        evaluate_crops_command(truth.source, str(boxes), model=str(model), json=boxes)

    nobody = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    monkeypatch.setattr(crops, "boxes_of_people", lambda predictor: lambda image, picture: nobody)
    assert evaluate_crops_command(truth.source, "people", **options) == 0
    assert "boxes: people found by higherhrnet-w16-384" in capsys.readouterr().out
