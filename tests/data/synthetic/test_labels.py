"""Labels of rendered people, against OpenCV's projection and against rays."""

import cv2
import numpy as np
import pytest

from scalepose.data.synthetic import Scene, render, render_scene
from scalepose.data.synthetic.cameras import Camera

SIZE = (160, 120)
LARGE = (320, 240)  # where a sample is small beside a body


def rows(record: dict) -> np.ndarray:
    return np.array(record["keypoints"]).reshape(17, 3)


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
    for seed in range(10):
        scene = Scene.sample((77, seed), *LARGE, 3)
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
                x, y = found[k, :2]
                across = np.array([(x - LARGE[0] / 2) / camera.focal, (LARGE[1] / 2 - y) / camera.focal, -1.0])
                depth = camera.project(joints[k])[1]
                hit = nearest_hit(eye, camera.turn.T @ across, triangles)
                agreed.append((hit < depth - scene.figures[person].depths[k]) == (found[k, 2] == 1))
        # The rays of the background are the same rays.
        middle = np.array([dx, dy, dz])[:, LARGE[1] // 2, LARGE[0] // 2]
        assert np.dot(middle / np.linalg.norm(middle), camera.turn.T @ (0, 0, -1)) > 0.999
    assert len(agreed) > 150
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
