import math

import pytest
from made_people import annotations, person, picture, result

from scalepose.evaluation.by_height import RANGES, precision_by_height


def of(heights, name):
    return {height: entry[name] for height, entry in heights.items()}


def test_every_person_is_in_one_range():
    sizes = [10, 31.9, 32, 63, 64, 128, 255, 256, 400]
    truth = annotations(*(picture(i, person(i, size=size)) for i, size in enumerate(sizes, 1)))
    heights = precision_by_height(truth, [])
    assert of(heights, "people") == dict(zip(RANGES, [2, 2, 1, 2, 2], strict=True))
    assert set(of(heights, "AP").values()) == {0}


def test_a_person_of_another_range_is_ignored_found_or_not():
    small, tall = person(1, size=50), person(2, at=(300, 100), size=200)
    truth = annotations(picture(1, small, tall))
    heights = precision_by_height(truth, [result(1, tall, 0.9)])
    assert of(heights, "AR")["128-256"] == 1
    assert of(heights, "AP")["128-256"] == pytest.approx(1)
    assert of(heights, "AP")["32-64"] == 0
    assert math.isnan(of(heights, "AP")["<32"])


def test_a_false_person_costs_in_the_range_of_its_own_height():
    small, tall = person(1, size=60), person(2, at=(300, 100), size=200)
    truth = annotations(picture(1, small, tall))
    nobody = person(at=(0, 300), size=60)
    heights = precision_by_height(truth, [result(1, nobody, 0.9), result(1, small, 0.8), result(1, tall, 0.8)])
    assert of(heights, "AP")["32-64"] == pytest.approx(0.5)
    assert of(heights, "AP")["128-256"] == pytest.approx(1)


def test_missing_keypoints_do_not_make_a_person_tall():
    truth = annotations(picture(1, person(1, size=60), person(2, at=(300, 100), size=400)))
    nobody = result(1, person(at=(0, 300), size=60), 0.9)
    nobody["keypoints"][:6] = [0.0] * 6
    found = [nobody, result(1, truth.pictures[0].people[0], 0.8), result(1, truth.pictures[0].people[1], 0.8)]
    heights = precision_by_height(truth, found)
    assert of(heights, "AP")["32-64"] == pytest.approx(0.5)
    assert of(heights, "AP")[">256"] == pytest.approx(1)


def test_crowds_are_nobody():
    truth = annotations(picture(1, person(1, crowd=True), person(2, visible=False)))
    assert set(of(precision_by_height(truth, []), "people").values()) == {0}
    assert set(of(precision_by_height(annotations(), []), "people").values()) == {0}
