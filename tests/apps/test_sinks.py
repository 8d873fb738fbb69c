import csv
import json
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalepose.apps.sinks import CocoResults, Drawings, Identity, Result, Sink, Table, choose_sinks, identify
from scalepose.errors import ScaleposeError
from scalepose.poses import CSV_FIELDS, Poses
from scalepose.skeletons import COCO17


def some_poses(people: int) -> Poses:
    random = np.random.default_rng(people)
    keypoints = random.uniform(5, 60, (people, 17, 2))
    keypoints[:, 3] = np.nan
    values = random.uniform(0.2, 1, (people, 17))
    values[:, 3] = 0
    return Poses(keypoints, values, values.mean(1), COCO17)


def result(name: str, image_id: int | str, people: int) -> Result:
    return Result(Identity(name, image_id), np.full((64, 80, 3), 90, np.uint8), some_poses(people))


def ids(*paths: str) -> list[int | str]:
    return [identity.image_id for identity in identify([Path(path) for path in paths])]


def names(*paths: str) -> list[str]:
    return [identity.name for identity in identify([Path(path) for path in paths])]


def test_image_ids_follow_coco_or_the_name():
    assert ids("a/000000000785.jpg", "COCO_val2014_000000000042.jpg", "7.png", "beach.jpg", "img7.jpg") == [
        785, 42, 7, "beach", "img7",
    ]  # fmt: skip
    assert ids("1" * 30 + ".jpg") == ["1" * 30]  # no integer that other programs could read


def test_identities_that_would_collide_are_told_apart():
    assert names("x/1.jpg", "x/y/1.jpg", "x/2.jpg") == ["1.jpg", "y/1.jpg", "2.jpg"]
    assert ids("x/1.jpg", "x/y/1.jpg", "x/2.jpg") == ["1.jpg", "y/1.jpg", 2]
    assert ids("a.jpg", "a.png") == ["a.jpg", "a.png"]
    assert ids("01.jpg", "1.jpg") == ["01.jpg", "1.jpg"]
    assert identify([]) == []


def test_pictures_on_two_drives(monkeypatch: pytest.MonkeyPatch):
    def on_windows(paths: list[str]) -> str:
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr("os.path.commonpath", on_windows)
    assert names("C:/x/1.jpg", "D:/2.jpg") == ["1.jpg", "2.jpg"]
    monkeypatch.setattr("os.path.abspath", lambda path: f"{path}")
    assert names("C:/x/1.jpg", "D:/x/1.jpg", "D:/2.jpg") == ["C/x/1.jpg", "D/x/1.jpg", "2.jpg"]
    assert names("//host/x/1.jpg", "D:/1.jpg") == ["host/x/1.jpg", "D/1.jpg"]


@given(st.sets(st.from_regex(r"([ab]/){0,2}[01a]{1,2}\.(jpg|png)", fullmatch=True), min_size=1))
def test_no_two_pictures_share_an_identity(paths: set[str]):
    identities = identify([Path(path) for path in sorted(paths)])
    assert len({identity.name for identity in identities}) == len(paths)
    assert len({identity.image_id for identity in identities}) == len(paths)


def test_coco_results_are_one_list_that_poses_reads_back(tmp_path: Path):
    path = tmp_path / "new" / "people.json"
    with CocoResults(path) as sink:
        assert not path.exists()
        for number, people in enumerate((2, 0, 3)):
            sink.write(result("n", number, people))
    entries = json.loads(path.read_text())
    assert [entry["image_id"] for entry in entries] == [0, 0, 2, 2, 2]
    back = Poses.from_coco(entries[2:], COCO17)
    np.testing.assert_allclose(back.keypoints, some_poses(3).keypoints, atol=1e-4)
    assert [file.name for file in path.parent.iterdir()] == ["people.json"]


def test_coco_results_without_people(tmp_path: Path):
    with CocoResults(tmp_path / "people.json"):
        pass
    assert json.loads((tmp_path / "people.json").read_text()) == []


def test_table_is_tidy(tmp_path: Path):
    odd = 'comma, "quote"\n\udcff.jpg'  # what a file name may hold
    with Table(tmp_path / "people.csv") as sink:
        sink.write(result(odd, 1, 2))
    with (tmp_path / "people.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_FIELDS
    assert len(rows) == 2 * 16  # one keypoint of each is missing
    assert {row["image"] for row in rows} == {odd}
    assert float(rows[0]["x"]) == pytest.approx(some_poses(2).keypoints[0, 0, 0], abs=1e-3)


@pytest.mark.parametrize("kind", [CocoResults, Table])
def test_stopped_run_leaves_parts_and_the_last_complete_file(tmp_path: Path, kind: type[CocoResults] | type[Table]):
    path = tmp_path / "people"
    path.write_text("of yesterday")
    sink = kind(path)
    with suppress(KeyboardInterrupt), sink:
        sink.write(result("a.jpg", "a", 2))
        raise KeyboardInterrupt
    assert path.read_text() == "of yesterday"
    part = tmp_path / "people.part"
    assert str(part) in sink.describe()
    found = json.loads(part.read_text()) if kind is CocoResults else part.read_text().splitlines()[1:]
    assert len(found) == (2 if kind is CocoResults else 32)


def test_everything_before_a_kill_is_on_disk(tmp_path: Path):
    sink = CocoResults(tmp_path / "people.json")
    with sink:
        sink.write(result("a.jpg", "a", 2))
        so_far = (tmp_path / "people.json.part").read_text()  # as another process would find it
        assert len(json.loads(so_far + "]")) == 2


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda tmp: CocoResults(tmp / "photo.JPG"), "name of a picture"),
        (lambda tmp: Table(tmp), "no ordinary file"),
        (lambda tmp: CocoResults(tmp / "file" / "people.json"), "cannot be written"),
        (lambda tmp: Drawings(tmp / "file" / "deeper"), "cannot be written"),
        (lambda tmp: Drawings(tmp / "file"), "cannot be written"),
    ],
)
def test_impossible_places_are_refused_before_any_work(tmp_path: Path, make, reason: str):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ScaleposeError, match=reason), make(tmp_path):
        pass
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
@pytest.mark.parametrize("kind", [CocoResults, Table])
def test_full_disk_is_a_plain_error(tmp_path: Path, kind: type[CocoResults] | type[Table]):
    (tmp_path / "people.part").symlink_to("/dev/full")
    with (
        pytest.raises(ScaleposeError, match=r"people\.part.*No space left.*still holds"),
        kind(tmp_path / "people") as sink,
    ):
        sink.write(result("a.jpg", "a", 2))


def test_drawings_keep_names_and_folders(tmp_path: Path):
    with Drawings(tmp_path / "out") as sink:
        for name in ("b/photo.jpg", "scan.TIF", "p.PNG"):
            sink.write(result(name, "x", 1))
    drawn = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert drawn == ["b/photo.jpg", "p.PNG", "scan.TIF.png"]
    image = cv2.imread(str(tmp_path / "out" / "p.PNG"))
    assert image is not None
    expected = cv2.cvtColor(some_poses(1).draw(np.full((64, 80, 3), 90, np.uint8)), cv2.COLOR_RGB2BGR)
    np.testing.assert_array_equal(image, expected)
    assert "3 drawn pictures" in sink.describe()


def test_every_sink_is_a_sink(tmp_path: Path):
    sinks: list[Sink] = [CocoResults(tmp_path / "j"), Table(tmp_path / "c"), Drawings(tmp_path)]
    assert all(str(tmp_path) in sink.describe() for sink in sinks)


def test_a_file_holds_one_thing(tmp_path: Path):
    for json_file, csv_file in ((tmp_path / "r", tmp_path / "." / "x" / ".." / "r"), (tmp_path / "people.csv", None)):
        with pytest.raises(ScaleposeError, match="cannot hold both"):
            choose_sinks([], [], tmp_path, json_file, csv_file, None, tmp_path)
    assert len(choose_sinks([], [], None, tmp_path / "r.json", tmp_path / "r.csv", None, tmp_path)) == 2
