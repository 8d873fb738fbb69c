import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter

from scalepose.decode.peaks import find_peaks
from scalepose.decode.topk import strongest_published


def coarse_noise(seed: int, shape: tuple[int, ...], levels: int) -> np.ndarray:
    """Values on a few levels, so that ties are everywhere."""
    rng = np.random.default_rng(seed)
    return (rng.integers(-2, levels, shape) / levels).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(2, 30),
    st.sampled_from([3, 5]),
)
def test_peaks_are_the_pixels_that_equal_the_maximum_of_their_window(seed, h, w, levels, window):
    heatmaps = coarse_noise(seed, (3, h, w), levels)
    peaks = find_peaks(heatmaps, 0.1, h * w, window, published=True)
    found = np.zeros(heatmaps.shape, bool)
    found[peaks.types, peaks.ys, peaks.xs] = True
    highest = maximum_filter(heatmaps, (1, window, window), mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(found, (heatmaps == highest) & (heatmaps > 0.1))
    np.testing.assert_array_equal(peaks.values, heatmaps[peaks.types, peaks.ys, peaks.xs])
    for k in range(3):
        own = slice(peaks.starts[k], peaks.starts[k + 1])
        assert (peaks.types[own] == k).all()
        assert (np.diff(peaks.values[own]) <= 0).all()


@pytest.mark.parametrize("levels", [3, 10, 1000])
def test_the_published_order_is_that_of_torch_topk(levels):
    torch = pytest.importorskip("torch")
    for seed in range(20):
        heatmaps = coarse_noise(seed, (4, 41, 53), levels)
        heatmaps[2] = -np.abs(heatmaps[2])  # nothing to find
        stack = torch.from_numpy(heatmaps)
        peak = stack == torch.nn.functional.max_pool2d(stack, 5, stride=1, padding=2)
        values, index = (stack * peak).reshape(4, -1).topk(30, dim=1)
        peaks = find_peaks(heatmaps, 0.1, 30, 5, published=True)
        for k in range(4):
            own = slice(peaks.starts[k], peaks.starts[k + 1])
            expected = index[k][values[k] > 0.1].numpy()
            np.testing.assert_array_equal(peaks.ys[own] * 53 + peaks.xs[own], expected)


def test_the_heap_repeats_partial_sort_with_equal_values():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = rng.integers(-1, rng.integers(1, 60), rng.integers(1920, 2500)).astype(np.float32)
        expected = torch.from_numpy(values).topk(30).indices.numpy()
        np.testing.assert_array_equal(strongest_published(values, 30), expected)


def test_fewer_values_than_asked_for():
    assert sorted(strongest_published(np.array([1, 3, 2], np.float32), 30)) == [0, 1, 2]
    np.testing.assert_array_equal(strongest_published(np.array([1, 3, 2], np.float32), 2), [1, 2])


def test_a_plateau_is_one_peak():
    heatmaps = np.zeros((1, 9, 9), np.float32)
    heatmaps[0, 3:5, 3:5] = 0.7
    peaks = find_peaks(heatmaps, 0.1, 30, window=3)
    assert (peaks.xs.tolist(), peaks.ys.tolist()) == ([3], [3])


def test_only_the_strongest_are_kept():
    heatmaps = np.zeros((2, 30, 60), np.float32)
    for n in range(10):
        heatmaps[1, 4, 5 * n + 3] = 0.2 + 0.05 * n
    peaks = find_peaks(heatmaps, 0.1, 4)
    assert peaks.xs.tolist() == [48, 43, 38, 33]
    assert peaks.starts.tolist() == [0, 0, 4]
