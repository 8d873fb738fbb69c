"""The loop, with a stand-in for the predictor that finds one person where a picture is bright."""

import json
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from scalepose.apps.predict import predict_command
from scalepose.errors import ScaleposeError
from scalepose.poses import Poses
from scalepose.skeletons import COCO17


class Bright:
    """As many people as the mean grey level says, in tens; person p is scored 0.9 − 0.1·p."""

    profile = "fast"
    name = "bright on nothing at all"

    def __call__(self, image: np.ndarray) -> Poses:
        assert image.dtype == np.uint8
        people = round(float(image.mean()) / 10)
        if people > 20:
            raise ScaleposeError("too bright")
        scores = 0.9 - 0.1 * np.arange(people)
        keypoints = np.tile(np.linspace(1, 30, 17)[None, :, None], (people, 1, 2))
        return Poses(keypoints, np.repeat(scores[:, None], 17, 1), scores, COCO17)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(path: str, level: int, shape: tuple[int, ...] = (32, 40, 3)) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(path, np.full(shape, level, np.uint8))


def predict(*sources: str, out=None, json=None, csv=None, draw=None, score=0.0, keypoint_score=0.0, by=Bright) -> int:
    out, json, csv = (Path(path) if path else None for path in (out, json, csv))
    return predict_command(sources, cast(Any, by()), out, json, csv, draw, score, keypoint_score)


def ids(path: str) -> list[int | str]:
    return [entry["image_id"] for entry in json.loads(Path(path).read_text())]


def written() -> list[str]:
    return sorted(str(path) for path in Path().rglob("*") if path.is_file() and path.parts[0] != "in")


def test_everything_goes_to_one_folder_by_default(folder: Path, capsys: pytest.CaptureFixture[str]):
    save("in/000000000007.jpg", 20)
    save("in/a/dark.png", 0)
    assert predict("in") == 0
    assert written() == ["out/000000000007.jpg", "out/dark.png", "out/people.csv", "out/people.json"]
    assert ids("out/people.json") == [7, 7]
    said = capsys.readouterr()
    assert said.out.startswith("2 people in 2 pictures · bright on nothing at all · ")
    assert [line.split(":")[0] for line in said.out.splitlines()[1:]] == ["out/people.json", "out/people.csv", "out"]
    assert said.err == ""


def test_only_what_is_asked_for_without_a_folder(folder: Path):
    save("in/a.png", 10)
    assert predict("in", json="new/p.json") == 0
    assert written() == ["new/p.json"]
    assert predict("in", csv="new/p.csv", draw=True) == 0
    assert written() == ["new/p.csv", "new/p.json", "out/a.png"]


def test_a_folder_and_names_of_ones_own(folder: Path):
    save("in/a.png", 10)
    assert predict("in", out="o", json="o/mine.json", draw=False) == 0
    assert written() == ["o/mine.json", "o/people.csv"]


def test_scores_filter(folder: Path):
    save("in/a.png", 30)  # scores 0.9, 0.8, 0.7
    assert predict("in", out="o", score=0.75) == 0
    assert len(ids("o/people.json")) == 2
    assert predict("in", out="o", keypoint_score=0.85) == 0
    assert len(ids("o/people.json")) == 1  # of two no keypoint is left


def bomb() -> bytes:
    """A PNG whose header promises 60000×60000 pixels."""
    ok = cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes()
    return ok[:16] + (60000).to_bytes(4) * 2 + ok[24:]


BAD_INPUTS = {
    "empty.jpg": b"",
    "text.jpg": b"this is text, not a picture",
    "cut.jpg": cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))[1].tobytes()[
        :900
    ],
    "bomb.png": bomb(),
    "film.mp4": b"\0\0\0 ftypisom",
    "notes.txt": b"notes",
}


def test_bad_inputs_are_named_and_the_rest_is_done(folder: Path, capsys: pytest.CaptureFixture[str]):
    Path("in/hollow").mkdir(parents=True)
    for name, content in BAD_INPUTS.items():
        Path("in", name).write_bytes(content)
    save("in/bright.png", 255)  # which the predictor refuses
    save("in/z.png", 10)
    sources = [f"in/{name}" for name in (*BAD_INPUTS, "bright.png", "missing.jpg", "hollow", "z.png")]
    assert predict(*sources, "in/*.bmp", out="o") == 1
    assert ids("o/people.json") == ["z"]
    said = capsys.readouterr()
    named = [line.removeprefix("scalepose: ").split(":")[0] for line in said.err.splitlines()]
    assert sorted(named[:-1]) == sorted([*sources[:-1], "in/*.bmp"])
    assert all(line.count("in/") == 1 for line in said.err.splitlines()[:-1])
    assert named[-1] == "10 inputs failed, named above"
    assert said.out.startswith("1 person in 1 picture · ")


def test_nothing_to_predict(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert predict("in") == 1
    assert written() == []
    assert capsys.readouterr().err.splitlines() == [
        "scalepose: in: there is no such file or folder", "scalepose: there is nothing to predict",
    ]  # fmt: skip


def test_drawings_never_replace_originals(folder: Path):
    save("in/a.png", 10)
    before = Path("in/a.png").read_bytes()
    with pytest.raises(ScaleposeError, match=r"in/a\.png: would be drawn over"):
        predict("in", out="in")
    assert Path("in/a.png").read_bytes() == before
    assert [path.name for path in Path("in").iterdir()] == ["a.png"]
    assert predict("in", out="in", draw=False) == 0


def test_second_run_over_the_same_folder_gives_the_same(folder: Path):
    save("a.png", 10)
    for _ in range(2):
        assert predict(".") == 0
        assert written() == ["a.png", "out/a.png", "out/people.csv", "out/people.json"]
        assert ids("out/people.json") == ["a"]


def test_the_folder_of_drawings_is_a_source_when_it_is_named(folder: Path):
    save("out/a.png", 10)
    assert predict("out/*.png", json="p.json") == 0
    assert ids("p.json") == ["a"]
    with pytest.raises(ScaleposeError, match="would be drawn over"):
        predict("out/*.png")


def test_exif_is_honoured_by_fast_and_ignored_by_paper(folder: Path):
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    jpeg = cv2.imencode(".jpg", np.full((32, 64, 3), 10, np.uint8))[1].tobytes()
    Path("turned.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + jpeg[2:])
    shapes = []

    class Look(Bright):
        def __call__(self, image: np.ndarray) -> Poses:
            shapes.append(image.shape[:2])
            return super().__call__(image)

    class Paper(Look):
        profile = "paper"

    assert predict("turned.jpg", by=Look) == predict("turned.jpg", by=Paper) == 0
    assert shapes == [(64, 32), (32, 64)]


def test_stopping_keeps_what_was_done_and_says_where(folder: Path, capsys: pytest.CaptureFixture[str]):
    for name in "ab":
        save(f"in/{name}.png", 10 if name == "a" else 20)

    class Stopped(Bright):
        def __call__(self, image: np.ndarray) -> Poses:
            if image.mean() > 15:
                raise KeyboardInterrupt
            return super().__call__(image)

    with pytest.raises(KeyboardInterrupt):
        predict("in", out="o", by=Stopped)
    assert written() == ["o/a.png", "o/people.csv.part", "o/people.json.part"]
    assert ids("o/people.json.part") == ["a"]
    assert "o/people.json.part" in capsys.readouterr().err
