"""Layouts and postures lifted from photos."""

import numpy as np
import pytest

from scalepose.data.synthetic.layouts import sample_layout, sample_real_posture
from scalepose.data.synthetic.postures import ARM, LEG, LIMITS, TRUNK


@pytest.mark.parametrize("people", [0, 1, 3, 13, 20])
def test_as_many_people_as_asked_for(people: int):
    rng = np.random.default_rng(people)
    assert len(sample_layout(rng, people).people) == people


def test_layouts_are_as_varied_as_photos():
    rng = np.random.default_rng(0)
    layouts = [sample_layout(rng) for _ in range(300)]
    people = [person for layout in layouts for person in layout.people]
    counts = np.array([len(layout.people) for layout in layouts])
    assert 0.25 < (counts == 1).mean() < 0.6
    assert counts.max() > 7
    heights = np.array([person.size for person in people]) * 1.66  # of the picture's height
    assert (heights < 0.25).mean() > 0.1
    assert (heights > 1).mean() > 0.1
    yaws = np.abs([(person.yaw + 180) % 360 - 180 for person in people])
    assert 0.4 < (yaws < 60).mean() < 0.8  # most look at the camera, some away from it
    assert (yaws > 120).mean() > 0.05
    seats = np.mean([person.posture.seat for person in people])
    assert 0.02 < seats < 0.5


def test_postures_keep_the_limits_of_joints():
    rng = np.random.default_rng(1)
    for _ in range(100):
        posture = sample_real_posture(rng)
        for names, angles in (
            (TRUNK, posture.trunk),
            *((ARM, a) for a in posture.arms),
            *((LEG, a) for a in posture.legs),
        ):
            for name in names:
                low, high = LIMITS[name]
                assert low - 1 <= angles[name] <= high + 1
