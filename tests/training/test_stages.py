import math

import pytest
import torch

from scalepose.losses.crops import CropTargets
from scalepose.losses.mixture import fit_mixture, mixture_mask
from scalepose.training.croprecipe import SecondStage
from scalepose.training.stages import TRUSTED, Stages


def batch(seed: int, wrong: float = 1.0) -> tuple[torch.Tensor, CropTargets]:
    """Heatmaps (2, 5, 16, 12) whose maxima are about `wrong` pixels from where they should be, and the targets."""
    random = torch.Generator().manual_seed(seed)
    places = torch.randint(4, 8, (2, 5, 2), generator=random)
    found = places + (wrong * torch.randn(2, 5, 2, generator=random)).round().long().clamp(-4, 4)
    heatmaps = torch.zeros(2, 5, 16, 12)
    heatmaps.view(10, 16, 12)[torch.arange(10), found.view(10, 2)[:, 1], found.view(10, 2)[:, 0]] = 1
    targets = CropTargets(torch.zeros(2, 5, 16, 12), None, None, None, torch.ones(2, 5), places)
    return heatmaps, targets


def plan(components=1, carry=False, from_epoch=None, below_error=None) -> SecondStage:
    return SecondStage(components, 5, 0.1, carry, from_epoch, below_error)


def test_begins_at_an_epoch():
    stages = Stages(plan(from_epoch=2))
    stages.advance(1.9)
    assert not stages.second
    assert stages.weights(*batch(0)) is None
    stages.advance(2.0)
    assert stages.second
    weights = stages.weights(*batch(0))
    assert weights is not None
    assert weights.shape == (2, 5, 16, 12)


def test_begins_when_coarse_positions_can_be_trusted_and_lasts():
    stages = Stages(plan(below_error=1.0))
    for seed in range(TRUSTED + 50):
        stages.advance(0)
        assert not stages.second
        stages.weights(*batch(seed, wrong=2))
    assert stages.error > 2
    for seed in range(200):
        stages.advance(0)
        stages.weights(*batch(seed, wrong=0))
    assert stages.second
    assert stages.error < 1
    for seed in range(200):
        stages.weights(*batch(seed, wrong=3))
        stages.advance(0)
    assert stages.error > 1
    assert stages.second


def test_a_lucky_first_batch_is_not_trusted():
    stages = Stages(plan(below_error=1.0))
    stages.weights(*batch(0, wrong=0))
    stages.advance(0)
    assert stages.error == 0
    assert not stages.second


def test_error_is_the_mean_distance_at_first_and_then_forgets():
    stages = Stages(plan(from_epoch=9))
    heatmaps, targets = batch(0, wrong=0)
    heatmaps = heatmaps.roll(3, dims=3)  # everything three pixels to the right
    stages.weights(heatmaps, targets)
    stages.weights(*batch(1, wrong=0))
    assert stages.error == pytest.approx(1.5)
    nobody = CropTargets(torch.zeros(2, 5, 16, 12), None, None, None, torch.zeros(2, 5), targets.places)
    stages.weights(heatmaps, nobody)  # says nothing
    assert stages.error == pytest.approx(1.5)
    for _ in range(500):
        stages.weights(heatmaps, targets)
    assert stages.error == pytest.approx(3, abs=1e-3)


def test_carried_over_or_not():
    """Without, a batch's mixture depends on that batch alone; with, on those before."""
    fresh, carried, later = (Stages(plan(components=2, carry=carry, from_epoch=0)) for carry in (False, True, False))
    for stages in (fresh, carried, later):
        stages.advance(0)
    for seed in range(3):
        fresh.weights(*batch(seed))
        carried.weights(*batch(seed))
    later.weights(*batch(2))
    assert fresh.mixture is not None
    assert later.mixture is not None
    assert carried.mixture is not None
    torch.testing.assert_close(fresh.mixture.means, later.mixture.means)
    assert not torch.allclose(carried.mixture.means, fresh.mixture.means)


def test_weights_are_the_mask_of_the_mixture_of_the_batch():
    heatmaps, targets = batch(4)
    stages = Stages(plan(from_epoch=0))
    stages.advance(0)
    moved = (
        torch.stack([(m == 1).nonzero()[0].flip(0) for m in heatmaps.flatten(0, 1)]) - targets.places.view(10, 2)
    ).float()
    expected = mixture_mask(fit_mixture(moved, 1, 5, 0.1), targets.places, targets.weights, (12, 16))
    torch.testing.assert_close(stages.weights(heatmaps, targets), expected)


@pytest.mark.parametrize("second", [False, True])
def test_goes_on_as_if_not_stopped(second):
    alone, stopped, resumed = (
        Stages(plan(components=3, carry=True, from_epoch=0 if second else 9, below_error=0.1)) for _ in range(3)
    )
    for seed in range(20):
        for stages in (alone, stopped if seed < 10 else resumed):
            stages.advance(0)
            stages.weights(*batch(seed))
        if seed == 9:
            resumed.restore(stopped.state())
    assert resumed.second == alone.second == second
    assert resumed.error == alone.error
    assert math.isfinite(resumed.error)
    torch.testing.assert_close(resumed.weights(*batch(99)), alone.weights(*batch(99)), rtol=0, atol=0)
