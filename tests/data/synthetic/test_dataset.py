"""Rendered people as a training set without files."""

import numpy as np
import pytest

from scalepose.data.augmentation import Augmentation
from scalepose.data.synthetic import RenderedPeople, render_scene
from scalepose.errors import ScaleposeError

SIZE = (96, 64)


def test_a_sample_follows_from_the_generator_alone():
    dataset = RenderedPeople(Augmentation(), 64, SIZE, people=2)
    first, again = (dataset.sample(index, np.random.default_rng(5)) for index in (3, 8))
    other = dataset.sample(3, np.random.default_rng(6))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.keypoints, again.keypoints, equal_nan=True)
    assert first.image.shape == other.image.shape == (64, 64, 3)
    assert not np.array_equal(first.image, other.image)


def test_what_is_loaded_is_the_scene_of_the_seed():
    sample = RenderedPeople(Augmentation(), 64, SIZE, people=2).load(11)
    image, records = render_scene(11, *SIZE, 2)
    assert np.array_equal(sample.image, image)
    assert len(sample.keypoints) == len(sample.boxes) == len(records)
    for points, box, record in zip(sample.keypoints, sample.boxes, records, strict=True):
        rows = np.array(record["keypoints"]).reshape(17, 3)
        labelled = rows[:, 2] > 0
        assert points[labelled] == pytest.approx(rows[labelled, :2], abs=1e-4)
        assert np.isnan(points[~labelled]).all()
        x, y, w, h = record["bbox"]
        assert box == pytest.approx((x, y, x + w, y + h))


def test_hidden_keypoints_need_not_be_taught():
    visible = RenderedPeople(Augmentation(), 64, SIZE, people=2, hidden=0)
    everything = RenderedPeople(Augmentation(), 64, SIZE, people=2)
    rng = np.random.default_rng(5)
    for _ in range(5):
        state = rng.bit_generator.state
        seen = np.isfinite(visible.sample(0, rng).keypoints[..., 0])
        after = rng.bit_generator.state
        rng.bit_generator.state = state
        scene = everything.load(int(rng.integers(2**47)))
        assert seen.sum() == (np.isfinite(scene.keypoints[..., 0]) & ~scene.hidden).sum()
        rng.bit_generator.state = after


def test_nobody_in_the_picture():
    sample = RenderedPeople(Augmentation(), 64, SIZE, people=0).sample(0, np.random.default_rng(0))
    assert sample.keypoints.shape == (0, 17, 2)


@pytest.mark.parametrize(("size", "people"), [((8, 64), 1), ((64, 64), 99)])
def test_what_cannot_be_drawn_fails_at_once(size: tuple[int, int], people: int):
    with pytest.raises(ScaleposeError):
        RenderedPeople(Augmentation(), 64, size, people)


def test_fixed_scenes_are_drawn_once(monkeypatch):
    dataset = RenderedPeople(Augmentation(), 64, SIZE, people=1, scenes=3)
    assert len(dataset) == 3
    drawn = []
    load = RenderedPeople.load
    monkeypatch.setattr(RenderedPeople, "load", lambda self, seed: drawn.append(seed) or load(self, seed))
    views = [dataset.sample(i, np.random.default_rng(n)) for n, i in enumerate((0, 1, 0, 2, 1, 0))]
    assert len(drawn) == len(set(drawn)) == 3
    assert views[0].image_id == views[2].image_id != views[1].image_id
    assert not np.array_equal(views[0].image, views[2].image)  # another view of it
    np.testing.assert_array_equal(dataset.sample(0, np.random.default_rng(0)).image, views[0].image)


def test_more_scenes_than_memory_holds():
    with pytest.raises(ScaleposeError, match=r"100000 scenes of 640×480 pixels take 114\.4 GiB"):
        RenderedPeople(Augmentation(), 64, (640, 480), scenes=100000)
