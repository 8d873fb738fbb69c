"""Peaks between pixels: the published step to the digit; Gaussians where they are, alone, beside others, in noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalepose.decode.peaks import find_peaks
from scalepose.decode.subpixel import quarter_pixel, sub_pixel


def gaussian(h: int, w: int, x: float, y: float, height: float = 0.8, sigma: float = 2.0) -> np.ndarray:
    """A Gaussian whose centre is the point (x, y): pixel centres at + 0.5."""
    rows, columns = np.mgrid[0:h, 0:w] + 0.5
    return (height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))).astype(np.float32)


def test_a_quarter_pixel_towards_the_larger_neighbour():
    heatmap = np.array([[[0, 0.3, 0], [0.1, 0.9, 0.2], [0, 0.1, 0]]], np.float32)
    point = quarter_pixel(heatmap, np.array([0]), np.array([1]), np.array([1]))
    np.testing.assert_array_equal(point, [[1.75, 1.25]])
    # Equal neighbours: to the left and up. At the border the pixel itself stands for the missing neighbour.
    flat = quarter_pixel(np.ones((1, 3, 3), np.float32), np.zeros(2, int), np.array([1, 0]), np.array([1, 0]))
    np.testing.assert_array_equal(flat, [[1.25, 1.25], [0.25, 0.25]])


@given(st.floats(1.0, 19.0), st.floats(1.0, 14.0), st.floats(1.0, 3.0))
@settings(max_examples=60, deadline=None)
def test_a_gaussian_is_found_where_it_is(x, y, sigma):
    heatmaps = gaussian(15, 20, x, y, 0.8, sigma)[None]
    peaks = find_peaks(heatmaps, 0.1, 30, window=3)
    point = sub_pixel(heatmaps, peaks.types, peaks.xs, peaks.ys)
    np.testing.assert_allclose(point, [[x, y]], atol=2e-3)


def test_a_gaussian_at_the_border_is_found_where_it_is():
    heatmaps = gaussian(15, 20, 0.2, 14.7)[None]
    peaks = find_peaks(heatmaps, 0.1, 30, window=3)
    np.testing.assert_allclose(sub_pixel(heatmaps, peaks.types, peaks.xs, peaks.ys), [[0.2, 14.7]], atol=1e-3)


def test_maps_of_one_pixel():
    heatmaps = np.full((2, 1, 1), 0.5, np.float32)
    peaks = find_peaks(heatmaps, 0.1, 30, window=3)
    np.testing.assert_array_equal(sub_pixel(heatmaps, peaks.types, peaks.xs, peaks.ys), [[0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize("apart", [(4.0, 0.0), (0.0, 5.0), (3.0, 3.0), (-4.5, 2.0)])
def test_a_neighbour_does_not_draw_a_peak_away(apart):
    places = np.array([(10.3, 9.6), (10.3 + apart[0], 9.6 + apart[1])])
    heatmap = np.max([gaussian(20, 24, *place) for place in places], axis=0)
    peaks = find_peaks(heatmap[None], 0.1, 30, window=3)
    points = sub_pixel(heatmap[None], peaks.types, peaks.xs, peaks.ys)
    assert len(points) == 2
    for place in places:
        assert np.abs(points - place).max(axis=1).min() < 0.5


def test_noise_matters_less_than_to_a_fit_through_next_neighbours():
    rng = np.random.default_rng(0)
    errors, of_three = [], []
    for _ in range(200):
        place = rng.uniform(8, 12, 2)
        heatmap = gaussian(20, 20, *place) + rng.normal(0, 0.02, (20, 20)).astype(np.float32)
        y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
        point = sub_pixel(heatmap[None], np.array([0]), np.array([x]), np.array([y]))[0]
        errors.append(point - place)
        rows = np.log(np.stack([heatmap[y, x - 1 : x + 2], heatmap[y - 1 : y + 2, x]]))  # (2, 3): in x, in y
        step = (rows[:, 2] - rows[:, 0]) / (2 * (2 * rows[:, 1] - rows[:, 0] - rows[:, 2]))
        of_three.append(np.array([x, y]) + 0.5 + np.clip(step, -0.5, 0.5) - place)
    assert np.std(errors) < 0.5 * np.std(of_three)


def test_where_heat_does_not_fall_on_all_sides_the_pixel_is_the_answer():
    flat = np.full((9, 9), 0.4, np.float32)
    hole = 1 - gaussian(9, 9, 4.2, 4.9)
    for heatmap in (flat, hole):
        point = sub_pixel(heatmap[None], np.array([0]), np.array([4]), np.array([4]))
        np.testing.assert_array_equal(point, [[4.5, 4.5]])


def test_pixels_that_are_not_numbers_are_not_looked_at():
    heatmap = gaussian(15, 20, 9.7, 7.2)
    heatmap[:, 12:] = np.nan
    point = sub_pixel(heatmap[None], np.array([0]), np.array([9]), np.array([6]))
    assert np.isfinite(point).all()
    assert np.abs(point - (9.7, 7.2)).max() < 1
