"""Views against closed forms, the published resize, and pictures whose every value is known."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalepose.errors import ScaleposeError
from scalepose.geometry import View

sides = st.integers(1, 3000)


def ramp(w: int, h: int) -> np.ndarray:
    """(h, w) float32 whose value at any point (x, y) between pixel centres is 2·x + 3·y: bilinear sampling keeps it."""
    x, y = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    return (2 * x + 3 * y).astype(np.float32)


@pytest.mark.parametrize(
    ("image_size", "input_size", "scale", "min_scale", "expected"),
    [
        ((640, 480), 512, 1, 1, (704, 512)),  # 512/480·640 = 682 → 704
        ((480, 640), 512, 1, 1, (512, 704)),
        ((500, 500), 512, 1, 1, (512, 512)),
        ((640, 427), 640, 1, 1, (960, 640)),  # 959 → 960
        ((640, 426), 640, 1, 1, (1024, 640)),  # 961 → 1024
        ((640, 480), 512, 0.5, 0.5, (384, 256)),  # the smallest of [0.5, 1, 2]: 341 → 384
        ((640, 480), 512, 1, 0.5, (768, 512)),  # the same padding at every scale
        ((640, 480), 512, 2, 0.5, (1536, 1024)),
        ((640, 480), 500, 1, 1, (704, 512)),  # the input size is rounded up first
    ],
)
def test_published_sizes(image_size, input_size, scale, min_scale, expected):
    assert View.paper(image_size, input_size, scale, min_scale).input_size == expected


@given(sides, sides, st.sampled_from([256, 512, 640]), st.sampled_from([0.5, 1.0, 2.0]))
def test_paper_matrix_is_the_published_one(w, h, input_size, scale):
    """The official code builds it from three pairs of points: the centre, one above it, one beside it."""
    view = View.paper((w, h), input_size, scale, min_scale=0.5)
    W, H = view.input_size
    source_width = w if w < h else W / H * h
    cx, cy = int(w / 2 + 0.5), int(h / 2 + 0.5)
    source = [(cx, cy), (cx, cy - source_width / 2), (cx - source_width / 2, cy - source_width / 2)]
    target = [(W / 2, H / 2), (W / 2, H / 2 - W / 2), (0, H / 2 - W / 2)]
    expected = cv2.getAffineTransform(np.array(source, np.float32), np.array(target, np.float32))
    np.testing.assert_allclose(view.matrix, expected, rtol=1e-4, atol=2e-2)


def test_paper_warp_takes_the_matrix_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    view = View.paper((64, 48), 128)
    expected = cv2.warpAffine(image, np.array(view.matrix), view.input_size, flags=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(view.warp(image), expected)
    # 48 → 128 high, 64 → 170.67 of 192 wide: black left and right, nothing lost above and below.
    assert view.warp(image)[:, :8].max() == 0  # 10.67 less the width of one enlarged pixel, which fades out
    assert view.warp(image)[0].max() > 0


@given(sides, sides, st.integers(32, 700), st.integers(700, 2800))
def test_fit_loses_nothing_and_pads_least(w, h, short, longest):
    view = View.fit((w, h), short, longest)
    W, H = view.input_size
    assert W % 32 == H % 32 == 0
    assert view.zoom == pytest.approx(min(short / min(w, h), longest / max(w, h)))
    np.testing.assert_array_equal(view.to_input(np.zeros(2)), [0, 0])
    right, bottom = view.to_input(np.array([w, h]))
    assert W - 32 < right <= W + 1e-3 or W == 32
    assert H - 32 < bottom <= H + 1e-3 or H == 32
    assert max(W, H) < longest + 32


def test_around_in_closed_form():
    view = View.around((100, 80), centre=(30, 20), zoom=2, input_size=(64, 32))
    np.testing.assert_allclose(view.to_input(np.array([[30, 20], [31, 20], [30, 21]])), [[32, 16], [34, 16], [32, 18]])
    turned = View.around((100, 80), (30, 20), 2, (64, 32), angle=90)  # what was right comes below
    np.testing.assert_allclose(turned.to_input(np.array([[31, 20], [30, 21]])), [[32, 18], [30, 16]], atol=1e-12)
    mirrored = View.around((100, 80), (30, 20), 2, (64, 32), mirrored=True)
    np.testing.assert_allclose(mirrored.to_input(np.array([[31, 20], [30, 21]])), [[30, 16], [32, 18]])
    assert mirrored.zoom == turned.zoom == pytest.approx(2)


@given(
    st.floats(0.1, 8),
    st.floats(-180, 180),
    st.booleans(),
    st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
)
def test_there_and_back(zoom, angle, mirrored, point):
    view = View.around((640, 480), (320, 200), zoom, (256, 192), angle, mirrored)
    there = view.to_input(np.array(point))
    np.testing.assert_allclose(view.to_image(there), point, atol=1e-6)
    np.testing.assert_allclose(view.to_image(there / 4, map_size=(64, 48)), point, atol=1e-6)


def test_missing_points_stay_missing():
    view = View.fit((64, 48), 96)
    points = np.array([[np.nan, np.nan], [1.0, 2.0]])
    for converted in (view.to_input(points), view.to_image(points), view.to_image(points, (24, 24))):
        assert np.isnan(converted[0]).all()
        assert np.isfinite(converted[1]).all()


@pytest.mark.parametrize(
    "view",
    [
        View.fit((120, 90), 160),
        View.fit((120, 90), 90),
        View.fit((120, 90), 64),
        View.fit((1200, 900), 128),  # averaged down by whole factors first
        View.fit((1201, 907), 96),
        View.around((120, 90), (50, 40), 1.7, (96, 64), angle=25),
        View.around((1200, 900), (500, 450), 0.3, (96, 64), angle=-40, mirrored=True),
    ],
)
def test_pixels_and_points_move_alike(view):
    """Each input pixel shows what the picture has at the point that `to_image` gives for its centre."""
    W, H = view.input_size
    x, y = np.meshgrid(np.arange(W) + 0.5, np.arange(H) + 0.5)
    source = view.to_image(np.stack([x, y], axis=-1))
    w, h = view.image_size
    margin = 2 / min(view.zoom, 1)
    inside = ((source > margin) & (source < np.array([w, h]) - margin)).all(axis=-1)
    assert inside.sum() > 500
    seen = view.warp(ramp(w, h))
    expected = source @ [2, 3]
    # OpenCV samples at 1/32 pixel.
    np.testing.assert_allclose(seen[inside], expected[inside], atol=5 * max(1, 1 / view.zoom) / 32 + 1e-3)


@given(sides, sides, st.floats(0.25, 4))
def test_a_resized_view_covers_the_same(w, h, factor):
    view = View.fit((w, h), 256, 1024)
    other = view.resized(factor)
    for side, before in zip(other.input_size, view.input_size, strict=True):
        assert side % 32 == 0
        assert abs(side - factor * before) <= 16 or side == 32
    assert view.resized(1.0) == view
    corners = np.array([[0, 0], other.input_size, view.input_size])
    np.testing.assert_allclose(other.to_image(corners), view.to_image(corners, map_size=other.input_size), atol=1e-6)


def test_mirror_is_the_mirrored_picture():
    image = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    view = View.fit((120, 90), 128)
    difference = view.mirror().warp(image).astype(int) - view.warp(image)[:, ::-1]
    assert np.abs(difference).max() <= 6  # positions are rounded to 1/32 pixel, the other way round
    assert view.mirror().mirror() == view


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-1, 5)])
def test_a_picture_without_pixels_is_refused(size):
    for make in (View.paper, View.fit):
        with pytest.raises(ScaleposeError, match="pixels has nothing to look at"):
            make(size, 64)


def crop_views(**changes):
    return [View.crop((640, 480), (100, 50, 60, 200), (48, 64), how, **changes) for how in ("plain", "udp")]


@pytest.mark.parametrize("box", [(100, 50, 60, 200), (10.5, 20, 300, 40), (-30, 400, 90, 120)])
def test_crops_are_the_published_ones(box):
    x, y, w, h = box
    centre, height = np.array([x + w / 2, y + h / 2]), 1.25 * max(h, w * 64 / 48)
    # HRNet: three points, the middle of the box, half a width above it and the corner of the square of the two.
    up = np.array([0, -height * 48 / 64 / 2])
    corners = np.stack([centre, centre + up, centre + up + [up[1], 0]])
    targets = np.array([(24, 32), (24, 8), (0, 8)])
    plain = View.crop((640, 480), box, (48, 64), "plain")
    np.testing.assert_allclose(plain.to_input(corners), targets, atol=1e-9)
    np.testing.assert_allclose(plain.to_image(np.array([3.0, 5.0]), (12, 16)), plain.to_image(np.array([12.0, 20.0])))
    # UDP: x = x_map · w / (w_map - 1) + c_x - w / 2
    udp = View.crop((640, 480), box, (48, 64), "udp")
    point = np.array([3.25, 7.5])
    expected = (
        point * np.array([height * 48 / 64, height]) / (11, 15) + centre - np.array([height * 48 / 64, height]) / 2
    )
    np.testing.assert_allclose(udp.to_image(point, (12, 16)), expected, atol=1e-9)


def test_udp_fits_mirrored_maps_exactly_and_plain_does_not():
    point = np.array([3.0, 5.0])
    for view, per_pixel, off in zip(crop_views(), (12 / 48, 11 / 47), (0.75, 0.0), strict=True):
        crop = view.to_input(view.to_image(point, (12, 16)))
        seen = (47 - crop[0]) * per_pixel  # in the map of the crop whose pixels are mirrored
        assert point[0] - (11 - seen) == pytest.approx(off, abs=1e-9)


def test_crops_turn_and_mirror_about_the_middle_of_the_box():
    for view, centre in zip(crop_views(angle=90), ((24, 32), (23.5, 31.5)), strict=True):
        np.testing.assert_allclose(view.to_input(np.array([130.0, 150.0])), centre)
        right = view.to_input(np.array([140.0, 150.0])) - centre  # turned clockwise: now below
        assert abs(right[0]) < 1e-9 < right[1]
    for plain, mirrored in zip(crop_views(angle=20), crop_views(angle=20, mirrored=True), strict=True):
        there, back = (view.to_input(np.array([111.0, 77.0])) for view in (plain, mirrored))
        span = 48 if plain.alignment == "plain" else 47
        np.testing.assert_allclose(back, [span - there[0], there[1]])


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (0, 0, float("nan"), 5), (0, 0, -3, 5), (float("inf"), 0, 3, 5)])
def test_a_crop_needs_a_box(box):
    with pytest.raises(ScaleposeError, match="a box needs"):
        View.crop((640, 480), box, (48, 64))
