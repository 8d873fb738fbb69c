"""People of blobs, found a little off by a stand-in for the first model and read perfectly by one for the second."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest

from blob_people import BLOBS, BlobRuntime, blob_person, blob_picture
from scalepose.cli import main
from scalepose.crops import CropPredictor
from scalepose.errors import ScaleposeError
from scalepose.poses import Poses
from scalepose.secondlook import SecondLook
from scalepose.skeletons import COCO17

PLACES = [(40, 30, 90, 200), (220, 60, 110, 160), (400, 200, 40, 60)]
PICTURE = blob_picture((520, 300), *PLACES)
PEOPLE = np.stack([blob_person(place) for place in PLACES])
HEIGHTS = np.array([200, 160, 60])


class First:
    """Finds `people`, whatever the picture; `seen` are the pictures it was shown."""

    profile = "fast"
    name = "first on nothing"
    runners = 1

    def __init__(self, people: Poses):
        self.people = people
        self.card = SimpleNamespace(name="first", skeleton=people.skeleton)
        self.seen: list[tuple[int, ...]] = []

    def prepare(self, image: np.ndarray) -> Any:
        self.seen.append(image.shape)
        return SimpleNamespace(sizes=lambda: 1)

    def run(self, pictures: list[Any]) -> list[Any]:
        return pictures

    def finish(self, seen: Any) -> Poses:
        return self.people


def poses(points: Any, values: float = 0.3, scores: Any = None) -> Poses:
    points = np.asarray(points, np.float32)
    known = np.isfinite(points[..., 0])
    scores = np.linspace(0.3, 0.2, len(points)) if scores is None else scores
    return Poses(points, np.where(known, values, 0), scores, BLOBS)


def look(people: Poses, below: float | None = None) -> SecondLook:
    return SecondLook(cast(Any, First(people)), CropPredictor(BlobRuntime("cal-light")), below)


def found_off(by: float = 0.08) -> np.ndarray:
    """The people, each with the first keypoint far from its place and the others near."""
    points = PEOPLE.copy()
    points[:, 0] += by * HEIGHTS[:, None] * np.array([1, 1])
    return points


def error(points: np.ndarray, people: Any = slice(None)) -> np.ndarray:
    """In parts of each person's height, the farthest keypoint."""
    return np.linalg.norm(points - PEOPLE[people], axis=2).max(axis=1) / HEIGHTS[people]


def test_what_was_found_badly_is_read_well():
    people = look(poses(found_off()))(PICTURE)
    assert error(found_off()).min() > 0.1
    assert error(people.keypoints).max() < 0.03
    assert (np.diff(people.scores) <= 0).all()


def test_only_people_below_the_height_are_read_again():
    first = poses(found_off())
    people = look(first, below=100)(PICTURE)
    assert len(people) == 3
    order = [int(np.argmin(np.linalg.norm(PEOPLE[:, 1] - points[1], axis=1))) for points in people.keypoints]
    np.testing.assert_array_equal(people.keypoints[order.index(0)], first.keypoints[0])
    np.testing.assert_array_equal(people.keypoints[order.index(1)], first.keypoints[1])
    np.testing.assert_allclose(people.scores[[order.index(0), order.index(1)]], 0.8 * first.scores[:2])
    assert error(people.keypoints[[order.index(2)]], [2]) < 0.03


def test_missing_keypoints_are_read_and_fragments_of_one_person_become_one():
    upper, lower = PEOPLE[:1].copy(), PEOPLE[:1].copy()
    upper[:, 2], lower[:, 0] = np.nan, PEOPLE[0, 0] + 12
    people = look(poses(np.concatenate([upper, lower])))(PICTURE)
    assert len(people) == 1
    assert np.isfinite(people.keypoints).all()
    assert error(people.keypoints, [0]) < 0.05


def test_where_nobody_is_the_score_falls_behind():
    nobody = PEOPLE[:1] + np.array([170, 0])
    people = look(poses(np.concatenate([nobody * [1, 0.5], PEOPLE[1:2]]), scores=[0.6, 0.3]))(PICTURE)
    assert error(people.keypoints[:1], [1]) < 0.05


def test_people_without_a_usable_box_stay_as_they_are():
    lonely = np.full((1, 3, 2), np.nan)
    lonely[0, 1] = (5, 5)
    outside = PEOPLE[:1] + 1000
    people = look(poses(np.concatenate([lonely, outside])))(PICTURE)
    np.testing.assert_array_equal(people.keypoints, np.concatenate([lonely, outside]).astype(np.float32))
    assert len(look(Poses.empty(BLOBS))(PICTURE)) == 0


def test_many_pictures_give_the_same_as_one_by_one():
    second = look(poses(found_off()))
    once = second(PICTURE)
    many = list(second.predict_many([PICTURE] * 3))
    assert len(many) == 3
    for people in many:
        np.testing.assert_array_equal(people.keypoints, once.keypoints)
        np.testing.assert_array_equal(people.scores, once.scores)


def test_mistakes_are_named():
    with pytest.raises(ScaleposeError, match=r"first finds 17 keypoints \(coco17\), blobs reads 3 \(blobs\)"):
        SecondLook(cast(Any, First(Poses.empty(COCO17))), CropPredictor(BlobRuntime("cal")))
    for below in (0, -1, float("nan")):
        with pytest.raises(ScaleposeError, match="looks at nobody"):
            look(poses(PEOPLE), below)
    with pytest.raises(ScaleposeError, match="uint8 RGB"):
        look(poses(PEOPLE))(PICTURE / 255)
    with pytest.raises(ScaleposeError, match="no such file"):
        look(poses(PEOPLE))("nowhere.jpg")


# ---- the command line, from end to end


@pytest.fixture
def photos(tmp_path, tiny_safetensors, tiny_crop_safetensors, monkeypatch):
    """Two pictures and their annotations; the options of a second look with tiny models."""
    monkeypatch.chdir(tmp_path)
    images, people = [], []
    for i in (1, 2):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 16, 3), np.uint8)
        Path("images").mkdir(exist_ok=True)
        cv2.imwrite(f"images/{i}.png", cv2.resize(pixels, (128, 96), interpolation=cv2.INTER_CUBIC))
        images.append({"id": i, "file_name": f"{i}.png", "width": 128, "height": 96})
        points = np.c_[np.linspace(20, 60, 17), np.linspace(10, 90, 17), np.full(17, 2)]
        person = {"id": i, "image_id": i, "category_id": 1, "iscrowd": 0, "bbox": [15, 5, 50, 90], "area": 2000}
        people.append(person | {"keypoints": points.ravel().tolist()})
    content = {"images": images, "annotations": people, "categories": [COCO17.to_category()]}
    Path("people.json").write_text(json.dumps(content))
    return ["--model", str(tiny_safetensors)], ["--second-look", "--reader", str(tiny_crop_safetensors)]


def test_predict(photos, capsys):
    model, again = photos
    command = ["predict", "images", *model, "--score", "0"]
    assert main([*command, "--json", "first.json"]) == 0
    assert main([*command, *again, "--json", "second.json"]) == 0
    assert "tiny on torch" in (said := capsys.readouterr().out)
    assert "again by tiny-crops on torch" in said
    first, second = (json.loads(Path(f"{name}.json").read_text()) for name in ("first", "second"))
    assert 0 < len(second) <= len(first)
    assert [person["keypoints"] for person in second] != [person["keypoints"] for person in first]
    assert main([*command, "--second-look", "--json", "closer.json"]) == 0
    assert "again by itself" in capsys.readouterr().out
    closer = json.loads(Path("closer.json").read_text())
    assert 0 < len(closer) <= len(first)
    assert main(["predict", "images", *model, "--second-look", "--json", "shown.json"]) == 0
    shown = json.loads(Path("shown.json").read_text())
    assert shown == [person for person in closer if person["score"] >= 0.2]
    assert [person["keypoints"] for person in closer] not in (
        [p["keypoints"] for p in people] for people in (first, second)
    )
    # So low is nobody: all keypoints are as the first look left them.
    assert main([*command, *again, "--second-look-below", "0.01", "--json", "third.json"]) == 0
    third = json.loads(Path("third.json").read_text())
    assert {str(person["keypoints"]) for person in third} <= {str(person["keypoints"]) for person in first}


def test_evaluate(photos):
    model, again = photos
    command = ["evaluate", "--annotations", "people.json", *model]
    assert main([*command, *again, "--second-look-below", "80", "--json", "receipt.json"]) == 0
    receipt = json.loads(Path("receipt.json").read_text())
    assert (receipt["model"], receipt["second_look"], receipt["second_look_below"]) == ("tiny", "tiny-crops", 80)
    assert len(receipt["second_look_sha256"]) == 64
    assert receipt["failures"] == []
    assert main([*command, *again, "--json", "receipt.json"]) == 0
    assert json.loads(Path("receipt.json").read_text())["second_look_below"] is None
    assert main([*command, "--second-look", "--json", "receipt.json"]) == 0
    closer = json.loads(Path("receipt.json").read_text())
    assert closer["second_look"] == closer["model"]
    assert closer["second_look_sha256"] == closer["model_sha256"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["predict", "images", "--boxes", "people.json", "--second-look"], "leave out --boxes"),
        (["evaluate", "--annotations", "people.json", "--boxes", "annotations", "--second-look"], "leave out --boxes"),
        (["evaluate", "--annotations", "people.json", "--results", "r.json", "--second-look"], "--results"),
        (["predict", "images", "--second-look-below", "64"], "add --second-look"),
        (["evaluate", "--annotations", "people.json", "--reader", "x.onnx"], "add --second-look"),
        (["predict", "images", "--second-look", "--second-look-below", "0"], "--second-look-below"),
    ],
)
def test_options_that_do_not_fit(options, reason, capsys):
    assert main(options) == 2
    assert reason in capsys.readouterr().err


def test_the_wrong_kind_of_model(photos, capsys):
    model, _ = photos
    assert main(["predict", "images", *model, "--second-look", "--reader", model[1]]) == 2
    assert "reads whole pictures" in capsys.readouterr().err
