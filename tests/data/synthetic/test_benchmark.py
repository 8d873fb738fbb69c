"""The scale benchmark: fixed, complete, and people as tall as it says."""

from collections import Counter

import numpy as np
import pytest

from scalepose.data.annotations import read_annotations
from scalepose.data.synthetic import benchmark, render, write_benchmark
from scalepose.data.synthetic.benchmark import COUNT, CROWDS, HEIGHTS, benchmark_scene


def test_every_combination_has_eight_scenes_and_eight_show_nobody():
    # Drawing a scene takes a while, so what it would be called is read off its number.
    seen = Counter(tuple(benchmark_scene(index)[1].values()) for index in (*range(24), 192, 199))
    assert seen == {(str(h), str(n)): 1 for h in HEIGHTS for n in CROWDS} | {(): 2}
    assert 8 * len(HEIGHTS) * len(CROWDS) + 8 == COUNT


@pytest.mark.parametrize("index", [0, 3, 8, 14, 21, 47, 60, 89, 131])
def test_people_are_as_tall_as_the_group_says(index: int):
    scene, groups = benchmark_scene(index)
    height = int(groups["person height"])
    assert len(scene.figures) == int(groups["people in the crowd"])
    for figure, turn, spot in zip(scene.figures, scene.turns, scene.spots, strict=True):
        body = figure.stance.body
        pelvis = figure.pelvis @ turn.T + spot
        _, depth = scene.camera.project(pelvis)
        assert scene.camera.focal * body.height / depth == pytest.approx(height, rel=0.35)
    if len(scene.figures) == 1:
        _, depth = scene.camera.project(scene.figures[0].pelvis @ scene.turns[0].T + scene.spots[0])
        assert scene.camera.focal * scene.figures[0].stance.body.height / depth == pytest.approx(height, rel=0.02)


def test_is_the_same_every_time():
    first, again = (render(benchmark_scene(7)[0]) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]


def test_files_say_the_groups(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(benchmark, "COUNT", 26)
    monkeypatch.setattr(benchmark, "SIZE", (64, 64))
    annotations = read_annotations(write_benchmark(tmp_path))
    assert not annotations.problems
    assert annotations.pictures[9].groups == (("person height", "128"), ("people in the crowd", "2"))
    assert annotations.pictures[25].groups == ()
    assert annotations.pictures[25].people == ()
