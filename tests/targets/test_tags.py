import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scalepose.targets.heatmaps import heatmaps
from scalepose.targets.tags import tag_pixels

NAN = float("nan")


def test_flat_index_of_the_pixel_under_each_keypoint():
    keypoints = np.array([[[0, 0], [127.9, 95.9], [NAN, NAN]], [[4, 0], [3.99, 4], [128, 5]]], np.float32)
    pixels = tag_pixels(keypoints, (32, 24), stride=4)
    assert pixels.dtype == np.int64
    assert pixels.tolist() == [[0, 23 * 32 + 31, -1], [1, 32, -1]]


def test_no_limit_on_people():
    keypoints = np.random.default_rng(0).uniform(0, 64, (500, 17, 2)).astype(np.float32)
    assert tag_pixels(keypoints, (16, 16), stride=4).shape == (500, 17)
    assert tag_pixels(keypoints[:0], (16, 16), stride=4).shape == (0, 17)


@given(st.floats(-10, 140), st.floats(-10, 110))
def test_tags_are_compared_where_the_heatmap_peaks(x, y):
    keypoints = np.array([[[x, y]]])
    maps = heatmaps(keypoints, (32, 24), stride=4)
    pixel = tag_pixels(keypoints, (32, 24), stride=4)[0, 0]
    assert pixel == (maps[0].argmax() if maps.any() else -1)
