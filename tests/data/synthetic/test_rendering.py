"""Rendered people: same seed, same bytes; what cannot be drawn is refused; no torch is needed."""

import subprocess
import sys

import numpy as np
import pytest

from scalepose.data.synthetic import Scene, render, render_scene
from scalepose.errors import ScaleposeError

SIZE = (160, 120)


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
    code = (
        "import sys, scalepose.data.synthetic, scalepose.apps.synth; sys.exit(bool({'torch', 'anny'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
