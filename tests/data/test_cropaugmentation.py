import numpy as np
import pytest

from scalepose.data.cropaugmentation import CropAugmentation
from scalepose.errors import ScaleposeError
from scalepose.skeletons import COCO17, CROWDPOSE14

SIZE, BOX, CROP = (640, 480), np.array([200, 100, 120, 240]), (48, 64)


def keypoints(skeleton=COCO17):
    """Heads above, hips and what is below them in the lower half; all labelled."""
    rows = np.full((len(skeleton), 3), 2.0, np.float32)
    rng = np.random.default_rng(1)
    lower = np.array([n.rsplit("_", 1)[-1] in ("hip", "knee", "ankle") for n in skeleton.keypoints])
    rows[:, 0] = rng.uniform(210, 310, len(skeleton))
    rows[:, 1] = np.where(lower, rng.uniform(230, 330, len(skeleton)), rng.uniform(110, 200, len(skeleton)))
    return rows, lower


def draws(augmentation, rows, skeleton=COCO17, count=400):
    return [
        augmentation.draw_view(SIZE, BOX, rows, skeleton, CROP, "udp", np.random.default_rng(seed))
        for seed in range(count)
    ]


def test_the_published_spreads():
    rows, _ = keypoints()
    views = draws(CropAugmentation(half_body=0), rows, count=2000)
    matrices = np.array([view.matrix for view, _ in views])
    mirrored = np.array([mirror for _, mirror in views])
    np.testing.assert_array_equal(np.linalg.det(matrices[:, :, :2]) < 0, mirrored)
    assert 0.46 < mirrored.mean() < 0.54
    angles = np.degrees(
        np.arctan2(-matrices[:, 0, 1] * 63 / 47, np.where(mirrored, -1, 1) * matrices[:, 0, 0] * 63 / 47)
    )
    angles = np.where(mirrored, -angles, angles)
    assert 0.36 < (abs(angles) < 1e-6).mean() < 0.44
    turned = angles[abs(angles) > 1e-6]
    assert abs(turned).max() == pytest.approx(90, abs=0.1)
    assert 38 < turned.std() < 46
    sizes = (47 * 63 / (300 * 225)) ** 0.5 / np.array([view.zoom for view, _ in views])
    assert sizes.min() == pytest.approx(0.65)
    assert sizes.max() == pytest.approx(1.35)
    assert 0.12 < (sizes > 1.3499).mean() < 0.2  # one in six lies beyond one spread


@pytest.mark.parametrize("skeleton", [COCO17, CROWDPOSE14])
def test_half_bodies(skeleton):
    rows, lower = keypoints(skeleton)
    still = CropAugmentation(half_body=1, scale=0, rotation_chance=0, flip=0)
    upper = 0
    for view, _ in draws(still, rows, skeleton):
        seen = view.to_input(rows[:, :2].astype(float))
        middles = [abs(seen[half].mean(axis=0) - [23.5, 31.5]).max() for half in (lower, ~lower)]
        assert min(middles) < 1e-4
        half = (lower, ~lower)[int(np.argmin(middles))]
        assert np.ptp(seen[half], axis=0).max() < 64 / 1.5 + 1e-4
        upper += int(np.argmin(middles))
    assert 0.62 < upper / 400 < 0.76


def test_half_bodies_need_keypoints():
    rows, lower = keypoints()
    still = CropAugmentation(half_body=1, scale=0, rotation_chance=0, flip=0)
    whole = draws(CropAugmentation(half_body=0, scale=0, rotation_chance=0, flip=0), rows, count=1)[0][0]
    few = rows.copy()
    few[8:, 2] = 0
    assert {view for view, _ in draws(still, few, count=20)} == {whole}  # eight are not more than eight
    above = rows.copy()
    above[lower, 2] = 0
    assert all(view.to_input(rows[~lower, :2]).mean(axis=0) == pytest.approx([23.5, 31.5], abs=1e-3)
               for view, _ in draws(still, above, count=20))  # fmt: skip
    point = rows.copy()
    point[:, :2] = (250, 200)
    assert {view for view, _ in draws(still, point, count=20)} == {whole}


def test_colours():
    crop = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    assert CropAugmentation().recolour(crop, np.random.default_rng(0)) is crop
    always = CropAugmentation(appearance=1)
    assert (always.recolour(crop, np.random.default_rng(0)) != crop).any()
    grey = CropAugmentation(appearance=1, grey=1).recolour(crop, np.random.default_rng(0))
    assert (np.ptp(grey.astype(int), axis=2) == 0).all()


@pytest.mark.parametrize(
    "field", [{"flip": 1.5}, {"scale": 1}, {"rotation": -1}, {"half_body_keypoints": 8.0}, {"hue": float("nan")}]
)
def test_nonsense_is_named(field):
    with pytest.raises(ScaleposeError, match=f"crop augmentation: {next(iter(field))} must be"):
        CropAugmentation(**field)
