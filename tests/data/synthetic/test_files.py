"""Rendered scenes as files: a clean data set, resumable, with clear words where nothing can be written."""

import json
from pathlib import Path

import numpy as np
import pytest

from scalepose.data.annotations import check_pictures, read_annotations
from scalepose.data.synthetic import render_scene, write_scenes
from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17

SIZE = (160, 120)


def rows(record: dict) -> np.ndarray:
    return np.array(record["keypoints"]).reshape(17, 3)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_files_are_a_clean_coco_data_set(tmp_path: Path):
    path = write_scenes(4, tmp_path, seed=1, size=SIZE)
    annotations = read_annotations(path)
    assert not annotations.problems
    assert not check_pictures(annotations)
    assert len(annotations.pictures) == 4
    assert annotations.skeleton.keypoints == COCO17.keypoints
    _, people = render_scene((1, 2), *SIZE)
    assert len(annotations.pictures[2].people) == len(people)
    for person, record in zip(annotations.pictures[2].people, people, strict=True):
        assert person.keypoints == pytest.approx(rows(record), abs=0.01)
        assert person.area == pytest.approx(record["area"])
    plain = json.loads(path.read_text())
    assert [a["id"] for a in plain["annotations"]] == list(range(1, len(plain["annotations"]) + 1))
    assert plain["categories"][0]["keypoints"] == list(COCO17.keypoints)


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    write_scenes(5, whole, seed=2, size=SIZE)

    def stop(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_scenes(5, parts, seed=2, size=SIZE, progress=stop)
    assert not (parts / "person_keypoints.json").exists()
    with (parts / "scenes.jsonl").open("a") as journal:
        journal.write('{"image": {"id": 3, "fi')  # a line that a kill cut off
    seen: list[int] = []
    write_scenes(5, parts, seed=2, size=SIZE, progress=seen.append)
    assert seen == [3, 4, 5]
    assert contents(parts) == contents(whole)


def test_more_pictures_can_be_added_later(tmp_path: Path):
    write_scenes(2, tmp_path / "a", seed=2, size=SIZE)
    seen: list[int] = []
    write_scenes(3, tmp_path / "a", seed=2, size=SIZE, progress=seen.append)
    write_scenes(3, tmp_path / "b", seed=2, size=SIZE)
    assert seen == [2, 3]
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_processes_change_nothing(tmp_path: Path):
    write_scenes(3, tmp_path / "one", seed=2, size=SIZE)
    write_scenes(3, tmp_path / "two", seed=2, size=SIZE, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_lost_picture_is_rendered_again(tmp_path: Path):
    write_scenes(3, tmp_path, seed=2, size=SIZE)
    before = contents(tmp_path)
    (tmp_path / "000001.jpg").unlink()
    write_scenes(3, tmp_path, seed=2, size=SIZE)
    assert contents(tmp_path) == before


def test_other_peoples_files_are_left_alone(tmp_path: Path):
    write_scenes(1, tmp_path / "own", seed=2, size=SIZE)
    before = contents(tmp_path / "own")
    with pytest.raises(ScaleposeError, match="made otherwise"):
        write_scenes(1, tmp_path / "own", seed=3, size=SIZE)
    assert contents(tmp_path / "own") == before
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for text in ('{"images": [], "annotations": []}', "[]", "no json"):
        (foreign / "person_keypoints.json").write_text(text)
        with pytest.raises(ScaleposeError, match="another folder"):
            write_scenes(1, foreign, size=SIZE)
        assert contents(foreign) == {"person_keypoints.json": text.encode()}
    (foreign / "scenes.jsonl").write_text("[1]\n")
    with pytest.raises(ScaleposeError, match="another folder"):
        write_scenes(1, foreign, size=SIZE)


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(ScaleposeError, match="cannot be written"):
        write_scenes(1, tmp_path / "file" / "out", size=SIZE)

    write_scenes(1, tmp_path / "out", size=SIZE)
    before = contents(tmp_path / "out")

    def refuse(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(ScaleposeError, match=r"No space left on device.*what is finished stays"):
        write_scenes(2, tmp_path / "out", size=SIZE)
    assert contents(tmp_path / "out") == before


def test_pictures_of_another_renderer_are_not_mixed_with_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_scenes(1, tmp_path, size=SIZE)
    monkeypatch.setattr("scalepose.data.synthetic.files.RENDERER", 999)
    with pytest.raises(ScaleposeError, match="made otherwise"):
        write_scenes(2, tmp_path, size=SIZE)


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (10**9, 0), (1, -1)])
def test_impossible_orders(tmp_path: Path, count: int, seed: int):
    with pytest.raises(ScaleposeError):
        write_scenes(count, tmp_path / "out", seed, SIZE)
    assert not (tmp_path / "out").exists()


def test_the_shipped_samples_are_what_their_recipe_renders():
    samples = Path(__file__).resolve().parents[3] / "samples"
    annotations = read_annotations(samples / "person_keypoints.json")
    assert not annotations.problems
    assert not check_pictures(annotations)
    recipe = json.loads((samples / "person_keypoints.json").read_text())["info"]["recipe"]
    for index, picture in enumerate(annotations.pictures):
        _, people = render_scene((recipe["seed"], index), recipe["width"], recipe["height"], recipe["people"])
        assert len(people) == len(picture.people)
        for person, record in zip(picture.people, people, strict=True):
            assert np.abs(person.keypoints[:, :2] - rows(record)[:, :2]).max() < 0.5
