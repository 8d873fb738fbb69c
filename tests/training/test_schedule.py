import math

import pytest

from scalepose.training.parts import Optimiser, Schedule
from scalepose.training.schedule import learning_rate, peak_rate

PAPER = Schedule("step", epochs=300, warmup_steps=0, milestones=(200.0, 260.0), factor=0.1)


@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 1e-3), (199, 1e-3), (200, 1e-4), (259, 1e-4), (260, 1e-5), (299, 1e-5)]
)
def test_published_steps(epoch, rate):
    assert learning_rate(PAPER, 1e-3, epoch * 50, 50) == pytest.approx(rate)


def test_steps_fall_at_the_first_update_of_the_epoch():
    assert learning_rate(PAPER, 1.0, 200 * 50 - 1, 50) == 1
    assert learning_rate(PAPER, 1.0, 200 * 50, 50) == pytest.approx(0.1)


@pytest.mark.parametrize("kind", ["step", "cosine"])
def test_warmup_rises_in_a_line_to_the_peak(kind):
    schedule = Schedule(kind, epochs=10, warmup_steps=4, milestones=(), factor=0.1)
    rates = [learning_rate(schedule, 2.0, update, 10) for update in range(5)]
    assert rates == pytest.approx([0.5, 1, 1.5, 2, 2])


def test_cosine():
    schedule = Schedule("cosine", epochs=3, warmup_steps=0, milestones=(), factor=0.01)
    rates = [learning_rate(schedule, 1.0, update, 7) for update in range(21)]
    assert rates[0] == 1
    assert rates[10] == pytest.approx(0.505)  # half way between 1 and 0.01
    assert rates[20] == pytest.approx(0.01)
    assert rates == pytest.approx([0.01 + 0.99 * (1 + math.cos(math.pi * u / 20)) / 2 for u in range(21)])


def test_epochs_that_end_within_an_update():
    schedule = Schedule("cosine", epochs=4, warmup_steps=0, milestones=(), factor=0.0)
    assert learning_rate(schedule, 1.0, 9, 2.5) == pytest.approx(0)  # the last of ten


def test_peak_follows_the_effective_batch():
    optimiser = Optimiser("adam", lr=1e-3, reference_batch=48, weight_decay=0.0, betas=(0.9, 0.999))
    assert peak_rate(optimiser, 48) == 1e-3
    assert peak_rate(optimiser, 12) == pytest.approx(2.5e-4)
    fixed = Optimiser("adam", lr=1e-3, reference_batch=None, weight_decay=0.0, betas=(0.9, 0.999))
    assert peak_rate(fixed, 12) == 1e-3
