"""The pruned search against the exhaustive one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scalepose.decode.recovery import recover_missing


def exhaustive(heatmaps, tags, types, references):
    best = []
    for k, reference in zip(types, references, strict=True):
        distance = (((tags[k] - reference) ** 2).sum(axis=-1)) ** 0.5
        best.append(np.unravel_index(np.argmax(heatmaps[k] - np.round(distance)), heatmaps[k].shape))
    return tuple(np.array(best).T)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    h=st.integers(1, 70),
    w=st.integers(1, 70),
    T=st.integers(1, 3),
    levels=st.sampled_from([1, 2, 5, 100, 10**6]),
    spread=st.sampled_from([0.0, 0.3, 2.0, 20.0]),
    planar=st.booleans(),
)
def test_the_same_pixels_as_the_exhaustive_search(seed, h, w, T, levels, spread, planar):
    rng = np.random.default_rng(seed)
    heatmaps = (rng.integers(0, levels + 1, (2, h, w)) / levels).astype(np.float32)
    patches = np.kron(rng.standard_normal((2, 5, 5, T)), np.ones((1, 14, 14, 1)))[:, :h, :w]
    tags = (spread * (patches + 0.1 * rng.integers(-1, 2, (2, h, w, T)))).astype(np.float32)
    if planar:
        tags = np.moveaxis(np.ascontiguousarray(np.moveaxis(tags, -1, 0)), 0, -1)
    types = rng.integers(0, 2, 6)
    references = (spread * rng.standard_normal((6, T))).astype(np.float32)
    ys, xs = recover_missing(heatmaps, tags, types, references)
    expected_ys, expected_xs = exhaustive(heatmaps, tags, types, references)
    np.testing.assert_array_equal(ys, expected_ys)
    np.testing.assert_array_equal(xs, expected_xs)


def test_no_search():
    ys, xs = recover_missing(
        np.zeros((2, 8, 8), np.float32), np.zeros((2, 8, 8, 1), np.float32), np.zeros(0, int), np.zeros((0, 1))
    )
    assert len(ys) == len(xs) == 0
