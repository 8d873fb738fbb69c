"""People of dots, roughly known: `Zoom` looks closely at each and finds the dots."""

import threading

import numpy as np
import pytest

from dots import Dots, dotted
from scalepose.poses import Poses
from scalepose.predictor import Predictor
from scalepose.runtimes.torch import TorchRuntime
from scalepose.secondlook import SecondLook
from scalepose.zoom import BATCH, Zoom

SHAPE = np.array([(0.2, 0.0), (0.6, 0.5), (0.4, 1.0)])  # of a person, in heights


def person(x: float, y: float, height: float) -> np.ndarray:
    return np.array([x, y]) + height * SHAPE


def picture(size: tuple[int, int], *people: np.ndarray) -> np.ndarray:
    return np.max([dotted(*size, list(points), radius=np.ptp(points[:, 1]) / 12) for points in people], axis=0)


def poses(*people: np.ndarray) -> Poses:
    points = np.stack(people).astype(np.float32)
    seen = np.isfinite(points[..., 0]).astype(np.float32)
    return Poses(points, 0.4 * seen, np.linspace(0.4, 0.3, len(points)), Dots().card.skeleton)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("height", [24, 90, 400])
def test_everybody_is_seen_at_one_size_and_found_where_they_are(height, flip):
    truth = person(60, 40, height)
    runtime = Dots()
    image = picture((500, 460), truth)
    (found,) = Zoom(runtime, flip)(image, poses(truth + 0.08 * height * np.array([(1, 0), (-1, 1), (0, -1)]))).keypoints
    np.testing.assert_allclose(found, truth, atol=0.02 * height)
    # Half of 128 pixels and a quarter of that on both sides, as far as the picture goes.
    assert set(runtime.seen) <= {(64, 96), (96, 96), (64, 128), (96, 128)}
    assert len(runtime.seen) == 1 + flip


def test_people_keep_their_order_and_nobody_is_taken_for_a_neighbour():
    truth = [person(20, 30, 60), person(150, 200, 90), person(300, 40, 150), person(60, 330, 30)]
    image = picture((420, 400), *truth)
    people = Zoom(Dots())(image, poses(*(points + 2 for points in truth)))
    for found, points in zip(people.keypoints, truth, strict=True):
        np.testing.assert_allclose(found, points, atol=0.02 * np.ptp(points[:, 1]))
    assert (people.scores > 0.3).all()


def test_at_the_border_and_with_a_keypoint_missing():
    truth = person(2, 235, 60)  # the third dot is just inside of the picture's corner
    known = truth.copy()
    known[1] = np.nan
    (found,) = Zoom(Dots())(picture((300, 300), truth), poses(known)).keypoints
    np.testing.assert_allclose(found, truth, atol=1.5)


def test_who_is_not_found_again_has_no_keypoints():
    nobody = Zoom(Dots())(np.zeros((200, 200, 3), np.uint8), poses(person(50, 50, 80)))
    assert np.isnan(nobody.keypoints).all()
    assert not nobody.keypoint_scores.any()
    assert not nobody.scores.any()


def test_people_of_one_size_share_batches():
    people = [person(10 + 60 * (i % 10), 10 + 100 * (i // 10), 50) for i in range(20)]
    runtime = Dots()
    image = picture((640, 220), *people)
    alone = np.concatenate([Zoom(Dots())(image, poses(points)).keypoints for points in people])
    np.testing.assert_allclose(Zoom(runtime)(image, poses(*people)).keypoints, alone, atol=1e-4)
    assert len(runtime.seen) < len(people) / 2 <= BATCH


class OneAtATime(Dots):
    """Must not be called by two threads at once."""

    def __init__(self):
        super().__init__()
        self._busy = threading.Lock()

    def __call__(self, images):
        assert self._busy.acquire(blocking=False), "called while it was running"
        try:
            return super().__call__(images)
        finally:
            self._busy.release()


def test_by_default_the_second_look_is_a_closer_one_by_the_same_network():
    truth = person(70, 30, 90)
    image = picture((400, 400), truth)
    runtime = OneAtATime()
    look = SecondLook(Predictor(runtime))
    (first,), (second,) = Predictor(Dots())(image).keypoints, look(image).keypoints
    assert np.abs(second - truth).max() < np.abs(first - truth).max()
    assert look.name == "dots on dots, again by itself"
    many = list(look.predict_many([image] * 6))
    assert len(many) == 6
    for people in many:
        np.testing.assert_array_equal(people.keypoints[0], second)


def test_with_a_network_that_bears_several_threads(tiny_model):
    runtime = TorchRuntime(tiny_model)
    runtime.concurrent = True
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    look = SecondLook(Predictor(runtime))
    once = look(image)
    for people in look.predict_many([image] * 3):
        np.testing.assert_allclose(people.scores, once.scores, atol=1e-5)
