"""`flow` with stages that count, wait and fail, and a predictor taken apart against one called picture by picture."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from scalepose.flow import MOST_READERS, WAITING, Stages, flow
from scalepose.models.outputs import Outputs
from scalepose.models.zoo import ModelCard, Network
from scalepose.predictor import Predictor
from scalepose.skeletons import COCO17


class Broken(Exception):
    pass


def ours() -> list[str]:
    """Names of the threads at work for `flow`."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("scalepose-")]


def waits(number: int) -> int:
    """Longer for some than for others, so that they finish in another order."""
    time.sleep(0.002 * (number % 3))
    return number


def tenfold(numbers: list[int]) -> list[int]:
    return [10 * number for number in numbers]


@pytest.mark.parametrize("batch", [1, 3])
def test_results_come_in_order(batch: int):
    stages = Stages(waits, tenfold, waits, lambda number: number % 2)
    assert [future.result() for future in flow(range(40), stages, batch)] == list(range(0, 400, 10))


def test_two_threads_run_the_network_where_it_bears_it():
    together = threading.Barrier(2)

    def run(numbers: list[int]) -> list[int]:
        if numbers[0] < 2:  # the first two runs wait for each other
            together.wait(timeout=10)
        return tenfold(numbers)

    futures = flow(range(40), Stages(waits, run, waits, runners=2))
    assert [future.result() for future in futures] == list(range(0, 400, 10))
    assert ours() == []


@pytest.mark.parametrize("runners", [1, 2])
def test_batches_are_whole_however_many_threads_run_them(runners: int):
    sizes: list[int] = []

    def run(numbers: list[int]) -> list[int]:
        sizes.append(len(numbers))
        return tenfold(numbers)

    stages = Stages(waits, run, waits, lambda number: number % 2, runners)
    assert [future.result() for future in flow(range(60), stages, batch=3)] == list(range(0, 600, 10))
    assert sum(sizes) == 60
    assert max(sizes) <= 3


def test_nothing_in_nothing_out():
    assert list(flow([], Stages(waits, tenfold, waits))) == []
    assert ours() == []


@pytest.mark.parametrize("stage", ["prepare", "run", "finish"])
def test_an_error_stands_where_its_picture_stood(stage: str):
    def fails_at_five(number: int, value: int) -> int:
        if number == value:
            raise Broken(stage)
        return number

    stages = Stages[int, int, int, int](
        lambda number: fails_at_five(number, 5) if stage == "prepare" else number,
        lambda numbers: [fails_at_five(n, 5) if stage == "run" else n for n in numbers],
        lambda number: fails_at_five(number, 5) if stage == "finish" else number,
    )
    futures = list(flow(range(10), stages))
    for number, future in enumerate(futures):
        if number == 5:
            with pytest.raises(Broken, match=stage):
                future.result()
        else:
            assert future.result() == number
    assert ours() == []


def test_an_error_of_the_network_is_that_of_its_whole_batch():
    def run(numbers: list[int]) -> list[int]:
        if 0 in numbers:
            raise Broken
        return numbers

    futures = list(flow(range(8), Stages(waits, run, waits), batch=2))
    assert [type(future.exception()) for future in futures[:3]] == [Broken, Broken, type(None)]


def test_early_close_stops_every_thread():
    with closing(flow(range(10**9), Stages(waits, tenfold, waits))) as results:
        assert next(results).result() == 0
        assert ours()
    assert ours() == []


def test_error_while_taking_pictures_stops_every_thread():
    def pictures() -> Iterator[int]:
        yield from range(30)
        raise Broken

    with pytest.raises(Broken):
        list(flow(pictures(), Stages(waits, tenfold, waits)))
    assert ours() == []


@pytest.mark.parametrize("batch", [1, 5])
def test_few_are_under_way_at_a_time(batch: int):
    taken = 0

    def pictures() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    most = max(MOST_READERS + WAITING, 4 * batch if batch > 1 else 0)
    for given, future in enumerate(flow(pictures(), Stages(waits, tenfold, waits), batch)):
        assert taken - given <= most
        future.result()
    assert taken == 100


def test_batches_hold_what_is_alike_and_are_full_where_they_can_be():
    batches: list[list[int]] = []

    def run(numbers: list[int]) -> list[int]:
        time.sleep(0.02)  # or the next pictures would not be there in time
        batches.append(numbers)
        return numbers

    stages = Stages[int, int, int, int](lambda n: n, run, lambda n: n, lambda n: n % 2)
    assert [future.result() for future in flow(range(32), stages, batch=4)] == list(range(32))
    assert all(len({number % 2 for number in numbers}) == 1 for numbers in batches)
    assert max(map(len, batches)) == 4
    assert sum(map(len, batches)) == 32
    assert len(batches) <= 16


class BlobsEverywhere:
    """A `Runtime` that reads people off the picture itself, so that each picture of a batch has others."""

    name = "blobs"
    concurrent = True
    card = ModelCard("blobs", Network(), input_size=64)

    def __init__(self):
        self.batches: list[tuple[int, ...]] = []

    def __call__(self, images: np.ndarray) -> Outputs[np.ndarray]:
        self.batches.append(images.shape)
        half, quarter = images[:, :1, ::2, ::2], images[:, :1, ::4, ::4]
        heat = [np.repeat(np.clip(maps, 0, 1), len(COCO17), axis=1) for maps in (quarter, half)]
        return Outputs(heat, np.repeat(quarter, len(COCO17), axis=1), None)


@pytest.mark.parametrize("batch", [1, 4])
def test_many_pictures_give_the_people_of_one_by_one(batch: int):
    rng = np.random.default_rng(0)
    sizes = [(64, 96), (96, 64), (64, 96), (64, 64)] * 5
    pictures = [np.kron(rng.integers(0, 256, (h // 16, w // 16, 3)), np.ones((16, 16, 1))).astype(np.uint8)
                for h, w in sizes]  # fmt: skip
    runtime = BlobsEverywhere()
    predictor = Predictor(runtime, scales=(1, 0.5), flip=True)
    expected = [predictor(picture) for picture in pictures]
    assert len({len(poses) for poses in expected}) > 1
    runtime.batches.clear()
    for ours, theirs in zip(predictor.predict_many(pictures, batch), expected, strict=True):
        np.testing.assert_array_equal(ours.keypoints, theirs.keypoints)
        np.testing.assert_array_equal(ours.scores, theirs.scores)
    assert max(shape[0] for shape in runtime.batches) == batch
