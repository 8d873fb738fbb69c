"""The fast profile: closed forms on made-up people, and average precision on maps of real layouts."""

import contextlib
import importlib.util
import io
import json
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from scalepose.decode import group
from scalepose.decode.scoring import expected_likeness
from scalepose.skeletons import COCO17

SIGMAS = np.asarray(COCO17.sigmas)


def standing(x: float, y: float, height: float = 60.0) -> np.ndarray:
    """(17, 2) a plain standing person."""
    across = np.array([0, 2, -2, 4, -4, 8, -8, 12, -12, 13, -13, 6, -6, 6, -6, 6, -6]) / 60
    down = np.array([0, -2, -2, 0, 0, 10, 10, 22, 22, 34, 34, 34, 34, 48, 48, 60, 60]) / 60
    return np.stack([x + height * across, y + height * down], axis=-1)


def made_maps(
    people: Sequence[np.ndarray] | np.ndarray, tags: np.ndarray, size=(120, 200), coarse=1, sigma=2.0, value=0.8
):
    """Maps of people (P, 17, 2), points with pixel centres at + 0.5, NaN where invisible, tags (P, T) each."""
    h, w = size
    rows, columns = np.mgrid[0:h, 0:w] + 0.5
    tag_rows, tag_columns = (np.mgrid[0 : h // coarse, 0 : w // coarse] + 0.5) * coarse
    heatmaps = np.zeros((17, h, w), np.float32)
    tag_maps = np.full((17, h // coarse, w // coarse, tags.shape[1]), -20, np.float32)
    for person, tag in zip(people, tags, strict=True):
        for k, (x, y) in enumerate(person):
            if np.isfinite(x):
                squared = (columns - x) ** 2 + (rows - y) ** 2
                np.maximum(heatmaps[k], value * np.exp(-squared / (2 * sigma**2)), out=heatmaps[k])
                tag_maps[k][(tag_columns - x) ** 2 + (tag_rows - y) ** 2 <= (2 * sigma) ** 2] = tag
    return heatmaps, tag_maps


def by_x(points: np.ndarray) -> np.ndarray:
    return points[np.argsort(np.nanmean(points[..., 0], axis=1))]


@pytest.mark.parametrize("coarse", [1, 2])
@pytest.mark.parametrize("T", [1, 2])
def test_people_are_where_they_are(T, coarse):
    people = np.stack([standing(30.3, 20.7), standing(80.9, 35.1), standing(150.4, 15.5, 90)])
    tags = np.array([[0.0], [1.5], [-1.4]]).repeat(T, axis=1)
    points, values, scores = group(*made_maps(people, tags, coarse=coarse), COCO17, profile="fast")
    np.testing.assert_allclose(by_x(points), people, atol=0.02)
    np.testing.assert_allclose(values, 0.8, atol=0.05)
    np.testing.assert_allclose(scores, expected_likeness(points, values, SIGMAS, 2.0), rtol=1e-6)
    assert np.ptp(points[0, :, 1]) == np.ptp(points[..., 1], axis=1).max()  # the largest person comes first


def test_what_is_not_seen_is_missing():
    person = standing(60, 30)
    person[[3, 9, 15]] = np.nan
    points, values, scores = group(*made_maps([person], np.zeros((1, 1))), COCO17, profile="fast")
    np.testing.assert_array_equal(np.isnan(points[0]).all(axis=1), np.isnan(person[:, 0]))
    np.testing.assert_array_equal(values[0] == 0, np.isnan(person[:, 0]))
    assert scores == pytest.approx(expected_likeness(points, values, SIGMAS, 2.0), rel=1e-6)


def test_the_best_person_comes_first_and_no_more_than_asked_for():
    people = [standing(x, 30) for x in (25, 75, 125, 175)]
    people[2][:9] = np.nan
    heatmaps, tags = made_maps(people, 3.0 * np.arange(4)[:, None])
    points, _, scores = group(heatmaps, tags, COCO17, profile="fast")
    assert len(points) == 4
    assert (np.diff(scores) <= 0).all()
    assert np.nanmean(points[3, :, 0]) == pytest.approx(125, abs=1)
    assert len(group(heatmaps, tags, COCO17, profile="fast", most_people=2)[0]) == 2


def test_a_second_peak_beside_the_first_makes_no_second_person():
    person = standing(60, 30)
    heatmaps, tags = made_maps([person], np.zeros((1, 2)))
    again = person + np.array([6, 3])
    again[[0, 1, 2, 3, 4, 7, 12]] = np.nan
    second, _ = made_maps([again], np.zeros((1, 2)), value=0.5)
    tags[:] = np.linspace(0, 0.2, 200)[:, None]  # nearly the same everywhere
    points, _, _ = group(np.maximum(heatmaps, second), tags, COCO17, profile="fast")
    assert len(points) == 1
    np.testing.assert_allclose(points[0], person, atol=0.1)
    assert len(group(np.maximum(heatmaps, second), tags, COCO17, profile="paper")[0]) > 1


def test_the_same_person_under_another_tag_is_suppressed():
    person = standing(60, 20, 90)
    heatmaps, tags = made_maps([person, person + np.array([3, 0])], np.array([[0.0], [3.0]]))
    assert len(group(heatmaps, tags, COCO17, profile="fast")[0]) == 1


def test_a_keypoint_beneath_a_neighbours_is_found_by_its_tag():
    people = np.stack([standing(60, 30), standing(100, 30)])
    people[0, 9] = people[1, 10] = [80, 60]
    people[1, 9] = np.nan
    people[0, 10] = np.nan
    people[1, 9] = people[0, 9] + np.array([2.5, 0])  # the left wrists of both, 2.5 pixels apart
    heatmaps, tags = made_maps(people, np.array([[0.0], [3.0]]))
    points = by_x(group(heatmaps, tags, COCO17, profile="fast")[0])
    np.testing.assert_allclose(points[:, 9], people[:, 9], atol=2.6)
    assert np.isnan(by_x(group(heatmaps, tags, COCO17, profile="fast", recover=False)[0])[:, 9]).any()


def test_a_lonely_weak_peak_is_nobody():
    heatmaps, tags = made_maps([standing(60, 30)], np.zeros((1, 1)), value=0.9)
    heatmaps[4, 80, 150], tags[4, 80, 150] = 0.2, 7
    assert len(group(heatmaps, tags, COCO17, profile="fast")[0]) == 1
    assert len(group(heatmaps, tags, COCO17, profile="fast", person_threshold=0.1)[0]) == 2


def test_sixty_people():
    people = [standing(15 + 33 * (n % 12), 8 + 45 * (n // 12), 32) for n in range(60)]
    heatmaps, tags = made_maps(people, np.array([[2.0 * (n % 8), 2.0 * (n // 8)] for n in range(60)]), size=(240, 410))
    points, values, _ = group(heatmaps, tags, COCO17, profile="fast")
    assert len(points) == 60
    assert (values > 0.7).mean() > 0.99


def test_average_precision_on_perfect_maps_of_real_photos(shared):
    """The official parser reaches 0.953 here-abouts, with 491 people for 334."""
    coco = pytest.importorskip("faster_coco_eval")
    spec = importlib.util.spec_from_file_location("parity_maps", shared / "reference" / "parity" / "maps.py")
    assert spec is not None
    assert spec.loader is not None
    maps = importlib.util.module_from_spec(spec)
    sys.modules["parity_maps"] = maps
    spec.loader.exec_module(maps)
    truth = json.loads((shared / "data" / "coco-dev" / "person_keypoints.json").read_text())
    people = [a for a in truth["annotations"] if a["num_keypoints"] > 0 and not a.get("iscrowd")]
    pictures = [p for p in truth["images"] if any(a["image_id"] == p["id"] for a in people)]
    results = []
    for picture in pictures:
        own = [np.reshape(a["keypoints"], (17, 3)) for a in people if a["image_id"] == picture["id"]]
        heatmaps, tags, scale = maps.oracle(picture | {"people": own})
        points, values, scores = group(heatmaps, tags, COCO17, profile="fast")
        for person, value, score in zip(np.nan_to_num(points) / scale, values, scores, strict=True):
            rows = np.concatenate([person * (value > 0)[:, None], value[:, None]], axis=1)
            results.append(
                {"image_id": picture["id"], "category_id": 1, "keypoints": rows.ravel().tolist(), "score": float(score)}
            )
    assert len(results) <= 1.05 * len(people)
    with contextlib.redirect_stdout(io.StringIO()):
        kept = {"images": pictures, "annotations": people, "categories": truth["categories"]}
        ground_truth = coco.COCO(kept)
        evaluation = coco.COCOeval_faster(ground_truth, ground_truth.loadRes(results), "keypoints")
        evaluation.run()
    assert evaluation.stats[0] >= 0.985
