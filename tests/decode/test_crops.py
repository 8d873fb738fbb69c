import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalepose.decode.crops import average_flip, dark_window, decode_crops
from scalepose.errors import ScaleposeError
from scalepose.models.outputs import Outputs
from scalepose.skeletons import COCO17, Skeleton
from scalepose.targets.crops import encode, to_map

CASES = [((48, 64), 1.0), ((96, 128), 1.0), ((192, 256), 2.0), ((288, 384), 3.0)]
FLIP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
ANY = Skeleton("one", ("any",))
MEAN_DISTANCE = (math.sqrt(2) + math.log(1 + math.sqrt(2))) / 6  # from the middle of a unit square, 0.3826


def offsets_of(outputs):
    assert outputs.offsets is not None
    return outputs.offsets


def encoded(head, points, crop_size, sigma):
    """A target as the outputs of a perfect network for one crop; `points` (K, 2) in map pixels."""
    crop = points / to_map(head, np.ones(2), crop_size)
    target = encode(head, np.concatenate([crop, np.ones((len(points), 1))], axis=1), crop_size, sigma)
    return Outputs([target.heatmaps[None]], offsets=None if target.offsets is None else target.offsets[None])


def decoded(head, outputs, sigma):
    points, values = decode_crops(head, outputs.heatmaps[0], outputs.offsets, sigma)
    assert points.dtype == values.dtype == np.float32
    return points[0]


def places(crop_size, margin, count=4000, seed=0):
    """(count, 2) random map points whose nearest pixels are `margin` pixels from the border."""
    size = np.array(crop_size) / 4
    low, high = margin - 0.499, size - 1 - margin + 0.499
    return np.random.default_rng(seed).uniform(low, high, (count, 2))


@pytest.mark.parametrize(("crop_size", "sigma"), CASES)
@pytest.mark.parametrize("head", ["dark", "udp"])
def test_gaussians_come_back(head, crop_size, sigma):
    margin = dark_window(sigma) // 2 + 2  # what is smoothed lies on the map
    points = places(crop_size, margin, 1500)
    error = decoded(head, encoded(head, points, crop_size, sigma), sigma) - points
    assert abs(error).max() < 0.05 / 4  # crop pixels, too: a map pixel is four of them


@pytest.mark.parametrize(("crop_size", "sigma"), [((48, 64), 0.3), ((48, 64), 0.5), *CASES])
@pytest.mark.parametrize("head", ["udp-offset", "cal", "cal-light"])
def test_offsets_come_back_wherever_the_keypoint_is(head, crop_size, sigma):
    points = places(crop_size, 0, 1500)
    error = decoded(head, encoded(head, points, crop_size, sigma), sigma) - points
    assert abs(error).max() < 1e-5


@pytest.mark.parametrize("head", ["udp-offset", "cal"])
def test_offsets_reach_keypoints_outside_of_the_crop(head):
    points = np.array([[-1.6, 4.2], [12.7, 3], [5, 17.4], [-1.2, -1.3]])
    np.testing.assert_allclose(decoded(head, encoded(head, points, (48, 64), 1.0), 1.0), points, atol=1e-5)


@pytest.mark.parametrize(("crop_size", "sigma"), CASES)
def test_plain_heatmaps_lose_what_is_within_a_pixel(crop_size, sigma):
    # The target is symmetric around a whole pixel, so the quarter shift has no direction: the error is all that was
    # rounded away, uniform within a pixel. Per axis 1/4 on average and 1/√12 RMS; as a distance 0.3826 map pixels.
    points = places(crop_size, 0)
    found = decoded("heatmap", encoded("heatmap", points, crop_size, sigma), sigma)
    np.testing.assert_array_equal(found, np.floor(points + 0.5))
    error = found - points
    assert abs(error).mean() == pytest.approx(1 / 4, rel=0.03)
    assert np.sqrt((error**2).mean()) == pytest.approx(1 / math.sqrt(12), rel=0.03)
    assert np.hypot(*error.T).mean() == pytest.approx(MEAN_DISTANCE, rel=0.03)


@pytest.mark.parametrize(("crop_size", "sigma"), CASES)
def test_the_quarter_shift_halves_that_at_best(crop_size, sigma):
    # Of maps that do lean to one side it leaves uniform errors of up to a quarter: half the distance.
    points = places(crop_size, 2)
    found = decoded("heatmap", encoded("dark", points, crop_size, sigma), sigma)
    np.testing.assert_allclose(abs(found - np.floor(points + 0.5)), 0.25)
    assert np.hypot(*(found - points).T).mean() == pytest.approx(MEAN_DISTANCE / 2, rel=0.03)


def test_near_the_border_dark_and_the_quarter_shift_stay_at_the_pixel():
    w, h = 12, 16
    pixels = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1).reshape(-1, 2)
    points = pixels + np.array([0.3, -0.2])
    for head, first, beyond in (("dark", 2, 2), ("heatmap", 2, 1)):
        maps = encoded("dark", points, (48, 64), 1.0)
        moved = (abs(decoded(head, maps, 1.0) - pixels) > 1e-6).any(axis=1)
        x, y = pixels.T
        inside = (x >= first) & (x < w - beyond) & (y >= first) & (y < h - beyond)
        np.testing.assert_array_equal(moved, inside)


@pytest.mark.parametrize("head", ["dark", "udp"])
@pytest.mark.parametrize(("crop_size", "sigma"), CASES)
def test_near_the_border_errors_are_bounded(head, crop_size, sigma):
    points = places(crop_size, 0)
    error = abs(decoded(head, encoded(head, points, crop_size, sigma), sigma) - points)
    assert error.max() < 2
    assert np.median(error) < 0.05


@pytest.mark.parametrize("head", ["udp", "udp-offset", "cal"])
def test_udp_flip_has_no_error_and_the_plain_one_half_a_crop_pixel(head):
    crop_size, sigma, W = (96, 128), 1.0, 96
    crop = np.random.default_rng(0).uniform(24, 72, (300, 2))
    mirrored = crop * (-1, 1) + (W - 1, 0)  # what a mirrored picture of W pixels shows

    def averaged(head):
        scale = to_map(head, np.ones(2), crop_size)
        there, back = (encoded(head, points * scale, crop_size, sigma) for points in (crop, mirrored))
        skeleton = Skeleton("many", tuple(map(str, range(300))))
        return decoded(head, average_flip(head, there, back, skeleton), sigma) / scale

    if head == "udp":
        error = averaged("dark") - crop  # mirrored maps come to lie a quarter of a map pixel to the right
        np.testing.assert_allclose(error.mean(axis=0), (0.5, 0), atol=0.02)
    found = averaged(head)
    np.testing.assert_allclose(found, crop, atol=0.05)


def drawn(seed, B=2, K=17, h=8, w=6):
    rng = np.random.default_rng(seed)
    maps = rng.random((B, K, h, w), np.float32)
    return Outputs([maps], offsets=rng.normal(size=(B, K, 2, h, w)).astype(np.float32))


def mirror(outputs):
    """What a network that treats left and right alike says about the mirrored picture."""
    offsets = offsets_of(outputs)[:, FLIP, :, :, ::-1] * np.array([-1, 1], np.float32)[:, None, None]
    return Outputs([outputs.heatmaps[0][:, FLIP, :, ::-1]], offsets=offsets)


@pytest.mark.parametrize("head", ["udp", "udp-offset", "cal", "cal-light"])
def test_averaging_with_the_mirror_image_is_symmetric(head):
    one, other = drawn(0), drawn(1)
    average, swapped = average_flip(head, one, other, COCO17), average_flip(head, other, one, COCO17)
    np.testing.assert_allclose(mirror(average).heatmaps[0], swapped.heatmaps[0], atol=1e-6)
    np.testing.assert_allclose(offsets_of(mirror(average)), offsets_of(swapped), atol=1e-6)
    same = average_flip(head, one, mirror(one), COCO17)
    np.testing.assert_allclose(same.heatmaps[0], one.heatmaps[0], atol=1e-6)
    np.testing.assert_allclose(offsets_of(same), offsets_of(one), atol=1e-6)


@pytest.mark.parametrize("head", ["heatmap", "dark"])
def test_plain_averaging_moves_the_mirror_image_by_a_pixel(head):
    one, other = (Outputs(drawn(seed).heatmaps) for seed in (0, 1))
    back = other.heatmaps[0][:, FLIP, :, ::-1].copy()
    back[..., 1:] = back[..., :-1].copy()
    average = average_flip(head, one, other, COCO17)
    np.testing.assert_allclose(average.heatmaps[0], (one.heatmaps[0] + back) / 2, atol=1e-6)
    assert average.offsets is None


def dark_by_the_formula(heatmap, sigma):
    """The published steps for one map, with OpenCV."""
    import cv2

    k = {1.0: 3, 1.5: 7, 2.0: 11, 3.0: 17}[sigma]
    h, w = heatmap.shape
    y, x = divmod(int(heatmap.argmax()), w)
    border = (k - 1) // 2
    padded = cv2.copyMakeBorder(heatmap, border, border, border, border, cv2.BORDER_CONSTANT, value=0)
    spread = 0.3 * ((k - 1) * 0.5 - 1) + 0.8
    smooth = cv2.GaussianBlur(padded, (k, k), spread)[border : border + h, border : border + w]
    smooth = np.log(np.maximum(smooth * heatmap.max() / smooth.max(), 1e-10)).astype(np.float64)
    if not (1 < x < w - 2 and 1 < y < h - 2):
        return np.array([x, y], float)
    dx, dy = (smooth[y, x + 1] - smooth[y, x - 1]) / 2, (smooth[y + 1, x] - smooth[y - 1, x]) / 2
    dxx = (smooth[y, x + 2] - 2 * smooth[y, x] + smooth[y, x - 2]) / 4
    dyy = (smooth[y + 2, x] - 2 * smooth[y, x] + smooth[y - 2, x]) / 4
    dxy = (smooth[y + 1, x + 1] - smooth[y - 1, x + 1] - smooth[y + 1, x - 1] + smooth[y - 1, x - 1]) / 4
    return np.array([x, y]) - np.linalg.inv([[dxx, dxy], [dxy, dyy]]) @ [dx, dy]


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0, 3.0])
def test_dark_is_the_published_formula_on_maps_that_lean(sigma):
    rng = np.random.default_rng(0)
    points = rng.uniform((0, 0), (23, 31), (40, 2))
    maps = encoded("dark", points, (96, 128), sigma).heatmaps[0]
    maps = maps + 0.5 * np.roll(maps, (1, 2), axis=(2, 3)) + 0.02 * rng.random(maps.shape, np.float32)
    wanted = np.array([dark_by_the_formula(heatmap, sigma) for heatmap in maps[0]])
    found, values = decode_crops("dark", maps, None, sigma)
    np.testing.assert_array_equal(values, maps.max(axis=(2, 3)))
    near = abs(wanted - np.round(found[0])).max(axis=1) < 2  # farther steps are not taken
    assert near.sum() > 30
    np.testing.assert_allclose(found[0][near], wanted[near], atol=2e-3)


def test_the_window_is_the_published_one():
    assert [dark_window(sigma) for sigma in (0.3, 0.5, 1, 1.5, 2, 3)] == [1, 1, 3, 7, 11, 17]


def test_udp_offsets_are_read_in_the_middle_of_the_disc():
    # A ragged disc with a hot spot at its rim: smoothing finds the middle, where the offset is best known.
    outputs = encoded("udp-offset", np.array([[10.2, 14.7]]), (96, 128), 1.0)
    outputs.heatmaps[0][0, 0, 15, 14] = 1.2
    offsets_of(outputs)[0, 0, :, 15, 14] = 1
    np.testing.assert_allclose(decoded("udp-offset", outputs, 1.0), [[10.2, 14.7]], atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.0, 1e-6, 1.0, 1e6, -1.0]))
@pytest.mark.parametrize("head", ["heatmap", "dark", "udp", "udp-offset", "cal"])
def test_any_finite_maps_give_points_near_their_maximum(head, seed, scale):
    outputs = drawn(seed, B=1, K=3)
    maps = outputs.heatmaps[0] * np.float32(scale)
    points, values = decode_crops(head, maps, outputs.offsets, 1.0)
    assert points.shape == (1, 3, 2)
    np.testing.assert_array_equal(values, maps.max(axis=(2, 3)))
    if head in ("heatmap", "dark", "udp"):
        y, x = np.divmod(maps.reshape(1, 3, -1).argmax(axis=2), 6)
        assert abs(points - np.stack([x, y], axis=-1)).max() <= {"heatmap": 0.25, "dark": 2, "udp": 1}[head]


@pytest.mark.parametrize("head", ["heatmap", "dark", "udp", "udp-offset", "cal"])
def test_a_batch_is_its_crops_one_by_one(head):
    outputs = drawn(3, B=4, h=16, w=12)
    points, values = decode_crops(head, outputs.heatmaps[0], outputs.offsets, 1.5)
    for b in range(4):
        alone = decode_crops(head, outputs.heatmaps[0][b : b + 1], offsets_of(outputs)[b : b + 1], 1.5)
        np.testing.assert_allclose(alone[0][0], points[b], atol=1e-5)
        np.testing.assert_array_equal(alone[1][0], values[b])
    nobody = decode_crops(head, outputs.heatmaps[0][:0], offsets_of(outputs)[:0], 1.5)
    assert [part.shape for part in nobody] == [(0, 17, 2), (0, 17)]


@pytest.mark.parametrize(("head", "bad"), [("heatmap", np.nan), ("dark", np.nan), ("cal", np.inf)])
def test_maps_that_are_not_finite_are_refused(head, bad):
    outputs = drawn(0)
    outputs.heatmaps[0][0, 3, 2, 2] = bad
    with pytest.raises(ScaleposeError, match="infinite values or NaN"):
        decode_crops(head, outputs.heatmaps[0], outputs.offsets, 1.0)


def test_missing_offsets_are_named():
    outputs = drawn(0)
    with pytest.raises(ScaleposeError, match="needs offsets"):
        decode_crops("cal", outputs.heatmaps[0], None, 1.0)
    with pytest.raises(ScaleposeError, match="needs offsets"):
        decode_crops("udp-offset", outputs.heatmaps[0], offsets_of(outputs)[:, :, :1], 1.0)
