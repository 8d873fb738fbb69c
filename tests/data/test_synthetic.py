"""Rendered people: exact labels, checked against OpenCV's projection and against rays; same seed, same bytes."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from scalepose.data.annotations import check_pictures, read_annotations
from scalepose.data.synthetic import Scene, render, render_scene, write_scenes
from scalepose.data.synthetic.bodies import SIDES, Body, stance, turn_y
from scalepose.data.synthetic.cameras import Camera
from scalepose.data.synthetic.figures import sample_figure
from scalepose.data.synthetic.postures import ARM, KINDS, LEG, LIMITS, TRUNK, sample_posture
from scalepose.data.synthetic.raster import interpolate, rasterise
from scalepose.data.synthetic.rendering import FINER
from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17

SIZE = (160, 120)


def rows(record: dict) -> np.ndarray:
    return np.array(record["keypoints"]).reshape(17, 3)


# ---- pictures


def test_same_seed_same_bytes_and_another_seed_another_picture():
    first, people = render_scene(3, *SIZE)
    again, same_people = render_scene(3, *SIZE)
    other, _ = render_scene(4, *SIZE)
    assert first.dtype == np.uint8
    assert first.shape == (120, 160, 3)
    assert np.array_equal(first, again)
    assert people == same_people
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("people", [0, 1, 7])
def test_number_of_people(people: int):
    scene = Scene.sample((5, people), *SIZE, people)
    assert len(scene.figures) == people
    _, records = render(scene)
    assert len(records) <= people


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((1, 8, 480), "width"), ((1, 640, 99999), "height"), ((1, 640, 480, 21), "21"), ((-1,), "seed"), (("x",), "seed")],
)
def test_impossible_scenes_are_refused(arguments: tuple, words: str):
    with pytest.raises(ScaleposeError, match=words):
        render_scene(*arguments)


def test_needs_no_torch():
    code = "import sys, scalepose.data.synthetic, scalepose.apps.synth; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- labels


def opencv_projection(points: np.ndarray, camera: Camera) -> np.ndarray:
    """World points → pixels by OpenCV, whose camera looks along z with y down."""
    pitch = cv2.Rodrigues(np.array([np.radians(camera.pitch), 0, 0]))[0]
    roll = cv2.Rodrigues(np.array([0, 0, np.radians(camera.roll)]))[0]
    turn = np.diag([1.0, -1, -1]) @ roll @ pitch
    W, H = camera.size
    inner = np.array([[camera.focal, 0, W / 2], [0, camera.focal, H / 2], [0, 0, 1]])
    shift = -turn @ np.array([0, camera.height, 0])
    return cv2.projectPoints(points, cv2.Rodrigues(turn)[0], shift, inner, None)[0].reshape(-1, 2)


def test_keypoints_are_the_projected_joints():
    checked = 0
    for seed in range(12):
        scene = Scene.sample(seed, *SIZE, 2)
        truths = [opencv_projection(scene.keypoints(p), scene.camera) for p in range(2)]
        for record in render(scene)[1]:
            found = rows(record)
            labelled = found[:, 2] > 0
            errors = [np.abs(found[labelled, :2] - truth[labelled]).max() for truth in truths if labelled.any()]
            if errors:
                assert min(errors) < 0.01
                checked += 1
            assert (found[~labelled] == 0).all()
            assert record["num_keypoints"] == labelled.sum()
            assert (found[labelled, :2] >= 0).all()
            assert (found[labelled, :2] <= SIZE).all()
    assert checked > 15


def test_joints_outside_of_the_picture_are_not_labelled():
    outside = 0
    for seed in range(20):
        scene = Scene.sample(seed, *SIZE, 1)
        pixels = opencv_projection(scene.keypoints(0), scene.camera)
        for record in render(scene)[1]:
            inside = (pixels >= 0).all(axis=1) & (pixels < SIZE).all(axis=1)
            assert np.array_equal(rows(record)[:, 2] > 0, inside)
            outside += int((~inside).sum())
    assert outside > 10


def nearest_hit(origin: np.ndarray, direction: np.ndarray, triangles: np.ndarray) -> float:
    """Distance along the ray to the nearest of (T, 3, 3) triangles (Möller and Trumbore), infinite without a hit."""
    a, ab, ac = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    p = np.cross(direction, ac)
    det = (ab * p).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        s = origin - a
        u = (s * p).sum(axis=1) / det
        q = np.cross(s, ab)
        v = (direction * q).sum(axis=1) / det
        t = (ac * q).sum(axis=1) / det
        hit = (np.abs(det) > 1e-12) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0.25)
    return float(t[hit].min(initial=np.inf))


def test_visibility_agrees_with_rays():
    agreed = []
    for seed in range(4):
        scene = Scene.sample((77, seed), *SIZE, 3)
        camera = scene.camera
        triangles = np.concatenate([thing.mesh.points[thing.mesh.triangles] for thing in scene.things])
        eye = np.array([0.0, camera.height, 0.0])
        dx, dy, dz = camera.rays()
        records = render(scene)[1]
        for record in records:
            found = rows(record)
            distances = [np.abs(found[:, :2] - opencv_projection(scene.keypoints(p), camera)) for p in range(3)]
            person = int(np.argmin([d[found[:, 2] > 0].sum() for d in distances]))
            joints = scene.keypoints(person)
            for k in np.flatnonzero(found[:, 2]):
                # Through the middle of the sample that holds the keypoint.
                x, y = (np.floor(found[k, :2] * FINER) + 0.5) / FINER
                across = np.array([(x - SIZE[0] / 2) / camera.focal, (SIZE[1] / 2 - y) / camera.focal, -1.0])
                depth = camera.project(joints[k])[1]
                hit = nearest_hit(eye, camera.turn.T @ across, triangles)
                agreed.append((hit < depth - scene.figures[person].depths[k]) == (found[k, 2] == 1))
        # The rays of the background are the same rays.
        middle = np.array([dx, dy, dz])[:, SIZE[1] // 2, SIZE[0] // 2]
        assert np.dot(middle / np.linalg.norm(middle), camera.turn.T @ (0, 0, -1)) > 0.999
    assert len(agreed) > 80
    assert np.mean(agreed) > 0.97  # a keypoint on an outline may fall on either side


def test_some_keypoints_are_hidden_and_most_are_visible():
    counts = np.zeros(3)
    for seed in range(15):
        for record in render_scene((9, seed), *SIZE)[1]:
            counts += np.bincount(rows(record)[:, 2].astype(int), minlength=3)
    assert counts[2] > counts[1] > 0.1 * counts[2]


def test_box_area_outline_and_visible_keypoints_belong_together():
    inside = []
    for seed in range(8):
        for record in render_scene((21, seed), 320, 240)[1]:
            x, y, w, h = record["bbox"]
            mask = np.zeros((240 * 4, 320 * 4), np.uint8)
            for polygon in record["segmentation"]:
                corners = np.array(polygon).reshape(-1, 2)
                assert (corners >= (x - 0.51, y - 0.51)).all()
                assert (corners <= (x + w + 0.51, y + h + 0.51)).all()
                cv2.fillPoly(mask, [np.round(corners * 4 - 0.5).astype(np.int32)], 1)
            assert record["area"] <= w * h
            seen = rows(record)[rows(record)[:, 2] == 2, :2]
            grown = cv2.dilate(mask, np.ones((9, 9), np.uint8))  # by one pixel of the picture
            inside += [bool(grown[int(v * 4), int(u * 4)]) for u, v in seen]
            if record["area"] > 400:  # outlines lose holes and specks
                assert mask.sum() / 16 == pytest.approx(record["area"], rel=0.2)
    assert len(inside) > 100
    assert np.mean(inside) > 0.97


# ---- people


def test_left_is_the_persons_left():
    camera = Camera((640, 480), 600.0, 1.4, 3.0, 0.0)
    for seed in range(6):
        figure = sample_figure(np.random.default_rng(seed), "stand")
        for yaw, sign in ((0.0, 1), (180.0, -1)):
            pixels, _ = camera.project(figure.keypoints @ turn_y(yaw).T + (0, 0, -4))
            for name in ("shoulder", "hip", "ankle"):
                left, right = (COCO17.keypoints.index(f"{side}_{name}") for side in ("left", "right"))
                assert sign * (pixels[left, 0] - pixels[right, 0]) > 0, (name, yaw)


def test_face_points_forward():
    figure = sample_figure(np.random.default_rng(1), "stand")
    nose, left_eye, right_eye, left_ear, right_ear = figure.keypoints[:5] @ figure.stance.turns["head"]
    assert nose[2] > max(left_eye[2], right_eye[2]) > max(left_ear[2], right_ear[2])
    assert left_ear[0] > left_eye[0] > nose[0] > right_eye[0] > right_ear[0]
    assert nose[1] < left_eye[1]


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_postures_keep_joint_limits_and_bone_lengths(kind: str):
    rng = np.random.default_rng(0)
    for _ in range(5):
        posture = sample_posture(rng, kind)
        for names, angles in (
            (TRUNK, posture.trunk),
            *((ARM, a) for a in posture.arms),
            *((LEG, a) for a in posture.legs),
        ):
            assert all(LIMITS[name][0] <= angles[name] <= LIMITS[name][1] for name in names if name in LIMITS)
        body = Body.sample(rng)
        points = stance(body, posture).points
        for side, _ in SIDES:
            for a, b, length in (
                ("shoulder", "elbow", body.upper_arm),
                ("elbow", "wrist", body.forearm),
                ("hip", "knee", body.thigh),
                ("knee", "ankle", body.thigh),
            ):
                assert np.linalg.norm(points[f"{side}_{a}"] - points[f"{side}_{b}"]) == pytest.approx(length)


def test_a_mirrored_posture_is_the_mirror_image():
    rng = np.random.default_rng(2)
    for _ in range(20):
        posture, body = sample_posture(rng), Body.sample(rng)
        plain, mirrored = stance(body, posture).points, stance(body, posture.mirror()).points
        for name, point in plain.items():
            other = name.replace("left", "#").replace("right", "left").replace("#", "right")
            assert mirrored[other] == pytest.approx(point * (-1, 1, 1), abs=1e-9)


def test_people_stand_on_the_ground():
    rng = np.random.default_rng(3)
    for kind in ("stand", "walk", "sit", "squat", "lie"):
        figure = sample_figure(rng, kind)
        assert figure.mesh.points[:, 1].min() == pytest.approx(0, abs=1e-9)
        assert (figure.seat is not None) == (kind == "sit")
    assert sample_figure(rng, "jump").mesh.points[:, 1].min() > 0.05


# ---- triangles


def test_the_nearest_triangle_wins_at_every_pixel():
    rng = np.random.default_rng(0)
    W, H = 40, 30
    points, near = rng.uniform(-5, 45, size=(36, 2)), rng.uniform(0.1, 1, size=36)
    triangles = np.arange(36).reshape(12, 3)
    raster = rasterise(points, near, triangles, (W, H))
    found = np.full(W * H, -1)
    found[raster.pixels] = raster.triangles
    y, x = np.divmod(np.arange(W * H), W)
    best, truth = np.zeros(W * H), np.full(W * H, -1)
    for t, corners in enumerate(triangles):
        system = np.concatenate([points[corners].T, np.ones((1, 3))])
        weights = np.linalg.solve(system, np.stack([x + 0.5, y + 0.5, np.ones(W * H)]))
        value = near[corners] @ weights
        wins = (weights > 0).all(axis=0) & (value > best)
        best[wins], truth[wins] = value[wins], t
    assert np.array_equal(found, truth)
    values = interpolate(raster, points, near[:, None], triangles)[:, 0]
    assert values == pytest.approx(best[raster.pixels], abs=1e-5)


def test_neighbouring_triangles_leave_no_gap():
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.linspace(-3, 53, 9), np.linspace(-3, 43, 8))
    points = np.stack([x, y], axis=-1)
    points[1:-1, 1:-1] += rng.uniform(-2, 2, size=(6, 7, 2))
    corner = (np.arange(7)[:, None] * 9 + np.arange(8)).reshape(-1, 1)
    triangles = np.concatenate([corner + np.array([0, 1, 9]), corner + np.array([1, 10, 9])])
    raster = rasterise(points.reshape(-1, 2), np.ones(72), triangles, (50, 40))
    assert len(raster.pixels) == 50 * 40


# ---- files


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


def test_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(ScaleposeError, match="cannot be written"):
        write_scenes(1, tmp_path / "file" / "out", size=SIZE)

    write_scenes(1, tmp_path / "out", size=SIZE)
    before = contents(tmp_path / "out")

    def refuse(path: Path, content: bytes) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(ScaleposeError, match=r"Permission denied.*what is finished stays"):
        write_scenes(2, tmp_path / "out", size=SIZE)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (10**9, 0), (1, -1)])
def test_impossible_orders(tmp_path: Path, count: int, seed: int):
    with pytest.raises(ScaleposeError):
        write_scenes(count, tmp_path / "out", seed, SIZE)
    assert not (tmp_path / "out").exists()


def test_the_shipped_samples_are_what_their_recipe_renders():
    samples = Path(__file__).resolve().parents[2] / "samples"
    annotations = read_annotations(samples / "person_keypoints.json")
    assert not annotations.problems
    assert not check_pictures(annotations)
    recipe = json.loads((samples / "person_keypoints.json").read_text())["info"]["recipe"]
    for index, picture in enumerate(annotations.pictures):
        _, people = render_scene((recipe["seed"], index), recipe["width"], recipe["height"], recipe["people"])
        assert len(people) == len(picture.people)
        for person, record in zip(picture.people, people, strict=True):
            assert np.abs(person.keypoints[:, :2] - rows(record)[:, :2]).max() < 0.5
