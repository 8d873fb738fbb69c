import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_people import annotations, person, picture, reference, result, write

from scalepose.data.annotations import Annotations, read_annotations
from scalepose.errors import ScaleposeError
from scalepose.evaluation.precision import average_precision
from scalepose.skeletons import COCO17, CROWDPOSE14, Skeleton

TRIANGLE = Skeleton("triangle", ("a", "b", "c"), sigmas=(0.05, 0.1, 0.2))
COCO_NAMES = {"AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"}
CROWD_NAMES = {"AP", "AP50", "AP75", "AR", "AR50", "AR75", "AP_easy", "AP_medium", "AP_hard"}


def test_all_found_is_one():
    medium, large = person(1, size=60), person(2, at=(300, 100), size=200)
    metrics = average_precision(annotations(picture(1, medium, large)), [result(1, medium, 0.9), result(1, large, 0.8)])
    assert metrics == pytest.approx(dict.fromkeys(COCO_NAMES, 1.0), abs=1e-12)


def test_one_of_two_found():
    metrics = average_precision(annotations(picture(1, person(1)), picture(2, person(2))), [result(1, person())])
    assert metrics["AR"] == 0.5
    assert metrics["AP"] == pytest.approx(51 / 101)  # recall points 0.00 to 0.50


def test_a_duplicate_below_is_harmless_and_above_costs():
    truth = annotations(picture(1, person(1), person(2, at=(300, 100))))
    one, other = truth.pictures[0].people
    twice = [result(1, one, 0.9), result(1, one, 0.5), result(1, other, 0.7)]
    assert average_precision(truth, twice)["AP"] == pytest.approx(1)
    twice[1]["score"] = 0.8
    # The second person comes third: precision 1 up to recall 0.5, then 2/3.
    assert average_precision(truth, twice)["AP"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_thresholds():
    # A shift that leaves OKS between 0.70 and 0.75 is right at the five lowest of the ten thresholds.
    someone = person()
    spread = 2 * someone.area * (2 * np.asarray(COCO17.sigmas)) ** 2
    shift = next(s for s in np.arange(0, 50, 0.1) if np.exp(-(s**2) / spread).mean() < 0.74)
    metrics = average_precision(annotations(picture(1, someone)), [result(1, someone, shift=float(shift))])
    assert metrics["AP"] == pytest.approx(0.5)
    assert (metrics["AP50"], metrics["AP75"]) == (pytest.approx(1), 0)


@pytest.mark.parametrize("region", [person(2, at=(300, 100), crowd=True), person(2, at=(300, 100), visible=False)])
def test_crowds_and_the_unlabelled_are_neither_right_nor_wrong(region):
    truth = annotations(picture(1, person(1), region))
    found = [result(1, person(at=(300, 100)), 0.9), result(1, person(1), 0.8)]
    metrics = average_precision(truth, found)
    assert (metrics["AP"], metrics["AR"]) == (pytest.approx(1), 1)


def test_only_twenty_a_picture_count():
    truth = annotations(picture(1, person(1)))
    nobody = [result(1, person(at=(400, 300)), 0.9) for _ in range(20)]
    assert average_precision(truth, [*nobody[1:], result(1, person(1), 0.1)])["AR"] == 1
    assert average_precision(truth, [*nobody, result(1, person(1), 0.1)])["AR"] == 0


def test_nothing_to_measure_is_nan_and_nothing_found_is_zero():
    assert all(map(math.isnan, average_precision(annotations(picture(1)), []).values()))
    metrics = average_precision(annotations(picture(1, person(size=60))), [])
    assert metrics["AP"] == metrics["APM"] == metrics["AR"] == 0
    assert math.isnan(metrics["APL"])
    assert set(average_precision(annotations(), [])) == COCO_NAMES


def test_crowdpose_subsets_by_crowd_index():
    people = [person(i, skeleton=CROWDPOSE14) for i in range(1, 6)]
    truth = annotations(
        picture(1, people[0], crowd_index=0.0),
        picture(2, people[1], crowd_index=0.1999),
        picture(3, people[2], crowd_index=0.2),
        picture(4, people[3], crowd_index=0.8),
        picture(5, people[4], crowd_index=1.0),
        skeleton=CROWDPOSE14,
    )
    metrics = average_precision(truth, [result(i, people[0]) for i in (1, 2, 4)], "crowdpose")
    assert set(metrics) == CROWD_NAMES
    assert metrics["AP_easy"] == pytest.approx(1)
    assert metrics["AP_medium"] == 0
    assert metrics["AP_hard"] == pytest.approx(51 / 101)
    assert metrics["AR"] == pytest.approx(0.6)


def test_crowdpose_without_a_subset_or_an_index():
    truth = annotations(picture(1, person(), crowd_index=0.5))
    metrics = average_precision(truth, [result(1, person())], "crowdpose")
    assert math.isnan(metrics["AP_easy"])
    assert metrics["AP_medium"] == pytest.approx(1)
    with pytest.raises(ScaleposeError, match="image 1 has no crowdIndex"):
        average_precision(annotations(picture(1, person())), [], "crowdpose")
    with pytest.raises(ScaleposeError, match="coco, crowdpose"):
        average_precision(truth, [], "posetrack")  # type: ignore[arg-type]


def made(seed: int, skeleton: Skeleton, crowdpose: bool = False, pictures: int = 12) -> tuple[Annotations, list]:
    """People of all sizes and degrees of labelling; found well, badly, twice, with equal scores, by halves."""
    rng = np.random.default_rng(seed)
    K = len(skeleton)
    scenes, results, id = [], [], 0
    for image in range(1, pictures + 1):
        people = []
        for _ in range(rng.integers(0, 6)):
            id += 1
            size = float(np.float32(rng.uniform(8, 300)))
            someone = person(
                id,
                at=(float(rng.uniform(0, 400)), float(rng.uniform(0, 300))),
                size=size,
                visible=list((rng.random(K) < rng.choice([0, 0.5, 1])).astype(int)),
                crowd=bool(rng.random() < 0.1),
                skeleton=skeleton,
                area=size**2 * (0.53 if crowdpose else rng.uniform(0.3, 0.9)),
            )
            people.append(someone)
            for _ in range(rng.integers(0, 4)):
                rows = someone.keypoints.astype(float)
                rows[:, :2] += rng.normal(0, rng.choice([0.003, 0.03, 0.1]) * size, (K, 2))
                rows[rng.random(K) < 0.1] = 0
                results.append(
                    {
                        "image_id": image,
                        "category_id": 1,
                        "keypoints": rows.round(2).reshape(-1).tolist(),
                        "score": round(float(rng.random()), 1),
                    }
                )
        scenes.append(picture(image, *people, crowd_index=float(rng.random())))
    rng.shuffle(results)
    return annotations(*scenes, skeleton=skeleton), results


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), skeleton=st.sampled_from([COCO17, CROWDPOSE14, TRIANGLE]))
def test_equal_to_faster_coco_eval(tmp_path, seed, skeleton):
    truth, results = made(seed, skeleton)
    metrics = average_precision(truth, results)
    expected = reference(write(truth, tmp_path), results, skeleton)
    assert set(expected) == set(metrics)
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, abs=1e-9, nan_ok=True), name


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_crowdpose_equal_to_faster_coco_eval(tmp_path, seed):
    truth, results = made(seed, CROWDPOSE14, crowdpose=True, pictures=40)
    metrics = average_precision(truth, results, "crowdpose")
    for name, value in reference(write(truth, tmp_path), results, CROWDPOSE14, crowd=True).items():
        # The reference rounds its subsets to four digits.
        tolerance = 5.1e-5 if name.startswith("AP_") else 1e-9
        assert metrics[name] == pytest.approx(value, abs=tolerance, nan_ok=True), name


def test_real_photos_equal_to_faster_coco_eval(shared):
    file = shared / "data/coco-dev/person_keypoints.json"
    truth = read_annotations(file)
    rng = np.random.default_rng(0)
    results = []
    for scene in truth.pictures:
        for someone in scene.people:
            for _ in range(rng.integers(0, 3)):
                entry = result(scene.id, someone, float(rng.random()))
                rows = np.array(entry["keypoints"]).reshape(-1, 3)
                rows[:, :2] += rng.normal(0, rng.choice([0.02, 0.06]) * np.sqrt(someone.area), (17, 2))
                results.append(entry | {"keypoints": rows.reshape(-1).tolist()})
    metrics = average_precision(truth, results)
    assert 0.1 < metrics["AP"] < 0.9
    assert metrics == pytest.approx(reference(file, results, COCO17), abs=1e-5)
