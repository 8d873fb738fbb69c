import hashlib
import json
import math
import shutil
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from made_people import annotations as annotated
from made_people import coco_json, person, picture, result

from scalepose.data.annotations import read_annotations
from scalepose.errors import ScaleposeError
from scalepose.evaluation.evaluate import evaluate, evaluate_command, evaluate_results, measure_results, publish
from scalepose.evaluation.receipts import System
from scalepose.poses import Poses
from scalepose.skeletons import COCO17, CROWDPOSE14

PEOPLE = [person(i, at=(10 * i, 10), size=100) for i in range(1, 5)]
SYSTEM = System("oracle", "00", "numpy", "fast", False, (1.0,))


@pytest.fixture
def dataset(tmp_path):
    """Four pictures, each of one colour that says which it is, with one person each; the json beside them."""
    truth = annotated(
        *(replace(picture(i, PEOPLE[i - 1], crowd_index=0.5), width=160, height=120) for i in range(1, 5))
    )
    (tmp_path / "images").mkdir()
    for i in range(1, 5):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), np.full((120, 160, 3), i, np.uint8))
    (tmp_path / "truth.json").write_text(json.dumps(coco_json(truth)))
    return read_annotations(tmp_path / "truth.json")


class Oracle:
    """Knows who is in a picture by its colour; fails like a killed process at picture `stop`."""

    def __init__(self, stop=0):
        self.seen = []
        self.stop = stop

    def __call__(self, image):
        i = int(image[0, 0, 0])
        if i == self.stop:
            raise KeyboardInterrupt
        self.seen.append(i)
        points = PEOPLE[i - 1].keypoints[None, :, :2]
        return Poses(points, np.ones((1, 17)), np.ones(1), COCO17)


def test_receipt(dataset, tmp_path):
    receipt = evaluate(Oracle(), dataset, system=SYSTEM, per_image=tmp_path / "per-image.jsonl", progress=False)
    assert receipt.metrics["AP"] == pytest.approx(1)
    assert math.isnan(receipt.metrics["APL"])
    assert receipt.heights["64-128"]["people"] == 4
    assert receipt.errors["people"]["found"] == 4
    assert (receipt.pictures, receipt.people, receipt.failures) == (4, 4, [])
    assert receipt.system == SYSTEM
    assert receipt.seconds is not None
    again = evaluate_results(dataset, tmp_path / "per-image.jsonl", "crowdpose")
    assert again.metrics["AP_medium"] == pytest.approx(1)
    assert again.system is None


def test_a_broken_picture_is_named_and_the_rest_done(dataset, tmp_path):
    (tmp_path / "images/1.png").write_bytes(b"")
    (tmp_path / "images/2.png").unlink()
    cv2.imwrite(str(tmp_path / "images/3.png"), np.full((160, 120, 3), 3, np.uint8))
    receipt = evaluate(Oracle(), dataset, progress=False)
    assert [failure.file for failure in receipt.failures] == [str(dataset.pictures[i].path) for i in range(3)]
    reasons = [failure.reason for failure in receipt.failures]
    assert "empty" in reasons[0]
    assert "no such file" in reasons[1]
    assert "120×160" in reasons[2]
    assert "EXIF" in reasons[2]
    assert receipt.metrics["AR"] == 0.25
    (tmp_path / "images/4.png").unlink()
    with pytest.raises(ScaleposeError, match="none of its 4 pictures"):
        evaluate(Oracle(), dataset, progress=False)


def test_a_killed_evaluation_goes_on(dataset, tmp_path):
    journal = tmp_path / "per-image.jsonl"
    with pytest.raises(KeyboardInterrupt):
        evaluate(Oracle(stop=3), dataset, system=SYSTEM, per_image=journal, progress=False)
    with pytest.raises(ScaleposeError, match="another profile"):
        evaluate(Oracle(), dataset, system=replace(SYSTEM, profile="paper"), per_image=journal, progress=False)
    oracle = Oracle()
    receipt = evaluate(oracle, dataset, system=SYSTEM, per_image=journal, progress=False)
    assert oracle.seen == [3, 4]
    assert receipt.metrics["AP"] == pytest.approx(1)
    oracle = Oracle()
    evaluate(oracle, dataset, system=SYSTEM, per_image=journal, progress=False)
    assert oracle.seen == [1, 2, 3, 4]  # a finished one is measured anew


def test_exif_is_not_honoured(dataset, tmp_path):
    # A JPEG of 160×120 that EXIF turns by a quarter is still given to the predictor as 160×120.
    path = tmp_path / "images/1.png"
    jpeg = cv2.imencode(".jpg", np.full((120, 160, 3), 1, np.uint8))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    assert evaluate(Oracle(), dataset, progress=False).failures == []


def test_mistakes_show_before_the_first_picture(dataset):
    oracle = Oracle()
    bare = replace(dataset, pictures=(replace(dataset.pictures[0], crowd_index=None),))
    with pytest.raises(ScaleposeError, match="crowdIndex"):
        evaluate(oracle, bare, "crowdpose", progress=False)
    assert oracle.seen == []
    with pytest.raises(ScaleposeError, match=r"predicts 14 keypoints .* have 17"):
        evaluate(lambda image: Poses.empty(CROWDPOSE14), dataset, progress=False)


def test_command(dataset, tmp_path, capsys, monkeypatch):
    made = []

    class Predictor(Oracle):
        def __init__(self, *arguments, **options):
            super().__init__()
            made.append((arguments, options))
            self.card = self.runtime = SimpleNamespace(name="oracle")
            self.profile, self.flip, self.scales = "paper", True, (1.0,)

    monkeypatch.setattr("scalepose.predictor.Predictor", Predictor)
    model, receipt = tmp_path / "model.onnx", tmp_path / "receipt.json"
    model.write_bytes(b"weights")
    (tmp_path / "images/2.png").write_bytes(b"")
    status = evaluate_command(dataset.source, tmp_path / "images", str(model), profile="paper", json=receipt)
    assert status == 1
    assert made == [((str(model),), {"runtime": "auto", "profile": "paper", "flip": None, "scales": None})]
    shown = capsys.readouterr()
    assert "profile paper" in shown.out
    assert "2.png: is empty" in shown.err
    plain = json.loads(receipt.read_text())
    assert plain["model_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert plain["flip"] is True
    assert plain["AR"] == 0.75
    assert (tmp_path / "receipt.per-image.jsonl").read_text().count("\n") == 6


def test_command_on_results(dataset, tmp_path, capsys):
    found, receipt = tmp_path / "found.json", tmp_path / "out" / "receipt.json"
    found.write_text(json.dumps([result(i, PEOPLE[i - 1]) for i in (1, 2)]))
    assert evaluate_command(dataset.source, results=found, json=receipt) == 0
    assert "by height" in capsys.readouterr().out
    plain = json.loads(receipt.read_text())
    assert plain["AR"] == 0.5
    assert {"AP", "AP50", "AP75", "APM", "APL", "AR"} <= plain.keys()
    assert plain["results"] == str(found)
    assert plain["model_sha256"] is None
    with pytest.raises(ScaleposeError, match="would replace"):
        evaluate_command(dataset.source, results=found, json=found)
    found.write_text(json.dumps([result(9, PEOPLE[0])]))
    with pytest.raises(ScaleposeError, match=r"found\.json: result 0 .*image_id 9"):
        evaluate_command(dataset.source, results=found)


def test_pictures_of_another_folder_are_not_taken_over(dataset, tmp_path):
    journal, copies = tmp_path / "per-image.jsonl", tmp_path / "copies"
    shutil.copytree(tmp_path / "images", copies)
    with pytest.raises(KeyboardInterrupt):
        evaluate(Oracle(stop=3), dataset, system=SYSTEM, per_image=journal, progress=False)
    oracle = Oracle()
    elsewhere = read_annotations(dataset.source, copies)
    receipt = evaluate(oracle, elsewhere, system=SYSTEM, per_image=journal, progress=False)
    assert oracle.seen == [1, 2, 3, 4]
    assert receipt.errors["people"]["found"] == 4
    assert evaluate_results(dataset, journal).errors["people"] == receipt.errors["people"]


def test_another_version_does_not_go_on(dataset, tmp_path, monkeypatch):
    journal = tmp_path / "per-image.jsonl"
    with pytest.raises(KeyboardInterrupt):
        evaluate(Oracle(stop=3), dataset, per_image=journal, progress=False)
    monkeypatch.setattr("scalepose.evaluation.evaluate.__version__", "77")
    with pytest.raises(ScaleposeError, match="another version;"):
        evaluate(Oracle(), dataset, per_image=journal, progress=False)


def test_a_receipt_may_name_what_is_no_text(dataset, tmp_path):
    receipt = replace(measure_results(dataset, []), results="caf\udce9.json")  # a name in another encoding
    assert publish(receipt, tmp_path / "receipt.json") == 0
    assert json.loads((tmp_path / "receipt.json").read_text())["results"] == "caf\udce9.json"
