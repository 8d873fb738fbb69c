import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scalepose.losses.mixture import Mixture, displacements, fit_mixture, mixture_mask

NAN = float("nan")
GRID = np.stack(np.meshgrid(np.arange(-3.0, 4), np.arange(-3.0, 4)), axis=-1)  # (7, 7, 2), rows are y


def errors(seed=0, n=900, whole=True):
    """Displacements as a half-trained network makes them: most small, some to one side, a few anywhere."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(0, 0.6, (n, 2)), rng.normal((2.5, -1), (0.5, 0.9), (n // 3, 2)), rng.normal(0, 5, (n // 9, 2))]
    drawn = np.concatenate(parts)
    return torch.tensor(np.round(drawn) if whole else drawn)


def published_mask(density, places, weights, size):
    """The official steps by loops: paste a 7×7 window, cut it at the border, bring every map to 0 … 1."""
    w, h = size
    B, K = weights.shape
    maps = np.zeros((B, K, h, w))
    for b, k in np.ndindex(B, K):
        if weights[b, k] == 0:
            continue
        for j, i in np.ndindex(7, 7):
            x, y = places[b, k, 0] + i - 3, places[b, k, 1] + j - 3
            if 0 <= x < w and 0 <= y < h:
                maps[b, k, y, x] = density[j, i]
        low, high = maps[b, k].min(), maps[b, k].max()
        maps[b, k] = (maps[b, k] - low) / (high - low)
    return maps


PLACES = torch.tensor([[[5, 7], [0, 0], [11, 15]], [[2, 14], [6, 1], [3, 3]]])
WEIGHTS = torch.tensor([[1.0, 1, 1], [1, 1, 0]])


def test_one_component_is_scikit_learns_fit():
    sklearn = pytest.importorskip("sklearn.mixture")
    points = errors()
    ours = fit_mixture(points)
    theirs = sklearn.GaussianMixture(1, covariance_type="full", random_state=0).fit(points.numpy())
    np.testing.assert_allclose(ours.means, theirs.means_, atol=1e-9)
    np.testing.assert_allclose(ours.covariances, theirs.covariances_, atol=1e-9)
    density = np.exp(theirs.score_samples(GRID.reshape(-1, 2))).reshape(7, 7)
    np.testing.assert_allclose(ours.density(torch.tensor(GRID)), density, atol=1e-9)
    mask = mixture_mask(ours, PLACES, WEIGHTS, (12, 16))
    np.testing.assert_allclose(mask, published_mask(density, PLACES, WEIGHTS, (12, 16)), atol=1e-6)


def test_one_component_is_mean_and_covariance():
    points = errors(1)
    ours = fit_mixture(points, regularise=1e-6)
    np.testing.assert_allclose(ours.means[0], points.mean(dim=0), atol=1e-12)
    wanted = np.cov(points.numpy().T, bias=True) + 1e-6 * np.eye(2)
    np.testing.assert_allclose(ours.covariances[0], wanted, atol=1e-12)
    assert ours.weights.tolist() == [1]


def test_density_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    mixture = fit_mixture(errors(), components=3)
    parts = zip(mixture.weights.tolist(), mixture.means.numpy(), mixture.covariances.numpy(), strict=True)
    wanted = sum(w * stats.multivariate_normal(m, c).pdf(GRID) for w, m, c in parts)
    np.testing.assert_allclose(mixture.density(torch.tensor(GRID)), wanted, rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("whole", [True, False])
def test_three_components_are_as_likely_as_scikit_learns(seed, whole):
    sklearn = pytest.importorskip("sklearn.mixture")
    points = errors(seed, whole=whole)
    ours = fit_mixture(points, components=3, steps=50, regularise=0.1)
    theirs = sklearn.GaussianMixture(3, reg_covar=0.1, random_state=0, max_iter=500, n_init=3).fit(points.numpy())
    likelihood = float(ours.log_density(points).mean())
    assert likelihood == pytest.approx(theirs.score(points.numpy()), rel=0.01)
    few = float(fit_mixture(points, components=3, regularise=0.1).log_density(points).mean())  # the default steps
    assert few == pytest.approx(theirs.score(points.numpy()), rel=0.02)


def test_components_far_apart_are_found_exactly():
    rng = np.random.default_rng(0)
    true = [((0, 0), 0.5, 600), ((6, 0), 0.3, 300), ((-2, 7), 0.8, 100)]
    points = torch.tensor(np.concatenate([rng.normal(mean, spread, (n, 2)) for mean, spread, n in true]))
    mixture = fit_mixture(points, components=3)
    order = mixture.weights.argsort(descending=True)
    np.testing.assert_allclose(mixture.weights[order], [0.6, 0.3, 0.1], atol=1e-3)
    np.testing.assert_allclose(mixture.means[order], [mean for mean, _, _ in true], atol=0.2)
    np.testing.assert_allclose(mixture.covariances[order, 0, 0].sqrt(), [0.5, 0.3, 0.8], atol=0.1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), components=st.integers(2, 5))
def test_every_step_raises_the_likelihood(seed, components):
    points = errors(seed, n=90, whole=False)
    fits = [fit_mixture(points, components, steps=steps) for steps in (0, 1, 2, 5, 20)]
    likelihoods = [float(fit.log_density(points).mean()) for fit in fits]
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(likelihoods))


def test_steps_go_on_from_the_batch_before():
    points = errors(2, whole=False)
    mixture = fit_mixture(points, 3, steps=0)
    for _ in range(10):
        mixture = fit_mixture(points, 3, steps=5, start=mixture)
    whole = fit_mixture(points, 3, steps=50)
    np.testing.assert_allclose(mixture.log_density(points).mean(), whole.log_density(points).mean(), rtol=1e-2)
    again = fit_mixture(points, 2, start=mixture)  # of another size: no start
    np.testing.assert_array_equal(again.means, fit_mixture(points, 2).means)


def test_an_empty_component_comes_back():
    means = torch.tensor([[0.0, 0.0], [4.0, 4.0]])
    start = Mixture(torch.tensor([1.0, 0.0]), means, torch.eye(2).expand(2, 2, 2))
    points = torch.cat([torch.zeros(100, 2), torch.full((50, 2), 4.0)])
    mixture = fit_mixture(points, 2, steps=30, regularise=0.1, start=start)
    np.testing.assert_allclose(mixture.weights, [2 / 3, 1 / 3], atol=1e-6)
    np.testing.assert_allclose(mixture.means, means, atol=1e-6)


def usable(mixture, components):
    assert len(mixture.weights) == components
    assert all(part.isfinite().all() for part in (mixture.weights, mixture.means, mixture.covariances))
    assert float(mixture.weights.sum()) == pytest.approx(1)
    mask = mixture_mask(mixture, PLACES, WEIGHTS, (12, 16))
    assert mask.isfinite().all()
    assert mask.min() >= 0
    assert mask.max() <= 1
    return mask


@pytest.mark.parametrize("components", [1, 2, 3, 8])
@pytest.mark.parametrize(
    "points",
    [
        torch.zeros(30, 2),
        torch.zeros(1, 2),
        torch.zeros(0, 2),
        torch.full((20, 2), NAN),
        torch.tensor([[1.0, 2.0], [NAN, 0.0], [np.inf, 1.0]]),
        torch.tensor([[1.0, 1.0]] * 9 + [[-1.0, -1.0]] * 9),
        torch.arange(40.0)[:, None].expand(40, 2),
        torch.tensor([[50.0, -70.0], [50, -70], [51, -70]]),
    ],
    ids=["no errors", "one", "none", "NaN", "some NaN", "two places", "a line", "far"],
)
def test_any_displacements_give_a_usable_mask(points, components):
    mixture = fit_mixture(points, components)
    usable(mixture, components)
    usable(fit_mixture(points, components, start=mixture), components)


def test_without_errors_only_the_coarse_position_counts():
    mask = mixture_mask(fit_mixture(torch.zeros(10, 2)), PLACES, WEIGHTS, (12, 16))
    wanted = torch.zeros(2, 3, 16, 12)
    for b, k in np.ndindex(2, 3):
        wanted[b, k, PLACES[b, k, 1], PLACES[b, k, 0]] = WEIGHTS[b, k]
    np.testing.assert_array_equal(mask, wanted)


def test_without_displacements_nothing_changes():
    mixture = fit_mixture(errors(), 3)
    after = fit_mixture(torch.full((5, 2), NAN), 3, start=mixture)
    np.testing.assert_allclose(after.means, mixture.means)
    np.testing.assert_allclose(after.covariances, mixture.covariances)
    np.testing.assert_allclose(after.weights, mixture.weights, atol=0.01)


def test_rows_that_are_not_finite_do_not_count():
    points = errors()
    padded = torch.cat([torch.full((7, 2), NAN, dtype=points.dtype), points, torch.tensor([[np.inf, 0.0]])])
    for components in (1, 3):
        one, other = fit_mixture(points, components), fit_mixture(padded, components)
        np.testing.assert_allclose(one.means, other.means, atol=1e-6)
        np.testing.assert_allclose(one.covariances, other.covariances, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    mean=st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
    spread=st.floats(0.4, 4),
    places=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), min_size=1, max_size=4),
)
def test_the_mask_is_the_published_one(mean, spread, places):
    covariance = torch.eye(2, dtype=torch.float64)[None] * spread**2
    mixture = Mixture(torch.ones(1, dtype=torch.float64), torch.tensor([mean], dtype=torch.float64), covariance)
    x, y = np.moveaxis(GRID - np.array(mean), -1, 0)
    density = np.exp(-(x**2 + y**2) / (2 * spread**2)) / (2 * math.pi * spread**2)  # the closed form
    at = torch.tensor(places)[None]
    weights = torch.ones(at.shape[:2])
    mask = mixture_mask(mixture, at, weights, (9, 10))
    assert mask.dtype == torch.float32
    np.testing.assert_allclose(mask, published_mask(density, at, weights, (9, 10)), atol=1e-5)


def test_a_steady_error_shifts_the_mask():
    points = torch.tensor([[2.0, -1.0]]) + 0.3 * torch.randn(500, 2, generator=torch.manual_seed(0))
    mask = mixture_mask(fit_mixture(points), PLACES[:1, :1], WEIGHTS[:1, :1], (12, 16))
    y, x = divmod(int(mask.argmax()), 12)
    assert (x, y) == (7, 6)


def test_displacements_are_maximum_minus_place():
    heatmaps = torch.full((2, 3, 16, 12), -1.0)
    heatmaps[0, 0, 3, 4] = heatmaps[0, 1, 15, 11] = heatmaps[0, 2, 2, 2] = 0.5
    heatmaps[1, 0, 14, 5] = heatmaps[1, 2, 9, 9] = 0.5
    heatmaps[1, 1, 0, 0] = NAN
    found = displacements(heatmaps, PLACES, WEIGHTS)
    wanted = [[-1, -4], [11, 15], [-9, -13], [3, 0], [NAN, NAN], [NAN, NAN]]
    np.testing.assert_array_equal(found, np.array(wanted))


def test_nothing_carries_a_gradient_or_waits_for_the_device():
    heatmaps = torch.rand(2, 3, 16, 12, requires_grad=True)
    mixture = fit_mixture(displacements(heatmaps, PLACES, WEIGHTS), 3, regularise=0.1)
    assert not mixture_mask(mixture, PLACES, WEIGHTS, (12, 16)).requires_grad
    places, weights = PLACES.to("meta"), WEIGHTS.to("meta")  # has no values: asking for one raises
    found = displacements(heatmaps.to("meta"), places, weights)
    for components in (1, 3):
        mixture = fit_mixture(found, components)
        mixture = fit_mixture(found, components, start=mixture)
        assert mixture_mask(mixture, places, weights, (12, 16)).shape == (2, 3, 16, 12)


def test_autocast_changes_nothing():
    points = errors().float()
    plain = fit_mixture(points, 3)
    with torch.autocast("cpu", torch.bfloat16):
        halved = fit_mixture(points, 3)
    np.testing.assert_array_equal(plain.means, halved.means)
    assert repr(fit_mixture(torch.tensor([[1.0, 0.0], [3.0, 2.0]]))) == "Mixture(1.00·N(2.00±1.00, 1.00±1.00))"
