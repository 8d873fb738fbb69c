"""Triangles to pixels, against solving for each pixel's weights."""

import numpy as np
import pytest

from scalepose.data.synthetic.raster import interpolate, rasterise


def test_the_nearest_triangle_wins_at_every_pixel():
    rng = np.random.default_rng(0)
    W, H = 40, 30
    points, near = rng.uniform(-5, 45, size=(36, 2)), rng.uniform(0.1, 1, size=36)
    triangles = np.arange(36).reshape(12, 3)
    raster = rasterise(points, near, triangles, (W, H))
    found = np.full(W * H, -1)
    found[raster.pixels] = raster.triangles
    y, x = np.divmod(np.arange(W * H), W)
    best, truth = np.zeros(W * H), np.full(W * H, -1)
    for t, corners in enumerate(triangles):
        system = np.concatenate([points[corners].T, np.ones((1, 3))])
        weights = np.linalg.solve(system, np.stack([x + 0.5, y + 0.5, np.ones(W * H)]))
        value = near[corners] @ weights
        wins = (weights > 0).all(axis=0) & (value > best)
        best[wins], truth[wins] = value[wins], t
    assert np.array_equal(found, truth)
    values = interpolate(raster, points, near[:, None], triangles)[0]
    assert values == pytest.approx(best[raster.pixels], abs=1e-5)


def test_neighbouring_triangles_leave_no_gap():
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.linspace(-3, 53, 9), np.linspace(-3, 43, 8))
    points = np.stack([x, y], axis=-1)
    points[1:-1, 1:-1] += rng.uniform(-2, 2, size=(6, 7, 2))
    corner = (np.arange(7)[:, None] * 9 + np.arange(8)).reshape(-1, 1)
    triangles = np.concatenate([corner + np.array([0, 1, 9]), corner + np.array([1, 10, 9])])
    raster = rasterise(points.reshape(-1, 2), np.ones(72), triangles, (50, 40))
    assert len(raster.pixels) == 50 * 40
