import numpy as np
import pytest

from scalepose.data.cutting import Cutout
from scalepose.data.degrade import Degradation
from scalepose.errors import ScaleposeError
from scalepose.geometry import View

PICTURE = np.random.default_rng(0).integers(0, 256, (256, 192, 3), np.uint8)
VIEW = View((192, 256), (192, 256), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))  # the picture is the crop


def test_crops_become_means_of_what_they_cover():
    means = PICTURE.reshape(64, 4, 48, 4, 3).mean(axis=(1, 3))
    small = View((192, 256), (48, 64), ((0.25, 0.0, 0.0), (0.0, 0.25, 0.0)))
    crop = Degradation((48, 64))(Cutout(PICTURE), small)
    # Samples of the middle of two pixels each, then the mean of those: not every pixel counts alike, but all count.
    np.testing.assert_allclose(crop.mean(axis=(0, 1)), means.mean(axis=(0, 1)), atol=1)
    assert np.corrcoef(crop.ravel(), means.ravel())[0, 1] > 0.97
    again = Degradation((48, 64))(Cutout(PICTURE), VIEW)
    assert again.shape == (256, 192, 3)
    assert np.corrcoef(again.reshape(64, 4, 48, 4, 3).mean(axis=(1, 3)).ravel(), means.ravel())[0, 1] > 0.95


def test_the_caller_may_enlarge():
    seen = []

    def nearest(image, size):
        seen.append((image.shape, size))
        return image.repeat(4, axis=0).repeat(4, axis=1)

    crop = Degradation((48, 64))(Cutout(PICTURE), VIEW, nearest)
    assert seen == [((64, 48, 3), (192, 256))]
    assert (crop[:4, :4] == crop[0, 0]).all()
    assert Degradation((384, 512))(Cutout(PICTURE), VIEW, nearest).shape == crop.shape  # more pixels than the crop has
    assert len(seen) == 1


def test_tests_are_repeatable_and_training_is_random():
    worse = Degradation((48, 64), blur=0.7, noise=8, jpeg=30)
    cutout = Cutout(PICTURE)
    np.testing.assert_array_equal(worse(cutout, VIEW), worse(cutout, VIEW))
    drawn = [worse.milder((192, 256), np.random.default_rng(seed)) for seed in range(200)]
    widths = np.array([d.size[0] for d in drawn])
    assert widths.min() < 52
    assert widths.max() > 185
    assert abs(np.median(widths) - 96) < 15  # the middle on a logarithmic scale
    assert all(abs(d.size[1] / d.size[0] - 4 / 3) < 0.05 and d.blur <= 0.7 and d.noise <= 8 for d in drawn)
    assert 60 < sum(d.jpeg is None for d in drawn) < 140
    assert drawn[3] == worse.milder((192, 256), np.random.default_rng(3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64x48", Degradation((48, 64))),
        ("128×96,jpeg=40", Degradation((96, 128), jpeg=40)),
        ("32x24,blur=0.5,noise=4,jpeg=60", Degradation((24, 32), 0.5, 4, 60)),
    ],
)
def test_text_and_back(text, expected):
    assert Degradation.parse(text) == expected
    assert Degradation.parse(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "64", "64x", "64x48x3", "64x48,blur", "64x48,dirt=3", "64x48,jpeg=1.5", "ax4"])
def test_nonsense_is_explained(text):
    with pytest.raises(ScaleposeError, match="HEIGHTxWIDTH"):
        Degradation.parse(text)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (((0, 64),), "width"),
        (((48, 10**9),), "height"),
        (((48.0, 64),), "width"),
        ((48,), "size"),
        (((48, 64), -1), "blur"),
        (((48, 64), 0, float("nan")), "noise"),
        (((48, 64), 0, 0, 0), "jpeg"),
    ],
)
def test_settings_are_checked(arguments, name):
    with pytest.raises(ScaleposeError, match=name):
        Degradation(*arguments)
