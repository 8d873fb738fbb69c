"""The published parser: equal to the official code on real layouts, and to closed forms on made-up ones."""

import importlib.util
import sys

import numpy as np
import pytest

from scalepose.decode import group
from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17, CROWDPOSE14, Skeleton


def made_maps(people, K=17, size=(96, 128), sigma=2.0):
    """Maps of people given as (tags (T,), {keypoint type: (x, y, value)}), x and y pixel indices."""
    h, w = size
    rows, columns = np.mgrid[0:h, 0:w]
    heatmaps = np.zeros((K, h, w), np.float32)
    tags = np.full((K, h, w, len(people[0][0])), 50, np.float32)
    for tag, keypoints in people:
        for k, (x, y, value) in keypoints.items():
            squared = (columns - x) ** 2 + (rows - y) ** 2
            np.maximum(heatmaps[k], value * np.exp(-squared / (2 * sigma**2)), out=heatmaps[k])
            tags[k][squared <= (2 * sigma) ** 2] = tag
    return heatmaps, tags


@pytest.fixture(scope="module")
def parity(shared):
    folder = shared / "reference" / "parity"
    spec = importlib.util.spec_from_file_location("parity_maps", folder / "maps.py")
    assert spec is not None
    assert spec.loader is not None
    maps = importlib.util.module_from_spec(spec)
    sys.modules["parity_maps"] = maps
    spec.loader.exec_module(maps)
    return maps, np.load(folder / "decode_official.npz")


@pytest.mark.parametrize("recover", [True, False])
@pytest.mark.parametrize("tags_in_planes", [False, True])
def test_people_and_scores_are_those_of_the_official_parser(parity, recover, tags_in_planes):
    maps, official = parity
    for layout in maps.layouts():
        heatmaps, tags, _ = maps.oracle(layout)
        if tags_in_planes:  # another layout of the same numbers in memory
            tags = np.moveaxis(np.ascontiguousarray(np.moveaxis(tags, -1, 0)), 0, -1)
        points, values, scores = group(heatmaps, tags, COCO17, profile="paper", recover=recover)
        expected = official[f"{'k' if recover else 'n'}{layout['id']}"]
        assert points.shape == (len(expected), 17, 2)
        found = expected[..., 2] != 0
        np.testing.assert_allclose(points[found], expected[found][:, :2], atol=0.01)
        np.testing.assert_allclose(values, expected[..., 2], atol=1e-6)
        np.testing.assert_allclose(scores, official[f"s{layout['id']}"], atol=1e-6)
        assert np.isnan(points[~found]).all()


@pytest.mark.parametrize("T", [1, 2])
def test_people_come_in_the_order_in_which_they_are_opened(T):
    people = [
        ((0.0,) * T, {0: (20, 30, 0.5), 5: (25, 40, 0.8)}),
        ((4.0,) * T, {0: (70, 30, 0.9)}),
        ((8.0,) * T, {5: (110, 40, 0.6)}),
    ]
    points, values, scores = group(*made_maps(people), COCO17, recover=False)
    assert points.dtype == values.dtype == scores.dtype == np.float32
    assert len(points) == 3
    np.testing.assert_allclose(values[:, 0], [0.9, 0.5, 0])
    np.testing.assert_allclose(values[:, 5], [0, 0.8, 0.6])
    np.testing.assert_allclose(scores, [0.9 / 17, 1.3 / 17, 0.6 / 17], rtol=1e-6)
    np.testing.assert_array_equal(points[0, 0], [70.25, 30.25])  # symmetric peaks: a quarter to the left and up
    assert np.isnan(points[values == 0]).all()


def test_of_two_people_with_similar_tags_the_nearer_is_taken():
    """Both distances round to 0, so the published cost leaves the choice to the solver."""
    people = [((0.0,), {0: (20, 30, 0.9)}), ((0.45,), {0: (60, 30, 0.8)}), ((0.35,), {5: (90, 60, 0.7)})]
    _, values, _ = group(*made_maps(people), COCO17, recover=False)
    np.testing.assert_allclose(values[:, 5], [0, 0.7])


def test_of_one_person_opened_twice_the_first_is_taken():
    """As the official solver does: the two tags are one person's, however near."""
    people = [((0.0,), {0: (20, 30, 0.9)}), ((0.1,), {0: (60, 30, 0.8)}), ((0.09,), {5: (90, 60, 0.7)})]
    _, values, _ = group(*made_maps(people), COCO17, recover=False)
    np.testing.assert_allclose(values[:, 5], [0.7, 0])


def test_a_missing_keypoint_is_recovered_anywhere_in_the_map():
    people = [((0.0,), {0: (20, 30, 0.9), 5: (100, 80, 0.09)})]  # below the threshold of detection
    heatmaps, tags = made_maps(people)
    points, values, scores = group(heatmaps, tags, COCO17)
    np.testing.assert_array_equal(points[0, 5], [100.25, 80.25])
    assert values[0, 5] == pytest.approx(0.09)
    assert scores[0] == pytest.approx(0.9 / 17)  # as before recovery
    assert np.isnan(group(heatmaps, tags, COCO17, recover=False)[0][0, 5]).all()


def test_more_than_thirty_people():
    """A peak of a type that is visited late can open a person beyond the thirtieth, as in the official code."""
    people = [
        ((3.0 * n,), {0 if n < 30 else 1: (10 + 20 * (n % 8), 10 + 15 * (n // 8), 0.5 + 0.01 * n)}) for n in range(45)
    ]
    points, values, _ = group(*made_maps(people, size=(110, 180)), COCO17, recover=False)
    assert points.shape == (45, 17, 2)
    assert ((values > 0).sum(axis=1) == 1).all()


def test_of_one_type_thirty_peaks_are_taken():
    people = [((3.0 * n,), {0: (10 + 20 * (n % 8), 10 + 15 * (n // 8), 0.5 + 0.01 * n)}) for n in range(45)]
    _, values, _ = group(*made_maps(people, size=(110, 180)), COCO17, recover=False)
    np.testing.assert_allclose(values[:, 0], 0.94 - 0.01 * np.arange(30), rtol=1e-5)


def test_equal_first_tags_are_one_person_as_in_the_official_code():
    people = [((2.0, 0.0), {0: (20, 30, 0.9)}), ((2.0, 9.0), {0: (80, 30, 0.5)})]
    _, values, _ = group(*made_maps(people), COCO17, recover=False)
    np.testing.assert_allclose(values[:, 0], [0.5])


@pytest.mark.parametrize("skeleton", [CROWDPOSE14, Skeleton("two", ("a", "b")), Skeleton("one", ("a",))])
def test_any_skeleton(skeleton):
    K = len(skeleton)
    people = [((5.0 * p,), {k: (15 + 30 * p + k, 20 + 4 * k, 0.9 - 0.1 * p) for k in range(K)}) for p in range(3)]
    points, values, scores = group(*made_maps(people, K=K), skeleton)
    assert points.shape == (3, K, 2)
    np.testing.assert_allclose(values, np.repeat([[0.9], [0.8], [0.7]], K, axis=1))
    np.testing.assert_allclose(scores, [0.9, 0.8, 0.7], rtol=1e-6)


@pytest.mark.parametrize("profile", ["paper", "fast"])
def test_nobody(profile):
    for heatmaps in (np.zeros((17, 20, 30)), np.full((17, 1, 1), -3.0)):
        points, values, scores = group(heatmaps, np.zeros((17, *heatmaps.shape[1:], 2)), COCO17, profile=profile)
        assert (points.shape, values.shape, scores.shape) == ((0, 17, 2), (0, 17), (0,))


@pytest.mark.parametrize("profile", ["paper", "fast"])
def test_one_tag_map_may_serve_all_keypoints(profile):
    heatmaps, tags = made_maps([((1.0,), {k: (30 + k, 30 + 2 * k, 0.8) for k in range(17)})])
    shared = group(heatmaps, np.full_like(tags[:1], 1), COCO17, profile)
    own = group(heatmaps, np.full_like(tags, 1), COCO17, profile)
    for one, other in zip(shared, own, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_does_not_fit_is_refused():
    heatmaps, tags = np.zeros((17, 8, 8)), np.zeros((17, 8, 8, 1))
    with pytest.raises(ScaleposeError, match=r"\(17, h, w\), not \(14, 8, 8\)"):
        group(heatmaps[:14], tags, COCO17)
    with pytest.raises(ScaleposeError, match=r"\(17, h, w, T\)"):
        group(heatmaps, tags[..., 0], COCO17)
    with pytest.raises(ScaleposeError, match="as large as the heatmaps"):
        group(heatmaps, tags[:, :4, :4], COCO17)
    with pytest.raises(ScaleposeError, match="'paper' or 'fast'"):
        group(heatmaps, tags, COCO17, profile="slow")  # type: ignore[arg-type]


@pytest.mark.parametrize("profile", ["paper", "fast"])
def test_broken_maps_are_refused(profile):
    heatmaps, tags = made_maps([((1.0,), {0: (30, 30, 0.8)})])
    with pytest.raises(ScaleposeError, match="NaN"):
        group(heatmaps, tags * np.nan, COCO17, profile)
    heatmaps[0, 30, 30] = np.inf
    with pytest.raises(ScaleposeError, match="infinite"):
        group(heatmaps, tags, COCO17, profile)
