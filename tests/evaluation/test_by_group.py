"""AP of groups of pictures, against measuring each group's pictures as a data set of their own."""

from dataclasses import replace

import numpy as np
import pytest
from made_people import annotations, person, picture, result

from scalepose.evaluation import average_precision
from scalepose.evaluation.by_group import measure_by_group
from scalepose.evaluation.matching import scenes


def test_a_group_is_measured_like_a_set_of_its_own():
    rng = np.random.default_rng(0)
    pictures, found = [], []
    for image in range(1, 13):
        people = [person(10 * image + i, (150 * i, 60), 120) for i in range(3)]
        kinds = (("size", str(image % 3 * 5)), ("side", "left" if image % 2 else "right"))
        pictures.append(replace(picture(image, *people), groups=kinds if image < 12 else ()))
        found += [result(image, p, float(rng.random()), float(rng.uniform(0, 30))) for p in people[: rng.integers(4)]]
    truth = annotations(*pictures)
    groups = measure_by_group(scenes(truth, found))
    assert list(groups) == ["size", "side"]
    assert list(groups["size"]) == ["0", "5", "10"]  # numbers in their order
    for kind, figures in groups.items():
        for name, row in figures.items():
            part = annotations(*(p for p in pictures if (kind, name) in p.groups))
            inside = {p.id for p in part.pictures}
            alone = average_precision(part, [r for r in found if r["image_id"] in inside])
            assert [row[m] for m in ("AP", "AP50", "AR")] == pytest.approx([alone[m] for m in ("AP", "AP50", "AR")])
            assert row["people"] == 3 * len(part.pictures)


def test_no_groups_no_rows():
    assert measure_by_group(scenes(annotations(picture(1, person())), [])) == {}
